/** Opens lists from texts and bytes for the tests, and reads them whole. */
import { Readable } from 'node:stream'
import type { SourceSettings } from '../../src/config/settings.ts'
import { hasOwnText } from '../../src/source/cells/cell.ts'
import { openSource } from '../../src/source/open.ts'
import type { Row, Source } from '../../src/source/source.ts'
import { computedColumns } from '../../src/template/computed.ts'

export interface ReadList {
  readonly source: Source
  readonly rows: readonly Row[]
  readonly data: readonly Record<string, unknown>[]
}

/** Reads `content` as standard input, in pieces of `size` bytes. */
export async function readText(
  content: string | Uint8Array,
  settings: Omit<SourceSettings, 'from'> = {},
  size = 1 << 16,
): Promise<ReadList> {
  const octets = Buffer.from(content)
  const pieces: Buffer[] = []
  for (let at = 0; at < octets.length; at += size) pieces.push(octets.subarray(at, at + size))
  const compile = await computedColumns({ root: import.meta.dirname, locale: undefined, timeZone: undefined })
  return readAll(await openSource({ ...settings, from: { kind: 'stdin' } }, { stdin: Readable.from(pieces), compile }))
}

export async function readAll(source: Source): Promise<ReadList> {
  const rows: Row[] = []
  for await (const batch of source.rows()) rows.push(...batch)
  return { source, rows, data: rows.map(({ data }) => asShown(data)) }
}

/** Cells as a reader of the list sees them. */
function asShown(data: Row['data']): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).map(([column, cell]) => [column, hasOwnText(cell) ? cell.toString() : cell]),
  )
}
