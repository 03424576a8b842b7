/** What every ledger promises of a plan: its rows, its duplicates, and who of them is known already. */
import { describe, expect, test } from 'vitest'
import { NO_ROWS, type PlannedRow } from '../../src/ledger/records.ts'
import { reasonWords } from '../../src/report/reasons.ts'
import {
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

export function planContract(): void {
  describe('planning', () => {
    test('a run that is being planned holds nothing to send and is not the newest', async () => {
      const ready = await planRun(ledger, campaign, rowsOf('a@x.org'))
      await ledger.runs.create({
        id: '20261125T999999-plan',
        campaign,
        startedAt: NOW,
        source: 's',
        template: 't',
        templateHash: 'h',
        columns: [],
        options: {},
      })
      await ledger.plans.add('20261125T999999-plan', rowsOf('b@x.org'))
      expect(await dueOf(ledger, '20261125T999999-plan')).toEqual([])
      expect((await ledger.runs.find())?.id).toBe(ready)
      expect((await ledger.runs.find('20261125T999999-plan'))?.state).toBe('planning')
      await ledger.runs.drop('20261125T999999-plan')
      expect(await ledger.runs.find('20261125T999999-plan')).toBeUndefined()
    })

    test('a run is kept as it was given', async () => {
      const notBefore = later(3600)
      const id = await planRun(ledger, campaign, rowsOf('a@x.org'), 'skip', notBefore)
      expect(await ledger.runs.find(id)).toEqual({
        id,
        campaign,
        state: 'ready',
        startedAt: NOW,
        notBefore,
        source: 'list.csv',
        template: 'letter',
        templateHash: 'hash',
        columns: ['email'],
        options: { template: 'letter' },
      })
    })

    test('who is sent or in doubt stays so when the list is planned again, new rows are new', async () => {
      const first = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org'))
      const [a = 0, b = 0] = await recipientsOf(ledger, first)
      await ledger.deliveries.record([updated(a, 'sent'), started(b), updated(b, 'in_doubt')])
      const second = await planRun(ledger, campaign, rowsOf('a@x.org', 'new@x.org', 'c@x.org', 'b@x.org'))
      expect((await dueOf(ledger, second)).map(({ row, key }) => [row, key])).toEqual([
        [2, 'new@x.org'],
        [3, 'c@x.org'],
      ])
      expect(await ledger.results.counts(second)).toEqual({ ...NO_ROWS, sent: 1, in_doubt: 1, deferred: 2 })
      expect((await ledger.runs.find(first))?.state).toBe('cancelled')
      expect(await dueOf(ledger, first)).toEqual([])
    })

    test('who failed comes back only when the row changed', async () => {
      const first = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
      const [a = 0, b = 0] = await recipientsOf(ledger, first)
      await ledger.deliveries.record([
        updated(a, 'failed', { reason: 'mailbox unknown', smtpCode: 550 }),
        updated(b, 'failed', { reason: 'mailbox unknown', smtpCode: 550 }),
      ])
      const [same, changed] = rowsOf('a@x.org', 'b@x.org')
      const second = await planRun(ledger, campaign, [
        ...(same === undefined ? [] : [same]),
        ...(changed === undefined ? [] : [{ ...changed, data: '{"cells":{"email":"b@x.org","name":"B"}}' }]),
      ])
      expect((await dueOf(ledger, second)).map(({ key, attempts }) => [key, attempts])).toEqual([['b@x.org', 0]])
      const results = await resultsOf(ledger, second)
      expect(results.map((row) => [row.status, reasonWords(row)])).toEqual([
        ['failed', 'mailbox unknown'],
        ['deferred', 'not sent yet'],
      ])
      expect(results[1]?.smtpCode).toBeUndefined()
    })

    test('who waits for another try keeps the turn when the list is planned again', async () => {
      const first = await planRun(ledger, campaign, rowsOf('a@x.org'))
      const [a = 0] = await recipientsOf(ledger, first)
      await ledger.deliveries.record([updated(a, 'deferred', { dueAt: later(60), reason: 'greylisted' })])
      const second = await planRun(ledger, campaign, rowsOf('a@x.org'))
      expect(await dueOf(ledger, second)).toEqual([])
      expect(await ledger.deliveries.nextDue(second)).toEqual(later(60))
      expect(await dueOf(ledger, second, later(60))).toMatchObject([{ attempts: 1, firstAttemptAt: NOW }])
    })

    test('later rows of one key are skipped, naming the first; rows that are not sent do not count as first', async () => {
      const rows: readonly PlannedRow[] = [
        { row: 1, key: 'a@x.org', address: 'a@x.org', data: '', skip: { kind: 'unselected', detail: '--rows' } },
        { row: 2, key: 'a@x.org', address: 'a@x.org', data: '{}' },
        { row: 3, key: 'b@x.org', address: 'b@x.org', data: '{}' },
        { row: 4, key: 'a@x.org', address: 'a@x.org', data: '{}' },
        { row: 5, key: 'a@x.org', address: 'a@x.org', data: '{}' },
        { row: 6, key: '', address: '', data: '', skip: { kind: 'bad', detail: 'the address is empty' } },
        { row: 7, key: '', address: '', data: '', skip: { kind: 'bad', detail: 'the address is empty' } },
      ]
      const run = await planRun(ledger, campaign, rows)
      expect((await dueOf(ledger, run)).map(({ row }) => row)).toEqual([2, 3])
      expect((await resultsOf(ledger, run)).map((row) => [row.status, reasonWords(row)])).toEqual([
        ['skipped', 'not selected by --rows'],
        ['deferred', 'not sent yet'],
        ['deferred', 'not sent yet'],
        ['skipped', 'duplicate of row 2'],
        ['skipped', 'duplicate of row 2'],
        ['skipped', 'bad row: the address is empty'],
        ['skipped', 'bad row: the address is empty'],
      ])
      expect(await ledger.results.counts(run)).toEqual({ ...NO_ROWS, deferred: 2, skipped: 5 })
    })

    test('pairs of one key are listed before they are settled', async () => {
      await ledger.runs.create({
        id: 'pairs',
        campaign,
        startedAt: NOW,
        source: 's',
        template: 't',
        templateHash: 'h',
        columns: [],
        options: {},
      })
      const again = rowsOf('a@x.org', 'b@x.org', 'a@x.org', 'c@x.org', 'b@x.org', 'a@x.org')
      await ledger.plans.add('pairs', again)
      expect(await ledger.plans.duplicates('pairs', 2)).toEqual([
        { key: 'a@x.org', row: 3, firstRow: 1 },
        { key: 'b@x.org', row: 5, firstRow: 2 },
      ])
      expect(await ledger.plans.duplicates('pairs', 10)).toHaveLength(3)
    })

    test('where two rows of one key are an error the plan is left as it was, and can still be settled otherwise', async () => {
      const planning = { id: 'twins', campaign, startedAt: NOW, source: 's', template: 't', templateHash: 'h' }
      await ledger.runs.create({ ...planning, columns: [], options: {} })
      await ledger.plans.add('twins', rowsOf('b@x.org', 'a@x.org', 'b@x.org'))
      expect(await ledger.plans.complete('twins', { duplicates: 'error' })).toBeUndefined()
      expect((await ledger.runs.find('twins'))?.state).toBe('planning')
      expect(await ledger.plans.duplicates('twins', 10)).toEqual([{ key: 'b@x.org', row: 3, firstRow: 1 }])
      expect(await ledger.plans.complete('twins', { duplicates: 'skip' })).toMatchObject({
        rows: 3,
        deferred: 2,
        skipped: 1,
      })
      expect((await dueOf(ledger, 'twins')).map(({ row, key }) => [row, key])).toEqual([
        [1, 'b@x.org'],
        [2, 'a@x.org'],
      ])
    })

    test('of two rows of one key, one that is not to be sent makes no error', async () => {
      const [one, two] = rowsOf('a@x.org', 'a@x.org')
      if (one === undefined || two === undefined) throw new Error('two rows')
      await planRun(ledger, campaign, rowsOf('b@x.org'))
      const planning = { id: 'left-out', campaign, startedAt: NOW, source: 's', template: 't', templateHash: 'h' }
      await ledger.runs.create({ ...planning, columns: [], options: {} })
      await ledger.plans.add('left-out', [{ ...one, data: '', skip: { kind: 'unselected', detail: '--rows' } }, two])
      expect(await ledger.plans.complete('left-out', { duplicates: 'error' })).toMatchObject({
        deferred: 1,
        skipped: 1,
      })
      expect((await dueOf(ledger, 'left-out')).map(({ row }) => row)).toEqual([2])
    })

    test('under all, each row of a key is a recipient of its own, and stays the n-th in the next plan', async () => {
      const rows = rowsOf('a@x.org', 'b@x.org', 'a@x.org')
      const first = await planRun(ledger, campaign, rows, 'all')
      const found = await dueOf(ledger, first)
      expect(found.map(({ row, occurrence }) => [row, occurrence])).toEqual([
        [1, 1],
        [2, 1],
        [3, 2],
      ])
      await ledger.deliveries.record([updated(found[0]?.recipient ?? 0, 'sent')])
      const second = await planRun(ledger, campaign, rows, 'all')
      expect((await dueOf(ledger, second)).map(({ row, occurrence }) => [row, occurrence])).toEqual([
        [2, 1],
        [3, 2],
      ])
    })

    test('rows left out by choice show what the campaign knows of them, and are sent when chosen', async () => {
      const [one, two] = rowsOf('a@x.org', 'b@x.org')
      if (one === undefined || two === undefined) throw new Error('two rows')
      const first = await planRun(ledger, campaign, [
        one,
        { ...two, data: '', skip: { kind: 'unselected', detail: '--rows' } },
      ])
      const [a = 0] = await recipientsOf(ledger, first)
      await ledger.deliveries.record([updated(a, 'sent')])
      expect(await ledger.results.counts(first)).toEqual({ ...NO_ROWS, sent: 1, skipped: 1 })
      const second = await planRun(ledger, campaign, [
        { ...one, data: '', skip: { kind: 'unselected', detail: '--rows' } },
        two,
      ])
      expect(await ledger.results.counts(second)).toEqual({ ...NO_ROWS, sent: 1, deferred: 1 })
      expect((await dueOf(ledger, second)).map(({ key }) => key)).toEqual(['b@x.org'])
    })

    test('what became of keys is found in their campaign: of several rows with one key the first', async () => {
      const rows = rowsOf('a@x.org', 'b@x.org', 'a@x.org', 'c@x.org')
      const run = await planRun(ledger, campaign, rows)
      const [a = 0, b = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([updated(a, 'sent'), updated(b, 'failed', { reason: 'no such user' })])
      const other = await ledger.campaigns.open('other')
      await planRun(ledger, other, rowsOf('d@x.org', 'a@x.org'))

      const found = await ledger.results.ofKeys(campaign, ['b@x.org', 'a@x.org', 'd@x.org', ''])
      const results = await resultsOf(ledger, run)
      expect(found.get('a@x.org')).toEqual(results[0])
      expect(found.get('b@x.org')).toEqual(results[1])
      expect([...found.keys()].sort()).toEqual(['a@x.org', 'b@x.org'])
      await planRun(ledger, campaign, rowsOf('b@x.org'))
      const [{ status, row } = {}] = [...(await ledger.results.ofKeys(campaign, ['a@x.org'])).values()]
      expect({ status, row }).toEqual({ status: 'sent', row: 1 })
      expect((await ledger.results.ofKeys(other, ['a@x.org'])).get('a@x.org')?.status).toBe('deferred')
    })

    test('a plan takes rows in parts and in any number', async () => {
      await ledger.runs.create({
        id: 'parts',
        campaign,
        startedAt: NOW,
        source: 's',
        template: 't',
        templateHash: 'h',
        columns: [],
        options: {},
      })
      for (let part = 0; part < 5; part++) {
        const rows = Array.from({ length: 500 }, (_, at) => part * 500 + at + 1)
        await ledger.plans.add(
          'parts',
          rows.map((row) => ({ row, key: `p${row}@x.org`, address: `p${row}@x.org`, data: '{}' })),
        )
      }
      const counts = await ledger.plans.complete('parts', { duplicates: 'skip' })
      const planned = { ...NO_ROWS, deferred: 2500 }
      expect(counts).toEqual({ ...planned, rows: 2500, messages: planned })
      const results = await resultsOf(ledger, 'parts')
      expect(results.map(({ row }) => row)).toEqual(Array.from({ length: 2500 }, (_, at) => at + 1))
    })
  })
}
