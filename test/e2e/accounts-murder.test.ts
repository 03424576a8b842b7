/**
 * A run that three accounts share, killed at instants that nobody chose and resumed until it is done, while one of them reaches its
 * limit now and then and another hangs up. Half of the kills come the moment a server has heard a message whole.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { expectNobodyLostOrTwice, isPlanned, truthOf } from '../support/truth.ts'

/** Kills in all. The long form: MAILMERGE_TEST_KILLS=200. */
const KILLS = Number(process.env['MAILMERGE_TEST_KILLS'] ?? 5)
const ROWS = Number(process.env['MAILMERGE_TEST_ROWS'] ?? 900)
const LANES = 2
const NAMES = ['one', 'two', 'three'] as const
const ADDRESSES = Array.from({ length: ROWS }, (_, index) => `p${index + 1}@example.com`)

const sinks: RecordingSink[] = []
const projects: Project[] = []
/** Called for each message that came whole, before it is answered. */
let heard = (): void => {}
/** Messages that the first account takes before its limit is reached. */
let room = Number.POSITIVE_INFINITY
let [kills, runs, inDoubt, arrived] = [0, 0, 0, 0]

beforeAll(async () => {
  for (const name of NAMES) {
    const answer = (): string | undefined => {
      heard()
      return name === 'one' && --room < 0 ? '550 5.4.5 Daily user sending limit exceeded' : undefined
    }
    sinks.push(await startRecordingSink({ delay: 2, answer }))
  }
})

afterAll(async () => {
  for (const sink of sinks) await sink.close()
  for (const project of projects) project.remove()
})

function config(): string {
  const accounts = NAMES.map(
    (name, at) =>
      `  ${name}:\n    from: ${name}@example.org\n    smtp: { host: 127.0.0.1, port: ${sinks[at]?.port}, security: none }\n`,
  )
  return `template: letter\ncsv: list.csv\naccount: share\nconcurrency: ${LANES}\naccounts:\n${accounts.join('')}`
}

/** Messages that came for an address, to whichever server. */
function received(address: string): number {
  return sinks.reduce((sum, { recipients }) => sum + (recipients.get(address) ?? 0), 0)
}

test(`killed ${KILLS} times, a run that three accounts share loses nothing and sends nothing twice`, {
  timeout: 60_000 + KILLS * 10_000,
}, async () => {
  while (kills < KILLS) {
    const project = makeProject({
      'mailmerge.yaml': config(),
      'list.csv': listOf(ROWS),
      'templates/letter.txt': LETTER.replace(/^from:.*\n/m, ''),
    })
    projects.push(project)
    const before = new Map(ADDRESSES.map((address) => [address, received(address)]))
    const own = await killUntilDone(project)
    const truth = await truthOf(project)
    arrived += expectNobodyLostOrTwice(truth, ADDRESSES, (address) => received(address) - (before.get(address) ?? 0))
    expect(truth.inDoubt.length).toBeLessThanOrEqual(LANES * NAMES.length * own)
    inDoubt += truth.inDoubt.length
    runs++
  }
  process.stderr.write(
    `${kills} kills over ${runs} runs of ${ROWS} with three accounts: ${inDoubt} in doubt, of which ${arrived} had arrived; 0 lost, 0 twice\n`,
  )
})

async function killUntilDone(project: Project): Promise<number> {
  let own = 0
  let planned = false
  for (;;) {
    room = Math.random() < 0.5 ? Number.POSITIVE_INFINITY : Math.floor(Math.random() * ROWS * 0.3)
    const { child, ended } = project.start(planned ? ['resume'] : ['run', '--yes'])
    const disarm = kills < KILLS ? arm(() => child.kill('SIGKILL')) : () => {}
    const { signal, code, stderr } = await ended
    disarm()
    planned ||= await isPlanned(project)
    if (signal !== 'SIGKILL') {
      expect([0, 75], stderr).toContain(code)
      // Bytes of a process that was killed may still be on their way.
      await new Promise((resolve) => setTimeout(resolve, 50))
      return own
    }
    kills++
    own++
  }
}

/** Readies one kill, after a random time or at a random message; gives the way to call it off. */
function arm(kill: () => void): () => void {
  if (Math.random() < 0.5) {
    const timer = setTimeout(kill, 500 + Math.random() * 900)
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
