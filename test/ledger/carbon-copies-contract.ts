/** What every ledger promises of copies that the server did not take with their message. */
import { describe, expect, test } from 'vitest'
import { ownerOfThisProcess } from '../../src/ledger/owner.ts'
import { type CopyUpdate, type LedgerEvent, NO_COPIES, type UndeliveredCopy } from '../../src/ledger/records.ts'
import {
  backend,
  campaign,
  later,
  ledger,
  NOW,
  planRun,
  recipientsOf,
  resultsOf,
  rowsOf,
  started,
  updated,
} from './harness.ts'

const greylisted = { status: 'deferred', reason: 'greylisted', smtpCode: 451, response: 'come back' } as const
const waiting: UndeliveredCopy = { ...greylisted, address: 'later@x.org', dueAt: later(60) }
const refused: UndeliveredCopy = { address: 'nobody@x.org', status: 'refused', smtpCode: 550 }

/** A run of two rows; the first is sent, with these copies not taken: by default one deferred for a minute and one refused. */
async function withCopies(copies: readonly UndeliveredCopy[] = [waiting, refused]): Promise<string> {
  const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
  const [a = 0] = await recipientsOf(ledger, run)
  await ledger.deliveries.record([started(a), updated(a, 'sent', { copies, date: later(-5) })])
  return run
}

async function dueCopies(run: string, now: Date, after = 0) {
  return ledger.carbonCopies.due(run, { now, after, limit: 10 })
}

/** The number of the copy that is due first. */
async function firstDue(run: string, now: Date): Promise<number> {
  const [due] = await dueCopies(run, now)
  return due?.copy ?? 0
}

function startedCopy(copy: number, at: Date): LedgerEvent {
  return { kind: 'copy-started', copy, at }
}

function updatedCopy(copy: number, at: Date, update: CopyUpdate): LedgerEvent {
  return { kind: 'copy-updated', copy, at, ...update }
}

