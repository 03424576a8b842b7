/** Whom a command means when it is reported little, and that it says so. No server is met. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { fakeIo } from '../cli/fake-io.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'

let project: Project
beforeEach(() => {
  project = makeProject({
    'list.csv': listOf(2),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': 'template: letter\ncsv: list.csv\nsmtp: { host: 127.0.0.1, port: 1 }\n',
  })
})
afterEach(() => project.remove())

async function mailmerge(...args: readonly string[]) {
  const io = fakeIo({ cwd: project.dir })
  const code = await main(args, io)
  return { code, stdout: io.stdout.text, stderr: io.stderr.text }
}

/** Plans a run for later and gives its id. */
async function planned(...args: readonly string[]): Promise<string> {
  const { stderr } = await mailmerge('run', '--detach', '--at', 'tomorrow 9:00', ...args)
  return /resume (\S+)/.exec(stderr)?.[1] ?? `no run: ${stderr}`
}

test('cancel takes the one run that is unfinished, and asks which where there are several', async () => {
  const runs = [await planned('--campaign', 'first'), await planned('--campaign', 'second')] as const
  const asked = await mailmerge('cancel')
  expect(asked.code).toBe(64)
  for (const words of [...runs, '(first)', '(second)', 'mailmerge cancel RUN']) expect(asked.stderr).toContain(words)
  expect((await mailmerge('cancel', runs[1])).code).toBe(0)
  expect((await mailmerge('cancel')).stdout).toContain(`${runs[0]} is cancelled`)
})

test('a run whose rows a later one took over is replaced, and one that a person ended is cancelled', async () => {
  const [first, second] = [await planned(), await planned()]
  await mailmerge('cancel', second)
  const { stdout } = await mailmerge('status', '--verbose')
  expect(stdout).toMatch(new RegExp(`^${second}.* Cancelled `, 'm'))
  expect(stdout).toMatch(new RegExp(`^${first}.* Replaced `, 'm'))
  expect((await mailmerge('status', first)).stdout).toMatch(/^state +Replaced$/m)
  // A replaced run that sent nothing is only counted where the list is not asked for whole.
  const short = await mailmerge('status')
  expect(short.stdout).not.toContain(first)
  expect(short.stderr).toContain('and 1 other run; --verbose lists them all')
})

test('a run may be named by a beginning of its id that no other run has', async () => {
  const [first, second] = [await planned('--campaign', 'first'), await planned('--campaign', 'second')]
  expect((await mailmerge('status', second.slice(0, -1))).stdout).toContain(second)
  const both = await mailmerge('status', first.slice(0, 9))
  expect([both.code, both.stderr]).toEqual([66, expect.stringContaining('2 runs begin with')])
})

test('resume and retry without an id say which run they take, and with an id need not', async () => {
  const { stderr } = await mailmerge('run', '--yes', '--campaign', 'first')
  const run = /resume (\S+)/.exec(stderr)?.[1] ?? ''
  for (const command of ['resume', 'retry']) {
    expect((await mailmerge(command)).stderr).toContain(`run ${run}: first\n`)
    expect((await mailmerge(command, run)).stderr).not.toContain(`run ${run}: first\n`)
  }
})

test('the hour of a run is reported by the clocks that it was given by', async () => {
  const { stderr } = await mailmerge('run', '--detach', '--at', 'tomorrow 9:00', '--tz', 'Asia/Tokyo')
  expect(stderr.match(/begins .*, 09:00 \(Asia\/Tokyo\)/g)).toHaveLength(2)
})

test('a project without a ledger is reported with the ledger that was looked for', async () => {
  expect((await mailmerge('status', '--ledger', 'typo.db')).stderr).toContain('there is no ledger typo.db')
})

test('in a folder that is not a project, what is missing is reported with how to make one', async () => {
  project.remove()
  project = makeProject({ 'list.csv': listOf(1) })
  const { code, stderr } = await mailmerge('run', '--csv', 'list.csv')
  expect([code, stderr]).toEqual([64, expect.stringContaining('mailmerge init')])
})

test('prune that finds nothing says so', async () => {
  const { code, stdout } = await mailmerge('prune', '--older-than', '1d')
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^nothing to remove: no campaign ended before /)])
})

test('a file that is not a report of a mail server is read, and said to be none', async () => {
  const { code, stderr } = await mailmerge('bounces', '--dry-run', `${project.dir}/list.csv`)
  expect([code, stderr]).toEqual([0, expect.stringContaining('1 message read, none of them a bounce')])
})
