/**
 * The program killed at instants that nobody chose, and resumed until it is done. Half of the kills come after a random time,
 * so that they hit starting and planning as well; half come the moment the server has heard a message whole and not yet
 * answered it, which is the instant at which others send twice.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { expectNobodyLostOrTwice, isPlanned, truthOf } from '../support/truth.ts'

/** Kills in all. The long form: MAILMERGE_TEST_KILLS=200. */
const KILLS = Number(process.env['MAILMERGE_TEST_KILLS'] ?? 12)
const ROWS = Number(process.env['MAILMERGE_TEST_ROWS'] ?? 2000)
const LANES = 5
const FILES = {
  'list.csv': listOf(ROWS),
  'templates/letter.txt': LETTER,
  'mailmerge.yaml': 'template: letter\ncsv: list.csv\n',
}
const ADDRESSES = Array.from({ length: ROWS }, (_, index) => `p${index + 1}@example.com`)

/** The same people with three rows each, far apart, that are one message. */
const ROWS_EACH = 3
const GROUPED = {
  'list.csv': `${FILES['list.csv']}${`${FILES['list.csv'].split('\n').slice(1).join('\n')}`.repeat(ROWS_EACH - 1)}`,
  'templates/letter.txt': LETTER,
  'mailmerge.yaml': 'template: letter\ncsv: list.csv\ngroupBy: email\n',
}

let sink: RecordingSink
/** Called for each message that came whole, before it is answered. */
let heard = (): void => {}
const projects: Project[] = []

beforeAll(async () => {
  sink = await startRecordingSink({
    delay: 2,
    answer: () => {
      heard()
      return undefined
    },
  })
})

afterAll(async () => {
  await sink.close()
  for (const project of projects) project.remove()
})

/** What became of the kills, for people who run the long form. */
const nothingSeen = {
  kills: 0,
  runs: 0,
  rows: 0,
  sent: 0,
  inDoubt: 0,
  arrived: 0,
  planning: 0,
  deepest: 0,
  mostInDoubt: 0,
}
let seen = { ...nothingSeen }

test.each([
  ['a message a row', FILES, 1],
  ['a message for several rows', GROUPED, ROWS_EACH],
])(
  `killed ${KILLS} times at random instants, resumed and killed again, a run of %s loses nothing and sends nothing twice`,
  {
    timeout: 60_000 + KILLS * 10_000,
  },
  async (_, files, rowsEach) => {
    seen = { ...nothingSeen }
    const addresses = Array.from({ length: rowsEach }, () => ADDRESSES).flat()
    while (seen.kills < KILLS) {
      const project = makeProject(files)
      projects.push(project)
      const before = new Map(sink.recipients)
      const kills = await killUntilDone(project, rowsEach)
      const truth = await truthOf(project)
      expect([...sink.ids.values()].filter((count) => count > 1)).toEqual([])
      const arrived = expectNobodyLostOrTwice(
        truth,
        addresses,
        (address) => (sink.recipients.get(address) ?? 0) - (before.get(address) ?? 0),
      )
      expect(truth.inDoubt.length).toBeLessThanOrEqual(LANES * kills * rowsEach)
      seen.runs++
      seen.rows += truth.rows
      seen.sent += truth.sent
      seen.inDoubt += truth.inDoubt.length
      seen.arrived += arrived
      seen.deepest = Math.max(seen.deepest, kills)
    }
    process.stderr.write(
      `${seen.kills} kills (${seen.planning} of them before anything was planned, at most ${seen.deepest} in one run) over ${seen.runs} runs of ${addresses.length} with ${LANES} lanes: ` +
        `${seen.rows} rows = ${seen.sent} sent + ${seen.inDoubt} in doubt, of which ${seen.arrived} had arrived; 0 lost, 0 twice; at most ${seen.mostInDoubt} in doubt a kill\n`,
    )
  },
)

/** Runs, kills, resumes and kills again until a process ends by itself or the kills are used up. */
async function killUntilDone(project: Project, rowsEach: number): Promise<number> {
  const url = `smtp://127.0.0.1:${sink.port}`
  let kills = 0
  let planned = false
  let doubted = 0
  for (;;) {
    const { child, ended } = project.start(
      planned ? ['resume', '--smtp', url] : ['run', '--yes', '--smtp', url, '--concurrency', String(LANES)],
    )
    const disarm = seen.kills < KILLS ? arm(() => child.kill('SIGKILL')) : () => {}
    const { signal, code, stderr } = await ended
    disarm()
    planned ||= await isPlanned(project)
    if (planned) {
      // What the kill before left in doubt: the process after it finds that.
      const { length } = (await truthOf(project)).inDoubt
      expect(length - doubted).toBeLessThanOrEqual(LANES * rowsEach)
      seen.mostInDoubt = Math.max(seen.mostInDoubt, length - doubted)
      doubted = length
    } else seen.planning++
    if (signal !== 'SIGKILL') {
      expect([0, 75], stderr).toContain(code)
      // Bytes of a process that was killed may still be on their way.
      await new Promise((resolve) => setTimeout(resolve, 50))
      return kills
    }
    seen.kills++
    kills++
  }
}

/** Readies one kill, after a random time or at a random message; gives the way to call it off. */
function arm(kill: () => void): () => void {
  if (Math.random() < 0.5) {
    // The first stretch of a process is reading its code; planning begins after it.
    const timer = setTimeout(kill, 350 + Math.random() * 900)
    return () => clearTimeout(timer)
  }
  let left = 1 + Math.floor(Math.random() * ROWS * 0.6)
  heard = () => {
    if (--left === 0) kill()
  }
  return () => {
    heard = () => {}
  }
}

test('given again after its end, the same command sends nothing', async () => {
  const project = makeProject({ ...FILES, 'list.csv': listOf(20) })
  projects.push(project)
  const args = ['run', '--yes', '--smtp', `smtp://127.0.0.1:${sink.port}`]
  expect((await project.run(args)).code).toBe(0)
  const before = sink.ids.size
  const again = await project.run(args)
  expect(again.code).toBe(0)
  expect(sink.ids.size).toBe(before)
})
