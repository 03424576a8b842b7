/**
 * The order of what the program asks of the kernel: the record of an attempt is on the disk before the end of its message goes
 * to the server. Looked at from outside, and by killing at these very calls.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { type Call, killedAt, noStrace, trace } from '../support/strace.ts'
import { expectNobodyLostOrTwice, isPlanned, truthOf } from '../support/truth.ts'

/** Messages whose order is looked at, at each level. The long form: MAILMERGE_TEST_TRACED=2000. */
const TRACED = Number(process.env['MAILMERGE_TEST_TRACED'] ?? 60)
/** Kills at each kind of call. The long form: MAILMERGE_TEST_KILLS=200. */
const KILLS = Math.ceil(Number(process.env['MAILMERGE_TEST_KILLS'] ?? 10) / 5)
const LANES = 5
const missing = noStrace()

let sink: RecordingSink
const projects: Project[] = []
beforeAll(async () => {
  sink = await startRecordingSink()
})
afterAll(async () => {
  await sink.close()
  for (const project of projects) project.remove()
})

function makeRun(rows: number, pipelining: number | 'auto'): { project: Project; args: readonly string[] } {
  const project = makeProject({
    'list.csv': listOf(rows),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n  pipelining: ${pipelining}\n`,
  })
  projects.push(project)
  return { project, args: ['run', '--yes', '--concurrency', String(LANES)] }
}

/** Message-IDs of the messages whose end was written, in order; of those, the ones with no record on the disk before that. */
function endsOf(calls: readonly Call[]): { readonly ended: string[]; readonly unrecorded: string[] } {
  const ended: string[] = []
  const unrecorded: string[] = []
  /** Bytes that each thread gave to its files and did not yet sync, and what is on the disk. */
  const written = new Map<string, string>()
  let synced = ''
  for (const { thread, name, text } of calls) {
    if (name === 'pwrite64') written.set(thread, (written.get(thread) ?? '') + text)
    else if (name === 'fsync' || name === 'fdatasync') {
      synced += written.get(thread) ?? ''
      written.delete(thread)
    } else if (text.includes('\\r\\n.\\r\\n')) {
      const id = /Message-ID: (<[^>]+>)/.exec(text)?.[1] ?? ''
      ended.push(id)
      if (!synced.includes(id)) unrecorded.push(id)
    }
  }
  return { ended, unrecorded }
}

function mostOfAThread(calls: readonly Call[]): number {
  const counts = new Map<string, number>()
  for (const { thread } of calls) counts.set(thread, (counts.get(thread) ?? 0) + 1)
  return Math.max(0, ...counts.values())
}

describe.skipIf(missing !== undefined)(`the ledger and the wire${missing === undefined ? '' : `: ${missing}`}`, () => {
  test.each([2, 1, 0])(
    `level %i: the record of each of ${TRACED} attempts is synced before its end of data is written`,
    {
      timeout: 60_000 + TRACED * 200,
    },
    async (level) => {
      const { project, args } = makeRun(TRACED, level)
      const calls = await trace(project, args, [
        'pwrite64',
        'fsync',
        'fdatasync',
        'write',
        'writev',
        'sendto',
        'sendmsg',
      ])
      const { ended, unrecorded } = endsOf(calls)
      expect(new Set(ended).size).toBe(TRACED)
      expect(ended).toHaveLength(TRACED)
      expect(unrecorded).toEqual([])
    },
  )

  test(`killed at ${KILLS} calls each of writing and syncing the ledger, writing to the server, waiting for it: nobody lost, nobody twice`, {
    timeout: 60_000 + KILLS * 60_000,
  }, async () => {
    const ROWS = 40
    const addresses = Array.from({ length: ROWS }, (_, index) => `p${index + 1}@example.com`)
    const kinds = ['pwrite64', 'fsync', 'write', 'epoll_pwait']
    const seen: string[] = []
    for (const kind of kinds) {
      const whole = makeRun(ROWS, 'auto')
      // strace counts the calls of each thread by themselves.
      const count = mostOfAThread(await trace(whole.project, whole.args, [kind], { slowly: true }))
      for (let kill = 0; kill < KILLS; kill++) {
        // Spread over the whole run, each time elsewhere.
        const n = 1 + Math.floor(((kill + Math.random()) / KILLS) * count)
        const { project, args } = makeRun(ROWS, 'auto')
        const before = new Map(sink.recipients)
        const killed = await killedAt(project, args, kind, n)
        const { code, stderr } = await project.run((await isPlanned(project)) ? ['resume'] : args)
        expect([0, 75], stderr).toContain(code)
        const truth = await truthOf(project)
        expectNobodyLostOrTwice(truth, addresses, (who) => (sink.recipients.get(who) ?? 0) - (before.get(who) ?? 0))
        expect(truth.inDoubt.length, `killed at ${kind} ${n} of ${count}`).toBeLessThanOrEqual(LANES)
        seen.push(`${kind} ${n}/${count}: ${killed ? 'killed' : 'came to its end'}, ${truth.inDoubt.length} in doubt`)
      }
    }
    // The calls of one run are never quite as many as those of another.
    expect(seen.filter((line) => line.includes('killed')).length).toBeGreaterThan(seen.length / 2)
    process.stderr.write(`${seen.join('\n')}\n`)
  })
})
