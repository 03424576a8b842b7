/**
 * The page that is being drawn on: its edges, how far down it is used, and what can be put on it: a line of text, a rule, an
 * image, a QR code. Owns page breaks; what comes next, and where, is decided by who draws.
 */
import { type QrCode, qrCode } from '../../template/helpers/qr.ts'
import { type PdfSettings, type PdfSource, pdfError } from './document.ts'
import type { DocumentFonts, FontRun } from './font.ts'
import type { Span } from './inline.ts'
import type { Line, Measure } from './lines.ts'

/** From one line to the next, as a share of the size of its letters. */
export const LINE = 1.4
const INK = '#000000'
const LINK = '#1a4f9c'

export type Align = PdfSettings['align']

export interface PageOptions {
  readonly source: PdfSource
  readonly fonts: DocumentFonts
  /** Checked images by their path. */
  readonly images: ReadonlyMap<string, Uint8Array>
}

interface OpenedImage {
  readonly width: number
  readonly height: number
  readonly orientation?: number
}

export class Sheet {
  readonly settings: PdfSettings
  readonly #document: PDFKit.PDFDocument
  readonly #fonts: DocumentFonts
  readonly #images: ReadonlyMap<string, Uint8Array>
  readonly #opened = new Map<string, OpenedImage>()
  /** Where the next thing goes, in points from the top. */
  y = 0

  constructor(document: PDFKit.PDFDocument, { source, fonts, images }: PageOptions) {
    this.#document = document
    this.settings = source.settings
    this.#fonts = fonts
    this.#images = images
    this.newPage()
  }

  get left(): number {
    return this.settings.margin
  }

  get right(): number {
    return this.#document.page.width - this.settings.margin
  }

  get top(): number {
    return this.settings.margin
  }

  get bottom(): number {
    return this.#document.page.height - this.settings.margin
  }

  newPage(): void {
    this.#document.addPage()
    const { width, height } = this.#document.page
    const { background } = this.settings
    if (background !== undefined) this.image(background, 0, 0, width, height)
    this.y = this.top
  }

  /** Goes on to the next page when that many points are not left on this one. */
  need(height: number): void {
    if (this.y + height > this.bottom && this.y > this.top) this.newPage()
  }

  runs(spans: readonly Span[]): readonly FontRun[] {
    return spans.flatMap((span) => this.#fonts.runs(span))
  }

  measure(size: number): Measure {
    return ({ text, font }) => this.#use(font).fontSize(size).widthOfString(text)
  }

  /** Draws a line of text between two edges, its top at `top`. */
  line({ stretches, width }: Line, left: number, right: number, top: number, size: number, align: Align): void {
    const room = right - left - width
    let x = left + (align === 'right' ? room : align === 'center' ? room / 2 : 0)
    const baseline = top + size * 1.08
    for (const { text, font, link, width: wide } of stretches) {
      this.#use(font)
        .fontSize(size)
        .fillColor(link === undefined ? INK : LINK)
        .text(text, x, baseline, { lineBreak: false, baseline: 'alphabetic' })
      if (link !== undefined) {
        this.#document.link(x, top, wide, size * LINE, link)
        this.rule(x, x + wide, baseline + size * 0.12, LINK)
      }
      x += wide
    }
  }

  rule(from: number, to: number, y: number, color: string): void {
    this.#document.moveTo(from, y).lineTo(to, y).lineWidth(0.6).stroke(color)
  }

  image(path: string, x: number, y: number, width: number, height: number): void {
    this.#document.image(this.#open(path) as unknown as Buffer, x, y, { width, height })
  }

  /** Width and height of an image in points, at 96 pixels an inch. */
  sizeOf(path: string): readonly [width: number, height: number] {
    const { width, height, orientation = 1 } = this.#open(path)
    return orientation > 4 ? [height * 0.75, width * 0.75] : [width * 0.75, height * 0.75]
  }

  /** A QR code as shapes: sharp at every size. */
  code(text: string, x: number, y: number, width: number): void {
    const modules = checkedCode(text)
    const side = width / modules.length
    for (const [row, line] of modules.entries()) {
      for (let column = 0; column < line.length; column++) {
        if (!line[column]) continue
        let run = 1
        while (line[column + run]) run++
        // A hair of overlap, or printers show white lines between the rows.
        this.#document.rect(x + column * side, y + row * side, run * side, side * 1.02)
        column += run
      }
    }
    this.#document.fill(INK)
  }

  #use({ key, font }: FontRun['font']): PDFKit.PDFDocument {
    // The library takes an opened font as well as its file, which its types do not say.
    this.#document.registerFont(key, font as unknown as Buffer)
    return this.#document.font(key)
  }

  #open(path: string): OpenedImage {
    let image = this.#opened.get(path)
    const content = this.#images.get(path)
    if (image === undefined && content !== undefined) {
      try {
        // An opened image can be placed again without a second copy; the types of the library leave this out.
        image = (this.#document as unknown as { openImage(content: Uint8Array): OpenedImage }).openImage(content)
      } catch (cause) {
        throw pdfError(`the image '${path}' is broken`, cause)
      }
      this.#opened.set(path, image)
    }
    if (image === undefined) throw pdfError(`the image '${path}' does not exist`)
    return image
  }
}

/** @throws DataError for more text than a QR code can hold. */
export function checkedCode(text: string): QrCode {
  try {
    return qrCode(text)
  } catch (cause) {
    throw pdfError(cause instanceof Error ? cause.message : String(cause), cause)
  }
}
