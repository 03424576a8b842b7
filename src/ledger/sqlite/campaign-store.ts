/**
 * Campaigns in the SQLite ledger, and which process works on each: one living process at a time. Owns taking a campaign over
 * from a dead one, whose begun and unanswered attempts become in doubt; never resends anything.
 */
import { randomBytes } from 'node:crypto'
import { setImmediate as immediate } from 'node:timers/promises'
import { HeldError, LedgerMissingError, OutputError, UsageError } from '../../errors.ts'
import type { Campaigns, Claim } from '../ledger.ts'
import { isAlive } from '../owner.ts'
import type { Campaign, Owner } from '../records.ts'
import * as sql from './queries.ts'
import { addToCounts, moveMessages, noDifferences, planId, runNumberOf } from './run-store.ts'
import { DAMAGE_HINT } from './storage-errors.ts'
import { numberOf, type SqliteStore, type SqlRow, textOf } from './store.ts'

const HEARTBEAT_MS = 10_000
/** An owner on another host that gave no sign for this long is taken for dead. */
const SILENCE_MS = 120_000

/** Recipients that are checked at once. */
const CHECKED_ROWS = 20_000

/** Begins the token of a claim that is in the ledger itself, not only in its log, before anything is sent. */
const LOGGED = 'logged-'

export class CampaignStore implements Campaigns {
  readonly #store: SqliteStore
  readonly #now: () => Date
  readonly #held = new Map<string, { readonly campaign: number; readonly beat: NodeJS.Timeout }>()

  constructor(store: SqliteStore, now: () => Date) {
    this.#store = store
    this.#now = now
    store.fence(() => this.#refuseWhenTaken())
    store.onRescue(() => {
      for (const token of this.#held.keys()) store.run(sql.setMeta, logOf(token), 'whole')
    })
  }

  open(name: string, options?: { readonly again?: boolean }): Promise<Campaign> {
    return this.#store.write(() => {
      const row = this.#store.get(sql.newestCampaign, name)
      if (row !== undefined && !options?.again) {
        if (typeof row['pruned_at'] === 'number') throw pruned(name, new Date(row['pruned_at']))
        return campaignOf(row)
      }
      const generation = row === undefined ? 1 : numberOf(row['generation']) + 1
      const token = randomBytes(18).toString('base64url')
      const made = this.#store.get(sql.insertCampaign, name, generation, token, this.#now().getTime())
      return { id: numberOf(made?.['id']), name, generation, token }
    })
  }

