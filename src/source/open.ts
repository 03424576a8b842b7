/** Opens the list that the settings name, whatever its format. Owns the choice of the reader; reads no rows itself. */
import type { Readable } from 'node:stream'
import type { SourceSettings } from '../config/settings.ts'
import { UsageError } from '../errors.ts'
import { openCsv } from './csv.ts'
import { decodeInput } from './decode.ts'
import { openInput } from './input.ts'
import type { Source } from './source.ts'

export interface OpenOptions {
  /** Where relative paths start; the working directory without it. */
  readonly cwd?: string
  /** What `-` reads. */
  readonly stdin?: Readable
}

/**
 * Opens a list: its columns and notes are known, its rows are read by `rows()`, once.
 *
 * @example
 * const source = await openSource({ path: 'list.csv' })
 * for await (const batch of source.rows()) for (const row of batch) console.log(row.number, row.data.email)
 *
 * @throws InputError when it is missing or unreadable, DataError when it is no list, ConfigError for wrong settings.
 */
export async function openSource(settings: SourceSettings, options: OpenOptions = {}): Promise<Source> {
  if (settings.path === undefined) {
    throw new UsageError('there is no list', { hint: 'Give one with --csv FILE, or set it in mailmerge.yaml.' })
  }
  const input = await openInput(settings.path, options.cwd ?? process.cwd(), options.stdin ?? process.stdin)
  const text = await decodeInput(input, settings.encoding)
  return openCsv(input, text, {
    ...(settings.delimiter === undefined ? {} : { delimiter: settings.delimiter }),
    ...(settings.headerRow === undefined ? {} : { headerRow: settings.headerRow }),
  })
}
