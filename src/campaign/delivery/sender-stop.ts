/** A run stopped because of the sender and not of its rows. Owns what is said then, and what to do about it. */
import { LoginError, UnreachableError } from '../../errors.ts'
import type { SenderStop } from '../../replies/sender-block-detector.ts'
import type { DeliveryControl } from './delivery-control.ts'

/** Stops the delivery; the rows that showed it are still to come. */
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
