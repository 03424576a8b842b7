/** Draws blocks onto pages, from top to bottom. Owns the layout: sizes, gaps, page breaks. */
import type { Token, Tokens } from 'marked'
import PDFDocument from 'pdfkit'
import { type QrCode, qrCode } from '../../template/helpers/qr.ts'
import { type PdfSettings, type PdfSource, pdfError } from './document.ts'
import type { DocumentFonts, FontRun } from './font.ts'
import { type Face, inlineOf, type Picture, type Span } from './inline.ts'
import { breakLines, type Line, type Measure, startsRightToLeft, widthsOf } from './lines.ts'

/** Running text to headings of the six depths. */
const HEADINGS = [2.1, 1.6, 1.3, 1.1, 1, 1]
const LINE = 1.4
const INDENT = 18
const CELL = 5
const GREY = '#999999'
const INK = '#000000'
const LINK = '#1a4f9c'
/** Documents are dated by their content alone, so that the same source gives the same bytes. */
const EPOCH = new Date(0)
/** A list in a list in a list ... */
const DEEPEST = 20

type Align = PdfSettings['align']

export interface PageOptions {
  readonly source: PdfSource
  readonly fonts: DocumentFonts
  /** Checked images by their path. */
  readonly images: ReadonlyMap<string, Uint8Array>
}

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
  new Pages(document, options).draw(options.source.blocks)
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

class Pages {
  readonly #document: PDFKit.PDFDocument
  readonly #settings: PdfSettings
  readonly #source: PdfSource
  readonly #fonts: DocumentFonts
  readonly #images: ReadonlyMap<string, Uint8Array>
  #y = 0

  constructor(document: PDFKit.PDFDocument, { source, fonts, images }: PageOptions) {
    this.#document = document
    this.#settings = source.settings
    this.#source = source
    this.#fonts = fonts
    this.#images = images
    this.#newPage()
  }

