/** The results of a run as a file. Owns the choice of format; how a file appears is `output-file.ts`'s. */
import { dirname } from 'node:path'
import { OutputError, UsageError } from '../errors.ts'
import { makeFolder } from '../fs/folder.ts'
import { checkOutput, writeOutput } from '../fs/output-file.ts'
import type { FeedbackKind } from '../ledger/feedback.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { ResultRow, StatusCounts } from '../ledger/records.ts'
import { csvHeader, csvLines, type ExtraColumn } from './csv.ts'
import { htmlFoot, htmlHead, htmlRows } from './html.ts'
import { jsonLine } from './json.ts'

export type ReportFormat = 'csv' | 'json' | 'html'

export interface ReportHead {
  readonly run: string
  readonly campaign: string
  readonly counts: StatusCounts
  /** Counts of each variant, where the campaign is split: the report then says the variant of each row. */
  readonly variants?: ReadonlyMap<string, StatusCounts>
  /** Rows by the worst that came back of them, where something did: the report then says it of each row. */
  readonly bounces?: ReadonlyMap<FeedbackKind, number>
}

/** What a report says before its rows. */
export async function reportHead(
  ledger: Ledger,
  run: { readonly id: string; readonly campaign: string },
): Promise<ReportHead> {
  const variants = await ledger.results.variantCounts(run.id)
  const bounces = await ledger.feedback.counts(run.id)
  return {
    run: run.id,
    campaign: run.campaign,
    counts: await ledger.results.counts(run.id),
    ...(variants.size === 0 ? {} : { variants }),
    ...(bounces.size === 0 ? {} : { bounces }),
  }
}

/** Columns that this report has behind those that every report has. */
export function extraColumns({ variants, bounces }: ReportHead): readonly ExtraColumn[] {
  return [
    ...(variants === undefined ? [] : ['variant' as const]),
    ...(bounces === undefined ? [] : ['bounce' as const]),
  ]
}

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

/** The text of a report in chunks, one a batch of rows. */
export async function* reportText(
  format: ReportFormat,
  rows: AsyncIterable<readonly ResultRow[]>,
  head: ReportHead,
): AsyncGenerator<string> {
  const extra = extraColumns(head)
  if (format === 'csv') yield csvHeader(extra)
  if (format === 'html') yield htmlHead(head, extra)
  const line = format === 'csv' ? csvLines(extra) : format === 'json' ? jsonLine : htmlRows(extra)
  for await (const batch of rows) yield batch.map(line).join('')
  if (format === 'html') yield htmlFoot()
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
    makeFolder(dirname(path))
  } catch {
    // Whatever is wrong with the folder is told by the writing itself.
  }
  try {
    await writeOutput(path, reportText(format, rows, head))
  } catch (error) {
    if (!(error instanceof OutputError)) throw error
    throw new OutputError(`the report ${error.message}`, {
      cause: error.cause,
      hint: 'What was sent is recorded: mailmerge report writes it again, --output names where.',
    })
  }
}
