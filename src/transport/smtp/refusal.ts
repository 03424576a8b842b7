/** A server's word against one message. Owns where such a word can come, and what it makes of the message. */
import type { Outcome, Reply } from '../transport.ts'

export interface Refusal {
  readonly stage: 'mail' | 'rcpt' | 'data' | 'end-of-data'
  readonly reply: Reply
}

export function refused({ stage, reply }: Refusal): Outcome {
  return { kind: reply.code >= 500 ? 'rejected' : 'deferred', stage, reply }
}
