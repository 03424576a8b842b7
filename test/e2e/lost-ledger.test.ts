/** A ledger that is gone: nobody is written to a second time unasked. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadSettings, type MergeHooks, type MergeRequest, runMerge } from '../../src/index.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'

let sink: RecordingSink
let project: Project

beforeEach(async () => {
  sink = await startRecordingSink()
  project = makeProject({
    'list.csv': listOf(3),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `csv: list.csv\ntemplate: letter\nsmtp: { host: 127.0.0.1, port: ${sink.port} }\n`,
  })
})
afterEach(async () => {
  await sink.close()
  project.remove()
})

const folder = () => join(project.dir, '.mailmerge')

function loseLedger(): void {
  for (const name of readdirSync(folder())) if (name.startsWith('ledger.db')) rmSync(join(folder(), name))
}

async function send(flags: Record<string, string> = {}, request: Partial<MergeRequest> = {}, hooks: MergeHooks = {}) {
  const settings = await loadSettings({ cwd: project.dir, env: {}, flags })
  return (await runMerge(settings, { mode: 'send', ...request }, hooks)).counts.sent
}

test('where runs are known, the program makes no new one, not even with --yes', async () => {
  await send()
  loseLedger()
  for (const args of [
    ['run', '--yes'],
    ['suppress', 'add', 'p1@example.com'],
  ]) {
    const { code, stderr } = await project.run(args)
    expect([args, code]).toEqual([args, 73])
    expect(stderr).toMatch(/the ledger .*ledger\.db is missing, but runs are known: the newest is \d{8}T\d{6}-\w+ in/)
    expect(stderr).toContain('--again')
  }
  expect(sink.ids.size).toBe(3)
})

test('--again starts without it', async () => {
  await send()
  loseLedger()
  await expect(send()).rejects.toMatchObject({ code: 'ledger-missing', exitCode: 73 })
  expect(await send({}, { again: true })).toBe(3)
  expect(sink.ids.size).toBe(6)
})

test('rehearsals are not runs, and a second ledger in the folder may be begun', async () => {
  await send({}, { mode: 'sandbox' })
  expect(await send()).toBe(3)
  expect(await send({ ledger: '.mailmerge/second.db' })).toBe(3)
})

test('a person who is asked decides', async () => {
  await send()
  loseLedger()
  const asked: string[] = []
  const answer = (yes: boolean) => ({
    confirmLoss: (error: Error) => {
      asked.push(error.message)
      return Promise.resolve(yes)
    },
  })
  await expect(send({}, {}, answer(false))).rejects.toMatchObject({ code: 'ledger-missing' })
  expect(existsSync(join(folder(), 'ledger.db'))).toBe(false)
  expect(await send({}, {}, answer(true))).toBe(3)
  expect(asked).toHaveLength(2)
})
