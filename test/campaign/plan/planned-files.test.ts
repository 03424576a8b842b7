import { rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createPreparer, type Preparer } from '../../../src/campaign/plan/render-row.ts'
import { loadSettings } from '../../../src/config/load.ts'
import type { DueRow } from '../../../src/ledger/records.ts'
import { loadTemplate } from '../../../src/template/load.ts'
import { makeProject, type Project } from '../../support/program.ts'

const NOW = new Date('2026-01-02T03:04:05Z')
let project: Project

beforeEach(() => {
  project = makeProject({
    'templates/letter/message.yaml':
      'from: a@example.org\nsubject: Hello\nattachments: { path: "files/*.txt", optional: true }\n',
    'templates/letter/text.hbs': 'Hello\n',
    'files/one.txt': 'one',
    'files/two.txt': 'two',
  })
})
afterEach(() => project.remove())

/** A preparer of its own for each step, as a run that is resumed has. */
async function preparer(): Promise<Preparer> {
  const settings = await loadSettings({ cwd: project.dir, env: {}, flags: { template: 'letter' } })
  const template = await loadTemplate('letter', { root: project.dir })
  const campaign = { name: 'letter', token: 'token' } as never
  return createPreparer({ settings, template, campaign, emailColumn: 'email' } as never)
}

async function plan(): Promise<DueRow> {
  const row = { number: 1, data: { email: 'ada@example.com' } }
  const { key, address, data } = await (await preparer()).check(row, NOW)
  return { row: 1, key, address, data, occurrence: 1 } as never
}

test('the files that were planned are what is sent', async () => {
  const due = await plan()
  const message = await (await preparer()).message(due, NOW)
  expect(
    Buffer.concat(message.chunks)
      .toString()
      .match(/filename=/g),
  ).toHaveLength(2)
})

test.each<[string, () => void, RegExp]>([
  ['changed', () => project.write('files/one.txt', 'other content'), /one\.txt changed after the run was planned/],
  ['went', () => rmSync(join(project.dir, 'files/two.txt')), /is gone that was there when the run was planned/],
  ['came', () => project.write('files/three.txt', 'three'), /three\.txt changed after the run was planned/],
])('a file that %s after planning stops its row', async (_what, work, why) => {
  const due = await plan()
  work()
  await expect((async () => (await preparer()).message(due, NOW))()).rejects.toThrow(why)
})

test('a file that was replaced by the same content is what was planned', async () => {
  const due = await plan()
  rmSync(join(project.dir, 'files/one.txt'))
  project.write('files/one.txt', 'one')
  utimesSync(join(project.dir, 'files/one.txt'), new Date(1), new Date(1))
  expect((await (await preparer()).message(due, NOW)).size).toBeGreaterThan(0)
})

test('other content of the same length is a change, and programs know it by its code', async () => {
  const due = await plan()
  project.write('files/one.txt', 'ONE')
  await expect((async () => (await preparer()).message(due, NOW))()).rejects.toMatchObject({
    problems: [{ code: 'attachment-changed', hint: expect.stringContaining('Give the run command again') }],
  })
})

test('a file that came where none was planned stops its row too', async () => {
  for (const name of ['one', 'two']) rmSync(join(project.dir, `files/${name}.txt`))
  const due = await plan()
  project.write('files/late.txt', 'late')
  await expect((async () => (await preparer()).message(due, NOW))()).rejects.toThrow(/late\.txt/)
})
