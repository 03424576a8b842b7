/** docs/library.md: every example runs, and every name that a program can use is explained. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { makeProject } from './support/program.ts'
import { ROOT, read } from './support/source-code.ts'

const PAGE = read('docs/library.md')
const EXAMPLES = [...PAGE.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code)
/** What each example prints in the project below, in order; each can stand alone. */
const PRINTED = [
  /^2 of 2 sent$/m,
  /^row 1: ada@example\.com\ndone 1 1$/m,
  /^\d{8}T\d{6}-\w+ finished 0\nada@example\.com skipped .+\nbob@example\.com skipped .+$/m,
  /^input .*no-such\.csv/m,
]

const project = makeProject({
  'mailmerge.yaml': 'message: { from: society@example.org }\n',
  'templates/invite.txt': '---\nsubject: Hello\n---\nDear {{name}}\n',
  'list.csv': 'name,email\nAda,ada@example.com\nBob,bob@example.com\n',
})
afterAll(() => project.remove())

async function run(code: string, name: string): Promise<string> {
  project.write(name, code.replace("'mailmerge'", JSON.stringify(join(ROOT, 'src/index.ts'))))
  return (await promisify(execFile)(process.execPath, [name], { cwd: project.dir })).stdout.trim()
}

test('the page has an example of each kind', () => {
  expect(EXAMPLES).toHaveLength(PRINTED.length)
})

test('a run that everybody is left out of stands in the ledger', async () => {
  expect((await project.run(['run', '--csv', 'list.csv', '-t', 'invite', '--limit', '0', '--yes'])).code).toBe(0)
})

test.each(EXAMPLES.map((code, at) => [at + 1, code, at] as const))(
  'example %i prints what it should',
  async (_, code, at) => {
    expect(await run(code, `example-${at}.mts`)).toMatch(PRINTED[at] ?? /^$/)
  },
)

/** The names of the members of an interface, as it is written. */
function membersOf(path: string, name: string): readonly string[] {
  const body = new RegExp(`export interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)\\n\\}`).exec(read(path))?.[1] ?? ''
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map(([, member = '']) => member)
}

test.each([
  ['src/config/load.ts', 'LoadSettingsOptions'],
  ['src/config/load.ts', 'Flags'],
  ['src/campaign/merge.ts', 'MergeRequest'],
  ['src/campaign/merge.ts', 'MergeHooks'],
  ['src/campaign/merge.ts', 'ResumeRequest'],
  ['src/campaign/merge.ts', 'PlanPreview'],
  ['src/campaign/merge.ts', 'Earlier'],
  ['src/campaign/plan/select.ts', 'Selection'],
  ['src/campaign/events.ts', 'PlannedEvent'],
  ['src/campaign/events.ts', 'PausedEvent'],
  ['src/campaign/events.ts', 'SummaryEvent'],
  ['src/ledger/records.ts', 'ResultRow'],
  ['src/errors.ts', 'Problem'],
])('every member of %s %s is on the page', (path, name) => {
  const members = membersOf(path, name)
  expect(members.length).toBeGreaterThan(1)
  expect(members.filter((member) => !new RegExp(`\\b${member}\\b`).test(PAGE))).toEqual([])
})

test('every value that the package exports is on the page', async () => {
  const names = Object.keys(await import('../src/index.ts'))
  expect(names.filter((name) => !PAGE.includes(name))).toEqual([])
})
