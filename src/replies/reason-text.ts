/** Why a server refused a message, in a few words that a person can act on. Owns the choice of words; decides nothing. */
import { causeOf } from './cause.ts'
import type { Reply, Stage } from './reply.ts'

/** The words of its cause; where neither code nor sentence says one, what was refused. */
export function reasonOf(reply: Reply, stage: Stage): string {
  return causeOf(reply)?.words ?? rejectedAt(reply.code, stage)
}

function rejectedAt(code: number, stage: Stage): string {
  if (code === 552) return 'message too large or mailbox full'
  if (code === 530) return 'login needed'
  switch (stage) {
    case 'mail':
      return 'sender refused'
    case 'rcpt':
      return 'recipient refused'
    case 'data':
    case 'end-of-data':
      return 'message refused'
    default:
      return 'refused'
  }
}
