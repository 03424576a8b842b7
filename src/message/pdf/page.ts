/** Draws the blocks of a document from top to bottom. Owns their layout: sizes and gaps. */
import type { Token, Tokens } from 'marked'
import PDFDocument from 'pdfkit'
import { type PdfSource, pdfError } from './document.ts'
import { type Face, inlineOf, type Picture, type Span } from './inline.ts'
import { breakLines, startsRightToLeft } from './lines.ts'
import { LINE, type PageOptions, Sheet } from './sheet.ts'
import { drawTable } from './table.ts'

/** Running text to headings of the six depths. */
const HEADINGS = [2.1, 1.6, 1.3, 1.1, 1, 1]
const INDENT = 18
const GREY = '#999999'
/** Documents are dated by their content alone, so that the same source gives the same bytes. */
const EPOCH = new Date(0)
/** A list in a list in a list ... */
const DEEPEST = 20

/** The whole document as bytes. */
export async function drawPages(options: PageOptions): Promise<Uint8Array> {
  const { settings, fill } = options.source
  const heading = options.source.blocks.find(({ type }) => type === 'heading') as Tokens.Heading | undefined
  const title = settings.title ?? (heading === undefined ? undefined : plainText(inlineOf(heading.tokens, fill)))
  const document = new PDFDocument({
    size: settings.page,
    layout: settings.landscape ? 'landscape' : 'portrait',
    margin: settings.margin,
    autoFirstPage: false,
    info: {
      CreationDate: EPOCH,
      ModDate: EPOCH,
      Producer: 'mailmerge',
      Creator: 'mailmerge',
      ...(title === undefined ? {} : { Title: title }),
    },
    ...(title === undefined ? {} : { displayTitle: true }),
  })
  const chunks: Buffer[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  document.on('data', (chunk: Buffer) => chunks.push(chunk))
  document.on('end', resolve)
  document.on('error', reject)
  new Blocks(new Sheet(document, options), fill).draw(options.source.blocks)
  document.end()
  await promise
  return Buffer.concat(chunks)
}

function plainText(inline: readonly (Span | Picture)[]): string {
  return inline
    .map((one) => (one.kind === 'text' ? one.text : ''))
    .join('')
    .trim()
}

class Blocks {
  readonly #sheet: Sheet
  /** Text of a block with the row's values in their places. */
  readonly #fill: PdfSource['fill']

  constructor(sheet: Sheet, fill: PdfSource['fill']) {
    this.#sheet = sheet
    this.#fill = fill
  }

  draw(blocks: readonly Token[], indent = 0, depth = 0): void {
    if (depth > DEEPEST) throw pdfError('its lists or quotes are nested too deep')
    for (const block of blocks) this.#block(block, indent, depth)
  }

  #block(token: Token, indent: number, depth: number): void {
    const { size } = this.#sheet.settings
    switch (token.type) {
      case 'heading': {
        const { depth: level, tokens } = token as Tokens.Heading
        const large = size * (HEADINGS[level - 1] ?? 1)
        // A heading is not the last line of a page.
        this.#sheet.need(large * LINE + size * LINE * 2)
        if (this.#sheet.y > this.#sheet.top) this.#sheet.y += size * 0.5
        this.#flow(inlineOf(tokens, this.#fill, 'strong'), indent, large)
        this.#sheet.y += size * 0.4
        return
      }
      case 'paragraph':
        this.#flow(inlineOf((token as Tokens.Paragraph).tokens, this.#fill), indent, size)
        this.#sheet.y += size * 0.7
        return
      case 'text': {
        const { tokens, text } = token as Tokens.Text
        this.#flow(tokens === undefined ? [plainSpan(this.#fill(text))] : inlineOf(tokens, this.#fill), indent, size)
        return
      }
      case 'list':
        this.#list(token as Tokens.List, indent, depth)
        return
      case 'table':
        drawTable(this.#sheet, token as Tokens.Table, this.#fill, indent)
        return
      case 'blockquote':
        this.draw((token as Tokens.Blockquote).tokens, indent + INDENT, depth + 1)
        return
      case 'code': {
        // No-break spaces keep what the template lined up.
        const text = this.#fill((token as Tokens.Code).text).replaceAll(' ', '\u00A0')
        this.#flow([plainSpan(text, 'code')], indent, size * 0.9)
        this.#sheet.y += size * 0.7
        return
      }
      case 'hr':
        this.#sheet.need(size)
        this.#sheet.y += size * 0.3
        this.#sheet.rule(this.#sheet.left + indent, this.#sheet.right, this.#sheet.y, GREY)
        this.#sheet.y += size * 0.8
        return
      case 'html':
        if (/^<!--\s*page\s*-->/.test(token.raw)) this.#sheet.newPage()
        return
      default:
      // White space has no picture on paper.
    }
  }

  /** Text and pictures in their order. */
  #flow(inline: readonly (Span | Picture)[], indent: number, size: number): void {
    let spans: Span[] = []
    const write = (): void => {
      if (spans.some(({ text }) => text.trim() !== '')) this.#text(spans, indent, size)
      spans = []
    }
    for (const one of inline) {
      if (one.kind === 'text') spans.push(one)
      else {
        write()
        this.#picture(one, indent)
      }
    }
    write()
  }

  #text(spans: readonly Span[], indent: number, size: number): void {
    const runs = this.#sheet.runs(spans)
    const left = this.#sheet.left + indent
    const align =
      this.#sheet.settings.align === 'left' && startsRightToLeft(runs) ? 'right' : this.#sheet.settings.align
    for (const line of breakLines(runs, this.#sheet.right - left, this.#sheet.measure(size))) {
      this.#sheet.need(size * LINE)
      this.#sheet.line(line, left, this.#sheet.right, this.#sheet.y, size, align)
      this.#sheet.y += size * LINE
    }
  }

  #list(list: Tokens.List, indent: number, depth: number): void {
    const { size } = this.#sheet.settings
    for (const [index, item] of list.items.entries()) {
      const mark = item.task ? (item.checked ? '☑' : '☐') : list.ordered ? `${Number(list.start || 1) + index}.` : '•'
      this.#sheet.need(size * LINE)
      const [line] = breakLines(this.#sheet.runs([plainSpan(mark)]), 100, this.#sheet.measure(size))
      const left = this.#sheet.left + indent
      if (line !== undefined) this.#sheet.line(line, left, left + INDENT, this.#sheet.y, size, 'left')
      const before = this.#sheet.y
      this.draw(item.tokens, indent + Math.max(INDENT, (line?.width ?? 0) + 5), depth + 1)
      // An item without text still takes its line.
      if (this.#sheet.y === before) this.#sheet.y += size * LINE
    }
    this.#sheet.y += size * (depth === 0 ? 0.7 : 0.1)
  }

  #picture(picture: Picture, indent: number): void {
    const left = this.#sheet.left + indent
    const room = this.#sheet.right - left
    const align = picture.align ?? this.#sheet.settings.align
    const [natural, high] = picture.kind === 'qr' ? [110, 110] : this.#sheet.sizeOf(picture.source)
    const tallest = this.#sheet.bottom - this.#sheet.top
    const scale = Math.min((picture.width ?? natural) / natural, room / natural, tallest / high)
    const width = natural * scale
    const height = high * scale
    this.#sheet.need(height)
    const x = left + (align === 'right' ? room - width : align === 'center' ? (room - width) / 2 : 0)
    if (picture.kind === 'qr') this.#sheet.code(picture.source, x, this.#sheet.y, width)
    else this.#sheet.image(picture.source, x, this.#sheet.y, width, height)
    this.#sheet.y += height + this.#sheet.settings.size * 0.5
  }
}

function plainSpan(text: string, face: Face = 'plain'): Span {
  return { kind: 'text', text, face }
}
