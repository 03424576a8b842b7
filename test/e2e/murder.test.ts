import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSqliteLedger } from '../../src/ledger/sqlite.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'

/** Kills in all. The long form: MAILMERGE_TEST_KILLS=200. */
const KILLS = Number(process.env['MAILMERGE_TEST_KILLS'] ?? 12)
const ROWS = Number(process.env['MAILMERGE_TEST_ROWS'] ?? 2000)
const LANES = 5

let sink: RecordingSink
const projects: Project[] = []

beforeAll(async () => {
  sink = await startRecordingSink({ delay: 2 })
})

afterAll(async () => {
  await sink.close()
  for (const project of projects) project.remove()
})

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

interface Truth {
  readonly sent: number
  readonly inDoubt: readonly string[]
  readonly deferred: number
  readonly rows: number
}

async function truthOf(project: Project): Promise<Truth> {
  const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
  try {
    const run = await ledger.run()
    const inDoubt: string[] = []
    const count = { sent: 0, deferred: 0, rows: 0 }
    for await (const batch of ledger.results(run?.id ?? '')) {
      for (const row of batch) {
        count.rows++
        if (row.status === 'in_doubt') inDoubt.push(row.address)
        else if (row.status === 'sent') count.sent++
        else if (row.status === 'deferred') count.deferred++
      }
    }
    return { ...count, inDoubt }
  } finally {
    await ledger.close()
  }
}

test(`killed ${KILLS} times at random instants, a run loses nothing and sends nothing twice`, {
  timeout: 60_000 + KILLS * 8_000,
}, async () => {
  let kills = 0
  while (kills < KILLS) {
    const project = makeProject({
      'list.csv': listOf(ROWS),
      'templates/letter.txt': LETTER,
      'mailmerge.yaml': 'template: letter\ncsv: list.csv\n',
    })
    projects.push(project)
    const before = new Map(sink.recipients)
    const got = (address: string): number => (sink.recipients.get(address) ?? 0) - (before.get(address) ?? 0)
    const url = `smtp://127.0.0.1:${sink.port}`
    let killsHere = 0
    let first = true
    for (;;) {
      const { child, ended } = project.start([
        first ? 'run' : 'resume',
        ...(first ? ['--yes'] : []),
        '--smtp',
        url,
        ...(first ? ['--concurrency', String(LANES)] : []),
      ])
      // The first stretch of a process is reading its code; planning begins after it.
      const timer = setTimeout(() => child.kill('SIGKILL'), 350 + Math.random() * 900)
      const { signal, code, stderr } = await ended
      clearTimeout(timer)
      if (signal === 'SIGKILL' && kills < KILLS) {
        kills++
        killsHere++
        // Killed before the plan was recorded there is nothing to resume: the same command is given again.
        const planned = await truthOf(project).then(
          (truth) => truth.rows > 0,
          () => false,
        )
        if (planned) first = false
        if (kills < KILLS) continue
      }
      if (signal === 'SIGKILL') continue
      expect([0, 75], stderr).toContain(code)
      break
    }
    await pause(50)
    const truth = await truthOf(project)
    const twice = [...sink.ids.values()].filter((count) => count > 1)
    expect(twice).toEqual([])
    // What is not in doubt was sent, once; what is in doubt arrived once or not at all.
    expect(truth.rows).toBe(ROWS)
    expect(truth.deferred).toBe(0)
    expect(truth.sent + truth.inDoubt.length).toBe(ROWS)
    expect(truth.inDoubt.length).toBeLessThanOrEqual(LANES * killsHere)
    const doubtful = new Set(truth.inDoubt)
    for (let i = 1; i <= ROWS; i++) {
      const address = `p${i}@example.com`
      if (doubtful.has(address)) expect(got(address), address).toBeLessThanOrEqual(1)
      else expect(got(address), address).toBe(1)
    }
  }
})

test('given again after its end, the same command sends nothing', async () => {
  const project = makeProject({
    'list.csv': listOf(20),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': 'template: letter\ncsv: list.csv\n',
  })
  projects.push(project)
  const args = ['run', '--yes', '--smtp', `smtp://127.0.0.1:${sink.port}`]
  expect((await project.run(args)).code).toBe(0)
  const before = sink.ids.size
  const again = await project.run(args)
  expect(again.code).toBe(0)
  expect(sink.ids.size).toBe(before)
})
