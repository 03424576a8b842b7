/**
 * What every ledger promises, written once over the seam: SQLite is held to it, and what comes beside it will be. Nothing here
 * knows how a ledger keeps what it keeps.
 */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type {
  Campaign,
  Ledger,
  News,
  Owner,
  PlannedRow,
  ResultRow,
  RowStatus,
  Settled,
  Suppression,
} from '../../src/ledger/ledger.ts'
import { ownerOfThisProcess } from '../../src/ledger/owner.ts'

/** One store, to which several processes may connect. */
export interface LedgerHouse {
  /** A connection of its own, as another process has it. `now` is its wall clock. */
  open(now?: () => Date): Promise<Ledger>
  close(): Promise<void>
}

const NOW = new Date('2026-11-25T10:00:00Z')
const later = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000)
const NOBODY = { sent: 0, failed: 0, skipped: 0, deferred: 0, in_doubt: 0 }

export function rowsOf(...addresses: readonly string[]): readonly PlannedRow[] {
  return addresses.map((address, at) => ({
    row: at + 1,
    key: address,
    address,
    data: JSON.stringify({ cells: { email: address } }),
  }))
}

let runs = 0

/** Plans and settles a run; gives its id. */
export async function planRun(
  ledger: Ledger,
  campaign: Campaign,
  rows: readonly PlannedRow[],
  duplicates: 'skip' | 'all' = 'skip',
  notBefore?: Date,
): Promise<string> {
  const id = `20261125T1000${String(runs++).padStart(4, '0')}`
  await ledger.createRun({
    id,
    campaign,
    startedAt: NOW,
    source: 'list.csv',
    template: 'letter',
    templateHash: 'hash',
    columns: ['email'],
    options: { template: 'letter' },
    ...(notBefore === undefined ? {} : { notBefore }),
  })
  await ledger.plan(id, rows)
  await ledger.settlePlan(id, { duplicates })
  return id
}

export async function resultsOf(ledger: Ledger, run: string): Promise<readonly ResultRow[]> {
  const rows: ResultRow[] = []
  for await (const batch of ledger.results(run)) rows.push(...batch)
  return rows
}

function began(recipient: number, at: Date = NOW): News {
  return { kind: 'began', recipient, lane: 1, at, messageId: `<${recipient}@x>`, server: 'mail.example.com:25' }
}

function settled(recipient: number, status: RowStatus, more: Partial<Settled> = {}): News {
  return { kind: 'settled', recipient, lane: 1, at: NOW, status, attempted: true, ...more }
}

