import { describe, expect, test } from 'vitest'
import { reconnectGap, retryGap, rowStateAfter } from '../../../src/campaign/delivery/retry.ts'
import type { DueRow } from '../../../src/ledger/records.ts'
import { isThrottling } from '../../../src/replies/reply.ts'
import { blamesSender } from '../../../src/replies/sender-block-detector.ts'
import { replyOf } from './delivery-harness.ts'

const now = new Date('2026-11-24T10:00:00Z')
const half = (): number => 0.5
const row: DueRow = {
  recipient: 1,
  row: 1,
  key: 'a@example.com',
  occurrence: 1,
  address: 'a@example.com',
  data: '{}',
  rows: 1,
  attempts: 0,
}
const minutes = (count: number): Date => new Date(now.getTime() + count * 60_000)

describe('what becomes of a row', () => {
  test('an accepted message is sent, with the refused copies said', () => {
    const reply = { code: 250, enhanced: '2.0.0', text: 'queued as 4F' }
    const copies = [{ address: 'boss@example.com', reply: { code: 550, text: 'no such user' } }]
    expect(rowStateAfter(row, { kind: 'accepted', reply, copies }, { retryFor: 1 }, now, half)).toEqual({
      status: 'sent',
      reason: '',
      reply,
      copies: [
        {
          address: 'boss@example.com',
          status: 'failed',
          reason: 'mailbox unknown',
          reply: { code: 550, text: 'no such user' },
        },
      ],
    })
  })

  test('a lost connection after the end of data is in doubt, whatever the retry policy', () => {
    const outcome = { kind: 'in_doubt', reason: 'connection lost' } as const
    expect(rowStateAfter(row, outcome, { retryFor: 1e9 }, now, half)).toEqual({
      status: 'in_doubt',
      reason: 'connection lost',
    })
  })

  test.each([
    [0, 1],
    [1, 5],
    [2, 15],
    [3, 30],
    [4, 60],
    [5, 120],
    [9, 120],
  ])('a deferral after %i attempts is tried again in %i minutes', (attempts, gap) => {
    const outcome = { kind: 'deferred', stage: 'rcpt', reply: { code: 451, text: 'greylisted' } } as const
    const settled = rowStateAfter({ ...row, attempts }, outcome, { retryFor: 1e12 }, now, half)
    expect(settled).toMatchObject({ status: 'deferred', dueAt: minutes(gap), reason: 'greylisted' })
  })

  test.each([
    ['450 4.2.0 Greylisted, try again in 5 minutes', 0, 5],
    ['450 4.2.0 Greylisted for 30 seconds', 0, 0.5],
    ['451 4.7.1 Please try again in 2 hours', 0, 120],
    // Shorter than our own gap after the first attempt: that one is waited for.
    ['450 4.2.0 Greylisted for 30 seconds', 2, 15],
    ['450 4.2.0 Greylisted, try again in 45 minutes', 2, 45],
    ['550 5.7.1 Greylisted, please come back in 10 minutes', 0, 10],
  ] as const)('%s, after %i attempts: in %d minutes or a little later', (line, attempts, least) => {
    const reply = replyOf(line)
    const outcome = { kind: reply.code < 500 ? 'deferred' : 'rejected', stage: 'rcpt', reply } as const
    for (const chance of [0, 0.5, 0.999]) {
      const { status, dueAt } = rowStateAfter({ ...row, attempts }, outcome, { retryFor: 1e12 }, now, () => chance)
      const waited = ((dueAt?.getTime() ?? 0) - now.getTime()) / 60_000
      expect(status).toBe('deferred')
      // Our own gaps are spread by a fifth.
      expect(waited).toBeGreaterThanOrEqual(least === 15 ? 12 : least)
      expect(waited).toBeLessThanOrEqual(least * 1.2 + 0.1)
    }
  })

  test('a wait that the server names does not go beyond the last time', () => {
    const outcome = { kind: 'deferred', stage: 'rcpt', reply: replyOf('451 4.7.1 try again in 12 hours') } as const
    expect(rowStateAfter(row, outcome, { retryFor: 240 * 60_000 }, now, half)).toMatchObject({ dueAt: minutes(240) })
  })

  test('the last try is at the last time, and after it the row has failed', () => {
    const outcome = { kind: 'deferred', stage: 'rcpt', reply: { code: 451, text: 'later' } } as const
    const old = { ...row, attempts: 5, firstAttemptAt: minutes(-230) }
    expect(rowStateAfter(old, outcome, { retryFor: 240 * 60_000 }, now, half)).toMatchObject({
      status: 'deferred',
      dueAt: minutes(10),
    })
    const older = { ...old, firstAttemptAt: minutes(-240) }
    expect(rowStateAfter(older, outcome, { retryFor: 240 * 60_000 }, now, half)).toMatchObject({
      status: 'failed',
      reason: 'given up after 6 attempts: recipient refused',
    })
  })

  test('without a retry time a deferred row stays deferred', () => {
    const outcome = { kind: 'deferred', stage: 'data', reply: { code: 451, text: 'later' } } as const
    expect(rowStateAfter(row, outcome, { retryFor: 0 }, now, half).status).toBe('deferred')
  })
})

