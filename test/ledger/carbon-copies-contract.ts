/** What every ledger promises of copies that the server did not take with their message. */
import { describe, expect, test } from 'vitest'
import { ownerOfThisProcess } from '../../src/ledger/owner.ts'
import { backend, campaign, later, ledger, NOW, planRun, recipientsOf, rowsOf, started, updated } from './harness.ts'

const NO_COPIES = { sent: 0, refused: 0, deferred: 0, in_doubt: 0 }
const greylisted = { status: 'deferred', reason: 'greylisted', smtpCode: 451, response: 'come back' } as const

/** A run of two rows; the first is sent, with one copy deferred for a minute and one refused. */
async function withCopies(): Promise<string> {
  const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
  const [a = 0] = await recipientsOf(ledger, run)
  const copies = [
    { ...greylisted, address: 'later@x.org', dueAt: later(60) },
    { address: 'nobody@x.org', status: 'refused', smtpCode: 550 },
  ] as const
  await ledger.deliveries.record([started(a), updated(a, 'sent', { copies })])
  return run
}

async function dueCopies(run: string, now: Date) {
  return ledger.carbonCopies.due(run, { now, limit: 10 })
}

export function carbonCopiesContract(): void {
  describe('carbon copies', () => {
    test('a deferred copy comes when its time has come, with its row and the moment of its message', async () => {
      const run = await withCopies()
      expect(await ledger.carbonCopies.counts(run)).toEqual({ ...NO_COPIES, deferred: 1, refused: 1 })
      expect(await ledger.carbonCopies.nextDue(run)).toEqual(later(60))
      expect(await dueCopies(run, later(59))).toEqual([])
      expect(await dueCopies(run, later(60))).toMatchObject([
        { address: 'later@x.org', attempts: 1, firstAttemptAt: NOW, sentAt: NOW, row: { row: 1, address: 'a@x.org' } },
      ])
    })

    test('it is tried until it is sent or refused, and then no more', async () => {
      const run = await withCopies()
      const [due] = await dueCopies(run, later(60))
      const copy = due?.copy ?? 0
      await ledger.carbonCopies.start(copy, later(60))
      await ledger.carbonCopies.update(copy, { ...greylisted, dueAt: later(120) }, later(61))
      expect(await dueCopies(run, later(119))).toEqual([])
      expect(await dueCopies(run, later(120))).toMatchObject([{ attempts: 2, firstAttemptAt: NOW }])
      await ledger.carbonCopies.start(copy, later(120))
      await ledger.carbonCopies.update(copy, { status: 'sent', smtpCode: 250 }, later(121))
      expect(await ledger.carbonCopies.counts(run)).toEqual({ ...NO_COPIES, sent: 1, refused: 1 })
      expect(await ledger.carbonCopies.nextDue(run)).toBeUndefined()
      await expect(ledger.carbonCopies.start(copy, later(122))).rejects.toMatchObject({ exitCode: 70 })
      await expect(ledger.carbonCopies.update(copy, { status: 'sent' }, later(122))).rejects.toThrow()
    })

    test('one that a dead process started and never finished is in doubt for the next', async () => {
      const run = await withCopies()
      const [due] = await dueCopies(run, later(60))
      await ledger.carbonCopies.start(due?.copy ?? 0, later(60))
      const another = await backend.open()
      const claim = await another.campaigns.claim(campaign, ownerOfThisProcess())
      expect(await another.carbonCopies.counts(run)).toEqual({ ...NO_COPIES, in_doubt: 1, refused: 1 })
      expect(await dueCopies(run, later(600))).toEqual([])
      await claim.release()
      await another.close()
    })

    test('they go over to the next run of the campaign with their row', async () => {
      await withCopies()
      const second = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
      expect(await dueCopies(second, later(60))).toMatchObject([{ address: 'later@x.org' }])
    })

    test('a person who is forgotten leaves no copy behind, as a recipient or as the one copied', async () => {
      const run = await withCopies()
      await ledger.privacy.forget('later@x.org')
      expect(await ledger.carbonCopies.counts(run)).toEqual({ ...NO_COPIES, refused: 1 })
      await ledger.privacy.forget('a@x.org')
      expect(await ledger.carbonCopies.counts(run)).toEqual(NO_COPIES)
    })
  })
}
