/**
 * The envelope of one message between a server and us: MAIL, RCPT, DATA and their replies. Owns what was asked, what was
 * answered, what may be asked next and what speaks against the message; writes nothing by itself.
 */
import type { Message } from '../../message/message.ts'
import type { Reply } from '../../replies/reply.ts'
import { type EnvelopeRequests, mailCommand, rcptCommand } from './commands.ts'
import type { Extensions } from './connect/extensions.ts'

/** A 4xx or 5xx to one message, and where it came. */
export interface Rejection {
  readonly stage: 'mail' | 'rcpt' | 'data' | 'end-of-data'
  readonly reply: Reply
}

export interface EnvelopeCommand {
  readonly kind: 'mail' | 'rcpt' | 'data'
  readonly command: string
}

/** Octets of commands that may be unanswered at once, as Postfix's client limits itself. */
const GROUP_BYTES = 4096

export class EnvelopeState {
  readonly #message: Message
  #mailAsked = false
  #recipientsAsked = 0
  #dataAsked = false
  #outstanding = 0
  #mail: Reply | undefined
  /** In the order of the envelope. */
  readonly #recipients: Reply[] = []
  #data: Reply | undefined

  constructor(message: Message) {
    this.#message = message
  }

  /**
   * The next commands: one, or as many as may be unanswered at once. With copies, DATA waits for the word on the row's own
   * address: a message that is refused for that must not go to the copies.
   */
  next(grouped: boolean, extensions: Extensions, requests: EnvelopeRequests): readonly EnvelopeCommand[] {
    const group = this.#group(grouped, extensions, requests)
    this.#outstanding += group.length
    return group
  }

  #group(grouped: boolean, extensions: Extensions, requests: EnvelopeRequests): readonly EnvelopeCommand[] {
    const { to } = this.#message.envelope
    const group: EnvelopeCommand[] = []
    let bytes = 0
    const ask = (kind: EnvelopeCommand['kind'], command: string): void => {
      group.push({ kind, command })
      bytes += command.length
    }
    if (!this.#mailAsked) {
      this.#mailAsked = true
      ask('mail', mailCommand(this.#message, extensions, requests))
      if (!grouped) return group
    }
    while (this.#recipientsAsked < to.length) {
      const command = rcptCommand(to[this.#recipientsAsked] ?? '', extensions, requests)
      if (bytes > 0 && bytes + command.length > GROUP_BYTES) return group
      this.#recipientsAsked++
      ask('rcpt', command)
      if (!grouped) return group
    }
    if (this.#recipients.length === to.length || (grouped && to.length === 1)) {
      this.#dataAsked = true
      ask('data', 'DATA\r\n')
    }
    return group
  }

  /** Takes the reply to the earliest command that has none; true when everything asked so far is answered. */
  answer(kind: EnvelopeCommand['kind'], reply: Reply): boolean {
    if (kind === 'mail') this.#mail = reply
    else if (kind === 'rcpt') this.#recipients.push(reply)
    else this.#data = reply
    return --this.#outstanding === 0
  }

  /** The server took the sender, and would find the next MAIL nested. */
  get opened(): boolean {
    return this.#mail !== undefined && this.#mail.code < 300
  }

  /** The server waits for content. */
  get invited(): boolean {
    return this.#data !== undefined && this.#data.code >= 300 && this.#data.code < 400
  }

  /** The first thing that speaks against the message: MAIL, the row's own address, or DATA. */
  get rejection(): Rejection | undefined {
    const mail = this.#mail
    if (mail !== undefined && mail.code >= 400) return { stage: 'mail', reply: mail }
    const [own] = this.#recipients
    if (own !== undefined && own.code >= 400) return { stage: 'rcpt', reply: own }
    const data = this.#data
    return data !== undefined && data.code >= 400 ? { stage: 'data', reply: data } : undefined
  }

  /** The replies to RCPT so far, in the order of the envelope. */
  get recipients(): readonly Reply[] {
    return this.#recipients
  }

  /** Recipients that the server took. */
  get taken(): number {
    let count = 0
    for (const { code } of this.#recipients) if (code < 300) count++
    return count
  }

  /**
   * One last reply to a group is missing, and no 354 can still come to prove that the others are in their places. More than
   * one missing is a server that is slow or gone.
   */
  get lacksOneReply(): boolean {
    return this.#outstanding === 1 && (this.rejection !== undefined || !this.#dataAsked)
  }
}
