/** A merge with a person in front of it: what is asked, what is shown, how it ends. The merge itself is a stand-in. */
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { SummaryEvent } from '../../../src/campaign/events.ts'
import type { MergeHooks, MergeMode, PlanPreview } from '../../../src/campaign/merge.ts'
import { driveMerge } from '../../../src/cli/merge/drive.ts'
import { Output } from '../../../src/cli/terminal/output.ts'
import { UnreachableError } from '../../../src/errors.ts'
import { NO_COPIES } from '../../../src/ledger/records.ts'
import { type FakeIo, fakeIo, screen } from '../fake-io.ts'

const COUNTS = { sent: 2, failed: 1, skipped: 3, deferred: 4, in_doubt: 0 }
const PLAN: PlanPreview = {
  campaign: 'news',
  run: '2026-x',
  source: 'list.csv',
  template: 'hello',
  rows: 10,
  toSend: 4,
  counts: COUNTS,
  skipped: { suppressed: 2, duplicate: 1 },
  first: {
    address: 'ada@example.com',
    from: 'Society <s@example.org>',
    subject: 'Hello \u001B[2JAda',
  },
  server: 'smtp://mail.example.com:587',
}

function summary(change: Partial<SummaryEvent> = {}): SummaryEvent {
  return {
    event: 'summary',
    copies: NO_COPIES,
    run: '2026-x',
    campaign: 'news',
    rows: 10,
    counts: { ...COUNTS, sent: 6, deferred: 0 },
    seconds: 2,
    rate: 2,
    outcome: 'failed',
    exitCode: 1,
    reports: ['/work/results.csv'],
    ...change,
  }
}

/** Asks the question if it may, as the engine does. */
async function askingMerge(hooks: MergeHooks): Promise<SummaryEvent> {
  const agreed = (await hooks.confirm?.(PLAN)) ?? true
  return agreed
    ? summary()
    : summary({ stopped: { kind: 'not-confirmed' }, counts: COUNTS, outcome: 'unfinished', exitCode: 75 })
}

interface Flags {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
}

function drive(
  io: FakeIo,
  merge: (hooks: MergeHooks) => Promise<SummaryEvent>,
  flags: Flags = {},
  options: { yes?: boolean; mode?: MergeMode } = {},
): Promise<number> {
  const context = { io, out: new Output(io, flags), version: '1.2.3' }
  return driveMerge(context, { mode: options.mode ?? 'send', yes: options.yes ?? false }, merge)
}

const terminal = (): FakeIo => fakeIo({ terminal: true, cwd: '/work' })

test('a person sees who gets what through which server, and nothing goes out before a yes', async () => {
  const io = terminal()
  const done = drive(io, askingMerge)
  io.stdin.write('y\r')
  expect(await done).toBe(1)
  const shown = screen(io.stderr.text).join('\n')
  for (const part of [
    'news',
    'hello',
    'list.csv, 10 rows',
    '4 messages',
    '2 sent before',
    '1 failed before',
    '2 suppressed',
    '1 duplicate',
  ])
    expect(shown).toContain(part)
  for (const part of ['Society <s@example.org>', 'ada@example.com', 'Hello \\u001b[2JAda', 'mail.example.com:587'])
    expect(shown).toContain(part)
  expect(io.stdout.text).toContain('6 sent')
})

test.each(['\r', 'n\r', 'yep\r', '\u0004'])('%j is a no: nothing is sent, and the end says so', async (typed) => {
  const io = terminal()
  const done = drive(io, askingMerge)
  io.stdin.write(typed)
  expect(await done).toBe(75)
  expect(screen(io.stderr.text)).toContain('nothing was sent; give the same command to be asked again')
  expect(io.stdout.text).toBe('')
})

test('Ctrl+C at the question is a no and ends with 130', async () => {
  const io = terminal()
  const done = drive(io, askingMerge)
  io.stdin.write('\u0003')
  expect(await done).toBe(130)
  expect(io.stderr.text).not.toContain('in flight')
})

test.each([
  ['without a terminal', fakeIo(), {}, {}],
  ['with --yes', terminal(), {}, { yes: true }],
  ['in the sandbox', terminal(), {}, { mode: 'sandbox' }],
] as const)('%s nothing is asked', async (_what, io, flags, options) => {
  expect(await drive(io, askingMerge, flags, options)).toBe(1)
  expect(io.stderr.text).not.toContain('[y/N]')
})

