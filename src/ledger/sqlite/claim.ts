/**
 * Who works on a campaign: one living process at a time. Owns taking it over from a dead one, whose begun and unanswered
 * attempts become in doubt; never resends anything.
 */
import { randomBytes } from 'node:crypto'
import { UnfinishedError } from '../../errors.ts'
import type { Campaign, Claim, Owner } from '../ledger.ts'
import { isAlive } from '../owner.ts'
import * as sql from './queries.ts'
import { runNumberOf } from './run-store.ts'
import type { SqliteStore } from './store.ts'
import { numberOf, type SqlRow, textOf } from './values.ts'

const HEARTBEAT_MS = 10_000
/** An owner on another host that was not heard of for so long is taken for dead. */
const SILENCE_MS = 120_000

export class ClaimStore {
  readonly #store: SqliteStore
  readonly #now: () => Date
  readonly #held = new Map<string, { readonly campaign: number; readonly beat: NodeJS.Timeout }>()

  constructor(store: SqliteStore, now: () => Date) {
    this.#store = store
    this.#now = now
    store.fence(() => this.#refuseWhenTaken())
  }

  async claim(campaign: Campaign, owner: Owner): Promise<Claim> {
    const token = randomBytes(12).toString('hex')
    const store = this.#store
    const orphans = await store.write(() => {
      const now = this.#now().getTime()
      const holder = store.get(sql.selectClaim, campaign.id)
      if (holder !== undefined && isHeld(holder, now)) throw heldBy(holder, campaign.name)
      const { pid, host, bootId, processStart } = owner
      store.run(sql.takeClaim, campaign.id, token, pid, host, bootId, processStart, now)
      return this.#leaveInDoubt(campaign.id, now)
    })
    const beat = setInterval(() => this.#beat(campaign.id, token), HEARTBEAT_MS)
    beat.unref()
    this.#held.set(token, { campaign: campaign.id, beat })
    return { orphans, release: () => this.#release(token) }
  }

  async releaseAll(): Promise<void> {
    for (const token of [...this.#held.keys()]) await this.#release(token)
  }

  #beat(campaign: number, token: string): void {
    // A beat that cannot be written is not worth an end: the next record finds out why.
    this.#store.write(() => this.#store.run(sql.beatClaim, campaign, token, this.#now().getTime())).catch(() => {})
  }

  async #release(token: string): Promise<void> {
    const held = this.#held.get(token)
    if (held === undefined) return
    clearInterval(held.beat)
    this.#held.delete(token)
    await this.#store.write(() => this.#store.run(sql.releaseClaim, held.campaign, token))
  }

  /** A process that slept while another took its campaign must not write to it any more. */
  #refuseWhenTaken(): void {
    for (const [token, { campaign }] of this.#held) {
      if (this.#store.get(sql.holdsClaim, campaign, token) !== undefined) continue
      const holder = this.#store.get(sql.selectClaim, campaign)
      const who = holder === undefined ? 'nobody' : nameOf(holder)
      throw new UnfinishedError(`this process lost its campaign while it was not heard of; ${who} holds it now`, {
        hint: 'Let the other one end, then go on with `mailmerge resume`.',
      })
    }
  }

  #leaveInDoubt(campaign: number, now: number): number {
    const store = this.#store
    const orphans = store.all(sql.openAttempts, campaign)
    for (const orphan of orphans) {
      const recipient = numberOf(orphan['recipient'])
      const began = numberOf(orphan['began_at'])
      const messageId = textOf(orphan['message_id'])
      const server = typeof orphan['server'] === 'string' ? ` to ${orphan['server']}` : ''
      const reason = `handed over${server} at ${new Date(began).toISOString()} as ${messageId}; the program ended before the reply`
      store.get(sql.endAttempt, recipient, now, 'in_doubt', reason, null, null, null, null)
      const row = store.get(
        sql.settleRecipient,
        recipient,
        'in_doubt',
        reason,
        null,
        null,
        null,
        messageId,
        null,
        now,
        1,
        began,
      )
      if (row !== undefined) store.run(sql.addToCounts, runNumberOf(numberOf(row['plan'])), 0, 0, 0, -1, 1)
    }
    return orphans.length
  }
}

/** Whether the holder of a claim is alive, as far as it can be told. `now` in milliseconds. */
export function isHeld(claim: SqlRow, now: number): boolean {
  return isAlive(ownerOf(claim)) ?? now - numberOf(claim['heartbeat_at']) < SILENCE_MS
}

function ownerOf(row: SqlRow): Owner {
  return {
    pid: numberOf(row['pid']),
    host: textOf(row['host']),
    bootId: textOf(row['boot_id']),
    processStart: textOf(row['process_start']),
  }
}

/** A holder for people. */
export function nameOf(row: SqlRow): string {
  const since = new Date(numberOf(row['claimed_at'])).toISOString()
  return `process ${numberOf(row['pid'])} on ${textOf(row['host'])} (since ${since})`
}

function heldBy(row: SqlRow, campaign: string): UnfinishedError {
  return new UnfinishedError(`the campaign ${campaign} is being worked on by ${nameOf(row)}`, {
    hint: 'Wait for it to end, or end it; then give the command again. `mailmerge status` shows how far it is.',
  })
}
