/** Who must not be written to, as a user keeps it: through the program. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { startRecordingSink } from '../support/recording-sink.ts'

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts')
let project: Project

beforeEach(() => {
  project = makeProject({ 'templates/letter.txt': LETTER, 'list.csv': listOf(4) })
})
afterEach(() => project.remove())

async function listed(): Promise<readonly Record<string, unknown>[]> {
  const { stdout } = await project.run(['suppress', 'list', '--json'])
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

test('an address is kept with group, reason, note and date, whatever its letters and name were', async () => {
  const added = await project.run(['suppress', 'add', 'Ada <ADA@Example.com>', '@Bücher.example', '--group', 'news'])
  expect(added.code, added.stderr).toBe(0)
  expect(added.stdout).toBe('2 entries suppressed in news\n')
  await project.run(['suppress', 'add', 'bo@example.com', '--reason', 'complaint', '--note', 'by phone'])
  const entries = await listed()
  expect(entries).toHaveLength(3)
  expect(entries).toContainEqual(
    expect.objectContaining({ address: 'ada@example.com', group: 'news', reason: 'manual', note: null }),
  )
  expect(entries).toContainEqual(expect.objectContaining({ address: '@xn--bcher-kva.example', group: 'news' }))
  expect(entries).toContainEqual({
    address: 'bo@example.com',
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    group: '',
    reason: 'complaint',
    note: 'by phone',
    added_at: expect.stringMatching(/^\d{4}-.*Z$/),
  })
})

test('what is neither an address nor a domain is refused, and nothing of the command is done', async () => {
  const added = await project.run(['suppress', 'add', 'good@example.com', 'nope'])
  expect(added.code).toBe(65)
  expect(added.stderr).toContain('(nope)')
  expect(await listed()).toEqual([])
})

test('remove takes the entry of its group alone, and says what still holds', async () => {
  await project.run(['suppress', 'add', 'ada@example.com', '@example.com'])
  const removed = await project.run(['suppress', 'remove', 'ada@example.com'])
  expect(removed.stdout).toBe('1 entry no longer suppressed\n')
  expect(removed.stderr).toContain('still suppressed by @example.com for every campaign')
  expect((await listed()).map(({ address }) => address)).toEqual(['@example.com'])
})

test('lists of other programs are imported, good lines also beside bad ones, and nothing twice', async () => {
  project.write(
    'gone.csv',
    'Email Address,Reason,Created at\nada@example.com,Hard bounce,2025-01-02\nbo@example.com,moved away,\nnope,,\n',
  )
  const first = await project.run(['suppress', 'import', 'gone.csv', '--reason', 'unsubscribed', '--json'])
  expect(first.code).toBe(65)
  const [counted = '', refused = ''] = first.stdout.split('\n')
  expect(JSON.parse(refused)).toMatchObject({ event: 'error', exit_code: 65 })
  expect(JSON.parse(counted)).toEqual({ read: 2, added: 2, known: 0, bad: 1 })
  expect(first.stderr).toContain('row 3')
  const entries = await listed()
  expect(entries).toContainEqual(
    expect.objectContaining({
      address: 'ada@example.com',
      reason: 'hard_bounce',
      added_at: '2025-01-02T00:00:00.000Z',
    }),
  )
  expect(entries).toContainEqual(
    expect.objectContaining({ address: 'bo@example.com', reason: 'unsubscribed', note: 'moved away' }),
  )
  const again = await project.run(['suppress', 'import', 'gone.csv', '--json'])
  expect(JSON.parse(again.stdout.split('\n')[0] ?? '')).toMatchObject({ added: 0, known: 2 })
})

test('one entry a line needs no column names; remarks and empty lines are none', async () => {
  project.write('gone.txt', '# gone\r\nada@example.com\r\n\r\n@example.org, a whole domain')
  const imported = await project.run(['suppress', 'import', 'gone.txt'])
  expect(imported.stdout).toBe('2 entries added, 0 known before\n')
  expect((await listed()).map(({ address }) => address).sort()).toEqual(['@example.org', 'ada@example.com'])
})

test('an export taken in again gives the same entries, also those of forgotten people', async () => {
  await project.run(['suppress', 'add', '@example.org', 'ada@example.com', '--note', '=1+1', '--group', 'news'])
  await project.run(['forget', 'ada@example.com'])
  const before = await listed()
  expect(before.map(({ address }) => address).sort()).toEqual(['@example.org', null])
  await project.run(['suppress', 'export', 'out.csv'])
  expect(readFileSync(join(project.dir, 'out.csv'), 'utf8')).toContain("'=1+1")
  const imported = await project.run(['suppress', 'import', 'out.csv', '--ledger', 'other.db'])
  expect(imported.code, imported.stderr).toBe(0)
  const { stdout } = await project.run(['suppress', 'list', '--json', '--ledger', 'other.db'])
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual(before)
})

test('a suppressed person is skipped with the reason, in the group of the entry alone', async () => {
  const sink = await startRecordingSink()
  try {
    await project.run(['suppress', 'add', 'P2@example.com', '--reason', 'unsubscribed'])
    await project.run(['suppress', 'add', 'p3@example.com', '--group', 'letters'])
    await project.run(['suppress', 'add', 'p4@example.com', '--group', 'others'])
    project.write('mailmerge.yaml', 'group: letters\n')
    const smtp = `smtp://127.0.0.1:${sink.port}`
    const run = await project.run(['run', '--csv', 'list.csv', '-t', 'letter', '--smtp', smtp, '--report', 'out.csv'])
    expect(run.code, run.stderr).toBe(0)
    expect([...sink.recipients.keys()].sort()).toEqual(['p1@example.com', 'p4@example.com'])
    const report = readFileSync(join(project.dir, 'out.csv'), 'utf8').split('\r\n')
    expect(report[2]).toContain('skipped,suppressed: unsubscribed')
    expect(report[3]).toContain('skipped,suppressed: manual')
  } finally {
    await sink.close()
  }
})

test('who is suppressed while a run goes on gets nothing more', async () => {
  project.write('list.csv', `${listOf(50)}Zoe,zoe@gone.example\n`)
  let told = false
  const sink = await startRecordingSink({
    delay: 40,
    lockStep: true,
    answer: () => {
      // The first message waits for its reply until the other process has the domain suppressed.
      if (!told) spawnSync(process.execPath, [MAIN, 'suppress', 'add', '@gone.example'], { cwd: project.dir })
      told = true
      return undefined
    },
  })
  try {
    const smtp = `smtp://127.0.0.1:${sink.port}`
    const args = ['run', '--csv', 'list.csv', '-t', 'letter', '--smtp', smtp, '--concurrency', '1', '--json']
    const run = await project.run(args)
    expect(run.code, run.stderr).toBe(0)
    expect(sink.recipients.size).toBe(50)
    expect(sink.recipients.has('zoe@gone.example')).toBe(false)
    expect(run.stdout).toMatch(/"event":"skipped".*"address":"zoe@gone.example".*suppressed: manual/)
  } finally {
    await sink.close()
  }
})

test('an export to standard output under --json is one object a line, as the list is', async () => {
  await project.run(['suppress', 'add', 'ada@example.com'])
  const { stdout } = await project.run(['suppress', 'export', '--json'])
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual(await listed())
})

test('a file that cannot be written is reported in words, not in those of the system', async () => {
  const { code, stderr } = await project.run(['suppress', 'export', 'nowhere/list.csv'])
  expect(code).toBe(73)
  expect(stderr).toContain('nowhere/list.csv cannot be written: its folder does not exist')
  expect(stderr).not.toContain('ENOENT')
})
