/**
 * Draws a document from Markdown: a ticket, an invoice, a certificate. Owns what goes in and what comes out; no browser,
 * no network, and the same source gives the same bytes. `docs/pdf.md` says what may be written.
 */

import type { Token } from 'marked'
import { BoundedMap } from '../../bounded-map.ts'
import { type MarkedText, ownText } from '../../template/marked-text.ts'
import { createProjectFiles, type ProjectFilesOptions } from '../files/project-file.ts'
import type { FilePurpose } from '../files/project-path.ts'
import { type PdfSource, pdfError, readPdfSource } from './document.ts'
import { type DocumentFonts, documentFonts, readFont } from './font.ts'
import { checkImage } from './image.ts'
import { inlineOf, type Picture, type Span } from './inline.ts'
import { drawPages } from './page.ts'
import { checkedCode } from './sheet.ts'

/** Where images and fonts may come from; see `AttachmentStoreOptions`. */
export type PdfOptions = Pick<ProjectFilesOptions, 'root' | 'roots' | 'never'>

const LARGEST_FILE = 20_000_000
const checked = new BoundedMap<string, true>(1_000)

/**
 * A PDF of Markdown: headings, paragraphs, `**strong**`, `*emphasis*`, lists, tables, rules, code, links, images of the
 * project as `![](images/seal.png "80 center")`, QR codes as `![](qr:TEXT)`, `<!-- page -->` for a new page. Settings stand
 * before it between lines of `---`. Marked values are text, whatever they hold.
 *
 * @throws DataError for settings that are not understood, an image or font that cannot be had, a letter that no font has.
 */
export async function renderPdf(markdown: MarkedText, options: PdfOptions): Promise<Uint8Array> {
  const source = readPdfSource(markdown)
  const images = await readImages(source, options)
  return drawPages({ source, images, fonts: await readFonts(source, options) })
}

/**
 * Says early what `renderPdf` would throw: reads and draws nothing of it but images and fonts that were not yet looked at.
 * @throws DataError as `renderPdf` does.
 */
export async function checkPdf(markdown: MarkedText, options: PdfOptions): Promise<void> {
  const source = readPdfSource(markdown)
  await readImages(source, options)
  const fonts = await readFonts(source, options)
  for (const one of everyInline(source)) {
    if (one.kind === 'text') fonts.runs(one)
    else if (one.kind === 'qr') checkedCode(one.source)
  }
}

async function readImages(source: PdfSource, options: PdfOptions): Promise<ReadonlyMap<string, Uint8Array>> {
  const { background } = source.settings
  const paths = everyInline(source).flatMap((one) => (one.kind === 'image' ? [one.source] : []))
  const images = new Map<string, Uint8Array>()
  for (const path of new Set(background === undefined ? paths : [background, ...paths])) {
    const { content, fingerprint } = await readOne('image', path, options)
    const id = `${fingerprint} ${path}`
    checked.getOrMake(id, () => {
      checkImage(path, content)
      return true
    })
    images.set(path, content)
  }
  return images
}

async function readFonts({ settings }: PdfSource, options: PdfOptions): Promise<DocumentFonts> {
  const own = async (path: string | undefined) => {
    if (path === undefined) return undefined
    const { content, fingerprint } = await readOne('font', path, options)
    return readFont(`${fingerprint} ${path}`, path, content)
  }
  const plain = await own(settings.font)
  const strong = await own(settings.fontStrong)
  return documentFonts({ plain, strong })
}

async function readOne(
  purpose: FilePurpose,
  path: string,
  options: PdfOptions,
): Promise<{ readonly content: Uint8Array; readonly fingerprint: string }> {
  const files = createProjectFiles({ ...options, purpose, maxBytes: LARGEST_FILE })
  const [file, second] = await files.find(ownText(path))
  if (file === undefined || second !== undefined) throw pdfError(`'${path}' is not one ${purpose}`)
  return { content: await files.read(file), fingerprint: file.stamp }
}

/** Every text and picture of the document. */
function everyInline(source: PdfSource): readonly (Span | Picture)[] {
  const visit = (token: Token): readonly (Span | Picture)[] => {
    if (token.type === 'list') return token['items'].flatMap((item: { tokens: Token[] }) => item.tokens.flatMap(visit))
    if (token.type === 'blockquote') return (token.tokens ?? []).flatMap(visit)
    if (token.type === 'table') {
      const cells = [token['header'], ...token['rows']].flat() as readonly { readonly tokens: Token[] }[]
      return cells.flatMap(({ tokens }) => inlineOf(tokens, source.fill))
    }
    if (token.type === 'code') return [{ kind: 'text', text: source.fill(token['text']), face: 'code' }]
    if (token.type === 'space' || token.type === 'hr' || token.type === 'html') return []
    return inlineOf(
      ('tokens' in token ? token.tokens : undefined) ?? [token],
      source.fill,
      token.type === 'heading' ? 'strong' : 'plain',
    )
  }
  return source.blocks.flatMap(visit)
}
