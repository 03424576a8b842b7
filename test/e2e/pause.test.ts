/** A run that is paused, ended or decided about from another process while it is at work. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { type RunProgress, readProgress } from '../../src/report/run-progress.ts'
import { fakeIo } from '../cli/fake-io.ts'
import { LETTER, listOf, makeProject, type Project, type Running } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { expectNobodyLostOrTwice, truthOf } from '../support/truth.ts'

const ROWS = 400
const ADDRESSES = Array.from({ length: ROWS }, (_, at) => `p${at + 1}@example.com`)

let sink: RecordingSink
let project: Project
/** Awaited by the server before each reply. */
let gate: () => Promise<unknown>

async function prepare(): Promise<void> {
  gate = () => sleep(200)
  sink = await startRecordingSink({ gate: () => gate() })
  project = makeProject({
    'list.csv': listOf(ROWS),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nconcurrency: 4\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n`,
  })
}

afterEach(async () => {
  project.remove()
  await sink.close()
})

const received = (address: string): number => sink.recipients.get(address) ?? 0

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((go) => setTimeout(go, 5))
}

/** A command of this process, while another one sends. */
async function mailmerge(args: readonly string[]) {
  const io = fakeIo({ cwd: project.dir })
  const code = await main(args, io)
  return { code, stdout: io.stdout.text, stderr: io.stderr.text }
}

/** A run of its own process that has sent something and is far from its end. */
async function runAtWork(): Promise<Running> {
  const running = project.start(['run', '--yes'])
  await until(() => sink.ids.size > 10)
  return running
}

test('pause stops a run of another process, run leaves it alone, and resume sends the rest', async () => {
  await prepare()
  const { ended } = await runAtWork()
  const paused = await mailmerge(['pause'])
  expect([paused.code, paused.stdout]).toEqual([
    0,
    expect.stringMatching(/^(\S+) is paused; mailmerge resume \1 continues it\n$/),
  ])
  const { code, stderr } = await ended
  expect([code, stderr]).toEqual([75, expect.stringMatching(/stopped: paused\n.*to continue: mailmerge resume/)])
  const sent = sink.ids.size
  expect(await truthOf(project)).toMatchObject({ rows: ROWS, sent, inDoubt: [], deferred: ROWS - sent })
  expect((await mailmerge(['status'])).stdout).toContain(' Paused ')
  const again = await mailmerge(['run', '--yes'])
  expect([again.code, again.stderr]).toEqual([
    75,
    expect.stringMatching(/is paused\n.*mailmerge resume \S+, or end it with/),
  ])
  expect(sink.ids.size).toBe(sent)
  gate = () => Promise.resolve()
  expect((await mailmerge(['resume'])).code).toBe(0)
  expectNobodyLostOrTwice(await truthOf(project), ADDRESSES, received)
})

test('a run at work says how it goes to other processes, and nothing once it has stopped', async () => {
  await prepare()
  const { ended } = await runAtWork()
  const open = Promise.withResolvers<void>()
  gate = () => open.promise
  const ledger = await openSqliteLedger(join(project.dir, '.mailmerge/ledger.db'))
  try {
    const run = (await ledger.runs.find())?.id ?? ''
    let said: RunProgress | undefined
    while (said === undefined) {
      await sleep(20)
      said = await readProgress(ledger.runs, run)
    }
    expect((await mailmerge(['status', run])).stdout).toMatch(/^now +.* over \d connections?/m)
    expect(said).toMatchObject({ server: `smtp://127.0.0.1:${sink.port}`, lanes: expect.any(Number), pause: undefined })
    expect(Math.abs(said.at.getTime() - Date.now())).toBeLessThan(60_000)
    open.resolve()
    await mailmerge(['pause'])
    await ended
    expect(await readProgress(ledger.runs, run)).toBeUndefined()
  } finally {
    await ledger.close()
  }
})

test('cancel ends a run of another process for good', async () => {
  await prepare()
  const { ended } = await runAtWork()
  const cancelled = await mailmerge(['cancel'])
  expect([cancelled.code, cancelled.stdout]).toEqual([
    0,
    expect.stringContaining('is cancelled: what was not sent stays unsent'),
  ])
  const { code, stderr } = await ended
  expect([code, stderr]).toEqual([75, expect.stringMatching(/stopped: cancelled\n.*what was not sent stays unsent/)])
  expect(stderr).not.toContain('to continue')
  expect(await truthOf(project)).toMatchObject({ sent: sink.ids.size, inDoubt: [] })
  const resumed = await mailmerge(['resume'])
  expect([resumed.code, resumed.stderr]).toEqual([64, expect.stringContaining('was cancelled')])
})

test('a run that waits for its start time can be paused', async () => {
  await prepare()
  const waiting = project.start(['run', '--yes', '--at', 'tomorrow 9:00'])
  let shown = ''
  waiting.child.stderr?.on('data', (text: string) => {
    shown += text
  })
  await until(() => shown.includes('start time'))
  expect((await mailmerge(['pause'])).code).toBe(0)
  const { code, stderr } = await waiting.ended
  expect([code, stderr]).toEqual([75, expect.stringContaining('stopped: paused')])
})

test('rows in doubt are decided one by one, also while another process sends the rest', async () => {
  await prepare()
  const killed = await runAtWork()
  killed.child.kill('SIGKILL')
  await killed.ended
  const before = sink.ids.size
  const open = Promise.withResolvers<void>()
  gate = () => open.promise
  const { ended } = project.start(['resume'])
  await until(() => sink.ids.size > before)
  const { inDoubt } = await truthOf(project)
  expect(inDoubt.length).toBeGreaterThan(1)
  const [first, second] = inDoubt.map((address) => /\d+/.exec(address)?.[0] ?? '') as [string, string]
  const kept = await mailmerge(['resume', '--in-doubt', 'keep', '--rows', first])
  expect([kept.code, kept.stdout]).toEqual([0, '1 row in doubt counted as sent\n'])
  const resent = await mailmerge(['resume', '--in-doubt', 'resend', '--rows', second])
  expect([resent.code, resent.stdout]).toEqual([
    0,
    expect.stringMatching(/^1 row in doubt will be sent again by the process that is sending /),
  ])
  const seen = received(`p${second}@example.com`)
  open.resolve()
  await ended
  expect(received(`p${second}@example.com`)).toBe(seen + 1)
  const truth = await truthOf(project)
  expect(truth.inDoubt).toEqual(
    inDoubt.filter((address) => address !== `p${first}@example.com` && address !== `p${second}@example.com`),
  )
  expect(truth).toMatchObject({ deferred: 0, sent: ROWS - truth.inDoubt.length })
})

test('rows without a decision, and something else than rows, are refused before anything is changed', async () => {
  await prepare()
  for (const [args, words] of [
    [['resume', '--rows', '3'], 'rows are chosen for a decision on rows in doubt alone'],
    [['resume', '--in-doubt', 'keep', '--rows', 'three'], "--rows does not understand 'three'"],
    [['pause'], 'there is no run in this project yet'],
  ] as const) {
    const { code, stderr } = await mailmerge(args)
    expect([code === 64 || code === 66, stderr]).toEqual([true, expect.stringContaining(words)])
  }
})
