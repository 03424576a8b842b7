/** The seam to copies of sent messages. Owns which of them are still to be kept; copies nothing. */
import type { DueRow } from './ledger.ts'

export interface CopyLedger {
  /** Messages of a run that were sent and have no copy yet, in row order, with the moment of their Date. */
  missing(runId: string, limit: number): Promise<readonly (DueRow & { readonly sentAt: Date })[]>
  /** The copy is kept. Durable when it resolves. */
  kept(recipient: number): Promise<void>
}