test('gaps are spread by a fifth either way', () => {
  expect([retryGap(1, () => 0), retryGap(1, () => 1)]).toEqual([48_000, 72_000])
  expect([1, 2, 3, 7, 50].map((failures) => reconnectGap(failures, half))).toEqual([1000, 2000, 4000, 60_000, 60_000])
})

describe('what a reply means', () => {
  test.each([
    [{ code: 454, text: 'Throttling failure: Maximum sending rate exceeded.' }, true],
    [{ code: 432, enhanced: '4.3.2', text: 'Concurrent connections limit exceeded' }, true],
    [{ code: 421, enhanced: '4.7.28', text: 'unusual rate' }, true],
    [{ code: 452, enhanced: '4.5.3', text: 'Too many messages sent' }, true],
    [{ code: 450, enhanced: '4.2.0', text: 'Greylisted' }, false],
    [{ code: 452, enhanced: '4.2.2', text: 'mailbox full' }, false],
    [{ code: 550, enhanced: '5.7.1', text: 'Sending rate exceeded' }, true],
    [{ code: 550, enhanced: '5.7.1', text: 'refused by policy' }, false],
  ])('%j speaks of our speed: %s', (reply, expected) => {
    expect(isThrottling(reply)).toBe(expected)
  })

  test('an unknown mailbox is the list, a policy is us', () => {
    expect(blamesSender({ code: 550, enhanced: '5.1.1', text: 'unknown' }, 'rcpt')).toBe(false)
    expect(blamesSender({ code: 550, enhanced: '5.7.1', text: 'policy' }, 'rcpt')).toBe(true)
    expect(blamesSender({ code: 550, text: 'relaying denied' }, 'rcpt')).toBe(true)
    expect(blamesSender({ code: 553, text: 'sender refused' }, 'mail')).toBe(true)
    expect(blamesSender({ code: 554, enhanced: '5.7.30', text: 'no REQUIRETLS' }, 'mail')).toBe(true)
    // What is wrong with this message alone says nothing about the sender, although MAIL is where it is said.
    expect(blamesSender({ code: 552, text: 'message size exceeds fixed limit' }, 'mail')).toBe(false)
    expect(blamesSender({ code: 550, enhanced: '5.3.4', text: 'too big' }, 'mail')).toBe(false)
    expect(blamesSender({ code: 553, enhanced: '5.6.7', text: 'no SMTPUTF8' }, 'mail')).toBe(false)
    expect(blamesSender({ code: 451, enhanced: '4.7.1', text: 'policy' }, 'rcpt')).toBe(false)
  })
})
