/** Stopped by signals, by a closed terminal, by readers that go away: what is in flight is finished, and all is true. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, type RecordingSinkOptions, startRecordingSink } from '../support/recording-sink.ts'
import { expectNobodyLostOrTwice, truthOf } from '../support/truth.ts'

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts')
const ROWS = 400
const ADDRESSES = Array.from({ length: ROWS }, (_, at) => `p${at + 1}@example.com`)

let sink: RecordingSink
let project: Project

async function prepare(options: RecordingSinkOptions): Promise<readonly string[]> {
  sink = await startRecordingSink(options)
  project = makeProject({
    'list.csv': listOf(ROWS),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nconcurrency: 4\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n`,
  })
  return ['run', '--yes']
}

afterEach(async () => {
  project.remove()
  await sink.close()
})

const received = (address: string): number => sink.recipients.get(address) ?? 0

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((go) => setTimeout(go, 5))
}

function descendantsOf(pid: number): readonly number[] {
  const own = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  return [...own, ...own.flatMap(descendantsOf)]
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 143],
] as const)('%s finishes what is in flight, says how to go on, and ends with %i', async (signal, code) => {
  const args = await prepare({ delay: 20 })
  const { child, ended } = project.start(args)
  await until(() => sink.ids.size > 30)
  child.kill(signal)
  const { stderr, stdout, ...end } = await ended
  expect(end.code, stderr).toBe(code)
  expect(stderr).toMatch(/stopping after the messages in flight/)
  expect(stderr).toMatch(/to continue: mailmerge resume \d{8}T\d{6}-\w{4}/)
  expect(stdout).toMatch(/waiting/)
  const truth = await truthOf(project)
  expect(truth).toMatchObject({ rows: ROWS, sent: sink.ids.size, inDoubt: [], deferred: ROWS - sink.ids.size })
  expect((await project.run(['resume'])).code).toBe(0)
  expectNobodyLostOrTwice(await truthOf(project), ADDRESSES, received)
})

test('a second signal stops at once; what was handed over is in doubt and not sent again until somebody decides', async () => {
  const args = await prepare({ delay: 20_000 })
  const { child, ended } = project.start(args)
  await until(() => sink.ids.size > 0)
  let heard = ''
  child.stderr?.on('data', (text: string) => {
    heard += text
  })
  child.kill('SIGINT')
  await until(() => heard.includes('stopping after'))
  // What follows within a tenth of a second is taken for an echo of the first.
  await new Promise((go) => setTimeout(go, 300))
  child.kill('SIGINT')
  const { code, stderr } = await ended
  expect(code, stderr).toBe(130)
  expect(stderr).toMatch(/stopping at once/)
  expect(stderr).toMatch(/in doubt: the connection broke before the server's answer/)
  const truth = await truthOf(project)
  expect(truth.sent).toBe(0)
  expect(truth.inDoubt.length).toBeGreaterThan(0)
  expect(truth.inDoubt.length).toBeLessThanOrEqual(4)
  await sink.close()
  sink = await startRecordingSink()
  const kept = await project.run(['resume', '--in-doubt', 'keep', '--smtp', `smtp://127.0.0.1:${sink.port}`])
  expect(kept.code, kept.stderr).toBe(0)
  expect(await truthOf(project)).toMatchObject({ sent: ROWS, inDoubt: [] })
  for (const address of truth.inDoubt) expect(received(address), address).toBe(0)
  expect(sink.ids.size).toBe(ROWS - truth.inDoubt.length)
})

test('rows in doubt are sent again by --in-doubt resend, and only then', async () => {
  const first = await prepare({ delay: 5 })
  await sink.close()
  // A server that takes messages and never answers for the first ones.
  sink = await startRecordingSink({ delay: 60_000 })
  project.write(
    'mailmerge.yaml',
    `template: letter\ncsv: list.csv\nconcurrency: 2\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n  timeouts: { endOfData: 1s }\n`,
  )
  const { child, ended } = project.start(first)
  await until(() => sink.ids.size >= 2)
  await new Promise((go) => setTimeout(go, 1500))
  child.kill('SIGKILL')
  await ended
  await sink.close()
  sink = await startRecordingSink()
  project.write(
    'mailmerge.yaml',
    `template: letter\ncsv: list.csv\nconcurrency: 2\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n`,
  )
  const plain = await project.run(['resume'])
  expect(plain.code, plain.stderr).toBe(75)
  expect(plain.stderr).toMatch(/in doubt/)
  const { inDoubt } = await truthOf(project)
  const drops = inDoubt.length
  expect(drops).toBeGreaterThan(0)
  expect(sink.ids.size).toBe(ROWS - drops)
  const resent = await project.run(['resume', '--in-doubt', 'resend'])
  expect(resent.code, resent.stderr).toBe(0)
  expectNobodyLostOrTwice(await truthOf(project), ADDRESSES, received)
})

test.skipIf(!existsSync('/usr/bin/script'))('a terminal that is closed stops the run gracefully', async () => {
  const args = await prepare({ delay: 20 })
  const command = `"${process.execPath}" "${MAIN}" ${args.join(' ')}`
  const terminal = spawn('/usr/bin/script', ['-qfc', command, '/dev/null'], { cwd: project.dir, stdio: 'ignore' })
  await until(() => sink.ids.size > 20)
  const programs = descendantsOf(terminal.pid ?? 0)
  terminal.kill('SIGKILL')
  // The program ends by itself, some time after its terminal.
  await until(() => !programs.some(isAlive))
  expect(sink.ids.size).toBeLessThan(ROWS)
  const truth = await truthOf(project)
  expect(truth).toMatchObject({ rows: ROWS, sent: sink.ids.size, inDoubt: [] })
  expect((await project.run(['resume'])).code).toBe(0)
  expectNobodyLostOrTwice(await truthOf(project), ADDRESSES, received)
})

test.each(['stdout', 'stderr'] as const)('a reader of %s that goes away does not stop the run', async (stream) => {
  const args = await prepare({ delay: 1 })
  const { child, ended } = project.start([...args, '--json', '--verbose'])
  await until(() => sink.ids.size > 0)
  child[stream]?.destroy()
  const { code } = await ended
  expect(code).toBe(0)
  expectNobodyLostOrTwice(await truthOf(project), ADDRESSES, received)
})
