/** What a run leaves on the disk names people: only the owner may read it. */
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadSettings, type MergeRequest, runMerge } from '../../src/index.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'

let sink: RecordingSink
let project: Project
let mask: number

beforeEach(async () => {
  mask = process.umask(0o022)
  sink = await startRecordingSink()
  project = makeProject({
    'list.csv': listOf(2),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `csv: list.csv\ntemplate: letter\nsmtp: { host: 127.0.0.1, port: ${sink.port} }\n`,
  })
})
afterEach(async () => {
  process.umask(mask)
  await sink.close()
  project.remove()
})

async function merge(request: MergeRequest): Promise<void> {
  await runMerge(await loadSettings({ cwd: project.dir, env: {}, flags: {} }), request)
}

/** Paths under a folder that anyone else may use, with their permissions. */
function open(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .concat(folder)
    .filter((path) => (statSync(path).mode & 0o077) !== 0)
    .map((path) => `${path} ${(statSync(path).mode & 0o777).toString(8)}`)
}

test.each(['send', 'sandbox', 'dry-run'] as const)('results, mails and folders of a run in mode %s', async (mode) => {
  await merge({ mode })
  expect(open(join(project.dir, '.mailmerge'))).toEqual([])
})

test('a report in a place of its own too, but one that was there keeps its permissions', async () => {
  const [fresh, shared] = [join(project.dir, 'fresh.csv'), join(project.dir, 'shared.csv')]
  writeFileSync(shared, '')
  chmodSync(shared, 0o644)
  await merge({ mode: 'sandbox', reports: [fresh, shared] })
  expect(statSync(fresh).mode & 0o777).toBe(0o600)
  expect(statSync(shared).mode & 0o777).toBe(0o644)
})
