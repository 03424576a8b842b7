/** What every ledger promises of a delivery: whose turn it is, what became of it, and what a person says of that. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NO_ROWS, type RowStatus } from '../../src/ledger/records.ts'
import {
  backend,
  campaign,
  dueOf,
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

export function deliveryContract(): void {
  describe('whose turn it is', () => {
    test('rows come in the order of the list, after the one that was last, a number of them at a time', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org', 'd@x.org'))
      expect((await dueOf(ledger, run, NOW, 0, 2)).map(({ row }) => row)).toEqual([1, 2])
      expect((await dueOf(ledger, run, NOW, 2, 2)).map(({ row }) => row)).toEqual([3, 4])
      expect(await dueOf(ledger, run, NOW, 4)).toEqual([])
      expect((await dueOf(ledger, run))[0]).toMatchObject({
        key: 'a@x.org',
        address: 'a@x.org',
        occurrence: 1,
        attempts: 0,
      })
    })

    test('a run with an hour waits for it, and a row with one of its own for that', async () => {
      const [one, two] = rowsOf('a@x.org', 'b@x.org')
      if (one === undefined || two === undefined) throw new Error('two rows')
      const run = await planRun(ledger, campaign, [one, { ...two, notBefore: later(7200) }], 'skip', later(3600))
      expect(await dueOf(ledger, run, later(3599))).toEqual([])
      expect(await ledger.deliveries.nextDue(run)).toEqual(later(3600))
      expect(await ledger.deliveries.lastDue(run)).toEqual(later(7200))
      expect((await dueOf(ledger, run, later(3600))).map(({ row }) => row)).toEqual([1])
      expect(await ledger.deliveries.nextDue(run, later(3600))).toEqual(later(7200))
      expect((await dueOf(ledger, run, later(7200))).map(({ row }) => row)).toEqual([1, 2])
      expect(await ledger.deliveries.nextDue(run, later(7200))).toBeUndefined()
    })

    test('a row that is put off is due later, and keeps what the server said of it', async () => {
      const run = await planRun(ledger, campaign, rowsOf('ada@x.org', 'bob@x.org'))
      const [ada = 0] = await recipientsOf(ledger, run)
      const said = { reason: 'greylisted', smtpCode: 451, response: 'later', dueAt: NOW } as const
      await ledger.deliveries.record([started(ada), updated(ada, 'deferred', said)])
      await ledger.deliveries.record([{ kind: 'row-put-off', recipient: ada, dueAt: later(600) }])
      expect((await dueOf(ledger, run)).map(({ row }) => row)).toEqual([2])
      expect((await dueOf(ledger, run, later(600))).map(({ row }) => row)).toEqual([1, 2])
      expect((await resultsOf(ledger, run))[0]).toMatchObject({
        status: 'deferred',
        reason: 'greylisted',
        smtpCode: 451,
        attempts: 1,
      })
    })

    test('a deferred row is due at its time and not before, among the others', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org'))
      const [a = 0, b = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([
        updated(a, 'deferred', { dueAt: later(60) }),
        started(b),
        updated(b, 'deferred', { dueAt: later(30) }),
      ])
      expect((await dueOf(ledger, run, later(29))).map(({ row }) => row)).toEqual([3])
      expect((await dueOf(ledger, run, later(30))).map(({ row }) => row)).toEqual([2, 3])
      expect((await dueOf(ledger, run, later(60))).map(({ row, attempts }) => [row, attempts])).toEqual([
        [1, 1],
        [2, 1],
        [3, 0],
      ])
      expect(await ledger.deliveries.nextDue(run)).toEqual(later(30))
      expect(await ledger.deliveries.nextDue(run, later(30))).toEqual(later(60))
    })
  })

  describe('news', () => {
    test('each is recorded with what the server said, and the counts add up', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org', 'd@x.org'))
      const [a = 0, b = 0, c = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([
        started(a),
        updated(a, 'sent', { at: later(1), smtpCode: 250, enhancedCode: '2.0.0', response: 'queued as 4F' }),
        updated(b, 'failed', { at: later(2), smtpCode: 550, reason: 'mailbox unknown', messageId: '<b@x>' }),
        updated(c, 'skipped', { at: later(3), skip: { kind: 'suppressed', detail: 'unsubscribed' }, attempted: false }),
      ])
      expect(await ledger.results.counts(run)).toEqual({ sent: 1, failed: 1, skipped: 1, deferred: 1, in_doubt: 0 })
      expect(await resultsOf(ledger, run)).toEqual([
        {
          row: 1,
          key: 'a@x.org',
          address: 'a@x.org',
          status: 'sent',
          reason: '',
          smtpCode: 250,
          enhancedCode: '2.0.0',
          response: 'queued as 4F',
          messageId: `<${a}@x>`,
          attempts: 1,
          firstAttemptAt: NOW,
          finishedAt: later(1),
        },
        {
          row: 2,
          key: 'b@x.org',
          address: 'b@x.org',
          status: 'failed',
          reason: 'mailbox unknown',
          smtpCode: 550,
          messageId: '<b@x>',
          attempts: 1,
          firstAttemptAt: later(2),
          finishedAt: later(2),
        },
        {
          row: 3,
          key: 'c@x.org',
          address: 'c@x.org',
          status: 'skipped',
          reason: '',
          skip: { kind: 'suppressed', detail: 'unsubscribed' },
          attempts: 0,
          finishedAt: later(3),
        },
        { row: 4, key: 'd@x.org', address: 'd@x.org', status: 'deferred', reason: 'not sent yet', attempts: 0 },
      ])
    })

    test('of a row that was deferred and then sent, the last answer is reported and nothing of the one before', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
      const [a = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([
        started(a),
        updated(a, 'deferred', {
          smtpCode: 451,
          enhancedCode: '4.7.1',
          response: 'later',
          reason: 'greylisted',
          dueAt: NOW,
        }),
        started(a, later(5)),
        updated(a, 'sent', { at: later(6), smtpCode: 250 }),
      ])
      expect(await resultsOf(ledger, run)).toEqual([
        {
          ...{ row: 1, key: 'a@x.org', address: 'a@x.org', status: 'sent', reason: '', smtpCode: 250 },
          ...{ messageId: `<${a}@x>`, attempts: 2, firstAttemptAt: NOW, finishedAt: later(6) },
        },
      ])
    })

    test('a row that is not waiting to be sent can be begun or settled by nobody, and then nothing of it is recorded', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
      const [a = 0, b = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([updated(a, 'sent')])
      await expect(ledger.deliveries.record([started(b), started(a)])).rejects.toMatchObject({ exitCode: 70 })
      await expect(ledger.deliveries.record([updated(a, 'failed')])).rejects.toThrow('sent already')
      await expect(ledger.deliveries.record([started(987_654_321)])).rejects.toMatchObject({ exitCode: 70 })
      expect(await ledger.results.counts(run)).toEqual({ ...NO_ROWS, sent: 1, deferred: 1 })
      // Nothing of the refused transaction was kept: the row can be begun.
      await ledger.deliveries.record([started(b)])
    })

    test('a row is begun once until its end is reported', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
      const [a = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([started(a)])
      await expect(ledger.deliveries.record([started(a)])).rejects.toThrow()
      await ledger.deliveries.record([updated(a, 'deferred', { dueAt: NOW })])
      await ledger.deliveries.record([started(a, later(1)), updated(a, 'sent', { at: later(2) })])
      expect(await resultsOf(ledger, run)).toMatchObject([{ status: 'sent', attempts: 2, firstAttemptAt: NOW }])
    })

    test('whatever is reported in whatever order, the kept counts are those of the rows', async () => {
      const statuses = fc.constantFrom<RowStatus>('sent', 'failed', 'skipped', 'deferred', 'in_doubt')
      let round = 0
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(fc.nat(11), statuses), { maxLength: 40 }), async (news) => {
          const mine = await ledger.campaigns.open(`round-${round++}`)
          const addresses = Array.from({ length: 12 }, (_, at) => `p${at}@x.org`)
          const run = await planRun(ledger, mine, rowsOf(...addresses))
          const recipients = await recipientsOf(ledger, run)
          for (const [at, status] of news) {
            const recipient = recipients[at] ?? 0
            await ledger.deliveries
              .record([started(recipient), updated(recipient, status, { dueAt: later(5) })])
              .catch(() => {})
          }
          const found = { ...NO_ROWS }
          for (const { status } of await resultsOf(ledger, run)) found[status]++
          expect(await ledger.results.counts(run)).toEqual(found)
        }),
        { numRuns: 25 },
      )
    })

    test('what one process recorded, another sees', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
      const another = await backend.open()
      const [a = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([updated(a, 'sent')])
      expect(await another.results.counts(run)).toEqual({ ...NO_ROWS, sent: 1 })
      expect(await another.deliveries.due(run, { now: NOW, after: 0, limit: 9 })).toEqual([])
      await another.close()
    })
  })

  describe("a person's word", () => {
    test('retry brings back what failed, from the start, and makes a finished run ready', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
      const [a = 0, b = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([updated(a, 'sent'), updated(b, 'failed', { reason: 'mailbox unknown' })])
      await ledger.runs.end(run, 'finished', later(9))
      expect(await ledger.runs.find(run)).toMatchObject({ state: 'finished', endedAt: later(9) })
      expect(await ledger.deliveries.retryFailed(run)).toBe(1)
      expect(await ledger.results.counts(run)).toEqual({ ...NO_ROWS, sent: 1, deferred: 1 })
      expect(await dueOf(ledger, run)).toMatchObject([{ key: 'b@x.org', attempts: 0 }])
      const record = await ledger.runs.find(run)
      expect(record?.state).toBe('ready')
      expect(record?.endedAt).toBeUndefined()
      // The tries of a new series are counted again; the attempts of all time are kept.
      await ledger.deliveries.record([updated(b, 'sent')])
      expect((await resultsOf(ledger, run))[1]).toMatchObject({ status: 'sent', attempts: 2 })
    })

    test('retry of a run in which nothing failed changes nothing', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
      const [a = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([updated(a, 'sent')])
      await ledger.runs.end(run, 'finished', NOW)
      expect(await ledger.deliveries.retryFailed(run)).toBe(0)
      expect((await ledger.runs.find(run))?.state).toBe('finished')
    })

    test('rows in doubt are sent again, or taken as sent, only when somebody says so', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
      const [a = 0, b = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([started(a), updated(a, 'in_doubt'), updated(b, 'failed')])
      expect(await dueOf(ledger, run)).toEqual([])
      expect(await ledger.deliveries.resolveInDoubt(run, 'resend', { at: NOW })).toBe(1)
      expect((await dueOf(ledger, run)).map(({ key }) => key)).toEqual(['a@x.org'])
      await ledger.deliveries.record([started(a), updated(a, 'in_doubt')])
      expect(await ledger.deliveries.resolveInDoubt(run, 'keep', { at: NOW })).toBe(1)
      expect(await ledger.results.counts(run)).toEqual({ ...NO_ROWS, sent: 1, failed: 1 })
      expect((await resultsOf(ledger, run))[0]).toMatchObject({ status: 'sent', reason: 'in doubt; taken as sent' })
      expect(await ledger.deliveries.resolveInDoubt(run, 'resend', { at: NOW })).toBe(0)
    })

    test('a decision on some rows in doubt leaves the others in doubt', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org', 'd@x.org'))
      const ids = await recipientsOf(ledger, run)
      await ledger.deliveries.record(ids.flatMap((id) => [started(id), updated(id, 'in_doubt')]))
      const { deliveries } = ledger
      expect(await deliveries.resolveInDoubt(run, 'keep', { at: NOW, rows: [{ from: 1, to: 2 }] })).toBe(2)
      const rest = [{ from: 4, to: Number.POSITIVE_INFINITY }]
      expect(await deliveries.resolveInDoubt(run, 'resend', { at: NOW, rows: rest })).toBe(1)
      expect(await deliveries.resolveInDoubt(run, 'keep', { at: NOW, rows: [{ from: 9, to: 12 }] })).toBe(0)
      const states = (await resultsOf(ledger, run)).map(({ status }) => status)
      expect(states).toEqual(['sent', 'sent', 'in_doubt', 'deferred'])
      expect(await ledger.results.counts(run)).toEqual({ ...NO_ROWS, sent: 2, in_doubt: 1, deferred: 1 })
    })

    test('a row in doubt that is to be sent again wakes a delivery that waits for its next row', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
      const [a = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([started(a), updated(a, 'in_doubt')])
      expect(await ledger.deliveries.nextDue(run)).toBeUndefined()
      await ledger.deliveries.resolveInDoubt(run, 'resend', { at: NOW })
      expect(await ledger.deliveries.nextDue(run)).toEqual(NOW)
    })

    test('what is asked of a run is kept until it is taken back', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
      expect((await ledger.runs.find(run))?.requested).toBeUndefined()
      await ledger.runs.request(run, 'pause')
      expect((await ledger.runs.find(run))?.requested).toBe('pause')
      await ledger.runs.request(run, undefined)
      expect((await ledger.runs.find(run))?.requested).toBeUndefined()
    })

    test('what a process says of its run is kept until it takes it away', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
      expect(await ledger.runs.lastReport(run)).toBeUndefined()
      await ledger.runs.report(run, '{"lanes":1}', NOW)
      await ledger.runs.report(run, '{"lanes":2}', later(1))
      expect(await ledger.runs.lastReport(run)).toEqual({ facts: '{"lanes":2}', at: later(1) })
      await ledger.runs.report(run, undefined, later(2))
      expect(await ledger.runs.lastReport(run)).toBeUndefined()
    })

    test('a cancelled run sends nothing more', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
      await ledger.runs.end(run, 'cancelled', NOW)
      expect(await dueOf(ledger, run)).toEqual([])
      expect(await ledger.deliveries.nextDue(run)).toBeUndefined()
    })

    test('a run that is not there is reported with where it was looked for', async () => {
      await expect(ledger.results.counts('nobody')).rejects.toThrow('there is no run nobody in the ledger')
    })
  })
}