export function carbonCopiesContract(): void {
  describe('carbon copies', () => {
    test('a deferred copy comes when its time has come, with its row and the moment of its message', async () => {
      const run = await withCopies()
      expect(await ledger.carbonCopies.counts(run)).toEqual({ ...NO_COPIES, deferred: 1, refused: 1 })
      expect(await ledger.carbonCopies.nextDue(run)).toEqual(later(60))
      expect(await dueCopies(run, later(59))).toEqual([])
      expect(await dueCopies(run, later(60))).toMatchObject([
        { address: 'later@x.org', attempts: 1, sentAt: later(-5), row: { row: 1, address: 'a@x.org' } },
      ])
    })

    test('the message of a row that was tried before keeps the Date of its first attempt', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
      const [a = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([started(a), updated(a, 'deferred', { dueAt: later(10) })])
      const sent = updated(a, 'sent', { copies: [waiting], at: later(11), date: NOW })
      await ledger.deliveries.record([started(a, later(10)), sent])
      expect(await dueCopies(run, later(60))).toMatchObject([{ sentAt: NOW }])
    })

    test('several come in the order of their numbers, from the number asked for', async () => {
      const run = await withCopies([waiting, { ...waiting, address: 'too@x.org', dueAt: later(30) }])
      const all = await dueCopies(run, later(60))
      expect(all.map(({ address }) => address)).toEqual(['later@x.org', 'too@x.org'])
      expect(await dueCopies(run, later(60), all[0]?.copy)).toEqual(all.slice(1))
    })

    test('it is tried until it is sent or refused, and then no more', async () => {
      const run = await withCopies()
      const copy = await firstDue(run, later(60))
      await ledger.deliveries.record([startedCopy(copy, later(60))])
      await ledger.deliveries.record([updatedCopy(copy, later(61), { ...greylisted, dueAt: later(120) })])
      expect(await dueCopies(run, later(119))).toEqual([])
      expect(await dueCopies(run, later(120))).toMatchObject([{ attempts: 2, firstAttemptAt: later(-5) }])
      await ledger.deliveries.record([
        startedCopy(copy, later(120)),
        updatedCopy(copy, later(121), { status: 'sent', smtpCode: 250 }),
      ])
      expect(await ledger.carbonCopies.counts(run)).toEqual({ ...NO_COPIES, sent: 1, refused: 1 })
      expect(await ledger.carbonCopies.nextDue(run)).toBeUndefined()
      await expect(ledger.deliveries.record([startedCopy(copy, later(122))])).rejects.toMatchObject({ exitCode: 70 })
      const again = updatedCopy(copy, later(122), { status: 'sent' })
      await expect(ledger.deliveries.record([again])).rejects.toMatchObject({ exitCode: 70 })
    })

    test('one that a dead process started and never finished is in doubt for the next', async () => {
      const run = await withCopies()
      await ledger.deliveries.record([startedCopy(await firstDue(run, later(60)), later(60))])
      const another = await backend.open()
      const claim = await another.campaigns.claim(campaign, ownerOfThisProcess())
      expect(await another.carbonCopies.counts(run)).toEqual({ ...NO_COPIES, in_doubt: 1, refused: 1 })
      expect(await dueCopies(run, later(600))).toEqual([])
      await claim.release()
      await another.close()
    })

    test('a person decides on copies in doubt: sent again, or taken as sent', async () => {
      const doubtful: UndeliveredCopy = { address: 'later@x.org', status: 'in_doubt' }
      const run = await withCopies([doubtful, refused])
      await ledger.runs.end(run, 'finished', later(60))
      expect(await ledger.deliveries.resolveInDoubt(run, 'resend', { at: later(90_000) })).toBe(0)
      const [due] = await dueCopies(run, later(90_000))
      expect(due).toMatchObject({ address: 'later@x.org', attempts: 0, sentAt: later(-5) })
      expect(due?.firstAttemptAt).toBeUndefined()
      await ledger.deliveries.record([
        updatedCopy(due?.copy ?? 0, later(90_000), { ...greylisted, dueAt: later(90_060) }),
      ])
      expect(await dueCopies(run, later(90_060))).toMatchObject([{ attempts: 1, firstAttemptAt: later(90_000) }])
      await ledger.deliveries.record([updatedCopy(due?.copy ?? 0, later(90_060), { status: 'in_doubt' })])
      await ledger.deliveries.resolveInDoubt(run, 'keep', { at: NOW, rows: [{ from: 1, to: 1 }] })
      expect(await ledger.carbonCopies.counts(run)).toEqual({ ...NO_COPIES, sent: 1, refused: 1 })
    })

    test('the results say what became of them, until they are sent', async () => {
      const run = await withCopies()
      const copiesOfFirst = async () => (await resultsOf(ledger, run))[0]?.copies
      const { dueAt: _, ...shown } = waiting
      expect(await copiesOfFirst()).toEqual([shown, refused])
      const copy = await firstDue(run, later(60))
      await ledger.deliveries.record([updatedCopy(copy, later(60), { status: 'sent', smtpCode: 250 })])
      expect(await copiesOfFirst()).toEqual([refused])
      expect((await resultsOf(ledger, run))[1]?.copies).toBeUndefined()
    })

    test('they go over to the next run of the campaign with their row, and none is due in a run that ended', async () => {
      const first = await withCopies()
      const second = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
      expect(await dueCopies(second, later(60))).toMatchObject([{ address: 'later@x.org' }])
      expect(await dueCopies(first, later(60))).toEqual([])
      await ledger.runs.end(second, 'cancelled', later(1))
      expect(await dueCopies(second, later(60))).toEqual([])
      expect(await ledger.carbonCopies.nextDue(second)).toBeUndefined()
    })

    test('a person who is forgotten leaves no copy behind, as a recipient or as the one copied', async () => {
      const run = await withCopies()
      expect(await ledger.privacy.forget('later@x.org')).toMatchObject({ rows: 0, runs: [run] })
      expect(await ledger.carbonCopies.counts(run)).toEqual({ ...NO_COPIES, refused: 1 })
      await ledger.privacy.forget('a@x.org')
      expect(await ledger.carbonCopies.counts(run)).toEqual(NO_COPIES)
    })

    test('nobody is forgotten to whom a process is about to send a copy', async () => {
      await withCopies()
      const claim = await ledger.campaigns.claim(campaign, ownerOfThisProcess())
      await expect(ledger.privacy.forget('later@x.org')).rejects.toMatchObject({ exitCode: 75 })
      await claim.release()
      await ledger.privacy.forget('later@x.org')
    })
  })
}
