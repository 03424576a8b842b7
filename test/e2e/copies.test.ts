/**
 * Copies that a server defers while it accepts their message, through the whole program: sent later, alone, as the same message,
 * and never twice, also when the program is killed between the record of an attempt and its answer.
 */
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CopyCounts } from '../../src/ledger/records.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { listOf, makeProject, type Project } from '../support/program.ts'
import { type ReceivedMessage, type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'

const ROWS = 40
/** Times that the program is killed while it sends copies. */
const KILLS = 4
const LANES = 3
const FILES = {
  'list.csv': listOf(ROWS),
  'templates/letter.txt':
    '---\nfrom: Author <author@example.org>\nsubject: Hello {{name}}\ncc: copy-{{email}}\nbcc: blind-{{email}}\n---\nDear {{name}}.\n',
}
const COPIES = Array.from({ length: ROWS }, (_, index) => `copy-p${index + 1}@example.com`)

let sink: RecordingSink
let project: Project
let greylisting: boolean
/** Called for each message that came whole, before it is answered. */
let heard: (message: ReceivedMessage) => void

beforeEach(async () => {
  greylisting = true
  heard = () => {}
  sink = await startRecordingSink({
    keep: true,
    recipient: (address) =>
      greylisting && address.startsWith('copy-') ? '450 4.2.0 Greylisted, try again in 5 minutes' : undefined,
    answer: (message) => {
      heard(message)
      return undefined
    },
  })
  const settings = `template: letter\ncsv: list.csv\nretryFor: 0s\nconcurrency: ${LANES}\nsmtp: { host: 127.0.0.1, port: ${sink.port} }\n`
  project = makeProject({ ...FILES, 'mailmerge.yaml': settings })
})
afterEach(async () => {
  await sink.close()
  project.remove()
})

async function copyCounts(): Promise<CopyCounts> {
  const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
  try {
    return await ledger.carbonCopies.counts((await ledger.runs.find())?.id ?? '')
  } finally {
    await ledger.close()
  }
}

function summaryOf(stdout: string): Readonly<Record<string, unknown>> {
  const lines = stdout.trim().split('\n')
  return lines.map((line) => JSON.parse(line)).find(({ event }) => event === 'summary')
}

test('the run is not finished before they are sent, and each is sent alone, as the message that the others got', {
  timeout: 60_000,
}, async () => {
  const first = await project.run(['run', '--yes', '--json', '--report', 'results.csv'])
  expect(first.code, first.stderr).toBe(75)
  expect(summaryOf(first.stdout)).toMatchObject({ sent: ROWS, copies_deferred: ROWS, copies_refused: 0, exit_code: 75 })
  expect(readFileSync(`${project.dir}/results.csv`, 'utf8')).toContain(
    'copy to copy-p1@example.com waits to be tried again: 450 Greylisted',
  )
  const status = await project.run(['status', '--json'])
  expect(JSON.parse(status.stdout)).toMatchObject({ state: 'ready', sent: ROWS, copies_deferred: ROWS })

  greylisting = false
  const second = await project.run(['resume'])
  expect(second.code, second.stderr).toBe(0)
  expect(second.stdout).toContain(`${ROWS} copies were sent after the message`)
  for (const [index, copy] of COPIES.entries()) {
    const [own, later] = sink.messages.filter(({ octets }) => octets.includes(`Hello Person ${index + 1}\r\n`))
    expect(own?.to).toEqual([`p${index + 1}@example.com`, `blind-p${index + 1}@example.com`])
    expect(later?.to).toEqual([copy])
    expect(later?.octets.equals(own?.octets ?? Buffer.alloc(0))).toBe(true)
  }

  const third = await project.run(['run', '--yes'])
  expect(third.code, third.stderr).toBe(0)
  expect(sink.messages).toHaveLength(2 * ROWS)
})

test('the same command given again sends them too', { timeout: 60_000 }, async () => {
  expect((await project.run(['run', '--yes'])).code).toBe(75)
  greylisting = false
  const again = await project.run(['run', '--yes'])
  expect(again.code, again.stderr).toBe(0)
  expect(again.stderr).toContain(`and ${ROWS} copies of earlier messages`)
  expect(COPIES.map((copy) => sink.recipients.get(copy))).toEqual(COPIES.map(() => 1))
})

test('a program killed before their answer leaves them in doubt and sends none twice', {
  timeout: 120_000,
}, async () => {
  expect((await project.run(['run', '--yes'])).code).toBe(75)
  greylisting = false
  let killed = 0
  let inDoubt = 0
  for (; killed < KILLS; killed++) {
    const { child, ended } = project.start(['resume'])
    // Each time at another message of the copies that are left.
    let left = 1 + 2 * killed
    heard = () => {
      if (--left === 0) child.kill('SIGKILL')
    }
    expect((await ended).signal).toBe('SIGKILL')
  }
  heard = () => {}
  const last = await project.run(['resume'])
  expect(last.code, last.stderr).toBe(0)
  const counts = await copyCounts()
  inDoubt = counts.in_doubt
  expect(counts).toMatchObject({ deferred: 0, refused: 0, sent: ROWS - inDoubt })
  expect(inDoubt).toBeGreaterThanOrEqual(KILLS)
  expect(inDoubt).toBeLessThanOrEqual(KILLS * LANES)
  const received = COPIES.map((copy) => sink.recipients.get(copy) ?? 0)
  expect(received.filter((times) => times > 1)).toEqual([])
  expect(received.filter((times) => times === 0).length).toBeLessThanOrEqual(inDoubt)
  expect(last.stderr).toContain('are in doubt')

  const resent = await project.run(['resume', '--in-doubt', 'resend'])
  expect(resent.code, resent.stderr).toBe(0)
  expect(await copyCounts()).toMatchObject({ sent: ROWS, in_doubt: 0 })
})
