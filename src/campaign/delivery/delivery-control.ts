/** What the parts of a delivery may ask of their account, in `account-delivery.ts`. Owns what stops it because of the sender. */
import { LoginError, type MailmergeError, UnreachableError } from '../../errors.ts'
import type { SenderStop } from '../../replies/sender-block-detector.ts'
import type { PauseReason, StopReason } from '../../report/reasons.ts'

export interface DeliveryControl {
  /** True from the first request to stop: nothing new is begun. */
  readonly stopping: boolean
  /** Ends what this account sends, after what is in flight. `error` is what the caller of the run gets to see. */
  halt(reason: StopReason, error?: MailmergeError): void
  /** The same for all accounts, for what no other could do better. */
  haltAll(reason: StopReason, error?: MailmergeError): void
  /** The ledger cannot be trusted any more: ends the delivery without another command to any server. */
  broken(error: unknown): void
  /** Something changed that may open, wake or end lanes. */
  changed(): void
  /** Everything waits, and why; reported once per wait. */
  paused(reason: PauseReason, until?: Date): void
  /** A note that is shown once. */
  note(text: string): void
}

/** Stops a delivery because of the sender and not of its rows; the rows that showed it are still to come. */
export function haltFor({ kind, cause, said, sender, streak }: SenderStop, control: DeliveryControl): void {
  switch (kind) {
    case 'login': {
      const error = new LoginError(`the server wants a login: ${said}`, {
        hint: 'Set smtp.user and its password (MAILMERGE_SMTP_PASSWORD), or use a server that needs no login.',
      })
      return control.halt({ kind: 'error', said: error.message }, error)
    }
    case 'tls': {
      const error = new UnreachableError(`the server wants TLS before a message: ${said}`, {
        hint: 'Set smtp.security: starttls, or tls on port 465.',
      })
      return control.halt({ kind: 'error', said: error.message }, error)
    }
    case 'account':
      return control.halt({ kind: cause === 'account-blocked' ? 'account-blocked' : 'account-limit', said })
    default:
      return control.halt({ kind: 'sender-refused', cause, sender, streak, said })
  }
}
