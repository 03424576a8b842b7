/** What the parts of a delivery may ask of the whole, which is in `deliver.ts`. */
import type { MailmergeError } from '../../errors.ts'
import type { PauseReason, StopReason } from '../../report/reasons.ts'

export interface DeliveryControl {
  /** True from the first request to stop: nothing new is begun. */
  readonly stopping: boolean
  /** Ends the delivery after what is in flight. `error` is what the caller of the run gets to see. */
  halt(reason: StopReason, error?: MailmergeError): void
  /** The ledger cannot be trusted any more: ends the delivery without another command to any server. */
  broken(error: unknown): void
  /** Something changed that may open, wake or end lanes. */
  changed(): void
  /** Everything waits, and why; reported once per wait. */
  paused(reason: PauseReason, until?: Date): void
  /** A note that is shown once. */
  note(text: string): void
}
