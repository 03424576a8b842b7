/** What every ledger promises of what comes back: bounces, complaints, answers. */
import { describe, expect, test } from 'vitest'
import type { FeedbackKind, MessageFeedback } from '../../src/ledger/feedback.ts'
import { ledger, NOW, resultsOf } from './harness.ts'

/** A run with the rows sent, each with the Message-ID `<row.name@x>`. */
async function sent(name: string, rows: number): Promise<string> {
  const campaign = await ledger.campaigns.open(name)
  const id = `run-${name}`
  await ledger.runs.create({
    ...{ id, campaign, startedAt: NOW, source: 's', template: 't', templateHash: '', columns: [], options: {} },
  })
  const addresses = Array.from({ length: rows }, (_, index) => `p${index + 1}@example.com`)
  await ledger.plans.add(
    id,
    addresses.map((address, index) => ({ row: index + 1, key: address, address, data: '{}' })),
  )
  await ledger.plans.complete(id, { duplicates: 'skip' })
  const due = await ledger.deliveries.due(id, { now: NOW, after: 0, limit: rows })
  await ledger.deliveries.record(
    due.flatMap(({ recipient, row }) => [
      { kind: 'attempt-started', recipient, lane: 1, at: NOW, messageId: `<${row}.${name}@x>` } as const,
      { kind: 'row-updated', recipient, lane: 1, at: NOW, status: 'sent', attempted: true } as const,
    ]),
  )
  return id
}

let number = 0
async function feedback(
  token: string,
  kind: FeedbackKind,
  more: Partial<MessageFeedback> = {},
): Promise<MessageFeedback> {
  const message = (await ledger.feedback.findMessages([token])).get(token)
  const recipient = message?.recipient ?? 0
  return { fingerprint: `f${++number}`, recipient, person: 'h1', kind, at: NOW, reason: 'why', ...more }
}