  get #left(): number {
    return this.#settings.margin
  }

  get #right(): number {
    return this.#document.page.width - this.#settings.margin
  }

  get #bottom(): number {
    return this.#document.page.height - this.#settings.margin
  }

  #newPage(): void {
    this.#document.addPage()
    const { width, height } = this.#document.page
    const background = this.#settings.background
    if (background !== undefined) this.#place(background, 0, 0, width, height)
    this.#y = this.#settings.margin
  }

  /** Goes on to the next page when that many points are not left on this one. */
  #need(height: number): void {
    if (this.#y + height > this.#bottom && this.#y > this.#settings.margin) this.#newPage()
  }

  draw(blocks: readonly Token[], indent = 0, depth = 0): void {
    if (depth > DEEPEST) throw pdfError('its lists or quotes are nested too deep')
    for (const block of blocks) this.#block(block, indent, depth)
  }

  #block(token: Token, indent: number, depth: number): void {
    const { size } = this.#settings
    switch (token.type) {
      case 'heading': {
        const { depth: level, tokens } = token as Tokens.Heading
        const large = size * (HEADINGS[level - 1] ?? 1)
        // A heading is not the last line of a page.
        this.#need(large * LINE + size * LINE * 2)
        if (this.#y > this.#settings.margin) this.#y += size * 0.5
        this.#flow(inlineOf(tokens, this.#source.fill, 'strong'), indent, large)
        this.#y += size * 0.4
        return
      }
      case 'paragraph':
        this.#flow(inlineOf((token as Tokens.Paragraph).tokens, this.#source.fill), indent, size)
        this.#y += size * 0.7
        return
      case 'text': {
        const { tokens, text } = token as Tokens.Text
        this.#flow(
          tokens === undefined ? [plainSpan(this.#source.fill(text))] : inlineOf(tokens, this.#source.fill),
          indent,
          size,
        )
        return
      }
      case 'list':
        this.#list(token as Tokens.List, indent, depth)
        return
      case 'table':
        this.#table(token as Tokens.Table, indent)
        return
      case 'blockquote':
        this.draw((token as Tokens.Blockquote).tokens, indent + INDENT, depth + 1)
        return
      case 'code': {
        // No-break spaces keep what the template lined up.
        const text = this.#source.fill((token as Tokens.Code).text).replaceAll(' ', '\u00A0')
        this.#flow([plainSpan(text, 'code')], indent, size * 0.9)
        this.#y += size * 0.7
        return
      }
      case 'hr':
        this.#need(size)
        this.#y += size * 0.3
        this.#rule(this.#left + indent, this.#right, this.#y, GREY)
        this.#y += size * 0.8
        return
      case 'html':
        if (/^<!--\s*page\s*-->/.test(token.raw)) this.#newPage()
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
    const runs = this.#runs(spans)
    const left = this.#left + indent
    const align = this.#settings.align === 'left' && startsRightToLeft(runs) ? 'right' : this.#settings.align
    for (const line of breakLines(runs, this.#right - left, this.#measure(size))) {
      this.#need(size * LINE)
      this.#line(line, left, this.#right, this.#y, size, align)
      this.#y += size * LINE
    }
  }

  #runs(spans: readonly Span[]): readonly FontRun[] {
    return spans.flatMap((span) => this.#fonts.runs(span))
  }

  #measure(size: number): Measure {
    return ({ text, font }) => this.#use(font).fontSize(size).widthOfString(text)
  }

  #use({ key, font }: FontRun['font']): PDFKit.PDFDocument {
    // The library takes an opened font as well as its file, which its types do not say.
    this.#document.registerFont(key, font as unknown as Buffer)
    return this.#document.font(key)
  }

  #line({ stretches, width }: Line, left: number, right: number, top: number, size: number, align: Align): void {
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
        this.#rule(x, x + wide, baseline + size * 0.12, LINK)
      }
      x += wide
    }
  }

  #rule(from: number, to: number, y: number, color: string): void {
    this.#document.moveTo(from, y).lineTo(to, y).lineWidth(0.6).stroke(color)
  }

  #list(list: Tokens.List, indent: number, depth: number): void {
    const { size } = this.#settings
    for (const [index, item] of list.items.entries()) {
      const mark = item.task ? (item.checked ? '☑' : '☐') : list.ordered ? `${Number(list.start || 1) + index}.` : '•'
      this.#need(size * LINE)
      const [line] = breakLines(this.#runs([plainSpan(mark)]), 100, this.#measure(size))
      const left = this.#left + indent
      if (line !== undefined) this.#line(line, left, left + INDENT, this.#y, size, 'left')
      const before = this.#y
      this.draw(item.tokens, indent + Math.max(INDENT, (line?.width ?? 0) + 5), depth + 1)
      // An item without text still takes its line.
      if (this.#y === before) this.#y += size * LINE
    }
    this.#y += size * (depth === 0 ? 0.7 : 0.1)
  }

  #table(table: Tokens.Table, indent: number): void {
    const size = this.#settings.size * 0.95
    const measure = this.#measure(size)
    const rows = [table.header, ...table.rows].map((row, index) =>
      row.map(({ tokens }) => {
        const inline = inlineOf(tokens, this.#source.fill, index === 0 ? 'strong' : 'plain')
        return this.#runs(inline.filter((one) => one.kind === 'text'))
      }),
    )
    const aligns = table.align.map((align) => align ?? 'left')
    const left = this.#left + indent
    const widths = columnWidths(rows, aligns, this.#right - left, measure)
    const broken = rows.map((row) =>
      row.map((cell, column) => breakLines(cell, (widths[column] ?? 0) - 2 * CELL, measure)),
    )
    const [header, ...body] = broken
    const drawRow = (row: readonly (readonly Line[])[], from: number, to: number): void => {
      let x = left
      for (const [column, lines] of row.entries()) {
        const wide = widths[column] ?? 0
        for (const [index, line] of lines.slice(from, to).entries()) {
          const top = this.#y + CELL + index * size * LINE
          this.#line(line, x + CELL, x + wide - CELL, top, size, aligns[column] ?? 'left')
        }
        x += wide
      }
      this.#y += 2 * CELL + (Math.min(to, longest(row)) - from) * size * LINE
      this.#rule(left, x, this.#y, row === header ? '#555555' : '#cccccc')
    }
    const head = header?.some((lines) => lines.some(({ width }) => width > 0)) ? header : undefined
    if (head !== undefined) {
      this.#need(2 * (2 * CELL + longest(head) * size * LINE))
      drawRow(head, 0, longest(head))
    }
    for (const row of body) this.#tableRow(row, size, drawRow, head)
    this.#y += this.#settings.size
  }

  /** A row goes on the next page whole, or in parts where it is longer than a page; the head is there again. */
  #tableRow(
    row: readonly (readonly Line[])[],
    size: number,
    drawRow: (row: readonly (readonly Line[])[], from: number, to: number) => void,
    head: readonly (readonly Line[])[] | undefined,
  ): void {
    const count = longest(row)
    const page =
      Math.floor((this.#bottom - this.#settings.margin) / (size * LINE)) - 4 - (head === undefined ? 0 : longest(head))
    let from = 0
    while (from < count) {
      const room = Math.floor((this.#bottom - this.#y - 2 * CELL) / (size * LINE))
      const rest = count - from
      if (rest <= room || (count > page && room >= 3)) {
        const to = Math.min(count, from + room)
        drawRow(row, from, to)
        from = to
      }
      if (from < count) {
        this.#newPage()
        if (head !== undefined) drawRow(head, 0, longest(head))
        if (page < 3) throw pdfError('the page is too small for its table')
      }
    }
  }

  #picture(picture: Picture, indent: number): void {
    const left = this.#left + indent
    const room = this.#right - left
    const align = picture.align ?? this.#settings.align
    const [natural, high] = picture.kind === 'qr' ? [110, 110] : this.#sizeOf(picture.source)
    const tallest = this.#bottom - this.#settings.margin
    const scale = Math.min((picture.width ?? natural) / natural, room / natural, tallest / high)
    const width = natural * scale
    const height = high * scale
    this.#need(height)
    const x = left + (align === 'right' ? room - width : align === 'center' ? (room - width) / 2 : 0)
    if (picture.kind === 'qr') this.#code(picture.source, x, this.#y, width)
    else this.#place(picture.source, x, this.#y, width, height)
    this.#y += height + this.#settings.size * 0.5
  }

  /** A QR code as shapes: sharp at every size. */
  #code(text: string, x: number, y: number, width: number): void {
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

  /** Width and height in points, at 96 pixels an inch. */
  #sizeOf(path: string): readonly [width: number, height: number] {
    const { width, height, orientation = 1 } = this.#opened(path)
    return orientation > 4 ? [height * 0.75, width * 0.75] : [width * 0.75, height * 0.75]
  }

  #place(path: string, x: number, y: number, width: number, height: number): void {
    this.#document.image(this.#opened(path) as unknown as Buffer, x, y, { width, height })
  }

  readonly #open = new Map<string, OpenedImage>()

  #opened(path: string): OpenedImage {
    let image = this.#open.get(path)
    const content = this.#images.get(path)
    if (image === undefined && content !== undefined) {
      try {
        // An opened image can be placed again without a second copy; the types of the library leave this out.
        image = (this.#document as unknown as { openImage(content: Uint8Array): OpenedImage }).openImage(content)
      } catch (cause) {
        throw pdfError(`the image '${path}' is broken`, cause)
      }
      this.#open.set(path, image)
    }
    if (image === undefined) throw pdfError(`the image '${path}' does not exist`)
    return image
  }
}

interface OpenedImage {
  readonly width: number
  readonly height: number
  readonly orientation?: number
}

/** @throws DataError for more text than a QR code can hold. */
export function checkedCode(text: string): QrCode {
  try {
    return qrCode(text)
  } catch (cause) {
    throw pdfError(cause instanceof Error ? cause.message : String(cause), cause)
  }
}

function plainSpan(text: string, face: Face = 'plain'): Span {
  return { kind: 'text', text, face }
}

function longest(row: readonly (readonly Line[])[]): number {
  return Math.max(1, ...row.map(({ length }) => length))
}

/** As wide as the content asks; what is left goes to the first column of text, what is missing is taken from the widest. */
function columnWidths(
  rows: readonly (readonly (readonly FontRun[])[])[],
  aligns: readonly string[],
  room: number,
  measure: Measure,
): readonly number[] {
  const wanted = aligns.map((_, column) => {
    const cells = rows.map((row) => widthsOf(row[column] ?? [], measure))
    return {
      least: Math.max(...cells.map(({ least }) => least)) + 2 * CELL,
      most: Math.max(...cells.map(({ most }) => most)) + 2 * CELL + 0.5,
    }
  })
  const widths = wanted.map(() => 0)
  let left = room
  let columns = wanted.length
  // The narrow ones first: a column of numbers is whole before a column of text breaks its lines.
  for (const [column, { least, most }] of [...wanted.entries()].sort(([, a], [, b]) => a.most - b.most)) {
    widths[column] = Math.max(Math.min(least, left), Math.min(most, left / columns))
    left -= widths[column]
    columns--
  }
  const text = Math.max(0, aligns.indexOf('left'))
  return widths.map((width, column) => width + (column === text ? Math.max(0, left) : 0))
}
