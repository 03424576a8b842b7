import { expect, test } from 'vitest'
import { noticeMail, noticeOfAbandoned, noticeOfEnd, withoutAddresses } from '../../src/report/notice.ts'
import type { StopReason } from '../../src/report/reasons.ts'

const AT = new Date('2026-12-01T09:00:00Z')
const NONE = { sent: 0, failed: 0, skipped: 0, deferred: 0, in_doubt: 0 }

function end(stopped: StopReason | undefined, counts: Partial<typeof NONE> = {}) {
  const all = { ...NONE, ...counts }
  const isDone = all.deferred + all.in_doubt === 0
  return { run: 'r1', campaign: 'news', at: AT, counts: all, copiesDeferred: 0, stopped, isDone }
}

test('each end has its kind; there is none of what waits as planned', () => {
  const until = new Date('2026-12-02T09:00:00Z')
  const kinds: readonly (readonly [StopReason | undefined, string | undefined])[] = [
    [undefined, 'stopped'],
    [{ kind: 'interrupted' }, 'stopped'],
    [{ kind: 'paused' }, 'stopped'],
    [{ kind: 'cancelled' }, 'stopped'],
    [{ kind: 'deferred' }, 'stopped'],
    [{ kind: 'not-confirmed' }, undefined],
    [{ kind: 'not-begun', startTime: until, detached: true }, undefined],
    [{ kind: 'waiting', until }, undefined],
    [{ kind: 'late', startTime: until }, 'needs_you'],
    [{ kind: 'quota', quota: undefined, until }, 'needs_you'],
    [{ kind: 'outage', said: 'x' }, 'needs_you'],
    [{ kind: 'account-limit', said: 'x' }, 'needs_you'],
    [{ kind: 'account-blocked', said: 'x' }, 'needs_you'],
    [{ kind: 'sender-refused', cause: undefined, sender: '', streak: 0, said: 'x' }, 'needs_you'],
    [{ kind: 'error', said: 'x' }, 'needs_you'],
  ]
  for (const [stopped, kind] of kinds) expect(noticeOfEnd(end(stopped, { deferred: 1 }))?.kind).toBe(kind)
  expect(noticeOfEnd(end(undefined, { sent: 3, failed: 1 }))?.kind).toBe('ended')
  expect(noticeOfEnd(end({ kind: 'interrupted' }, { in_doubt: 1 }))?.kind).toBe('needs_you')
  expect(noticeOfEnd(end({ kind: 'quota', quota: undefined, until }, { deferred: 1 }))?.until).toBe(until.toISOString())
})

test('a run that was left says whether it had ended', () => {
  expect(noticeOfAbandoned(end(undefined, { sent: 3 }))).toMatchObject({ kind: 'ended', reason: null })
  expect(noticeOfAbandoned(end(undefined, { sent: 3, deferred: 1 }))).toMatchObject({
    kind: 'needs_you',
    reason: 'broken-off',
    text: 'needs you: 3 sent, 1 still to be sent; the program ended before the run did',
    hint: 'To continue: mailmerge resume r1',
  })
})

test('words of a server are without the addresses in them', () => {
  for (const address of [
    'ada@example.com',
    '<ada.b+c@mail.example.com>',
    '"ada b"@example.com',
    'bounce+ada=example.org@example.net',
    'ada%40example.com',
    'ada@[192.0.2.1]',
    'äda@exämple.com',
  ]) {
    const text = withoutAddresses(`550 ${address}: unknown`)
    expect(text).toMatch(/^550 <?\(address\)>?: unknown$/)
  }
  expect(withoutAddresses('a limit of 500/day is reached')).toBe('a limit of 500/day is reached')
})

test('its mail says what, why and what to do', () => {
  const facts = noticeOfEnd(end({ kind: 'account-limit', said: '550 too many' }, { sent: 1998, deferred: 2 }))
  expect(facts && noticeMail(facts)).toEqual({
    subject: 'mailmerge: news: needs you',
    text: `Needs you: 1,998 sent, 2 still to be sent; a sending limit of the account is reached: 550 too many.
The other rows are still to come: mailmerge resume continues when the limit opens again.

Campaign: news
Run: r1
At: 2026-12-01T09:00:00.000Z
Sent: 1,998
Failed: 0
In doubt: 0
Still to be sent: 2
Skipped: 0
`,
  })
})
