/**
 * Notices when a server refuses us and not our recipients, which no list explains. Owns the length of a stretch of such
 * refusals; settles no row.
 */
import type { Reply, Stage } from '../transport/transport.ts'
import { blamesSender } from './cause.ts'

/** Refused senders in a row before the first message was taken. */
const SENDER_REFUSALS = 3
/** Permanent policy refusals in a row. Those that are in flight when it is reached come on top. */
const POLICY_REFUSALS = 50

export interface RefusalBlame {
  /** Whose fault it is: the row has failed, or the row is only the one that it happened to. */
  readonly blames: 'row' | 'sender'
  /** Why the whole run must stop. */
  readonly stop?: string
}

export class SenderBlockDetector {
  #accepted = false
  #senders = 0
  #policies = 0

  accepted(): void {
    this.#accepted = true
    this.#senders = 0
    this.#policies = 0
  }

  rejected(reply: Reply, stage: Stage, sender: string): RefusalBlame {
    if (!blamesSender(reply, stage)) {
      this.#policies = 0
      return { blames: 'row' }
    }
    const said = `${reply.code} ${reply.text}`
    // A refused sender is refused for every row. Until the server has taken one it is no fault of the row.
    if (stage === 'mail' && !this.#accepted) {
      return ++this.#senders < SENDER_REFUSALS
        ? { blames: 'sender' }
        : { blames: 'sender', stop: `the server refuses the sender ${sender || '<>'}: ${said}` }
    }
    return ++this.#policies < POLICY_REFUSALS
      ? { blames: 'row' }
      : {
          blames: 'row',
          stop: `the server refused ${POLICY_REFUSALS} messages in a row for what we are, not for whom they went to: ${said}`,
        }
  }
}
