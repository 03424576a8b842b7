/** A copy of a list with further columns behind its own. Owns the choice of the writer, by the list and the ending of the copy's name. */
import type { Readable } from 'node:stream'
import type { SourceSettings } from '../../config/settings.ts'
import { UsageError } from '../../errors.ts'
import { copiedCell, csvCell } from '../../text/csv-cells.ts'
import { cellText } from '../cells/cell.ts'
import { decodeInput } from '../input/decode.ts'
import { openInput } from '../input/input.ts'
import { kindOf } from '../kind.ts'
import { openSource } from '../open.ts'
import { ExtendedRows, type Extension } from './extension.ts'

export interface ExtendOptions {
  readonly cwd: string
  readonly stdin: Readable
  /** BCP 47 tag and IANA zone that a workbook's values are written in where the copy is CSV. */
  readonly locale: string | undefined
  readonly timeZone: string | undefined
}

/** What copies of lists can be written as. */
export type CopyFormat = 'csv' | 'xlsx'

/**
 * The bytes of the copy. A CSV list stays as it is written, and a workbook as it is stored; other lists, and a workbook whose copy
 * is CSV, become plain CSV.
 * @throws UsageError for a list that cannot be copied in this format; InputError and DataError for one that cannot be read.
 */
export async function extendList(
  settings: SourceSettings,
  format: CopyFormat,
  extension: Extension,
  { cwd, stdin, locale, timeZone }: ExtendOptions,
): Promise<AsyncIterable<string | Uint8Array>> {
  // The copy has the columns as they are in the list.
  const { rename: _rename, computed: _computed, types: _types, ...asItIs } = settings
  const { from, sheet, headerRow, delimiter } = asItIs
  if (from?.kind === 'file') {
    const input = await openInput(from.path, cwd, stdin)
    const kind = kindOf(input, asItIs.format)
    if (kind === 'workbook' && format === 'xlsx') {
      const { openXlsxZip } = await import('../workbook/workbook.ts')
      const { extendXlsx } = await import('./extend-xlsx.ts')
      const zip = await openXlsxZip(input)
      if (zip === undefined) throw notXlsx(input.name)
      return extendXlsx(input, zip, { sheet, headerRow }, extension)
    }
    if (format === 'xlsx') throw notXlsx(input.name)
    if (kind === 'csv') {
      const { extendCsv } = await import('./extend-csv.ts')
      return extendCsv(input, await decodeInput(input, asItIs.encoding), { delimiter, headerRow }, extension)
    }
  }
  const source = await openSource(asItIs, { cwd, stdin, locale, timeZone })
  if (format === 'xlsx') throw notXlsx(source.name)
  return asCsv(source.columns, source.rows(), extension)
}

function notXlsx(name: string): UsageError {
  return new UsageError(`${name} is not an Excel workbook, so its copy cannot be one`, {
    hint: 'Name a copy that ends in .csv.',
  })
}

async function* asCsv(
  columns: readonly string[],
  batches: AsyncIterable<readonly { readonly number: number; readonly data: Readonly<Record<string, unknown>> }[]>,
  extension: Extension,
): AsyncGenerator<string> {
  const rows = new ExtendedRows(extension.rows)
  try {
    yield line([...columns.map(copiedCell), ...extension.columns.map(csvCell)])
    for await (const batch of batches) {
      let text = ''
      for (const { number, data } of batch) {
        const added = await rows.ofRow(number)
        if (added === undefined && extension.only) continue
        const more = added ?? extension.columns.map(() => '')
        text += line([...columns.map((column) => copiedCell(cellText(data[column]))), ...more.map(csvCell)])
      }
      yield text
    }
  } finally {
    await rows.close()
  }
}

function line(cells: readonly string[]): string {
  return `${cells.join(',')}\r\n`
}