export function ledgerContract(name: string, make: () => Promise<LedgerHouse>): void {
  describe(`${name} as a ledger`, () => {
    let house: LedgerHouse
    let ledger: Ledger
    let campaign: Campaign

    beforeEach(async () => {
      house = await make()
      ledger = await house.open(() => NOW)
      campaign = await ledger.campaign('invite-list')
    })
    afterEach(async () => {
      await ledger.close()
      await house.close()
    })

    const due = (run: string, now: Date = NOW, after = 0, limit = 100) => ledger.due(run, { now, after, limit })
    const recipientsOf = async (run: string) => (await due(run)).map(({ recipient }) => recipient)

    describe('campaigns', () => {
      test('a name is one campaign for ever, with a secret of its own; --again makes the next generation', async () => {
        expect(await ledger.campaign('invite-list')).toEqual(campaign)
        const other = await ledger.campaign('other')
        expect(other.token).not.toBe(campaign.token)
        expect(campaign.token.length).toBeGreaterThanOrEqual(20)
        const again = await ledger.campaign('invite-list', { again: true })
        expect(again).toMatchObject({ name: 'invite-list', generation: 2 })
        expect(again.token).not.toBe(campaign.token)
        expect(await ledger.campaign('invite-list')).toEqual(again)
      })

      test('looking for one makes none', async () => {
        expect(await ledger.findCampaign('nobody')).toBeUndefined()
        expect(await ledger.findCampaign('nobody')).toBeUndefined()
        expect(await ledger.findCampaign('invite-list')).toEqual(campaign)
      })

      test('two processes that make one at once get the same', async () => {
        const another = await house.open()
        const [one, two] = await Promise.all([ledger.campaign('new'), another.campaign('new')])
        expect(one).toEqual(two)
        await another.close()
      })

      test('a new generation remembers nobody', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
        const [recipient = 0] = await recipientsOf(run)
        await ledger.record([settled(recipient, 'sent')])
        const again = await ledger.campaign('invite-list', { again: true })
        const second = await planRun(ledger, again, rowsOf('a@x.org'))
        expect(await due(second)).toHaveLength(1)
      })
    })

    describe('who works on a campaign', () => {
      const stranger: Owner = { ...ownerOfThisProcess(), pid: 2 ** 22 + 1 }

      test('is one living process; the others are told who it is', async () => {
        const another = await house.open()
        const claim = await ledger.claim(campaign, ownerOfThisProcess())
        await expect(another.claim(campaign, ownerOfThisProcess())).rejects.toMatchObject({
          exitCode: 75,
          message: expect.stringMatching(new RegExp(`invite-list is being worked on by process ${process.pid} on `)),
        })
        await claim.release()
        const next = await another.claim(campaign, ownerOfThisProcess())
        expect(next.orphans).toBe(0)
        await next.release()
        await another.close()
      })

      test('two that claim at once: one gets it, 100 times', async () => {
        const another = await house.open()
        for (let i = 0; i < 100; i++) {
          const both = await Promise.allSettled([
            ledger.claim(campaign, ownerOfThisProcess()),
            another.claim(campaign, ownerOfThisProcess()),
          ])
          const won = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
          expect(won).toHaveLength(1)
          await won[0]?.release()
        }
        await another.close()
      })

      test('other campaigns are free meanwhile', async () => {
        const claim = await ledger.claim(campaign, ownerOfThisProcess())
        const other = await ledger.claim(await ledger.campaign('other'), ownerOfThisProcess())
        await other.release()
        await claim.release()
      })

      test.each([
        ['a process that is gone', stranger],
        ['a process with our number that started at another time', { ...ownerOfThisProcess(), processStart: '1' }],
        ['this number before the machine was started anew', { ...ownerOfThisProcess(), bootId: otherBoot() }],
      ])('a claim of %s is taken over', async (_what, owner) => {
        await ledger.claim(campaign, owner)
        const another = await house.open()
        const claim = await another.claim(campaign, ownerOfThisProcess())
        await claim.release()
        await another.close()
      })

      test.skipIf(process.platform !== 'linux')(
        'a living process is never taken for dead, whatever its number',
        async () => {
          // The parent of this process: alive, and not us.
          const parent = { ...ownerOfThisProcess(), pid: process.ppid, processStart: '' }
          const claim = await ledger.claim(campaign, parent)
          const another = await house.open()
          await expect(another.claim(campaign, ownerOfThisProcess())).rejects.toMatchObject({ exitCode: 75 })
          await claim.release()
          await another.close()
        },
      )

      test('an owner on another machine is taken for dead when nothing was heard of it for two minutes', async () => {
        const elsewhere = { ...ownerOfThisProcess(), host: 'elsewhere.example' }
        await ledger.claim(campaign, elsewhere)
        const soon = await house.open(() => later(60))
        await expect(soon.claim(campaign, ownerOfThisProcess())).rejects.toThrow('elsewhere.example')
        const late = await house.open(() => later(180))
        await (await late.claim(campaign, ownerOfThisProcess())).release()
        await soon.close()
        await late.close()
      })

      test('a process whose campaign was taken while it slept writes nothing more to it', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
        const [recipient = 0] = await recipientsOf(run)
        await ledger.claim(campaign, stranger)
        const another = await house.open()
        const claim = await another.claim(campaign, ownerOfThisProcess())
        await expect(ledger.record([began(recipient)])).rejects.toMatchObject({ exitCode: 75 })
        expect(await another.counts(run)).toEqual({ ...NOBODY, deferred: 1 })
        await claim.release()
        await another.close()
      })

      test('what a dead owner had begun and not finished is in doubt for the next one, and for nobody twice', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org'))
        const [a = 0, b = 0] = await recipientsOf(run)
        await ledger.claim(campaign, stranger)
        await ledger.record([began(a), began(b), settled(a, 'sent')])
        const another = await house.open()
        const claim = await another.claim(campaign, ownerOfThisProcess())
        expect(claim.orphans).toBe(1)
        expect(await another.counts(run)).toEqual({ ...NOBODY, sent: 1, in_doubt: 1, deferred: 1 })
        const [, row] = await resultsOf(another, run)
        expect(row).toMatchObject({ status: 'in_doubt', attempts: 1, messageId: `<${b}@x>` })
        expect(row?.reason).toMatch(
          /handed over to mail.example.com:25 at .* as <.*>; the program ended before the reply/,
        )
        await claim.release()
        const third = await another.claim(campaign, ownerOfThisProcess())
        expect(third.orphans).toBe(0)
        await third.release()
        await another.close()
      })
    })

    describe('planning', () => {
      test('a run that is being planned holds nothing to send and is not the newest', async () => {
        const ready = await planRun(ledger, campaign, rowsOf('a@x.org'))
        await ledger.createRun({
          id: '20261125T999999-plan',
          campaign,
          startedAt: NOW,
          source: 's',
          template: 't',
          templateHash: 'h',
          columns: [],
          options: {},
        })
        await ledger.plan('20261125T999999-plan', rowsOf('b@x.org'))
        expect(await due('20261125T999999-plan')).toEqual([])
        expect((await ledger.run())?.id).toBe(ready)
        expect((await ledger.run('20261125T999999-plan'))?.state).toBe('planning')
        await ledger.dropPlan('20261125T999999-plan')
        expect(await ledger.run('20261125T999999-plan')).toBeUndefined()
      })

      test('a run is kept as it was given', async () => {
        const notBefore = later(3600)
        const id = await planRun(ledger, campaign, rowsOf('a@x.org'), 'skip', notBefore)
        expect(await ledger.run(id)).toEqual({
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
        const [a = 0, b = 0] = await recipientsOf(first)
        await ledger.record([settled(a, 'sent'), began(b), settled(b, 'in_doubt')])
        const second = await planRun(ledger, campaign, rowsOf('a@x.org', 'new@x.org', 'c@x.org', 'b@x.org'))
        expect((await due(second)).map(({ row, key }) => [row, key])).toEqual([
          [2, 'new@x.org'],
          [3, 'c@x.org'],
        ])
        expect(await ledger.counts(second)).toEqual({ ...NOBODY, sent: 1, in_doubt: 1, deferred: 2 })
        expect((await ledger.run(first))?.state).toBe('cancelled')
        expect(await due(first)).toEqual([])
      })

      test('who failed comes back only when the row changed', async () => {
        const first = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
        const [a = 0, b = 0] = await recipientsOf(first)
        await ledger.record([
          settled(a, 'failed', { reason: 'mailbox unknown', smtpCode: 550 }),
          settled(b, 'failed', { reason: 'mailbox unknown', smtpCode: 550 }),
        ])
        const [same, changed] = rowsOf('a@x.org', 'b@x.org')
        const second = await planRun(ledger, campaign, [
          ...(same === undefined ? [] : [same]),
          ...(changed === undefined ? [] : [{ ...changed, data: '{"cells":{"email":"b@x.org","name":"B"}}' }]),
        ])
        expect((await due(second)).map(({ key, attempts }) => [key, attempts])).toEqual([['b@x.org', 0]])
        const results = await resultsOf(ledger, second)
        expect(results.map(({ status, reason }) => [status, reason])).toEqual([
          ['failed', 'mailbox unknown'],
          ['deferred', 'not sent yet'],
        ])
        expect(results[1]).not.toHaveProperty('smtpCode')
      })

      test('who waits for another try keeps the turn when the list is planned again', async () => {
        const first = await planRun(ledger, campaign, rowsOf('a@x.org'))
        const [a = 0] = await recipientsOf(first)
        await ledger.record([settled(a, 'deferred', { dueAt: later(60), reason: 'greylisted' })])
        const second = await planRun(ledger, campaign, rowsOf('a@x.org'))
        expect(await due(second)).toEqual([])
        expect(await ledger.nextDue(second)).toEqual(later(60))
        expect(await due(second, later(60))).toMatchObject([{ attempts: 1, firstAttemptAt: NOW }])
      })

      test('later rows of one key are skipped, naming the first; rows that are not sent do not count as first', async () => {
        const rows: readonly PlannedRow[] = [
          { row: 1, key: 'a@x.org', address: 'a@x.org', data: '', skip: 'not selected' },
          { row: 2, key: 'a@x.org', address: 'a@x.org', data: '{}' },
          { row: 3, key: 'b@x.org', address: 'b@x.org', data: '{}' },
          { row: 4, key: 'a@x.org', address: 'a@x.org', data: '{}' },
          { row: 5, key: 'a@x.org', address: 'a@x.org', data: '{}' },
          { row: 6, key: '', address: '', data: '', skip: 'bad row: the address is empty' },
          { row: 7, key: '', address: '', data: '', skip: 'bad row: the address is empty' },
        ]
        const run = await planRun(ledger, campaign, rows)
        expect((await due(run)).map(({ row }) => row)).toEqual([2, 3])
        expect((await resultsOf(ledger, run)).map(({ status, reason }) => [status, reason])).toEqual([
          ['skipped', 'not selected'],
          ['deferred', 'not sent yet'],
          ['deferred', 'not sent yet'],
          ['skipped', 'duplicate of row 2'],
          ['skipped', 'duplicate of row 2'],
          ['skipped', 'bad row: the address is empty'],
          ['skipped', 'bad row: the address is empty'],
        ])
        expect(await ledger.counts(run)).toEqual({ ...NOBODY, deferred: 2, skipped: 5 })
      })

      test('pairs of one key are listed before they are settled', async () => {
        await ledger.createRun({
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
        await ledger.plan('pairs', again)
        expect(await ledger.duplicates('pairs', 2)).toEqual([
          { key: 'a@x.org', row: 3, firstRow: 1 },
          { key: 'b@x.org', row: 5, firstRow: 2 },
        ])
        expect(await ledger.duplicates('pairs', 10)).toHaveLength(3)
      })

      test('where two rows of one key are an error the plan is left as it was, and can still be settled otherwise', async () => {
        const planning = { id: 'twins', campaign, startedAt: NOW, source: 's', template: 't', templateHash: 'h' }
        await ledger.createRun({ ...planning, columns: [], options: {} })
        await ledger.plan('twins', rowsOf('b@x.org', 'a@x.org', 'b@x.org'))
        expect(await ledger.settlePlan('twins', { duplicates: 'error' })).toBeUndefined()
        expect((await ledger.run('twins'))?.state).toBe('planning')
        expect(await ledger.duplicates('twins', 10)).toEqual([{ key: 'b@x.org', row: 3, firstRow: 1 }])
        expect(await ledger.settlePlan('twins', { duplicates: 'skip' })).toMatchObject({
          rows: 3,
          deferred: 2,
          skipped: 1,
        })
        expect((await due('twins')).map(({ row, key }) => [row, key])).toEqual([
          [1, 'b@x.org'],
          [2, 'a@x.org'],
        ])
      })

      test('of two rows of one key, one that is not to be sent makes no error', async () => {
        const [one, two] = rowsOf('a@x.org', 'a@x.org')
        if (one === undefined || two === undefined) throw new Error('two rows')
        await planRun(ledger, campaign, rowsOf('b@x.org'))
        const planning = { id: 'left-out', campaign, startedAt: NOW, source: 's', template: 't', templateHash: 'h' }
        await ledger.createRun({ ...planning, columns: [], options: {} })
        await ledger.plan('left-out', [{ ...one, data: '', skip: 'not selected' }, two])
        expect(await ledger.settlePlan('left-out', { duplicates: 'error' })).toMatchObject({ deferred: 1, skipped: 1 })
        expect((await due('left-out')).map(({ row }) => row)).toEqual([2])
      })

      test('under all, each row of a key is a recipient of its own, and stays the n-th in the next plan', async () => {
        const rows = rowsOf('a@x.org', 'b@x.org', 'a@x.org')
        const first = await planRun(ledger, campaign, rows, 'all')
        const found = await due(first)
        expect(found.map(({ row, occurrence }) => [row, occurrence])).toEqual([
          [1, 1],
          [2, 1],
          [3, 2],
        ])
        await ledger.record([settled(found[0]?.recipient ?? 0, 'sent')])
        const second = await planRun(ledger, campaign, rows, 'all')
        expect((await due(second)).map(({ row, occurrence }) => [row, occurrence])).toEqual([
          [2, 1],
          [3, 2],
        ])
      })

      test('rows left out by choice show what the campaign knows of them, and are sent when chosen', async () => {
        const [one, two] = rowsOf('a@x.org', 'b@x.org')
        if (one === undefined || two === undefined) throw new Error('two rows')
        const first = await planRun(ledger, campaign, [one, { ...two, data: '', skip: 'not selected' }])
        const [a = 0] = await recipientsOf(first)
        await ledger.record([settled(a, 'sent')])
        expect(await ledger.counts(first)).toEqual({ ...NOBODY, sent: 1, skipped: 1 })
        const second = await planRun(ledger, campaign, [{ ...one, data: '', skip: 'not selected' }, two])
        expect(await ledger.counts(second)).toEqual({ ...NOBODY, sent: 1, deferred: 1 })
        expect((await due(second)).map(({ key }) => key)).toEqual(['b@x.org'])
      })

      test('a plan takes rows in parts and in any number', async () => {
        await ledger.createRun({
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
          await ledger.plan(
            'parts',
            rows.map((row) => ({ row, key: `p${row}@x.org`, address: `p${row}@x.org`, data: '{}' })),
          )
        }
        const counts = await ledger.settlePlan('parts', { duplicates: 'skip' })
        expect(counts).toEqual({ ...NOBODY, rows: 2500, deferred: 2500 })
        const results = await resultsOf(ledger, 'parts')
        expect(results.map(({ row }) => row)).toEqual(Array.from({ length: 2500 }, (_, at) => at + 1))
      })
    })

    describe('whose turn it is', () => {
      test('rows come in the order of the list, after the one that was last, so many at a time', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org', 'd@x.org'))
        expect((await due(run, NOW, 0, 2)).map(({ row }) => row)).toEqual([1, 2])
        expect((await due(run, NOW, 2, 2)).map(({ row }) => row)).toEqual([3, 4])
        expect(await due(run, NOW, 4)).toEqual([])
        expect((await due(run))[0]).toMatchObject({ key: 'a@x.org', address: 'a@x.org', occurrence: 1, attempts: 0 })
      })

      test('a run with an hour waits for it, and a row with one of its own for that', async () => {
        const [one, two] = rowsOf('a@x.org', 'b@x.org')
        if (one === undefined || two === undefined) throw new Error('two rows')
        const run = await planRun(ledger, campaign, [one, { ...two, notBefore: later(7200) }], 'skip', later(3600))
        expect(await due(run, later(3599))).toEqual([])
        expect(await ledger.nextDue(run)).toEqual(later(3600))
        expect((await due(run, later(3600))).map(({ row }) => row)).toEqual([1])
        expect(await ledger.nextDue(run, later(3600))).toEqual(later(7200))
        expect((await due(run, later(7200))).map(({ row }) => row)).toEqual([1, 2])
        expect(await ledger.nextDue(run, later(7200))).toBeUndefined()
      })

      test('a deferred row is due at its time and not before, among the others', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org'))
        const [a = 0, b = 0] = await recipientsOf(run)
        await ledger.record([
          settled(a, 'deferred', { dueAt: later(60) }),
          began(b),
          settled(b, 'deferred', { dueAt: later(30) }),
        ])
        expect((await due(run, later(29))).map(({ row }) => row)).toEqual([3])
        expect((await due(run, later(30))).map(({ row }) => row)).toEqual([2, 3])
        expect((await due(run, later(60))).map(({ row, attempts }) => [row, attempts])).toEqual([
          [1, 1],
          [2, 1],
          [3, 0],
        ])
        expect(await ledger.nextDue(run)).toEqual(later(30))
        expect(await ledger.nextDue(run, later(30))).toEqual(later(60))
      })
    })

    describe('news', () => {
      test('each is recorded with what the server said, and the counts add up', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org', 'd@x.org'))
        const [a = 0, b = 0, c = 0] = await recipientsOf(run)
        await ledger.record([
          began(a),
          settled(a, 'sent', { at: later(1), smtpCode: 250, enhancedCode: '2.0.0', response: 'queued as 4F' }),
          settled(b, 'failed', { at: later(2), smtpCode: 550, reason: 'mailbox unknown', messageId: '<b@x>' }),
          settled(c, 'skipped', { at: later(3), reason: 'suppressed: unsubscribed', attempted: false }),
        ])
        expect(await ledger.counts(run)).toEqual({ sent: 1, failed: 1, skipped: 1, deferred: 1, in_doubt: 0 })
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
            reason: 'suppressed: unsubscribed',
            attempts: 0,
            finishedAt: later(3),
          },
          { row: 4, key: 'd@x.org', address: 'd@x.org', status: 'deferred', reason: 'not sent yet', attempts: 0 },
        ])
      })

      test('of a row that was deferred and then sent, the last answer is told and nothing of the one before', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
        const [a = 0] = await recipientsOf(run)
        await ledger.record([
          began(a),
          settled(a, 'deferred', {
            smtpCode: 451,
            enhancedCode: '4.7.1',
            response: 'later',
            reason: 'greylisted',
            dueAt: NOW,
          }),
          began(a, later(5)),
          settled(a, 'sent', { at: later(6), smtpCode: 250 }),
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
        const [a = 0, b = 0] = await recipientsOf(run)
        await ledger.record([settled(a, 'sent')])
        await expect(ledger.record([began(b), began(a)])).rejects.toMatchObject({ exitCode: 70 })
        await expect(ledger.record([settled(a, 'failed')])).rejects.toThrow('sent already')
        await expect(ledger.record([began(987_654_321)])).rejects.toMatchObject({ exitCode: 70 })
        expect(await ledger.counts(run)).toEqual({ ...NOBODY, sent: 1, deferred: 1 })
        // Nothing of the refused transaction was kept: the row can be begun.
        await ledger.record([began(b)])
      })

      test('a row is begun once until its end is told', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
        const [a = 0] = await recipientsOf(run)
        await ledger.record([began(a)])
        await expect(ledger.record([began(a)])).rejects.toThrow()
        await ledger.record([settled(a, 'deferred', { dueAt: NOW })])
        await ledger.record([began(a, later(1)), settled(a, 'sent', { at: later(2) })])
        expect(await resultsOf(ledger, run)).toMatchObject([{ status: 'sent', attempts: 2, firstAttemptAt: NOW }])
      })

      test('whatever is told in whatever order, the kept counts are those of the rows', async () => {
        const statuses = fc.constantFrom<RowStatus>('sent', 'failed', 'skipped', 'deferred', 'in_doubt')
        let round = 0
        await fc.assert(
          fc.asyncProperty(fc.array(fc.tuple(fc.nat(11), statuses), { maxLength: 40 }), async (news) => {
            const mine = await ledger.campaign(`round-${round++}`)
            const addresses = Array.from({ length: 12 }, (_, at) => `p${at}@x.org`)
            const run = await planRun(ledger, mine, rowsOf(...addresses))
            const recipients = await recipientsOf(run)
            for (const [at, status] of news) {
              const recipient = recipients[at] ?? 0
              await ledger.record([began(recipient), settled(recipient, status, { dueAt: later(5) })]).catch(() => {})
            }
            const found = { ...NOBODY }
            for (const { status } of await resultsOf(ledger, run)) found[status]++
            expect(await ledger.counts(run)).toEqual(found)
          }),
          { numRuns: 25 },
        )
      })

      test('what one process recorded, another sees', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
        const another = await house.open()
        const [a = 0] = await recipientsOf(run)
        await ledger.record([settled(a, 'sent')])
        expect(await another.counts(run)).toEqual({ ...NOBODY, sent: 1 })
        expect(await another.due(run, { now: NOW, after: 0, limit: 9 })).toEqual([])
        await another.close()
      })
    })

    describe("a person's word", () => {
      test('retry brings back what failed, anew, and makes a finished run ready', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
        const [a = 0, b = 0] = await recipientsOf(run)
        await ledger.record([settled(a, 'sent'), settled(b, 'failed', { reason: 'mailbox unknown' })])
        await ledger.endRun(run, 'finished', later(9))
        expect(await ledger.run(run)).toMatchObject({ state: 'finished', endedAt: later(9) })
        expect(await ledger.retryFailed(run)).toBe(1)
        expect(await ledger.counts(run)).toEqual({ ...NOBODY, sent: 1, deferred: 1 })
        expect(await due(run)).toMatchObject([{ key: 'b@x.org', attempts: 0 }])
        const record = await ledger.run(run)
        expect(record?.state).toBe('ready')
        expect(record).not.toHaveProperty('endedAt')
        // The tries of a new series are counted anew; the attempts of all time are kept.
        await ledger.record([settled(b, 'sent')])
        expect((await resultsOf(ledger, run))[1]).toMatchObject({ status: 'sent', attempts: 2 })
      })

      test('retry of a run in which nothing failed changes nothing', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
        const [a = 0] = await recipientsOf(run)
        await ledger.record([settled(a, 'sent')])
        await ledger.endRun(run, 'finished', NOW)
        expect(await ledger.retryFailed(run)).toBe(0)
        expect((await ledger.run(run))?.state).toBe('finished')
      })

      test('rows in doubt are sent again, or taken as sent, only when somebody says so', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org'))
        const [a = 0, b = 0] = await recipientsOf(run)
        await ledger.record([began(a), settled(a, 'in_doubt'), settled(b, 'failed')])
        expect(await due(run)).toEqual([])
        expect(await ledger.settleInDoubt(run, 'resend')).toBe(1)
        expect((await due(run)).map(({ key }) => key)).toEqual(['a@x.org'])
        await ledger.record([began(a), settled(a, 'in_doubt')])
        expect(await ledger.settleInDoubt(run, 'keep')).toBe(1)
        expect(await ledger.counts(run)).toEqual({ ...NOBODY, sent: 1, failed: 1 })
        expect((await resultsOf(ledger, run))[0]).toMatchObject({ status: 'sent', reason: 'in doubt; taken as sent' })
        expect(await ledger.settleInDoubt(run, 'resend')).toBe(0)
      })

      test('a cancelled run sends nothing more', async () => {
        const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
        await ledger.endRun(run, 'cancelled', NOW)
        expect(await due(run)).toEqual([])
        expect(await ledger.nextDue(run)).toBeUndefined()
      })

      test('a run that is not there is told with where it was looked for', async () => {
        await expect(ledger.counts('nobody')).rejects.toThrow('there is no run nobody in the ledger')
      })
    })

    describe('suppressions', () => {
      const entry = (address: string, more: Partial<Suppression> = {}): Suppression => ({
        address,
        hash: '',
        group: '',
        reason: 'unsubscribed',
        addedAt: NOW,
        ...more,
      })
      const listed = async (): Promise<readonly Suppression[]> => {
        const all: Suppression[] = []
        for await (const page of ledger.suppressions()) all.push(...page)
        return all
      }

      test('hold for everybody or for their group, for an address or a whole domain, in any letter case', async () => {
        await ledger.suppress([
          entry('ada@x.org'),
          entry('grace@x.org', { group: 'news', reason: 'complaint' }),
          entry('@spam.example'),
        ])
        const ask = async (group: string): Promise<readonly string[]> => {
          const asked = ['Ada@X.org', 'grace@x.org', 'anyone@spam.example', 'free@x.org']
          return [...(await ledger.suppressed(asked, group)).keys()]
        }
        expect(await ask('news')).toEqual(['Ada@X.org', 'grace@x.org', 'anyone@spam.example'])
        expect(await ask('other')).toEqual(['Ada@X.org', 'anyone@spam.example'])
      })

      test('the first entry stays, with its reason; the number of new ones is told', async () => {
        expect(await ledger.suppress([entry('a@x.org'), entry('b@x.org')])).toBe(2)
        expect(await ledger.suppress([entry('a@x.org', { reason: 'manual' }), entry('c@x.org')])).toBe(1)
        expect((await ledger.suppressed(['a@x.org'], '')).get('a@x.org')?.reason).toBe('unsubscribed')
        expect(await listed()).toHaveLength(3)
      })

      test('a person\u2019s own word takes the place of what was only found out, and nothing takes its place', async () => {
        const reason = async (): Promise<string | undefined> =>
          (await ledger.suppressed(['a@x.org'], '')).get('a@x.org')?.reason
        await ledger.suppress([entry('a@x.org', { reason: 'hard_bounce' })])
        expect(await ledger.suppress([entry('a@x.org', { reason: 'unsubscribed' })])).toBe(0)
        expect(await reason()).toBe('unsubscribed')
        await ledger.suppress([entry('a@x.org', { reason: 'hard_bounce' }), entry('a@x.org', { reason: 'complaint' })])
        expect(await reason()).toBe('unsubscribed')
      })

      test('are taken back for one group at a time', async () => {
        await ledger.suppress([entry('a@x.org'), entry('a@x.org', { group: 'news' })])
        expect(await ledger.unsuppress(['A@x.org', 'nobody@x.org'], 'news')).toBe(1)
        expect((await ledger.suppressed(['a@x.org'], 'news')).size).toBe(1)
        expect(await ledger.unsuppress(['a@x.org'], '')).toBe(1)
        expect((await ledger.suppressed(['a@x.org'], 'news')).size).toBe(0)
      })

      test('the mark moves with every change, also that of another process, and stays otherwise', async () => {
        const another = await house.open()
        const before = await ledger.suppressionMark()
        expect(await ledger.suppressionMark()).toBe(before)
        await another.suppress([entry('a@x.org')])
        const after = await ledger.suppressionMark()
        expect(after).not.toBe(before)
        await another.suppress([entry('a@x.org')])
        expect(await ledger.suppressionMark()).toBe(after)
        await another.unsuppress(['a@x.org'], '')
        expect(await ledger.suppressionMark()).not.toBe(after)
        await another.close()
      })

      test('many are listed page by page, each once', async () => {
        await ledger.suppress(Array.from({ length: 12_000 }, (_, at) => entry(`p${at}@x.org`)))
        const all = await listed()
        expect(new Set(all.map(({ hash }) => hash)).size).toBe(12_000)
        expect(all).toHaveLength(12_000)
      })
    })

    describe('quotas', () => {
      const tenAMinute = { name: 'ada@mail', count: 10, seconds: 60 }

      test('no window holds more than was granted, whoever asks and whenever', async () => {
        const another = await house.open(() => NOW)
        const steps = fc.array(
          fc.record({ wait: fc.nat(40), ask: fc.integer({ min: 1, max: 4 }), who: fc.boolean() }),
          {
            minLength: 20,
            maxLength: 60,
          },
        )
        let round = 0
        let time = 0
        await fc.assert(
          fc.asyncProperty(steps, async (plan) => {
            const quota = { ...tenAMinute, name: `round-${round++}` }
            const grants: { readonly at: number; readonly granted: number }[] = []
            for (const { wait, ask, who } of plan) {
              time += wait
              const { granted } = await (who ? ledger : another).reserve([quota], ask, later(time))
              grants.push({ at: time, granted })
            }
            for (const { at } of grants) {
              const within = grants.filter((one) => one.at >= at && one.at < at + 60)
              expect(within.reduce((sum, { granted }) => sum + granted, 0)).toBeLessThanOrEqual(10)
            }
          }),
          { numRuns: 15 },
        )
        await another.close()
      })

      test('all of it is granted, what is left is told, and when to ask again is when it opens', async () => {
        expect(await ledger.reserve([tenAMinute], 7, NOW)).toEqual({
          granted: 7,
          left: { count: 10, seconds: 60, left: 3 },
        })
        const { granted, left, retryAt } = await ledger.reserve([tenAMinute], 7, later(1))
        expect([granted, left?.left]).toEqual([3, 0])
        const opens = retryAt ?? NOW
        expect(opens.getTime()).toBeGreaterThan(later(60).getTime())
        expect(opens.getTime()).toBeLessThanOrEqual(later(63).getTime())
        expect((await ledger.reserve([tenAMinute], 1, new Date(opens.getTime() - 1100))).granted).toBe(0)
        expect((await ledger.reserve([tenAMinute], 1, opens)).granted).toBe(1)
      })

      test('of several the tightest counts, and none is taken of one that another does not grant', async () => {
        const three = { name: 'ada@mail', count: 3, seconds: 3600 }
        expect(await ledger.reserve([tenAMinute, three], 5, NOW)).toMatchObject({
          granted: 3,
          left: { count: 3, left: 0 },
        })
        expect((await ledger.reserve([tenAMinute, three], 5, NOW)).granted).toBe(0)
        expect((await ledger.reserve([tenAMinute], 9, NOW)).granted).toBe(7)
      })

      test('accounts are apart, and a limit that was raised remembers what went before', async () => {
        await ledger.reserve([tenAMinute], 10, NOW)
        expect((await ledger.reserve([{ ...tenAMinute, name: 'eve@mail' }], 10, NOW)).granted).toBe(10)
        expect((await ledger.reserve([{ ...tenAMinute, count: 15 }], 10, NOW)).granted).toBe(5)
      })

      test('a clock that is set back frees nothing', async () => {
        await ledger.reserve([tenAMinute], 10, NOW)
        expect((await ledger.reserve([tenAMinute], 1, later(-3600))).granted).toBe(0)
        expect((await ledger.reserve([tenAMinute], 1, later(-86_400))).granted).toBe(0)
      })

      describe('of recipients', () => {
        const tenPeople = { ...tenAMinute, of: 'recipients' } as const

        test('no window holds more of them than was granted, whoever asks and whenever, and no message is granted in part', async () => {
          const another = await house.open(() => NOW)
          const steps = fc.array(
            fc.record({
              wait: fc.nat(40),
              ask: fc.integer({ min: 1, max: 3 }),
              recipients: fc.integer({ min: 1, max: 10 }),
              who: fc.boolean(),
            }),
            { minLength: 20, maxLength: 60 },
          )
          let round = 0
          let time = 0
          await fc.assert(
            fc.asyncProperty(steps, async (plan) => {
              const people = { ...tenPeople, name: `people-${round++}` }
              const mails = { name: people.name, count: 4, seconds: 60 }
              const grants: { readonly at: number; readonly granted: number; readonly recipients: number }[] = []
              for (const { wait, ask, recipients, who } of plan) {
                time += wait
                const asked = [[people, mails], [people], [mails, people]][recipients % 3] ?? []
                const { granted } = await (who ? ledger : another).reserve(asked, ask, later(time), recipients)
                expect(granted).toBeLessThanOrEqual(ask)
                grants.push({ at: time, granted, recipients })
              }
              for (const { at } of grants) {
                const within = grants.filter((one) => one.at >= at && one.at < at + 60)
                expect(within.reduce((sum, one) => sum + one.granted * one.recipients, 0)).toBeLessThanOrEqual(10)
              }
            }),
            { numRuns: 15 },
          )
          await another.close()
        })

        test('as many whole messages as fit are granted, the rest is told, and when one of that size fits', async () => {
          expect(await ledger.reserve([tenPeople], 5, NOW, 4)).toMatchObject({
            granted: 2,
            left: { count: 10, seconds: 60, of: 'recipients', left: 2 },
          })
          const { granted, retryAt } = await ledger.reserve([tenPeople], 1, later(1), 4)
          expect(granted).toBe(0)
          // Nothing was taken of it, and a smaller one still fits.
          expect(await ledger.reserve([tenPeople], 1, later(2), 2)).toMatchObject({ granted: 1, left: { left: 0 } })
          expect(retryAt?.getTime()).toBeGreaterThan(later(60).getTime())
          expect((await ledger.reserve([tenPeople], 1, retryAt ?? NOW, 4)).granted).toBe(1)
        })

        test('a message that does not fit yet is asked for again when the first that went before it no longer count', async () => {
          await ledger.reserve([tenPeople], 1, NOW, 3)
          await ledger.reserve([tenPeople], 1, later(30), 5)
          const { granted, retryAt } = await ledger.reserve([tenPeople], 1, later(31), 4)
          expect(granted).toBe(0)
          expect(retryAt?.getTime()).toBeLessThanOrEqual(later(63).getTime())
          expect((await ledger.reserve([tenPeople], 1, retryAt ?? NOW, 4)).granted).toBe(1)
        })

        test('a message to more than all of it is never granted, and no time is told', async () => {
          const { granted, retryAt } = await ledger.reserve([tenPeople], 1, NOW, 11)
          expect([granted, retryAt]).toEqual([0, undefined])
        })

        test('what went under a quota of messages counts with all its recipients, and the other way round', async () => {
          await ledger.reserve([tenAMinute], 2, NOW, 3)
          expect(await ledger.reserve([tenPeople], 1, later(1), 5)).toMatchObject({ granted: 0, left: { left: 4 } })
          await ledger.reserve([tenPeople], 1, later(2), 4)
          expect(await ledger.reserve([tenAMinute], 1, later(3))).toMatchObject({ granted: 1, left: { left: 6 } })
        })

        test('of a quota of messages and one of recipients the one that has room for fewer messages counts', async () => {
          const three = { name: 'ada@mail', count: 3, seconds: 60 }
          expect(await ledger.reserve([three, tenPeople], 5, NOW, 4)).toMatchObject({
            granted: 2,
            left: { of: 'recipients', left: 2 },
          })
          expect(await ledger.reserve([three, tenPeople], 5, later(1))).toMatchObject({ granted: 1, left: { left: 0 } })
        })
      })

      test('two quotas of one length count each message once', async () => {
        const twenty = { ...tenAMinute, count: 20 }
        expect(await ledger.reserve([tenAMinute, twenty], 6, NOW)).toMatchObject({ granted: 6, left: { left: 4 } })
        expect(await ledger.reserve([twenty], 20, later(1))).toMatchObject({ granted: 14 })
      })

      test('a quota of nothing grants nothing and never opens', async () => {
        const { granted, retryAt } = await ledger.reserve([{ ...tenAMinute, count: 0 }], 1, NOW)
        expect([granted, retryAt]).toEqual([0, undefined])
      })
    })

    describe('forgetting', () => {
      test('a person is gone from rows, keys and results; states and counts stay; suppressions stay as hashes', async () => {
        const run = await planRun(ledger, campaign, rowsOf('ada@x.org', 'b@x.org', 'c@x.org'))
        const [a = 0] = await recipientsOf(run)
        await ledger.record([began(a), settled(a, 'sent', { response: 'ok for ada@x.org' })])
        await ledger.suppress([
          { address: 'ada@x.org', hash: '', group: '', reason: 'manual', note: 'ada said so', addedAt: NOW },
        ])
        expect(await ledger.forget('ada@x.org')).toEqual({ rows: 1, runs: [run], suppressions: 1 })
        expect(JSON.stringify(await resultsOf(ledger, run))).not.toContain('ada')
        expect(await ledger.counts(run)).toEqual({ ...NOBODY, sent: 1, deferred: 2 })
        expect((await ledger.suppressed(['ada@x.org'], 'any')).size).toBe(1)
        expect(await ledger.forget('ada@x.org')).toMatchObject({ rows: 0 })
      })

      test('a person who was still to come is not written to any more', async () => {
        const run = await planRun(ledger, campaign, rowsOf('ada@x.org', 'b@x.org'))
        await ledger.forget('ada@x.org')
        expect((await due(run)).map(({ key }) => key)).toEqual(['b@x.org'])
        expect((await resultsOf(ledger, run))[0]).toMatchObject({ status: 'skipped', reason: 'forgotten', address: '' })
        const found = { ...NOBODY }
        for (const { status } of await resultsOf(ledger, run)) found[status]++
        expect(await ledger.counts(run)).toEqual(found)
      })

      test('a person of several runs keeps the state in each of them', async () => {
        const first = await planRun(ledger, campaign, rowsOf('ada@x.org', 'b@x.org'))
        const [a = 0] = await recipientsOf(first)
        await ledger.record([settled(a, 'sent')])
        const second = await planRun(ledger, campaign, rowsOf('b@x.org', 'ada@x.org'))
        expect(await ledger.forget('ada@x.org')).toEqual({ rows: 2, runs: [first, second], suppressions: 0 })
        expect((await resultsOf(ledger, first)).map(({ status }) => status)).toEqual(['sent', 'deferred'])
        expect((await resultsOf(ledger, second)).map(({ status }) => status)).toEqual(['deferred', 'sent'])
        expect(await ledger.counts(second)).toEqual({ ...NOBODY, sent: 1, deferred: 1 })
      })

      test('does not wait for a process that is gone', async () => {
        await planRun(ledger, campaign, rowsOf('ada@x.org'))
        await ledger.claim(campaign, { ...ownerOfThisProcess(), pid: 2 ** 22 + 1 })
        const another = await house.open()
        expect(await another.forget('ada@x.org')).toMatchObject({ rows: 1 })
        await another.close()
      })

      test('waits while somebody is at work on the campaign', async () => {
        await planRun(ledger, campaign, rowsOf('ada@x.org'))
        const claim = await ledger.claim(campaign, ownerOfThisProcess())
        await expect(ledger.forget('ada@x.org')).rejects.toMatchObject({ exitCode: 75 })
        await claim.release()
      })

      test('campaigns that ended long ago are removed whole, the others stay, and the name asks for --again', async () => {
        const old = await planRun(ledger, campaign, rowsOf('a@x.org'))
        await ledger.endRun(old, 'finished', later(-86_400))
        const other = await ledger.campaign('other')
        const open = await planRun(ledger, other, rowsOf('a@x.org'))
        expect(await ledger.prune(later(-3600))).toEqual({ campaigns: 1, runs: [old] })
        expect(await ledger.run(old)).toBeUndefined()
        expect(await ledger.counts(open)).toEqual({ ...NOBODY, deferred: 1 })
        await expect(ledger.campaign('invite-list')).rejects.toMatchObject({ exitCode: 64 })
        expect((await ledger.campaign('invite-list', { again: true })).generation).toBe(2)
        expect(await ledger.prune(later(-3600))).toEqual({ campaigns: 0, runs: [] })
      })
    })

    test('what was learnt of a server is kept, part by part', async () => {
      expect(await ledger.serverMemory('mail:25')).toEqual({})
      await ledger.rememberServer('mail:25', { pipelining: 1, pipeliningUntil: later(60) })
      await ledger.rememberServer('mail:25', { messagesPerConnection: 100 })
      expect(await ledger.serverMemory('mail:25')).toEqual({
        pipelining: 1,
        pipeliningUntil: later(60),
        messagesPerConnection: 100,
      })
      await ledger.rememberServer('mail:25', { pipelining: 2 })
      expect(await ledger.serverMemory('mail:25')).toEqual({ pipelining: 2, messagesPerConnection: 100 })
      expect(await ledger.serverMemory('mail:26')).toEqual({})
    })

    test('runs are listed newest first, and the newest of a campaign is found', async () => {
      const first = await planRun(ledger, campaign, rowsOf('a@x.org'))
      const second = await planRun(ledger, await ledger.campaign('other'), rowsOf('a@x.org'))
      expect((await ledger.runs()).map(({ id }) => id)).toEqual([second, first])
      expect((await ledger.run())?.id).toBe(second)
      expect((await ledger.run(undefined, 'invite-list'))?.id).toBe(first)
      expect(await ledger.run(first, 'other')).toBeUndefined()
    })
  })
}

/** The same processes, another boot. */
function otherBoot(): string {
  const { bootId } = ownerOfThisProcess()
  const slash = bootId.indexOf('/')
  return `00000000-0000-0000-0000-000000000000${slash < 0 ? '' : bootId.slice(slash)}`
}
