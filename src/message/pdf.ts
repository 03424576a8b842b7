/**
 * Draws a small document from Markdown: a ticket, an invoice, a certificate. Owns layout and fonts; no browser, no
 * network, and the same source gives the same octets.
 */
import { createRequire } from 'node:module'
import { marked, type Token, type Tokens } from 'marked'
import PDFDocument from 'pdfkit'
import QRCode from 'qrcode'
import { DataError } from '../errors.ts'
import { createProjectFiles } from './project-file.ts'

export interface PdfOptions {
  /** Folder that image paths start at and stay in. */
  readonly root: string
}

const require = createRequire(import.meta.url)
const FONTS = {
  plain: require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'),
  strong: require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf'),
  em: require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Oblique.ttf'),
  code: require.resolve('dejavu-fonts-ttf/ttf/DejaVuSansMono.ttf'),
}
type Face = keyof typeof FONTS

const SIZE = 11
const HEADINGS = [24, 18, 14, 12, 11, 11]
const MARGIN = 56
/** Documents are dated by their content alone, so that the same row has the same file each time. */
const EPOCH = new Date(0)

interface Span {
  readonly text: string
  readonly face: Face
  readonly link?: string
}

/**
 * A PDF of Markdown: headings, paragraphs, `**strong**`, `*emphasis*`, lists, tables, rules, code, images of the project
 * as `![](images/seal.png)`, and QR codes as `![](qr:TEXT)`.
 *
 * @throws DataError for an image that is missing or outside the project.
 */
export async function renderPdf(source: string, options: PdfOptions): Promise<Uint8Array> {
  const tokens = marked.lexer(source.toWellFormed(), { gfm: true })
  const images = await loadImages(tokens, options.root)
  const info = { CreationDate: EPOCH, ModDate: EPOCH, Producer: 'mailmerge', Creator: 'mailmerge' }
  const document = new PDFDocument({ size: 'A4', margin: MARGIN, info, autoFirstPage: true })
  const chunks: Buffer[] = []
  document.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = new Promise<void>((resolve, reject) => {
    document.on('end', resolve)
    document.on('error', reject)
  })
  for (const [face, path] of Object.entries(FONTS)) document.registerFont(face, path)
  document.font('plain').fontSize(SIZE)
  new Page(document, images).draw(tokens)
  document.end()
  await ended
  return Buffer.concat(chunks)
}

class Page {
  readonly #document: PDFKit.PDFDocument
  readonly #images: ReadonlyMap<string, Buffer>

  constructor(document: PDFKit.PDFDocument, images: ReadonlyMap<string, Buffer>) {
    this.#document = document
    this.#images = images
  }

  draw(tokens: readonly Token[], indent = 0): void {
    for (const token of tokens) this.#block(token, indent)
  }