  find(name: string): Promise<Campaign | undefined> {
    return this.#store.read(() => {
      const row = this.#store.get(sql.newestCampaign, name)
      return row === undefined ? undefined : campaignOf(row)
    })
  }

  isClaimed(campaign: Campaign): Promise<boolean> {
    return this.#store.read(() => {
      const holder = this.#store.get(sql.selectClaim, campaign.id)
      return holder !== undefined && isHeld(holder, this.#now().getTime())
    })
  }

  async claim(campaign: Campaign, owner: Owner, options?: { readonly acceptLoss?: boolean }): Promise<Claim> {
    const token = `${LOGGED}${randomBytes(12).toString('hex')}`
    const store = this.#store
    await this.#refuseContradictions(campaign.id)
    await store.write(() => {
      const now = this.#now().getTime()
      const holder = store.get(sql.selectClaim, campaign.id)
      if (holder !== undefined) {
        if (isHeld(holder, now)) throw heldBy(holder, campaign.name)
        const log = store.get(sql.getMeta, logOf(textOf(holder['token'])))?.['value']
        if (log === 'lost' && !options?.acceptLoss) throw logIsLost(holder, store.path)
        store.run(sql.deleteMeta, logOf(textOf(holder['token'])))
      }
      const { pid, host, bootId, processStart } = owner
      store.run(sql.replaceClaim, campaign.id, token, pid, host, bootId, processStart, now)
      this.#leaveInDoubt(campaign.id, now)
    })
    // From here on a claim in the ledger without a log beside it says that the log is lost.
    await store.truncateLog()
    const beat = setInterval(() => this.#beat(campaign.id, token), HEARTBEAT_MS)
    beat.unref()
    this.#held.set(token, { campaign: campaign.id, beat })
    return { release: () => this.#release(token) }
  }

  /**
   * Keeps of each dead process whether its log was there when the ledger was opened: the first who closes the ledger again
   * takes the log away.
   */
  async checkLogs(logWasThere: boolean): Promise<void> {
    const store = this.#store
    const dead = store
      .all(sql.allClaims)
      .filter((claim) => textOf(claim['token']).startsWith(LOGGED) && !isHeld(claim, this.#now().getTime()))
      .map((claim) => logOf(textOf(claim['token'])))
      .filter((name) => store.get(sql.getMeta, name) === undefined)
    if (dead.length === 0) return
    await store.write(() => {
      for (const name of dead) store.run(sql.setMeta, name, logWasThere ? 'whole' : 'lost')
    })
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
    // A ledger that broke has said so already; the claim of a process that has ended holds nobody up.
    await this.#store.write(() => this.#store.run(sql.releaseClaim, held.campaign, token)).catch(() => {})
  }

  /** A process that slept while another took its campaign must not write to it any more. */
  #refuseWhenTaken(): void {
    for (const [token, { campaign }] of this.#held) {
      if (this.#store.get(sql.holdsClaim, campaign, token) !== undefined) continue
      const holder = this.#store.get(sql.selectClaim, campaign)
      const who = holder === undefined ? 'nobody' : nameOf(holder)
      throw new HeldError(`this process was silent for too long and lost its campaign; ${who} holds it now`, {
        hint: 'Let the other one end, then give `mailmerge resume`.',
      })
    }
  }

  /**
   * A bit that flipped on the disk may leave every page sound for SQLite and yet change a key or a state: a person would be
   * written to twice, or never.
   */
  async #refuseContradictions(campaign: number): Promise<void> {
    const store = this.#store
    const keysCount = await store.read(() => (store.get(sql.anyForgottenKey, campaign) === undefined ? 1 : 0))
    let found = 0
    for (const { number, rows } of await store.read(() => store.all(sql.runSizes, campaign))) {
      const size = numberOf(rows)
      for (let row = 0; row <= size; row += CHECKED_ROWS) {
        const [first, last] = [planId(numberOf(number), row), planId(numberOf(number), row + CHECKED_ROWS) - 1]
        found += await store.read(() =>
          numberOf(store.get(sql.contradictions, first, last, campaign, keysCount)?.['recipients']),
        )
        // Signals and other work get their turn.
        await immediate()
      }
    }
    if (found === 0) return
    const whose = found === 1 ? 'one recipient' : `${found} recipients`
    throw new OutputError(`the ledger ${store.path} is damaged: the records of ${whose} contradict each other`, {
      hint: DAMAGE_HINT,
    })
  }

  #leaveInDoubt(campaign: number, now: number): void {
    const store = this.#store
    store.run(sql.leaveCarbonCopiesInDoubt, campaign, now, 'handed over; the program ended before the reply')
    for (const orphan of store.all(sql.openAttempts, campaign)) {
      const recipient = numberOf(orphan['recipient'])
      const began = numberOf(orphan['began_at'])
      const messageId = textOf(orphan['message_id'])
      const reason = `handed over at ${new Date(began).toISOString()} as ${messageId}; the program ended before the reply`
      store.get(sql.endAttempt, recipient, now, 'in_doubt', reason, null, null, null, null)
      const row = store.get(
        sql.updateRecipient,
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
        null,
        orphan['account'] ?? null,
      )
      if (row === undefined) continue
      const differences = noDifferences()
      moveMessages(differences, 'deferred', 'in_doubt', numberOf(row['rows']))
      addToCounts(store, runNumberOf(numberOf(row['plan'])), differences)
    }
  }
}

function campaignOf(row: SqlRow): Campaign {
  return {
    id: numberOf(row['id']),
    name: textOf(row['name']),
    generation: numberOf(row['generation']),
    token: textOf(row['token']),
  }
}

/** Whether the holder of a claim is alive, as far as can be known from here. `now` in milliseconds. */
export function isHeld(claim: SqlRow, now: number): boolean {
  return isAlive(ownerOf(claim)) ?? now - numberOf(claim['heartbeat_at']) < SILENCE_MS
}

/** Name under which the ledger keeps whether the log of a dead owner was there. */
function logOf(token: string): string {
  return `log ${token}`
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

function logIsLost(row: SqlRow, path: string): LedgerMissingError {
  return new LedgerMissingError(
    `the log ${path}-wal of the ledger is missing: what ${nameOf(row)} recorded last is lost`,
    {
      hint: 'Put the log back, if there is a copy: without it nobody knows who was written to last. `mailmerge run --again` starts again and writes to everyone on the list.',
    },
  )
}

function heldBy(row: SqlRow, campaign: string): HeldError {
  return new HeldError(`the campaign ${campaign} is being worked on by ${nameOf(row)}`, {
    hint: 'Wait for it to end, or end it; then give the command again. `mailmerge status` shows how far it is.',
  })
}

function pruned(name: string, at: Date): UsageError {
  return new UsageError(
    `the campaign ${name} was pruned at ${at.toISOString()}: there is no record left of who got it`,
    {
      hint: 'Name another campaign with --campaign, or start this one again with --again: everyone on the list is written to.',
    },
  )
}
