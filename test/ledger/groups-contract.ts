/** What every ledger promises where several rows are one message: one recipient, one attempt, and counts that add up to the rows. */
import { describe, expect, test } from 'vitest'
import { NO_ROWS, type PlannedRow, type StatusCounts } from '../../src/ledger/records.ts'
import { campaign, dueOf, later, ledger, planRun, recipientsOf, resultsOf, started, updated } from './harness.ts'

/** `a 2 b 1 a 1`: each row with its key, and the row that it is sent with. */
function grouped(...rows: readonly (readonly [key: string, first: number])[]): readonly PlannedRow[] {
  return rows.map(([key, first], at) => ({
    row: at + 1,
    key,
    address: key,
    data: first === at + 1 ? JSON.stringify({ cells: { email: key } }) : '',
    message: { first, rows: rows.filter(([, other]) => other === first).length },
  }))
}

const LIST = grouped(['a@x.org', 1], ['b@x.org', 2], ['a@x.org', 1], ['a@x.org', 1], ['b@x.org', 2], ['c@x.org', 6])

async function countsOf(run: string): Promise<readonly [rows: StatusCounts, messages: StatusCounts]> {
  return [await ledger.results.counts(run), await ledger.results.messageCounts(run)]
}

export function groupsContract(): void {
  describe('rows of one message', () => {
    test('are due once, in the place of the first', async () => {
      const run = await planRun(ledger, campaign, LIST)
      expect((await dueOf(ledger, run)).map(({ row, key, rows }) => [row, key, rows])).toEqual([
        [1, 'a@x.org', 3],
        [2, 'b@x.org', 2],
        [6, 'c@x.org', 1],
      ])
      expect(await countsOf(run)).toEqual([
        { ...NO_ROWS, deferred: 6 },
        { ...NO_ROWS, deferred: 3 },
      ])
    })

    test('have one state, whatever it is, and the row that they are sent with', async () => {
      const run = await planRun(ledger, campaign, LIST)
      const [a = 0, b = 0, c = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([
        started(a),
        updated(a, 'sent'),
        updated(b, 'failed', { reason: 'no' }),
        started(c),
      ])
      expect((await resultsOf(ledger, run)).map(({ row, status, sentWith }) => [row, status, sentWith])).toEqual([
        [1, 'sent', 1],
        [2, 'failed', 2],
        [3, 'sent', 1],
        [4, 'sent', 1],
        [5, 'failed', 2],
        [6, 'deferred', 6],
      ])
      expect(await countsOf(run)).toEqual([
        { ...NO_ROWS, sent: 3, failed: 2, deferred: 1 },
        { ...NO_ROWS, sent: 1, failed: 1, deferred: 1 },
      ])
    })

    test('are tried again together, and decided on by the number of any of them', async () => {
      const run = await planRun(ledger, campaign, LIST)
      const [a = 0, b = 0, c = 0] = await recipientsOf(ledger, run)
      const inDoubt = [a, b, c].flatMap((one) => [started(one), updated(one, 'in_doubt')])
      await ledger.deliveries.record(inDoubt)
      const at = later(1)
      expect(await ledger.deliveries.resolveInDoubt(run, 'resend', { at, rows: [{ from: 5, to: 5 }] })).toBe(1)
      expect(await ledger.deliveries.resolveInDoubt(run, 'keep', { at, rows: [{ from: 3, to: 4 }] })).toBe(1)
      expect(await countsOf(run)).toEqual([
        { ...NO_ROWS, sent: 3, deferred: 2, in_doubt: 1 },
        { ...NO_ROWS, sent: 1, deferred: 1, in_doubt: 1 },
      ])
      await ledger.deliveries.record([updated(b, 'failed', { reason: 'no' })])
      expect(await ledger.deliveries.retryFailed(run)).toBe(1)
      expect(await countsOf(run)).toEqual([
        { ...NO_ROWS, sent: 3, deferred: 2, in_doubt: 1 },
        { ...NO_ROWS, sent: 1, deferred: 1, in_doubt: 1 },
      ])
    })

    test('of which a process that died had begun to send are in doubt together', async () => {
      const run = await planRun(ledger, campaign, LIST)
      const [a = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([started(a)])
      const owner = { pid: 1, host: 'h', bootId: 'b', processStart: 's' }
      await (await ledger.campaigns.claim(campaign, owner)).release()
      expect(await countsOf(run)).toEqual([
        { ...NO_ROWS, in_doubt: 3, deferred: 3 },
        { ...NO_ROWS, in_doubt: 1, deferred: 2 },
      ])
    })

    test('in the next plan follow it, and a row that is in no message shows nothing of its recipient', async () => {
      const first = await planRun(ledger, campaign, LIST)
      const [a = 0, b = 0] = await recipientsOf(ledger, first)
      await ledger.deliveries.record([started(a), updated(a, 'sent'), updated(b, 'failed', { reason: 'no' })])
      const skip = { kind: 'has-message', detail: 'sent' } as const
      const added: PlannedRow = { row: 7, key: 'a@x.org', address: 'a@x.org', data: '', skip, message: 'none' }
      const second = await planRun(ledger, campaign, [...LIST, added])
      expect((await resultsOf(ledger, second)).map(({ status, skip }) => skip?.kind ?? status)).toEqual([
        ...['sent', 'failed', 'sent', 'sent', 'failed', 'deferred', 'has-message'],
      ])
      expect(await countsOf(second)).toEqual([
        { ...NO_ROWS, sent: 3, failed: 2, deferred: 1, skipped: 1 },
        { ...NO_ROWS, sent: 1, failed: 1, deferred: 1 },
      ])
      expect(await countsOf(first)).toEqual([
        { ...NO_ROWS, sent: 3, failed: 2, deferred: 1 },
        { ...NO_ROWS, sent: 1, failed: 1, deferred: 1 },
      ])
    })

    test('of which more come before it is sent are all in it', async () => {
      const first = await planRun(ledger, campaign, grouped(['a@x.org', 1], ['b@x.org', 2]))
      const second = await planRun(ledger, campaign, grouped(['a@x.org', 1], ['b@x.org', 2], ['a@x.org', 1]))
      const due = await dueOf(ledger, second)
      expect(due.map(({ row, rows }) => [row, rows])).toEqual([
        [1, 2],
        [2, 1],
      ])
      await ledger.deliveries.record([started(due[0]?.recipient ?? 0), updated(due[0]?.recipient ?? 0, 'sent')])
      expect(await ledger.results.counts(second)).toEqual({ ...NO_ROWS, sent: 2, deferred: 1 })
      expect(await dueOf(ledger, first)).toEqual([])
    })

    test('do not count as duplicates of each other', async () => {
      const id = await planRun(ledger, campaign, LIST)
      expect(await ledger.plans.duplicates(id, 10)).toEqual([])
    })

    test('are forgotten together', async () => {
      const run = await planRun(ledger, campaign, LIST)
      expect(await ledger.privacy.forget('a@x.org')).toMatchObject({ rows: 3, runs: [run] })
      expect(await countsOf(run)).toEqual([
        { ...NO_ROWS, skipped: 3, deferred: 3 },
        { ...NO_ROWS, skipped: 1, deferred: 2 },
      ])
      const rows = await resultsOf(ledger, run)
      expect(rows.filter(({ skip }) => skip?.kind === 'forgotten').map(({ row }) => row)).toEqual([1, 3, 4])
    })

    test('that are suppressed show what became of their message, if it was sent', async () => {
      const first = await planRun(ledger, campaign, LIST)
      const [a = 0] = await recipientsOf(ledger, first)
      await ledger.deliveries.record([started(a), updated(a, 'sent')])
      const skip = { kind: 'suppressed', detail: 'unsubscribed' } as const
      const second = await planRun(
        ledger,
        campaign,
        LIST.map((row) => (row.key === 'c@x.org' || row.key === 'a@x.org' ? { ...row, skip, data: '' } : row)),
      )
      expect((await resultsOf(ledger, second)).map(({ status }) => status)).toEqual([
        ...['sent', 'deferred', 'sent', 'sent', 'deferred', 'skipped'],
      ])
    })
  })
}
