/**
 * What a program may import from `mailmerge`. Everything here is documented where it is defined; everything else may
 * change at any time.
 *
 * @example
 * import { loadSettings, runMerge } from 'mailmerge'
 *
 * const settings = await loadSettings({
 *   cwd: process.cwd(),
 *   env: process.env,
 *   flags: { csv: 'list.csv', template: 'invite' },
 * })
 * const summary = await runMerge(settings, { mode: 'sandbox' })
 * console.log(`${summary.counts.sent} of ${summary.rows} sent`)
 *
 * @module
 */
export type { MergeEvent, PausedEvent, PlannedEvent, ProgressEvent, RowEvent, SummaryEvent } from './campaign/events.ts'
export type { Earlier, MergeHooks, MergeMode, MergeRequest, PlanPreview, ResumeRequest } from './campaign/merge.ts'
export { cancelMerge, pauseMerge, type RunControlResult } from './campaign/run/control.ts'
export { openLedger } from './campaign/run/open-ledger.ts'
export { resumeMerge, retryMerge } from './campaign/run/resume.ts'
export { runMerge } from './campaign/run/start.ts'
export { loadSettings } from './config/load.ts'
export type { Settings } from './config/settings.ts'
export {
  ConfigError,
  DataError,
  DefectError,
  InputError,
  LedgerMissingError,
  LoginError,
  MailmergeError,
  OutputError,
  type Problem,
  type Severity,
  TurnedAwayError,
  UnfinishedError,
  UnreachableError,
  UsageError,
} from './errors.ts'
export type { Ledger } from './ledger/ledger.ts'
export type { ResultRow, RowStatus, RunRecord, StatusCounts } from './ledger/records.ts'
export type { Envelope, Message } from './message/message.ts'
export type { Reply } from './replies/reply.ts'
export type { Row, RowData, Source } from './source/source.ts'
export type { Feed, Job, Lane, LaneEnd, Outcome, ServerReport, Transport } from './transport/transport.ts'
