/**
 * The replies that are owed to us, in the order in which they were asked for. Owns which reply fits where; a reply that fits
 * nowhere means that nothing this server says can be matched with what we asked any more.
 */
import type { Job } from '../transport.ts'
import type { Transaction } from './transaction.ts'

export type Expected<J extends Job> =
  | { readonly kind: 'mail' | 'rcpt' | 'data' | 'end'; readonly transaction: Transaction<J> }
  | { readonly kind: 'rset' }
  | { readonly kind: 'quit' }

export type Asked = Expected<Job>['kind']

/** Words for people. */
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
      return code === 354
    case 'quit':
      return true
    default:
      return code < 300 && code !== 221
  }
}

/** Whether the message before is answered, and not one reply to the group behind it has come. */
export function isGroupBehind(awaited: Expected<Job>): boolean {
  return awaited.kind === 'mail' && awaited.transaction.behind
}

/** First in, first out. What was not written yet cannot have been answered, whatever comes in. */
export class Expectations<J extends Job> {
  readonly #queue: Expected<J>[] = []
  #unwritten = 0

  /** The one whose reply must come next. */
  get head(): Expected<J> | undefined {
    return this.#queue.length > this.#unwritten ? this.#queue[0] : undefined
  }

  add(expected: Expected<J>): void {
    this.#queue.push(expected)
    this.#unwritten++
  }

  /** Everything asked so far was given to the kernel. */
  written(): void {
    this.#unwritten = 0
  }

  take(): Expected<J> | undefined {
    return this.#queue.length > this.#unwritten ? this.#queue.shift() : undefined
  }
}
