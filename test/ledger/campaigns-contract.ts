/** What every ledger promises of campaigns, of who works on them, of their runs, and of servers. */
import { describe, expect, test } from 'vitest'
import { ownerOfThisProcess } from '../../src/ledger/owner.ts'
import { NO_ROWS, type Owner } from '../../src/ledger/records.ts'
import {
  backend,
  campaign,
  dueOf,
  later,
  ledger,
  planRun,
  recipientsOf,
  resultsOf,
  rowsOf,
  started,
  updated,
} from './harness.ts'

export function campaignsContract(): void {
  describe('campaigns', () => {
    test('a name is one campaign for ever, with a secret of its own; --again makes the next generation', async () => {
      expect(await ledger.campaigns.open('invite-list')).toEqual(campaign)
      const other = await ledger.campaigns.open('other')
      expect(other.token).not.toBe(campaign.token)
      expect(campaign.token.length).toBeGreaterThanOrEqual(20)
      const again = await ledger.campaigns.open('invite-list', { again: true })
      expect(again).toMatchObject({ name: 'invite-list', generation: 2 })
      expect(again.token).not.toBe(campaign.token)
      expect(await ledger.campaigns.open('invite-list')).toEqual(again)
    })

    test('looking for one makes none', async () => {
      expect(await ledger.campaigns.find('nobody')).toBeUndefined()
      expect(await ledger.campaigns.find('nobody')).toBeUndefined()
      expect(await ledger.campaigns.find('invite-list')).toEqual(campaign)
    })

    test('two processes that make one at once get the same', async () => {
      const another = await backend.open()
      const [one, two] = await Promise.all([ledger.campaigns.open('new'), another.campaigns.open('new')])
      expect(one).toEqual(two)
      await another.close()
    })

    test('a new generation remembers nobody', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
      const [recipient = 0] = await recipientsOf(ledger, run)
      await ledger.deliveries.record([updated(recipient, 'sent')])
      const again = await ledger.campaigns.open('invite-list', { again: true })
      const second = await planRun(ledger, again, rowsOf('a@x.org'))
      expect(await dueOf(ledger, second)).toHaveLength(1)
    })
  })

  describe('who works on a campaign', () => {
    const stranger: Owner = { ...ownerOfThisProcess(), pid: 2 ** 22 + 1 }

    test('is one living process; the others are told who it is', async () => {
      const another = await backend.open()
      const claim = await ledger.campaigns.claim(campaign, ownerOfThisProcess())
      await expect(another.campaigns.claim(campaign, ownerOfThisProcess())).rejects.toMatchObject({
        exitCode: 75,
        message: expect.stringMatching(new RegExp(`invite-list is being worked on by process ${process.pid} on `)),
      })
      await claim.release()
      const next = await another.campaigns.claim(campaign, ownerOfThisProcess())
      await next.release()
      await another.close()
    })

    test('two that claim at once: one gets it, 100 times', async () => {
      const another = await backend.open()
      for (let i = 0; i < 100; i++) {
        const both = await Promise.allSettled([
          ledger.campaigns.claim(campaign, ownerOfThisProcess()),
          another.campaigns.claim(campaign, ownerOfThisProcess()),
        ])
        const won = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
        expect(won).toHaveLength(1)
        await won[0]?.release()
      }
      await another.close()
    })

    test('other campaigns are free meanwhile', async () => {
      const claim = await ledger.campaigns.claim(campaign, ownerOfThisProcess())
      const other = await ledger.campaigns.claim(await ledger.campaigns.open('other'), ownerOfThisProcess())
      await other.release()
      await claim.release()
    })

    test.each([
      ['a process that is gone', stranger],
      ['a process with our number that started at another time', { ...ownerOfThisProcess(), processStart: '1' }],
      ['this number before the machine was started anew', { ...ownerOfThisProcess(), bootId: otherBoot() }],
    ])('a claim of %s is taken over', async (_what, owner) => {
      await ledger.campaigns.claim(campaign, owner)
      const another = await backend.open()
      const claim = await another.campaigns.claim(campaign, ownerOfThisProcess())
      await claim.release()
      await another.close()
    })

    test.skipIf(process.platform !== 'linux')(
      'a living process is never taken for dead, whatever its number',
      async () => {
        // The parent of this process: alive, and not us.
        const parent = { ...ownerOfThisProcess(), pid: process.ppid, processStart: '' }
        const claim = await ledger.campaigns.claim(campaign, parent)
        const another = await backend.open()
        await expect(another.campaigns.claim(campaign, ownerOfThisProcess())).rejects.toMatchObject({ exitCode: 75 })
        await claim.release()
        await another.close()
      },
    )

    test('an owner on another machine is taken for dead when nothing was heard of it for two minutes', async () => {
      const elsewhere = { ...ownerOfThisProcess(), host: 'elsewhere.example' }
      await ledger.campaigns.claim(campaign, elsewhere)
      const soon = await backend.open(() => later(60))
      await expect(soon.campaigns.claim(campaign, ownerOfThisProcess())).rejects.toThrow('elsewhere.example')
      const late = await backend.open(() => later(180))
      await (await late.campaigns.claim(campaign, ownerOfThisProcess())).release()
      await soon.close()
      await late.close()
    })

    test('a process whose campaign was taken while it slept writes nothing more to it', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org'))
      const [recipient = 0] = await recipientsOf(ledger, run)
      await ledger.campaigns.claim(campaign, stranger)
      const another = await backend.open()
      const claim = await another.campaigns.claim(campaign, ownerOfThisProcess())
      await expect(ledger.deliveries.record([started(recipient)])).rejects.toMatchObject({ exitCode: 75 })
      expect(await another.results.counts(run)).toEqual({ ...NO_ROWS, deferred: 1 })
      await claim.release()
      await another.close()
    })

    test('what a dead owner had begun and not finished is in doubt for the next one, and for nobody twice', async () => {
      const run = await planRun(ledger, campaign, rowsOf('a@x.org', 'b@x.org', 'c@x.org'))
      const [a = 0, b = 0] = await recipientsOf(ledger, run)
      await ledger.campaigns.claim(campaign, stranger)
      await ledger.deliveries.record([started(a), started(b), updated(a, 'sent')])
      const another = await backend.open()
      const claim = await another.campaigns.claim(campaign, ownerOfThisProcess())
      expect(await another.results.counts(run)).toEqual({ ...NO_ROWS, sent: 1, in_doubt: 1, deferred: 1 })
      const [, row] = await resultsOf(another, run)
      expect(row).toMatchObject({ status: 'in_doubt', attempts: 1, messageId: `<${b}@x>` })
      expect(row?.reason).toMatch(/handed over at .* as <.*>; the program ended before the reply/)
      await claim.release()
      const third = await another.campaigns.claim(campaign, ownerOfThisProcess())
      expect(await another.results.counts(run)).toEqual({ ...NO_ROWS, sent: 1, in_doubt: 1, deferred: 1 })
      await third.release()
      await another.close()
    })
  })

  test('what was learnt of a server is kept, part by part', async () => {
    expect(await ledger.servers.get('mail:25')).toEqual({})
    await ledger.servers.set('mail:25', { pipelining: 1, pipeliningUntil: later(60) })
    await ledger.servers.set('mail:25', { messagesPerConnection: 100 })
    expect(await ledger.servers.get('mail:25')).toEqual({
      pipelining: 1,
      pipeliningUntil: later(60),
      messagesPerConnection: 100,
    })
    await ledger.servers.set('mail:25', { pipelining: 2 })
    expect(await ledger.servers.get('mail:25')).toEqual({ pipelining: 2, messagesPerConnection: 100 })
    expect(await ledger.servers.get('mail:26')).toEqual({})
  })

  test('runs are listed newest first, and the newest of a campaign is found', async () => {
    const first = await planRun(ledger, campaign, rowsOf('a@x.org'))
    const second = await planRun(ledger, await ledger.campaigns.open('other'), rowsOf('a@x.org'))
    expect((await ledger.runs.list()).map(({ id }) => id)).toEqual([second, first])
    expect((await ledger.runs.find())?.id).toBe(second)
    expect((await ledger.runs.find(undefined, 'invite-list'))?.id).toBe(first)
    expect(await ledger.runs.find(first, 'other')).toBeUndefined()
  })
}

/** The same processes, another boot. */
function otherBoot(): string {
  const { bootId } = ownerOfThisProcess()
  const slash = bootId.indexOf('/')
  return `00000000-0000-0000-0000-000000000000${slash < 0 ? '' : bootId.slice(slash)}`
}
