/** The results of a run as a file. Owns the choice of format and the way a file appears: whole, or not at all. */
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { access, constants, mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { finished } from 'node:stream/promises'
import { OutputError, UsageError } from '../errors.ts'
import type { ResultRow, StatusCounts } from '../ledger/ledger.ts'
import { csvHeader, csvLine } from './csv.ts'
import { htmlFoot, htmlHead, htmlRow } from './html.ts'
import { jsonLine } from './json.ts'

export type ReportFormat = 'csv' | 'json' | 'html'

export interface ReportHead {
  readonly run: string
  readonly campaign: string
  readonly counts: StatusCounts
}

/** The format that a file's ending asks for. @throws UsageError for any other ending. */
export function formatOf(path: string): ReportFormat {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase()
  if (ending === 'csv' || ending === 'html') return ending
  if (ending === 'json' || ending === 'ndjson' || ending === 'jsonl') return 'json'
  if (/^\/dev\//.test(path)) return 'csv'
  throw new UsageError(`the report ${path} has no ending that says its format`, {
    hint: 'End it in .csv, .json or .html.',
  })
}

/** The lines of a report, in chunks of text. */
export async function* reportText(
  format: ReportFormat,
  rows: AsyncIterable<readonly ResultRow[]>,
  head: ReportHead,
): AsyncGenerator<string> {
  if (format === 'csv') yield csvHeader()
  if (format === 'html') yield htmlHead(head)
  const line = format === 'csv' ? csvLine : format === 'json' ? jsonLine : htmlRow
  for await (const batch of rows) yield batch.map(line).join('')
  if (format === 'html') yield htmlFoot()
}

/**
 * Says before a run whether its report can be written after it.
 * @throws OutputError naming the path.
 */
export async function checkWritable(path: string, format?: ReportFormat): Promise<void> {
  if (format === undefined) formatOf(path)
  const info = await stat(path).catch(() => undefined)
  if (info?.isDirectory()) throw unwritable(path, 'it is a folder')
  try {
    if (info === undefined) await access(dirname(path), constants.W_OK)
    else await access(path, constants.W_OK)
  } catch (cause) {
    throw unwritable(path, info === undefined ? 'its folder is missing or read-only' : 'it is read-only', cause)
  }
}

/**
 * Writes a report. A plain file appears when it is whole, in the place of an older one; devices and pipes are written to.
 * @throws OutputError naming the path; the ledger knows everything, so `mailmerge report` can write it again.
 */
export async function writeReport(
  path: string,
  rows: AsyncIterable<readonly ResultRow[]>,
  head: ReportHead,
  format: ReportFormat = formatOf(path),
): Promise<void> {
  const info = await stat(path).catch(() => undefined)
  const direct = info !== undefined && !info.isFile()
  const target = direct ? path : join(dirname(path), `.${basename(path)}.${process.pid}.part`)
  try {
    if (!direct) await mkdir(dirname(path), { recursive: true })
    const stream = createWriteStream(target, direct ? { flags: 'a' } : {})
    await writeAll(stream, reportText(format, rows, head))
    if (!direct) await rename(target, path)
  } catch (cause) {
    if (!direct) await rm(target, { force: true }).catch(() => {})
    throw unwritable(path, cause instanceof Error ? cause.message : 'unknown', cause)
  }
}

async function writeAll(stream: WriteStream, chunks: AsyncIterable<string>): Promise<void> {
  const done = finished(stream)
  // An error may come before anybody waits for it; it is met below.
  done.catch(() => {})
  for await (const chunk of chunks) {
    if (stream.errored !== null) break
    if (!stream.write(chunk)) await Promise.race([once(stream, 'drain'), done])
  }
  stream.end()
  await done
}

function unwritable(path: string, why: string, cause?: unknown): OutputError {
  return new OutputError(`the report ${path} cannot be written: ${why}`, {
    cause,
    hint: 'What was sent is recorded: mend the path and give mailmerge report.',
  })
}
