/** Opens the list that the settings name, whatever its format. Owns the choice of the reader; reads no rows itself. */
import type { Readable } from 'node:stream'
import type { ListOrigin, SourceSettings } from '../config/settings.ts'
import { UsageError } from '../errors.ts'
import { isAddressLines, openAddressLines } from './address-lines.ts'
import { openCsv } from './csv/csv.ts'
import { decodeInput } from './input/decode.ts'
import { type Input, openInput, openStdin } from './input/input.ts'
import { openJson } from './json/json.ts'
import { kindOf, refuseBinary } from './kind.ts'
import { type Expression, mapColumns } from './mapping/column-map.ts'
import { openCommand } from './query/command.ts'
import { openSql } from './query/sql.ts'
import type { Source } from './source.ts'

export interface OpenOptions {
  /** Where relative paths start; the working directory without it. */
  readonly cwd?: string | undefined
  /** What `-` reads. */
  readonly stdin?: Readable | undefined
  /** BCP 47 tag that a workbook's numbers and dates are written in, and months are named in; `en` without it. */
  readonly locale?: string | undefined
  /** IANA zone of dates without one; the computer's without it. */
  readonly timeZone?: string | undefined
  /** Compiles computed columns; needed where the settings have any. */
  readonly compile?: ((text: string) => Expression) | undefined
  /** The same list a second time: one of the web is as it was the first time. */
  readonly again?: boolean | undefined
  /** Also accept a file of one address or `@domain` a line; its only column gets this name. */
  readonly addressLines?: string | undefined
}

/**
 * Opens a list: its columns and notes are known, its rows are read by `rows()`, once.
 *
 * @example
 * const source = await openSource({ from: { kind: 'file', path: 'list.csv' } })
 * for await (const batch of source.rows()) for (const row of batch) console.log(row.number, row.data.email)
 *
 * @throws InputError when it is missing or unreadable, DataError when it is not a list, ConfigError for wrong settings.
 */
export async function openSource(settings: SourceSettings, options: OpenOptions = {}): Promise<Source> {
  const { locale, timeZone, compile } = options
  const source = await openPlain(settings, options, locale ?? 'en')
  return mapColumns(source, settings, { locale, timeZone, compile })
}

async function openPlain(settings: SourceSettings, options: OpenOptions, locale: string): Promise<Source> {
  const cwd = options.cwd ?? process.cwd()
  const { from } = settings
  if (from === undefined)
    throw new UsageError('there is no list', { hint: 'Give one with --csv FILE, or set it in mailmerge.yaml.' })
  return from.kind === 'query'
    ? openSql(from, cwd)
    : openInputAs(await inputOf(from, cwd, options), settings, options, locale)
}

async function inputOf(
  from: Exclude<ListOrigin, { kind: 'query' }>,
  cwd: string,
  { stdin = process.stdin, again }: OpenOptions,
): Promise<Input> {
  switch (from.kind) {
    case 'web': {
      const { openWebList } = await import('./web/web-list.ts')
      return openWebList(from, again)
    }
    case 'stdin':
      return openStdin(stdin)
    case 'command':
      return openCommand(from)
    default:
      return openInput(from.path, cwd, stdin)
  }
}

async function openInputAs(
  input: Input,
  settings: SourceSettings,
  options: OpenOptions,
  locale: string,
): Promise<Source> {
  const kind = kindOf(input, settings.format)
  if (kind === 'workbook') {
    const { openWorkbook } = await import('./workbook/workbook.ts')
    return openWorkbook(input, { ...sheetOptions(settings), locale, timeZone: options.timeZone })
  }
  const { sheet } = settings
  const note = sheet === undefined ? [] : [`${input.name} is not a workbook: it has no sheet '${sheet}'`]
  return openText({ ...input, notes: [...input.notes, ...note] }, kind, settings, options.addressLines)
}

async function openText(
  input: Input,
  kind: 'csv' | 'json' | 'ndjson',
  settings: SourceSettings,
  addressLines: string | undefined,
): Promise<Source> {
  const text = await decodeInput(input, settings.encoding)
  refuseBinary(input.name, text.head)
  if (kind !== 'csv') return openJson(input, text, kind)
  if (addressLines !== undefined && isAddressLines(text.head)) return openAddressLines(input, text, addressLines)
  const { delimiter, headerRow } = settings
  return openCsv(input, text, {
    delimiter,
    headerRow,
  })
}

function sheetOptions({ sheet, headerRow }: SourceSettings): {
  readonly sheet?: string | undefined
  readonly headerRow?: number | undefined
} {
  return { sheet, headerRow }
}