export function feedbackContract(): void {
  describe('feedback', () => {
    test('finds messages by their Message-ID alone, over all campaigns', async () => {
      await sent('a', 3)
      await sent('b', 2)
      const found = await ledger.feedback.findMessages(['2.a', '1.b', '9.a', '', "x' OR 1=1", '2.a@x'])
      expect([...found.keys()].sort()).toEqual(['1.b', '2.a'])
      expect(found.get('2.a')).toMatchObject({ messageId: '<2.a@x>', address: 'p2@example.com', campaign: 'a' })
      expect(await ledger.feedback.findMessages([])).toEqual(new Map())
    })

    test('finds also a message that was deferred, under the Message-ID of each of its attempts', async () => {
      const campaign = await ledger.campaigns.open('a')
      await ledger.runs.create({
        ...{
          id: 'a1',
          campaign,
          startedAt: NOW,
          source: 's',
          template: 't',
          templateHash: '',
          columns: [],
          options: {},
        },
      })
      await ledger.plans.add('a1', [{ row: 1, key: 'a@b.c', address: 'a@b.c', data: '{}' }])
      await ledger.plans.complete('a1', { duplicates: 'skip' })
      const [due] = await ledger.deliveries.due('a1', { now: NOW, after: 0, limit: 1 })
      const attempt = { recipient: due?.recipient ?? 0, lane: 1, at: NOW }
      await ledger.deliveries.record([
        { ...attempt, kind: 'attempt-started', messageId: '<first@x>' },
        { ...attempt, kind: 'row-updated', status: 'deferred', attempted: true, dueAt: NOW },
        { ...attempt, kind: 'attempt-started', messageId: '<second@x>' },
        { ...attempt, kind: 'row-updated', status: 'sent', attempted: true },
      ])
      const found = await ledger.feedback.findMessages(['first', 'second'])
      expect([...found.values()].map(({ messageId }) => messageId)).toEqual(['<first@x>', '<second@x>'])
      expect(await resultsOf(ledger, 'a1')).toMatchObject([
        { messageId: '<second@x>', attempts: 2, firstAttemptAt: NOW },
      ])
    })

    test('finds messages by the id that Amazon SES gave in its answer, which takes the place of ours', async () => {
      const id = await sent('a', 1)
      await ledger.deliveries.retryFailed(id)
      const again = await ledger.campaigns.open('c')
      await ledger.runs.create({
        ...{ id: 'r2', campaign: again, startedAt: NOW, source: 's', template: 't', templateHash: '' },
        ...{ columns: [], options: {} },
      })
      await ledger.plans.add('r2', [{ row: 1, key: 'a@b.c', address: 'a@b.c', data: '{}' }])
      await ledger.plans.complete('r2', { duplicates: 'skip' })
      const [due] = await ledger.deliveries.due('r2', { now: NOW, after: 0, limit: 1 })
      await ledger.deliveries.record([
        {
          ...{ kind: 'row-updated', recipient: due?.recipient ?? 0, lane: 1, at: NOW, status: 'sent', attempted: true },
          ...{ messageId: '<ours@x>', response: 'Ok 010001-abc-000000' },
        },
      ])
      const found = await ledger.feedback.findMessages(['010001-abc-000000'])
      expect(found.get('010001-abc-000000')).toMatchObject({ messageId: '<ours@x>', campaign: 'c' })
    })

    test('is taken once', async () => {
      await sent('a', 1)
      const one = await feedback('1.a', 'soft')
      expect(await ledger.feedback.add([one, one])).toEqual(new Set([one.fingerprint]))
      expect(await ledger.feedback.add([one])).toEqual(new Set())
    })

    test('shows in the results as the worst that came', async () => {
      const id = await sent('a', 4)
      await ledger.feedback.add([
        await feedback('1.a', 'hard', { reason: 'mailbox unknown' }),
        await feedback('1.a', 'soft'),
        await feedback('2.a', 'soft'),
        await feedback('2.a', 'complaint', { reason: 'abuse' }),
        await feedback('3.a', 'auto_reply'),
        await feedback('3.a', 'reply'),
      ])
      expect((await resultsOf(ledger, id)).map(({ bounce }) => bounce)).toEqual([
        { kind: 'hard', reason: 'mailbox unknown' },
        { kind: 'complaint', reason: 'abuse' },
        undefined,
        undefined,
      ])
      expect(await ledger.feedback.counts(id)).toEqual(
        new Map([
          ['complaint', 1],
          ['hard', 1],
        ]),
      )
      expect((await resultsOf(ledger, id)).every(({ status }) => status === 'sent')).toBe(true)
    })

    test('counts soft bounces of a person by message, since a moment', async () => {
      await sent('a', 1)
      await sent('b', 1)
      const before = new Date(NOW.getTime() - 1000)
      await ledger.feedback.add([
        await feedback('1.a', 'soft'),
        await feedback('1.a', 'soft'),
        await feedback('1.b', 'soft', { at: before }),
        await feedback('1.b', 'hard'),
        await feedback('1.b', 'soft', { person: 'h2' }),
      ])
      expect(await ledger.feedback.softBounces('h1', before)).toBe(2)
      expect(await ledger.feedback.softBounces('h1', NOW)).toBe(1)
      expect(await ledger.feedback.softBounces('h3', before)).toBe(0)
    })

    test('of a forgotten person is gone, and no report finds the message any more', async () => {
      await sent('a', 2)
      await ledger.feedback.add([await feedback('1.a', 'soft')])
      await ledger.privacy.forget('p1@example.com')
      expect(await ledger.feedback.softBounces('h1', new Date(0))).toBe(0)
      expect((await ledger.feedback.findMessages(['1.a', '2.a'])).size).toBe(1)
    })

    test('keeps how far a mailbox was read', async () => {
      expect(await ledger.feedback.mailboxPosition('imap:a/INBOX')).toBeUndefined()
      await ledger.feedback.setMailboxPosition('imap:a/INBOX', '7:42')
      await ledger.feedback.setMailboxPosition('imap:a/INBOX', '7:43')
      expect(await ledger.feedback.mailboxPosition('imap:a/INBOX')).toBe('7:43')
    })
  })
}
