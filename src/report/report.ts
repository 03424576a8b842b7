/** The results of a run as a file. Owns the choice of format; how a file appears is `output-file.ts`'s. */
import { dirname } from 'node:path'
import { OutputError, UsageError } from '../errors.ts'
import { makeFolder } from '../fs/folder.ts'
import { checkOutput, writeOutput } from '../fs/output-file.ts'
import type { ResultRow } from '../ledger/records.ts'
import { csvHeader, csvLines } from './csv.ts'
import { extraColumns, type ReportHead } from './head.ts'
import { jsonLine } from './json.ts'

export type ReportFormat = 'csv' | 'json' | 'html'

/** The format that a file's ending asks for. @throws UsageError for any other ending. */
export function formatOf(path: string): ReportFormat {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase()
  if (ending === 'csv') return 'csv'
  if (ending === 'html' || ending === 'htm') return 'html'
  if (ending === 'json' || ending === 'ndjson' || ending === 'jsonl') return 'json'
  if (/^\/(dev|proc)\//.test(path)) return 'csv'
  throw new UsageError(`the report ${path} has no ending that says its format`, {
    hint: 'End it in .csv, .json or .html.',
  })
}

/** The text of a report in chunks, one a batch of rows; a page, which is bounded, is one chunk. @param path where it is going to be. */
export async function* reportText(
  format: ReportFormat,
  rows: AsyncIterable<readonly ResultRow[]>,
  head: ReportHead,
  path?: string,
): AsyncGenerator<string> {
  if (format === 'html') {
    // Only who asks for a page loads what draws it.
    const { htmlReport } = await import('./html.ts')
    yield await htmlReport(rows, head, path)
    return
  }
  const extra = extraColumns(head)
  const line = format === 'csv' ? csvLines(extra) : jsonLine
  if (format === 'csv') yield csvHeader(extra)
  for await (const batch of rows) yield batch.map(line).join('')
}

/**
 * Says before a run whether its report can be written after it.
 * @throws OutputError naming the path, UsageError for an ending that says no format.
 */
export async function checkWritable(path: string, format?: ReportFormat): Promise<void> {
  if (format === undefined) formatOf(path)
  await checkOutput(path)
}

/**
 * Writes a report.
 * @throws OutputError naming the path; the ledger knows everything, so `mailmerge report` can write it again.
 */
export async function writeReport(
  path: string,
  rows: AsyncIterable<readonly ResultRow[]>,
  head: ReportHead,
  format: ReportFormat = formatOf(path),
): Promise<void> {
  try {
    makeFolder(dirname(path), { mode: 0o700 })
  } catch {
    // Whatever is wrong with the folder shows when the file is written.
  }
  try {
    await writeOutput(path, reportText(format, rows, head, path))
  } catch (error) {
    if (!(error instanceof OutputError)) throw error
    throw new OutputError(`the report ${error.message}`, {
      cause: error.cause,
      hint: 'What was sent is recorded: mailmerge report writes it again, --output names where.',
    })
  }
}