describe('a list from a pipe', () => {
  const besidePipe = (io: FakeIo) =>
    driveMerge(
      { io, out: new Output(io), version: '1' },
      { mode: 'send', yes: false, listFromStdin: true },
      askingMerge,
    )

  test('is asked about over the terminal itself', async () => {
    const keyboard = new PassThrough()
    const io = { ...fakeIo({ terminal: true }), openTerminal: () => keyboard }
    const done = besidePipe(io)
    keyboard.write('n\r')
    expect(await done).toBe(75)
    expect(io.stdout.text).toBe('')
    expect(io.stderr.text).toContain('[y/N]')
    expect(keyboard.destroyed).toBe(true)
  })

  test('demands --yes where no terminal can be opened, and sends nothing', async () => {
    const io = { ...fakeIo({ terminal: true }), openTerminal: () => undefined }
    expect(await besidePipe(io)).toBe(64)
    expect(io.stderr.text).toContain('--yes')
  })

  test('is sent without a question where nobody sees it', async () => {
    expect(await besidePipe(fakeIo())).toBe(1)
  })
})

test('with --json stdout carries events alone, and the summary says the exit code', async () => {
  const io = fakeIo()
  const code = await drive(
    io,
    async (hooks) => {
      hooks.note?.('read as Windows-1252')
      const end = summary({ outcome: 'unfinished', exitCode: 75, stopped: { kind: 'interrupted' } })
      io.signals.emit('SIGTERM')
      hooks.onEvent?.(end)
      return end
    },
    { json: true },
  )
  expect(code).toBe(143)
  const events = io.stdout.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events).toMatchObject([{ event: 'summary', run: '2026-x', sent: 6, failed: 1, skipped: 3, exit_code: 143 }])
  expect(io.stderr.text).toContain('read as Windows-1252')
})

test('a run that ended before the signal came ends as it ended', async () => {
  const io = fakeIo()
  expect(
    await drive(io, async () => {
      io.signals.emit('SIGINT')
      return summary({ outcome: 'done', exitCode: 0 })
    }),
  ).toBe(0)
})

test('stopped while the rows were checked ends with 130 and says that nothing was sent', async () => {
  const io = fakeIo()
  const code = await drive(io, async (hooks) => {
    io.signals.emit('SIGINT')
    hooks.signal?.throwIfAborted()
    return summary()
  })
  expect(code).toBe(130)
  expect(io.stderr.text).toContain('before anything was sent')
})

test('a run that breaks says what was sent, then what broke, then how to go on', async () => {
  const io = fakeIo()
  const code = await drive(io, async (hooks) => {
    hooks.onEvent?.(
      summary({ counts: COUNTS, stopped: { kind: 'error', said: 'nobody answers' }, outcome: 'broken', exitCode: 69 }),
    )
    throw new UnreachableError('nobody answers')
  })
  expect(code).toBe(69)
  expect(io.stdout.text).toContain('2 sent')
  expect(io.stderr.text).toMatch(/^mailmerge: nobody answers\n(.*\n)*to continue: mailmerge resume 2026-x/)
})

test('rows that fail are shown as they happen, ten of them and then their number; values are escaped', async () => {
  const io = fakeIo()
  await drive(io, async (hooks) => {
    for (let row = 1; row <= 14; row++) {
      hooks.onEvent?.({
        event: 'failed',
        row,
        key: 'k',
        address: 'a\u001B@b',
        status: 'failed',
        reason: 'mailbox unknown',
        smtpCode: 550,
        response: 'no\u0007',
        attempts: 1,
      })
    }
    return summary()
  })
  expect(io.stderr.text).toContain('row 1 a\\u001b@b failed: mailbox unknown: 550 no\\u0007')
  expect(io.stderr.text).not.toContain('row 11 ')
  expect(io.stderr.text).toContain('and 4 more')
  expect(io.stderr.text).not.toMatch(/[\u0007\u001B]/)
})

test('--quiet says nothing when all went well, and the summary when not', async () => {
  const [well, ill] = [fakeIo(), fakeIo()]
  expect(await drive(well, async () => summary({ outcome: 'done', exitCode: 0 }), { quiet: true })).toBe(0)
  expect(await drive(ill, async () => summary(), { quiet: true })).toBe(1)
  expect(well.stdout.text + well.stderr.text + ill.stdout.text).toBe('')
  expect(ill.stderr.text).toContain('1 failed')
})

test('a reader of stdout who goes away stops neither the run nor shows a stack', async () => {
  const io = fakeIo()
  const work = drive(
    io,
    async (hooks) => {
      hooks.onEvent?.(summary())
      await new Promise((turn) => setTimeout(turn))
      io.stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      hooks.onEvent?.(summary())
      return summary({ outcome: 'done', exitCode: 0 })
    },
    { json: true },
  )
  expect(await work).toBe(0)
  expect(io.stdout.text.trimEnd().split('\n')).toHaveLength(1)
})
