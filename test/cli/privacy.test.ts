/** Forgetting people and old campaigns, through the program. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'

let project: Project
let sink: RecordingSink

beforeAll(async () => {
  project = makeProject({ 'templates/letter.txt': LETTER, 'list.csv': listOf(3) })
  sink = await startRecordingSink()
  await project.run(['suppress', 'add', 'p2@example.com', '--note', 'secret remark'])
  const run = await project.run(['run', '--csv', 'list.csv', '-t', 'letter', '--smtp', `smtp://127.0.0.1:${sink.port}`])
  expect(run.code, run.stderr).toBe(0)
})
afterAll(async () => {
  await sink.close()
  project.remove()
})

function everyOctet(): string {
  const folder = join(project.dir, '.mailmerge')
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n')
}

test('a forgotten person is in no file of the ledger, and is still not written to', async () => {
  expect(everyOctet()).toMatch(/p2@example\.com/)
  const forgotten = await project.run(['forget', 'P2@example.com', '--json'])
  expect(forgotten.code, forgotten.stderr).toBe(0)
  expect(JSON.parse(forgotten.stdout)).toMatchObject({ rows: 1, suppressions: 1, runs: [expect.any(String)] })
  expect(everyOctet()).not.toMatch(/p2@example\.com|Person 2|secret remark/i)
  expect(everyOctet()).toMatch(/p1@example\.com/)
  const again = await project.run([
    'run',
    '--csv',
    'list.csv',
    '-t',
    'letter',
    '--smtp',
    `smtp://127.0.0.1:${sink.port}`,
  ])
  expect(again.code, again.stderr).toBe(0)
  expect(sink.recipients.has('p2@example.com')).toBe(false)
  expect(sink.recipients.get('p1@example.com')).toBe(1)
})

test('forgetting somebody who was never there says so, and what is not an address is refused', async () => {
  const nobody = await project.run(['forget', 'nobody@example.com'])
  expect(nobody.code).toBe(0)
  expect(nobody.stderr).toContain('nothing is recorded about nobody@example.com')
  expect((await project.run(['forget', '@example.com'])).code).toBe(65)
})

test('prune removes what is old enough, files with it, and keeps the suppressions', async () => {
  const runs = join(project.dir, '.mailmerge/runs')
  const kept = await project.run(['prune', '--older-than', '90d', '--json'])
  expect(JSON.parse(kept.stdout)).toMatchObject({ campaigns: 0, runs: [] })
  expect(readdirSync(runs).length).toBeGreaterThan(0)
  const pruned = await project.run(['prune', '--older-than', '0', '--json'])
  expect(pruned.code, pruned.stderr).toBe(0)
  expect(JSON.parse(pruned.stdout)).toMatchObject({ campaigns: 1 })
  expect(existsSync(runs) ? readdirSync(runs) : []).toEqual([])
  expect(everyOctet()).not.toMatch(/p1@example\.com|Person 1/)
  const { stdout } = await project.run(['suppress', 'list', '--json'])
  expect(JSON.parse(stdout)).toMatchObject({ address: null, reason: 'manual' })
})

test('prune needs an age that can be understood', async () => {
  expect((await project.run(['prune'])).code).toBe(64)
  expect((await project.run(['prune', '--older-than', 'soon'])).code).toBe(64)
})
