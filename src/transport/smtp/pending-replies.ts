/**
 * The replies that the server still owes, in the order of their commands. Owns which reply code fits which command; after one
 * that does not fit, no further reply can be trusted.
 */
import type { Job } from '../transport.ts'
import type { Transaction } from './transaction.ts'

export type PendingReply<J extends Job> =
  | { readonly kind: 'mail' | 'rcpt' | 'data' | 'end'; readonly transaction: Transaction<J> }
  | { readonly kind: 'rset' }
  | { readonly kind: 'quit' }

export type Asked = PendingReply<Job>['kind']

/** For messages. */
export const NAMES: Readonly<Record<Asked, string>> = {
  mail: 'MAIL',
  rcpt: 'RCPT',
  data: 'DATA',
  end: 'the end of a message',
  rset: 'RSET',
  quit: 'QUIT',
}

/**
 * Whether a reply of this code can be the answer to what was asked. 354 is the only reply of its kind, so that DATA is the
 * mark by which a missing or a doubled reply is noticed; 221 belongs to QUIT alone, to which any reply is one. 421 may come
 * anywhere.
 */
export function fits(asked: Asked, code: number): boolean {
  if (code >= 400) return true
  switch (asked) {
    case 'data':
      return code >= 300
    case 'quit':
      return true
    default:
      return code < 300 && code !== 221
  }
}

/** True while the message before it is answered and no reply to the group behind it has come. */
export function isGroupBehind(awaited: PendingReply<Job>): boolean {
  return awaited.kind === 'mail' && awaited.transaction.behind
}

/** First in, first out. A command that is not yet written cannot have been answered, whatever arrives. */
export class PendingReplies<J extends Job> {
  readonly #queue: PendingReply<J>[] = []
  #unwritten = 0

  /** The one whose reply must come next. */
  get head(): PendingReply<J> | undefined {
    return this.#queue.length > this.#unwritten ? this.#queue[0] : undefined
  }

  add(reply: PendingReply<J>): void {
    this.#queue.push(reply)
    this.#unwritten++
  }

  /** All commands queued so far were written. */
  written(): void {
    this.#unwritten = 0
  }

  shift(): PendingReply<J> | undefined {
    return this.#queue.length > this.#unwritten ? this.#queue.shift() : undefined
  }
}
