import { rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RowRenderer } from '../../../src/campaign/plan/render-row.ts'
import type { DueRow } from '../../../src/ledger/records.ts'
import { loadTemplate } from '../../../src/template/load.ts'
import { makeProject, type Project } from '../../support/program.ts'
import { rowRenderer } from './row-renderer.ts'

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

/** A renderer of its own for each step, as a run that is resumed has. */
async function renderer(): Promise<RowRenderer> {
  return rowRenderer(project.dir, await loadTemplate('letter', { root: project.dir }))
}

async function plan(): Promise<DueRow> {
  const row = { number: 1, data: { email: 'ada@example.com' } }
  const { key, address, data } = await (await renderer()).check(row, NOW)
  return { row: 1, key, address, data, occurrence: 1 } as never
}

test('the files that were planned are what is sent', async () => {
  const due = await plan()
  const message = await (await renderer()).render(due, NOW)
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
  await expect((async () => (await renderer()).render(due, NOW))()).rejects.toThrow(why)
})

test('a file that was replaced by the same content is what was planned', async () => {
  const due = await plan()
  rmSync(join(project.dir, 'files/one.txt'))
  project.write('files/one.txt', 'one')
  utimesSync(join(project.dir, 'files/one.txt'), new Date(1), new Date(1))
  expect((await (await renderer()).render(due, NOW)).size).toBeGreaterThan(0)
})

test('other content of the same length is a change, and programs know it by its code', async () => {
  const due = await plan()
  project.write('files/one.txt', 'ONE')
  await expect((async () => (await renderer()).render(due, NOW))()).rejects.toMatchObject({
    problems: [{ code: 'attachment-changed', hint: expect.stringContaining('Give the run command again') }],
  })
})

test('a file that came where none was planned stops its row too', async () => {
  for (const name of ['one', 'two']) rmSync(join(project.dir, `files/${name}.txt`))
  const due = await plan()
  project.write('files/late.txt', 'late')
  await expect((async () => (await renderer()).render(due, NOW))()).rejects.toThrow(/late\.txt/)
})
