/**
 * The disk fails at the n-th write, the n-th sync, in the middle of a run: the run stops before anything unrecorded is sent,
 * and goes on with the truth when the disk is sound again. The failures are the kernel's, put in by strace(1).
 */
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../../support/recording-sink.ts'
import { noStrace } from '../../support/strace.ts'
import { expectNobodyLostOrTwice, isPlanned, truthOf } from '../../support/truth.ts'

const MAIN = resolve(import.meta.dirname, '../../../src/cli/main.ts')
/** Failures of each kind. The long form: MAILMERGE_TEST_FAULTS=60. */
const FAULTS = Number(process.env['MAILMERGE_TEST_FAULTS'] ?? 2)
const ROWS = 120
const missing = noStrace()

let sink: RecordingSink
let project: Project

beforeAll(async () => {
  sink = await startRecordingSink({ delay: 1 })
})
afterEach(() => project.remove())
afterAll(() => sink.close())

interface Faulted {
  readonly code: number | null
  readonly stderr: string
}

/** Runs the program with calls of that name failing: the n-th alone (`7`), or all from the n-th on (`7+`). */
function runFaulted(args: readonly string[], call: string, error: string, when: string): Promise<Faulted> {
  const inject = `inject=${call}:error=${error}:when=${when}`
  const flags = ['-f', '-o', '/dev/null', '-e', `trace=${call}`, '-e', inject]
  const child = spawn('strace', [...flags, process.execPath, MAIN, ...args], {
    cwd: project.dir,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((done) => child.once('close', (code) => done({ code, stderr })))
}

describe.skipIf(missing !== undefined)(`a disk that fails${missing === undefined ? '' : `: ${missing}`}`, () => {
  test.each([
    ['is full from a write on', 'pwrite64', 'ENOSPC', '+'],
    ['is full at one write', 'pwrite64', 'ENOSPC', ''],
    ['fails at one write', 'pwrite64', 'EIO', ''],
    // The next sync would succeed though the pages are lost: SQLite itself goes on.
    ['fails at one sync', 'fsync', 'EIO', ''],
  ])(
    `%s, at ${FAULTS} places: nothing unrecorded is sent, and resume sends exactly the rest`,
    { timeout: 60_000 + FAULTS * 40_000 },
    async (_what, call, error, on) => {
      const addresses = Array.from({ length: ROWS }, (_, at) => `p${at + 1}@example.com`)
      let stopped = 0
      for (let round = 0; round < FAULTS; round++) {
        if (round > 0) project.remove()
        project = makeProject({
          'list.csv': listOf(ROWS),
          'templates/letter.txt': LETTER,
          'mailmerge.yaml': 'template: letter\ncsv: list.csv\nconcurrency: 3\n',
        })
        const before = new Map(sink.recipients)
        const received = (address: string): number => (sink.recipients.get(address) ?? 0) - (before.get(address) ?? 0)
        const smtp = ['--smtp', `smtp://127.0.0.1:${sink.port}`]
        // Writing the plan takes some calls, each commit of the delivery a few.
        const from = call === 'pwrite64' ? 40 + round * 37 : 6 + round * 5
        const { code, stderr } = await runFaulted(['run', '--yes', ...smtp], call, error, `${from}${on}`)
        if (code !== 0) {
          stopped++
          expect(code, stderr).toBe(73)
          expect(stderr).toMatch(/disk|cannot be written/)
          expect(stderr).not.toMatch(/\n {4}at /)
        }
        const got = addresses.filter((address) => received(address) > 0).length
        if (!(await isPlanned(project))) expect(got).toBe(0)
        const next = (await isPlanned(project)) ? ['resume'] : ['run', '--yes']
        const resumed = await project.run([...next, ...smtp])
        expect([0, 75], resumed.stderr).toContain(resumed.code)
        const truth = await truthOf(project)
        expectNobodyLostOrTwice(truth, addresses, received)
        // At most one message a lane was on its way when the disk failed.
        expect(truth.inDoubt.length).toBeLessThanOrEqual(3)
      }
      expect(stopped).toBeGreaterThan(0)
    },
  )
})