  #block(token: Token, indent: number): void {
    const document = this.#document
    switch (token.type) {
      case 'heading': {
        const heading = token as Tokens.Heading
        document.moveDown(0.4)
        this.#spans(spansOf(heading.tokens, 'strong'), indent, HEADINGS[heading.depth - 1] ?? SIZE)
        document.moveDown(0.3)
        return
      }
      case 'paragraph':
      case 'text': {
        const { tokens = [], text } = token as Tokens.Paragraph
        for (const image of tokens.filter(({ type }) => type === 'image')) this.#image(image as Tokens.Image)
        const spans = tokens.length > 0 ? spansOf(tokens) : [{ text, face: 'plain' as const }]
        if (spans.some((span) => span.text.trim() !== '')) {
          this.#spans(spans, indent)
          document.moveDown(token.type === 'text' ? 0.1 : 0.6)
        }
        return
      }
      case 'list':
        this.#list(token as Tokens.List, indent)
        return
      case 'table':
        this.#table(token as Tokens.Table)
        return
      case 'hr': {
        const { left, right } = document.page.margins
        document.moveDown(0.3)
        document
          .moveTo(left, document.y)
          .lineTo(document.page.width - right, document.y)
          .lineWidth(0.7)
          .stroke('#999999')
        document.moveDown(0.6)
        return
      }
      case 'code':
        document
          .font('code')
          .fontSize(SIZE - 1)
          .text((token as Tokens.Code).text, MARGIN + indent)
        document.font('plain').fontSize(SIZE).moveDown(0.6)
        return
      case 'blockquote':
        this.draw((token as Tokens.Blockquote).tokens, indent + 18)
        return
      default:
      // White space and HTML have no picture on paper.
    }
  }

  #list(list: Tokens.List, indent: number): void {
    for (const [index, item] of list.items.entries()) {
      const mark = list.ordered ? `${Number(list.start || 1) + index}.` : '•'
      const top = this.#document.y
      this.#document
        .font('plain')
        .fontSize(SIZE)
        .text(mark, MARGIN + indent, top, { lineBreak: false, width: 18 })
      this.#document.y = top
      this.draw(item.tokens, indent + 18)
    }
    this.#document.moveDown(0.4)
  }

  #table(table: Tokens.Table): void {
    const cells = [table.header, ...table.rows].map((row, index) =>
      row.map((cell) => ({
        text: spansOf(cell.tokens)
          .map(({ text }) => text)
          .join(''),
        font: { src: index === 0 ? FONTS.strong : FONTS.plain, size: SIZE - 1 },
        align: { x: cell.align ?? 'left', y: 'center' } as const,
      })),
    )
    this.#document.table({ defaultStyle: { border: [0, 0, 0.5, 0], borderColor: '#bbbbbb', padding: 5 }, data: cells })
    this.#document.font('plain').fontSize(SIZE).moveDown(0.8)
    this.#document.x = MARGIN
  }

  #image({ href, text }: Tokens.Image): void {
    const content = this.#images.get(href)
    if (content === undefined) return
    const width = href.startsWith('qr:') ? 120 : Number(/\b(\d{2,3})\b/.exec(text)?.[1] ?? 200)
    if (this.#document.y + width > this.#document.page.height - MARGIN) this.#document.addPage()
    const top = this.#document.y
    this.#document.image(content, MARGIN, top, { width })
    this.#document.x = MARGIN
    this.#document.moveDown(0.6)
  }

  #spans(spans: readonly Span[], indent: number, size = SIZE): void {
    const document = this.#document
    const width = document.page.width - 2 * MARGIN - indent
    for (const [index, { text, face, link }] of spans.entries()) {
      const options = {
        width,
        continued: index < spans.length - 1,
        ...(link === undefined ? {} : { link, underline: true }),
      }
      document.font(face).fontSize(size)
      if (index === 0) document.text(text, MARGIN + indent, document.y, options)
      else document.text(text, { underline: false, link: null, ...options })
    }
    document.font('plain').fontSize(SIZE)
    document.x = MARGIN
  }
}

/** Runs of text in one face. */
function spansOf(tokens: readonly Token[] | undefined, face: Face = 'plain', link?: string): readonly Span[] {
  return (tokens ?? []).flatMap((token): readonly Span[] => {
    const inner = 'tokens' in token ? token.tokens : undefined
    switch (token.type) {
      case 'strong':
        return spansOf(inner, 'strong', link)
      case 'em':
        return spansOf(inner, 'em', link)
      case 'link':
        return spansOf(inner, face, (token as Tokens.Link).href)
      case 'codespan':
        return [{ text: (token as Tokens.Codespan).text, face: 'code' }]
      case 'br':
        return [{ text: '\n', face }]
      case 'image':
      case 'html':
        return []
      default:
        if (inner !== undefined && inner.length > 0) return spansOf(inner, face, link)
        return [
          {
            text: decodeEntities('text' in token ? String(token.text) : token.raw),
            face,
            ...(link === undefined ? {} : { link }),
          },
        ]
    }
  })
}

function decodeEntities(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
}

async function loadImages(tokens: readonly Token[], root: string): Promise<ReadonlyMap<string, Buffer>> {
  const images = new Map<string, Buffer>()
  const wanted: string[] = []
  marked.walkTokens([...tokens], (token) => {
    if (token.type === 'image') wanted.push((token as Tokens.Image).href)
  })
  for (const href of wanted) {
    if (images.has(href)) continue
    if (href.startsWith('qr:'))
      images.set(href, await QRCode.toBuffer(decodeURIComponent(href.slice(3)), { margin: 0, width: 480 }))
    else images.set(href, await readImage(href, root))
  }
  return images
}

async function readImage(href: string, root: string): Promise<Buffer> {
  const files = createProjectFiles({ root, purpose: 'image', maxOctets: 20_000_000 })
  const [file] = await files.find(decodeURIComponent(href))
  if (file === undefined) throw new DataError('no image')
  const content = Buffer.from(await files.read(file))
  const png = content.subarray(0, 4).toString('latin1') === '\u0089PNG'
  const jpeg = content[0] === 0xff && content[1] === 0xd8
  if (png || jpeg) return content
  throw new DataError(`the image ${href} is neither PNG nor JPEG`, { hint: 'Convert it: a PDF holds only those.' })
}
