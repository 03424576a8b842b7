/**
 * What a PDF is made from: Markdown with settings before it, and the row's values in it. Owns the promise that a value is
 * text: it is put in after the Markdown was read, so that no letter of it means anything there.
 */
import { marked, type Token } from 'marked'
import { parse } from 'yaml'
import { z } from 'zod'
import { DataError } from '../../errors.ts'
import { type MarkedText, piecesOf } from '../../template/marked-text.ts'

export interface PdfSettings {
  readonly page: 'A3' | 'A4' | 'A5' | 'A6' | 'LETTER' | 'LEGAL'
  readonly landscape: boolean
  /** Points, at each edge. */
  readonly margin: number
  readonly align: 'left' | 'center' | 'right'
  /** Points, of running text. */
  readonly size: number
  /** Fonts of the project, asked before our own. */
  readonly font?: string
  readonly fontStrong?: string
  /** Image behind each page. */
  readonly background?: string
  readonly title?: string
}

export interface PdfSource {
  readonly settings: PdfSettings
  readonly blocks: readonly Token[]
  /** Text of a block with the row's values in their places. */
  fill(text: string): string
}

const MILLIMETRE = 72 / 25.4
const settingsShape = z
  .strictObject({
    page: z
      .string()
      .transform((name) => name.toUpperCase())
      .pipe(z.enum(['A3', 'A4', 'A5', 'A6', 'LETTER', 'LEGAL'])),
    landscape: z.boolean(),
    margin: z.number().min(0).max(100),
    align: z.enum(['left', 'center', 'right']),
    size: z.number().min(6).max(72),
    font: z.string(),
    fontStrong: z.string(),
    background: z.string(),
    title: z.string(),
  })
  .partial()

/** While the Markdown is read a value is its number between these two, which are dropped from the document itself. */
const PLACE_OPEN = '\u{F0004}'
const PLACE_CLOSE = '\u{F0005}'
const PLACE_MARKS = new RegExp(`[${PLACE_OPEN}${PLACE_CLOSE}]`, 'gu')
const PLACE = new RegExp(`${PLACE_OPEN}(\\d+)${PLACE_CLOSE}`, 'gu')

/**
 * Reads a document; a text without values is Markdown as it stands.
 * @throws DataError for settings that are not understood.
 */
export function readPdfSource(source: MarkedText): PdfSource {
  const values: string[] = []
  const lines = (part: string): string => part.toWellFormed().replaceAll('\r\n', '\n')
  const text = piecesOf(source)
    .map((piece) => {
      if (!piece.isValue) return lines(piece.text).replace(PLACE_MARKS, '')
      values.push(lines(piece.text))
      return `${PLACE_OPEN}${values.length - 1}${PLACE_CLOSE}`
    })
    .join('')
  const fill = (part: string): string =>
    part.includes(PLACE_OPEN) ? part.replace(PLACE, (_, index: string) => values[Number(index)] ?? '') : part
  const front = /^---\n(?<yaml>.*?)\n---(?:\n|$)/s.exec(text)
  const body = front === null ? text : text.slice(front[0].length)
  return { settings: readSettings(front?.groups?.yaml, fill), blocks: marked.lexer(body, { gfm: true }), fill }
}

function readSettings(yaml: string | undefined, fill: (text: string) => string): PdfSettings {
  let given: z.output<typeof settingsShape> = {}
  if (yaml !== undefined) {
    try {
      given = settingsShape.parse(parse(yaml) ?? {})
    } catch (cause) {
      const [issue] = cause instanceof z.ZodError ? cause.issues : []
      const where = issue === undefined ? '' : `${[...issue.path, ''].join(': ')}${issue.message}`
      throw pdfError(`the settings at its head are not understood${where === '' ? '' : `: ${where}`}`, cause)
    }
  }
  const text = (name: 'font' | 'fontStrong' | 'background' | 'title'): Partial<Record<typeof name, string>> =>
    given[name] === undefined ? {} : { [name]: fill(given[name]) }
  return {
    page: given.page ?? 'A4',
    landscape: given.landscape ?? false,
    margin: (given.margin ?? 20) * MILLIMETRE,
    align: given.align ?? 'left',
    size: given.size ?? 11,
    ...text('font'),
    ...text('fontStrong'),
    ...text('background'),
    ...text('title'),
  }
}

/** The error for a document that cannot be drawn. */
export function pdfError(what: string, cause?: unknown): DataError {
  const message = `the PDF cannot be drawn: ${what}`
  const hint = 'Fix the template of the document, or the cell that it comes from.'
  return new DataError(message, {
    problems: [{ severity: 'error', code: 'bad-pdf', message, hint }],
    cause,
  })
}
