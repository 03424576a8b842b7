/** Servers that go away in the middle of a run and come back: stopped in order, stopped at once, killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { answers, freePort, startPostfix } from '../support/postfix.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { expectNobodyLostOrTwice, truthOf } from '../support/truth.ts'

/** Times that each server goes away. The long form: MAILMERGE_TEST_RESTARTS=20. */
const RESTARTS = Number(process.env['MAILMERGE_TEST_RESTARTS'] ?? 2)
const LANES = 5
/** Enough for the run to be still going when the last restart comes. */
const ROWS = 100 + RESTARTS * 200
const TIME = 60_000 + RESTARTS * 60_000
const ADDRESSES = Array.from({ length: ROWS }, (_, index) => `p${index + 1}@example.com`)

const atEnd: (() => Promise<unknown> | undefined)[] = []
afterEach(async () => {
  for (const clean of atEnd.splice(0).reverse()) await clean()
})

const pause = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds))

function makeRun(port: number): Project {
  const project = makeProject({
    'list.csv': listOf(ROWS),
    'templates/letter.txt': LETTER.replace('from:', 'envelopeFrom: "back+{{email}}"\nfrom:'),
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nsmtp:\n  host: 127.0.0.1\n  port: ${port}\n`,
  })
  atEnd.push(async () => project.remove())
  return project
}

/** Runs, with the server going away each time that a part of the rows has come through. */
async function runThroughRestarts(
  project: Project,
  received: () => number,
  restart: (time: number) => Promise<void>,
): Promise<number> {
  const { child, ended } = project.start(['run', '--yes', '--concurrency', String(LANES), '--rate', '400/s'])
  let over = false
  void ended.then(() => {
    over = true
  })
  let done = 0
  while (!over && done < RESTARTS) {
    if (received() > ((done + 1) * ROWS) / (RESTARTS + 1)) await restart(done++)
    await pause(10)
  }
  const { code, stderr } = await ended
  expect([0, 75], stderr).toContain(code)
  expect(child.signalCode).toBeNull()
  return done
}

test(`Postfix stopped ${RESTARTS} times in a run, in order and at once -> everybody gets it once, at most a lane's worth in doubt a time`, {
  timeout: TIME,
}, async ({ skip }) => {
  const postfix = await startPostfix({
    settings: ['virtual_mailbox_domains =', 'default_transport = discard:', 'enable_long_queue_ids = yes'],
  })
  if ('skipped' in postfix) return skip(postfix.skipped)
  atEnd.push(() => postfix.stop())
  const project = makeRun(postfix.port)
  // What it took is what its queue manager saw, each queue id once.
  const taken = (): Map<string, Set<string>> => {
    const queued = new Map<string, Set<string>>()
    for (const [, id = '', address = ''] of postfix.log().matchAll(/qmgr\[\d+\]: (\w+): from=<back\+([^>]+)>/g))
      queued.set(address, (queued.get(address) ?? new Set()).add(id))
    return queued
  }
  const done = await runThroughRestarts(
    project,
    () => taken().size,
    (time) => postfix.restart(300, time % 2 === 0 ? 'stop' : 'abort'),
  )
  expect(done).toBe(RESTARTS)
  const truth = await truthOf(project)
  // A message that it took just before it stopped is looked at after the start.
  await pause(2_000)
  const queued = taken()
  const arrived = expectNobodyLostOrTwice(truth, ADDRESSES, (address) => queued.get(address)?.size ?? 0)
  expect(truth.inDoubt.length).toBeLessThanOrEqual(LANES * done)
  process.stderr.write(
    `Postfix stopped ${done} times: ${truth.rows} rows = ${truth.sent} sent + ${truth.inDoubt.length} in doubt, of which ${arrived} had arrived\n`,
  )
})

test(`a server killed ${RESTARTS} times in a run -> everybody gets it once, at most a lane's worth in doubt a time`, {
  timeout: TIME,
}, async () => {
  const port = await freePort()
  const project = makeRun(port)
  const book = join(project.dir, 'received')
  let server: ChildProcess | undefined
  const start = async (): Promise<void> => {
    server = spawn(process.execPath, [resolve(import.meta.dirname, '../support/sink-process.ts'), String(port), book], {
      stdio: 'ignore',
    })
    await answers(port)
  }
  const kill = async (): Promise<void> => {
    const dead = new Promise((done) => server?.once('exit', done))
    server?.kill('SIGKILL')
    await dead
  }
  atEnd.push(kill)
  await start()
  const taken = (): readonly string[] => (existsSync(book) ? readFileSync(book, 'utf8').split('\n').slice(0, -1) : [])
  const done = await runThroughRestarts(
    project,
    () => taken().length,
    async () => {
      await kill()
      await pause(500)
      await start()
    },
  )
  expect(done).toBe(RESTARTS)
  const truth = await truthOf(project)
  const times = new Map<string, number>()
  for (const address of taken()) times.set(address, (times.get(address) ?? 0) + 1)
  const arrived = expectNobodyLostOrTwice(truth, ADDRESSES, (address) => times.get(address) ?? 0)
  expect(truth.inDoubt.length).toBeLessThanOrEqual(LANES * done)
  process.stderr.write(
    `the server killed ${done} times: ${truth.rows} rows = ${truth.sent} sent + ${truth.inDoubt.length} in doubt, of which ${arrived} had arrived\n`,
  )
})
