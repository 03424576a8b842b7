/**
 * Forgetting: a person, or a campaign that ended long ago. Owns what is removed and what must stay (states, counts,
 * hashes of suppressions); the reports on disk are the caller's.
 */
import { hash, randomBytes } from 'node:crypto'
import { UnfinishedError } from '../../errors.ts'
import type { Privacy } from '../ledger.ts'
import type { Forgotten, Pruned } from '../records.ts'
import { isHeld } from './campaign-store.ts'
import * as sql from './queries.ts'
import { addToCounts, moveMessages, noDifferences, planId, runNumberOf } from './run-store.ts'
import { numberOf, type SqliteStore, textOf } from './store.ts'
import { normaliseSuppressed } from './suppression-store.ts'

export class PrivacyStore implements Privacy {
  readonly #store: SqliteStore
  readonly #now: () => Date

  constructor(store: SqliteStore, now: () => Date) {
    this.#store = store
    this.#now = now
  }

  async forget(address: string): Promise<Forgotten> {
    const store = this.#store
    const normalised = normaliseSuppressed(address)
    const forgotten = await store.write(() => {
      store.exec('PRAGMA secure_delete = ON')
      store.run(sql.deleteRunReports)
      const rows = store.all(sql.rowsOfPerson, normalised)
      const runs = new Set<string>()
      for (const { campaign, run, deferred } of store.all(sql.copiedRuns, normalised)) {
        if (numberOf(deferred) > 0) this.#refuseWhenHeld(numberOf(campaign), textOf(run))
        runs.add(textOf(run))
      }
      store.run(sql.deleteCarbonCopiesTo, normalised)
      // Rows of one key must stay rows of one key, in this campaign alone and for nobody else to guess.
      const pseudonyms = new Map<string, string>()
      for (const row of rows) {
        const campaign = numberOf(row['campaign'])
        this.#refuseWhenHeld(campaign, textOf(row['run']))
        runs.add(textOf(row['run']))
        const key = textOf(row['key'])
        const pseudonym = pseudonyms.get(`${campaign} ${key}`) ?? `forgotten-${randomBytes(8).toString('hex')}`
        pseudonyms.set(`${campaign} ${key}`, pseudonym)
        this.#blank(numberOf(row['id']), campaign, key, numberOf(row['occurrence']), pseudonym)
      }
      const suppressions = store.run(sql.hideSuppression, hash('sha256', normalised, 'buffer'))
      return { rows: rows.length, runs: [...runs], suppressions }
    })
    await store.truncateLog()
    return forgotten
  }

  async prune(before: Date): Promise<Pruned> {
    const store = this.#store
    const runs: string[] = []
    const old = await store.read(() => store.all(sql.oldCampaigns, before.getTime()))
    for (const { id } of old) runs.push(...(await this.#pruneCampaign(numberOf(id))))
    await store.truncateLog()
    return { campaigns: old.length, runs }
  }

  #refuseWhenHeld(campaign: number, run: string): void {
    const holder = this.#store.get(sql.selectClaim, campaign)
    if (holder !== undefined && isHeld(holder, this.#now().getTime())) throw atWork(run)
  }

  #blank(plan: number, campaign: number, key: string, occurrence: number, pseudonym: string): void {
    const store = this.#store
    store.run(sql.blankRow, plan, pseudonym)
    const identity = store.get(sql.findIdentity, campaign, key, occurrence)
    if (identity === undefined) return
    const recipient = numberOf(identity['recipient'])
    const before = store.get(sql.recipientState, recipient)
    store.run(sql.blankIdentity, campaign, key, occurrence, pseudonym)
    store.run(sql.blankAttempts, recipient)
    store.run(sql.deleteFeedback, recipient, recipient)
    store.run(sql.deleteCarbonCopies, recipient, recipient)
    store.run(sql.blankRecipient, recipient, this.#now().getTime())
    // Who was still to come is skipped now.
    if (before?.['status'] !== 'deferred') return
    const differences = noDifferences()
    moveMessages(differences, 'deferred', 'skipped', numberOf(before['rows']))
    addToCounts(store, runNumberOf(numberOf(before['plan'])), differences)
  }

  #pruneCampaign(campaign: number): Promise<readonly string[]> {
    const store = this.#store
    return store.write(() => {
      store.exec('PRAGMA secure_delete = ON')
      const runs = store.all(sql.runsOfCampaign, campaign)
      for (const run of runs) {
        const number = numberOf(run['number'])
        const [first, last] = [planId(number, 0), planId(number + 1, 0) - 1]
        store.run(sql.deletePlanRows, first, last, -1)
        store.run(sql.deleteRecipients, first, last)
        store.run(sql.deleteAttempts, first, last)
        store.run(sql.deleteFeedback, first, last)
        store.run(sql.deleteCopies, first, last)
        store.run(sql.deleteCarbonCopies, first, last)
        store.run(sql.deleteRunReport, textOf(run['id']))
        store.run(sql.deleteRun, number)
      }
      store.run(sql.deleteIdentities, campaign)
      store.run(sql.markPruned, campaign, this.#now().getTime())
      return runs.map(({ id }) => textOf(id))
    })
  }
}

function atWork(run: string): UnfinishedError {
  return new UnfinishedError(`run ${run} has this person in its rows and is being worked on`, {
    hint: 'Suppress the address now, and forget it when the run has ended.',
  })
}
