/** What goes between `mailmerge serve` and the processes that do its work. Owns these words; sends nothing. */
import type { Flags } from '../config/load.ts'
import type { StatusCounts } from '../ledger/records.ts'
import type { WorkResult } from '../schedule/occurrence.ts'
import type { Work } from '../schedule/unfinished.ts'

/** Messages to the process. The first is the work; an occurrence's times are texts on the way. */
export type ToJob =
  | { readonly kind: 'work'; readonly work: Work; readonly root: string; readonly flags: Flags }
  | { readonly kind: 'stop' }
  | { readonly kind: 'abort' }

/** Messages from it. `end` comes last, and once. */
export type FromJob =
  | { readonly kind: 'planned'; readonly run: string; readonly rows: number; readonly toSend: number }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'paused'; readonly reason: string; readonly until?: string | undefined }
  | { readonly kind: 'end'; readonly end: JobResult }

/** How the work ended, as it goes over the channel. */
export interface JobResult {
  readonly kind: WorkResult['kind']
  readonly run?: string | undefined
  readonly counts?: StatusCounts | undefined
  readonly stopped?: string | undefined
  readonly exitCode: number
  readonly error?:
    | { readonly message: string; readonly hint?: string | undefined; readonly problems: number }
    | undefined
}

/** The end of work that a defect, or the system, ended. */
export function failedEnd(message: string): JobResult {
  return { kind: 'failed', exitCode: 70, error: { message, problems: 0 } }
}
