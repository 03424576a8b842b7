/** Events in, lines out: what a person sees of a merge, without a merge. */
import { describe, expect, test } from 'vitest'
import type { MergeEvent, RowEvent, SummaryEvent } from '../../../src/campaign/events.ts'
import { MergeScreen } from '../../../src/cli/merge/drive.ts'
import { Output, type OutputOptions } from '../../../src/cli/terminal/output.ts'
import { NO_COPIES } from '../../../src/ledger/records.ts'
import { fakeIo } from '../fake-io.ts'

const COUNTS = { sent: 2, failed: 0, skipped: 0, deferred: 0, in_doubt: 0 }

const SUMMARY: SummaryEvent = {
  event: 'summary',
  copies: NO_COPIES,
  run: 'r',
  campaign: 'c',
  rows: 2,
  counts: COUNTS,
  seconds: 1,
  rate: 2,
  outcome: 'done',
  exitCode: 0,
  reports: ['/work/runs/r/results.csv'],
}

function row(event: RowEvent['event'], number: number): RowEvent {
  return { event, status: event, row: number, key: `k${number}`, address: '', reason: 'why', attempts: 1 }
}

function show(events: readonly MergeEvent[], options: OutputOptions = {}) {
  const io = fakeIo({ cwd: '/work' })
  const out = new Output(io, options)
  const screen = new MergeScreen(out, { mode: 'send', timeZone: 'UTC', cwd: '/work', rowsWere: 'checked' })
  for (const event of events) screen.event(event)
  return { screen, out, stdout: () => io.stdout.text, stderr: () => io.stderr.text }
}

describe('rows', () => {
  test('that went well are shown under --verbose only', () => {
    expect(show([row('sent', 1), row('deferred', 2), row('skipped', 3)]).stderr()).toBe('')
    expect(show([row('sent', 1)], { verbose: true }).stderr()).toBe('row 1 k1 sent: why\n')
  })

  test('that went wrong are shown up to ten, and the rest is counted', () => {
    const shown = show(Array.from({ length: 13 }, (_, i) => row(i % 2 === 0 ? 'failed' : 'in_doubt', i + 1)))
    shown.screen.summary(SUMMARY)
    const lines = shown.stderr().trimEnd().split('\n')
    expect(lines[1]).toBe('row 2 k2 in doubt: why')
    expect(lines.filter((line) => line.startsWith('row '))).toHaveLength(10)
    expect(lines.at(-1)).toContain('3 more')
  })
})

describe('the end', () => {
  test('is a summary on stdout, with paths as they can be typed', () => {
    const shown = show([])
    shown.screen.summary(SUMMARY)
    expect(shown.stdout()).toBe('2 sent of 2 rows in 1 s, 2.0/s\nresults: runs/r/results.csv\n')
  })

  test('says why it came early, and how to go on', () => {
    const shown = show([])
    const counts = { ...COUNTS, deferred: 1, in_doubt: 1 }
    const stopped: SummaryEvent = { ...SUMMARY, counts, outcome: 'unfinished', stopped: { kind: 'interrupted' } }
    shown.screen.stopReason(stopped)
    shown.screen.nextSteps(stopped)
    const [why, ...next] = shown.stderr().trimEnd().split('\n')
    expect(why).toBe('stopped: interrupted')
    expect(next.join('\n')).toMatch(/mailmerge resume r.*--in-doubt resend\|keep/s)
  })

  test('of a run that was not confirmed has no summary, only the way to be asked again', () => {
    const shown = show([])
    const refused: SummaryEvent = { ...SUMMARY, outcome: 'unfinished', stopped: { kind: 'not-confirmed' } }
    shown.screen.summary(refused)
    shown.screen.stopReason(refused)
    shown.screen.nextSteps(refused)
    expect(shown.stdout()).toBe('')
    expect(shown.stderr().trimEnd().split('\n')).toHaveLength(1)
  })
})

test('under --json each event is an object on stdout, and nothing else is there', () => {
  const shown = show([row('failed', 1), SUMMARY], { json: true })
  shown.screen.summary(SUMMARY)
  shown.out.flush()
  const events = shown
    .stdout()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).event)
  expect(events).toEqual(['failed', 'summary'])
})
