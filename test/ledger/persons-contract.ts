/** What every ledger promises of persons: who must not be written to, and who is to be forgotten. */
import { describe, expect, test } from 'vitest'
import type { SuppressionQuery } from '../../src/ledger/ledger.ts'
import { ownerOfThisProcess } from '../../src/ledger/owner.ts'
import { NO_ROWS, type Suppression } from '../../src/ledger/records.ts'
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

export function personsContract(): void {
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
      for await (const page of ledger.suppressions.list()) all.push(...page)
      return all
    }

    test('hold for everybody or for their group, for an address or a whole domain, in any letter case', async () => {
      await ledger.suppressions.add([
        entry('ada@x.org'),
        entry('grace@x.org', { group: 'news', reason: 'complaint' }),
        entry('@spam.example'),
      ])
      const ask = async (group: string): Promise<readonly string[]> => {
        const asked = ['Ada@X.org', 'grace@x.org', 'anyone@spam.example', 'free@x.org']
        return [...(await ledger.suppressions.find(asked, group)).keys()]
      }
      expect(await ask('news')).toEqual(['Ada@X.org', 'grace@x.org', 'anyone@spam.example'])
      expect(await ask('other')).toEqual(['Ada@X.org', 'anyone@spam.example'])
    })

    test('the first entry stays, with its reason; the number of new ones is reported', async () => {
      expect(await ledger.suppressions.add([entry('a@x.org'), entry('b@x.org')])).toBe(2)
      expect(await ledger.suppressions.add([entry('a@x.org', { reason: 'manual' }), entry('c@x.org')])).toBe(1)
      expect((await ledger.suppressions.find(['a@x.org'], '')).get('a@x.org')?.reason).toBe('unsubscribed')
      expect(await listed()).toHaveLength(3)
    })

    test('a person\u2019s own word takes the place of what was only found out, and nothing takes its place', async () => {
      const reason = async (): Promise<string | undefined> =>
        (await ledger.suppressions.find(['a@x.org'], '')).get('a@x.org')?.reason
      await ledger.suppressions.add([entry('a@x.org', { reason: 'hard_bounce' })])
      expect(await ledger.suppressions.add([entry('a@x.org', { reason: 'unsubscribed' })])).toBe(0)
      expect(await reason()).toBe('unsubscribed')
      await ledger.suppressions.add([
        entry('a@x.org', { reason: 'hard_bounce' }),
        entry('a@x.org', { reason: 'complaint' }),
      ])
      expect(await reason()).toBe('unsubscribed')
    })

    test('are taken back for one group at a time', async () => {
      await ledger.suppressions.add([entry('a@x.org'), entry('a@x.org', { group: 'news' })])
      expect(await ledger.suppressions.remove(['A@x.org', 'nobody@x.org'], 'news')).toBe(1)
      expect((await ledger.suppressions.find(['a@x.org'], 'news')).size).toBe(1)
      expect(await ledger.suppressions.remove(['a@x.org'], '')).toBe(1)
      expect((await ledger.suppressions.find(['a@x.org'], 'news')).size).toBe(0)
    })

    test('the mark moves with every change, also that of another process, and stays otherwise', async () => {
      const another = await backend.open()
      const before = await ledger.suppressions.version()
      expect(await ledger.suppressions.version()).toBe(before)
      await another.suppressions.add([entry('a@x.org')])
      const after = await ledger.suppressions.version()
      expect(after).not.toBe(before)
      await another.suppressions.add([entry('a@x.org')])
      expect(await ledger.suppressions.version()).toBe(after)
      await another.suppressions.remove(['a@x.org'], '')
      expect(await ledger.suppressions.version()).not.toBe(after)
      await another.close()
    })

    test('many are listed page by page, each once', async () => {
      await ledger.suppressions.add(Array.from({ length: 12_000 }, (_, at) => entry(`p${at}@x.org`)))
      const all = await listed()
      expect(new Set(all.map(({ hash }) => hash)).size).toBe(12_000)
      expect(all).toHaveLength(12_000)
    })

    test('are searched by a part of what is known of them, the newest first, and counted by their reason', async () => {
      await ledger.suppressions.add([
        { ...entry('ada@x.org'), reason: 'unsubscribed', addedAt: new Date(1000) },
        { ...entry('bob@x.org'), reason: 'complaint', group: 'News', addedAt: new Date(3000) },
        { ...entry('@y.org'), reason: 'complaint', note: 'Ada asked', addedAt: new Date(2000) },
      ])
      const query = { text: '', reason: undefined, after: undefined, limit: 10 }
      const found = async (more: Partial<SuppressionQuery>) =>
        (await ledger.suppressions.search({ ...query, ...more })).map(({ address }) => address)
      expect(await found({})).toEqual(['bob@x.org', '@y.org', 'ada@x.org'])
      expect(await found({ text: 'ADA' })).toEqual(['@y.org', 'ada@x.org'])
      expect(await found({ text: 'news' })).toEqual(['bob@x.org'])
      expect(await found({ reason: 'complaint', limit: 1 })).toEqual(['bob@x.org'])
      const [after] = await ledger.suppressions.search({ ...query, limit: 1 })
      expect(await found({ after })).toEqual(['@y.org', 'ada@x.org'])
      await ledger.privacy.forget('ada@x.org')
      expect([await found({ text: 'ada@' }), await found({ text: 'ADA@x.org' })]).toEqual([[], [undefined]])
      expect(await ledger.suppressions.counts()).toEqual(
        new Map([
          ['unsubscribed', 1],
          ['complaint', 2],
        ]),
      )
    })
  })

  describe('forgetting', () => {
    test('a person is gone from rows, keys and results; states and counts stay; suppressions stay as hashes', async () => {
      const run = await planRun(ledger, campaign, rowsOf('grace@x.org', 'b@x.org', 'c@x.org'))
      const [a = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([started(a), updated(a, 'sent', { response: 'ok for grace@x.org' })])
      await ledger.suppressions.add([
        { address: 'grace@x.org', hash: '', group: '', reason: 'manual', note: 'grace said so', addedAt: NOW },
      ])
      expect(await ledger.privacy.forget('grace@x.org')).toEqual({ rows: 1, runs: [run], suppressions: 1 })
      expect(JSON.stringify(await resultsOf(ledger, run))).not.toContain('grace')
      expect(await ledger.results.counts(run)).toEqual({ ...NO_ROWS, sent: 1, deferred: 2 })
      expect((await ledger.suppressions.find(['grace@x.org'], 'any')).size).toBe(1)
      expect(await ledger.privacy.forget('grace@x.org')).toMatchObject({ rows: 0 })
    })

    test('a person who was still to come is not written to any more', async () => {
      const run = await planRun(ledger, campaign, rowsOf('ada@x.org', 'b@x.org'))
      await ledger.privacy.forget('ada@x.org')
      expect((await dueOf(ledger, run)).map(({ key }) => key)).toEqual(['b@x.org'])
      expect((await resultsOf(ledger, run))[0]).toMatchObject({
        status: 'skipped',
        skip: { kind: 'forgotten' },
        address: '',
      })
      const found = { ...NO_ROWS }
      for (const { status } of await resultsOf(ledger, run)) found[status]++
      expect(await ledger.results.counts(run)).toEqual(found)
    })

    test('a person of several runs keeps the state in each of them', async () => {
      const first = await planRun(ledger, campaign, rowsOf('ada@x.org', 'b@x.org'))
      const [a = 0] = await recipientsOf(ledger, first)
      await ledger.deliveries.record([updated(a, 'sent')])
      const second = await planRun(ledger, campaign, rowsOf('b@x.org', 'ada@x.org'))
      expect(await ledger.privacy.forget('ada@x.org')).toEqual({ rows: 2, runs: [first, second], suppressions: 0 })
      expect((await resultsOf(ledger, first)).map(({ status }) => status)).toEqual(['sent', 'deferred'])
      expect((await resultsOf(ledger, second)).map(({ status }) => status)).toEqual(['deferred', 'sent'])
      expect(await ledger.results.counts(second)).toEqual({ ...NO_ROWS, sent: 1, deferred: 1 })
    })

    test('does not wait for a process that is gone', async () => {
      await planRun(ledger, campaign, rowsOf('ada@x.org'))
      await ledger.campaigns.claim(campaign, { ...ownerOfThisProcess(), pid: 2 ** 22 + 1 })
      const another = await backend.open()
      expect(await another.privacy.forget('ada@x.org')).toMatchObject({ rows: 1 })
      await another.close()
    })

    test('waits while somebody is at work on the campaign', async () => {
      await planRun(ledger, campaign, rowsOf('ada@x.org'))
      const claim = await ledger.campaigns.claim(campaign, ownerOfThisProcess())
      await expect(ledger.privacy.forget('ada@x.org')).rejects.toMatchObject({ exitCode: 75 })
      await claim.release()
    })

    test('campaigns that ended long ago are removed whole, the others stay, and the name asks for --again', async () => {
      const old = await planRun(ledger, campaign, rowsOf('a@x.org'))
      await ledger.runs.end(old, 'finished', later(-86_400))
      const other = await ledger.campaigns.open('other')
      const open = await planRun(ledger, other, rowsOf('a@x.org'))
      expect(await ledger.privacy.prune(later(-3600))).toEqual({ campaigns: 1, runs: [old] })
      expect(await ledger.runs.find(old)).toBeUndefined()
      expect(await ledger.results.counts(open)).toEqual({ ...NO_ROWS, deferred: 1 })
      await expect(ledger.campaigns.open('invite-list')).rejects.toMatchObject({ exitCode: 64 })
      expect((await ledger.campaigns.open('invite-list', { again: true })).generation).toBe(2)
      expect(await ledger.privacy.prune(later(-3600))).toEqual({ campaigns: 0, runs: [] })
    })
  })
}
