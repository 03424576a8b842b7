/** `--template '{{kind}}'`: each row gets the template that it names, all of them checked before anything is sent. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { makeProject, type Project, startProgram } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { newestResults } from '../support/results.ts'
import { expectNobodyLostOrTwice, truthOf } from '../support/truth.ts'

let sink: RecordingSink
let project: Project
afterEach(async () => {
  project.remove()
  await sink.close()
})

const KINDS = ['welcome', 'renewal', 'farewell']
const template = (kind: string, more = ''): string =>
  `---\nfrom: News <news@example.org>\nsubject: ${kind} {{name}}\n---\nDear {{name}}, ${kind}.${more}\n`

async function prepare(list: string, files: Readonly<Record<string, string>> = {}, delay?: number): Promise<void> {
  sink = await startRecordingSink({ keep: true, ...(delay === undefined ? {} : { delay }) })
  project = makeProject({
    'list.csv': list,
    ...Object.fromEntries(KINDS.map((kind) => [`templates/${kind}.md`, template(kind)])),
    'templates/other.md': template('other', ' {{a column of another list}}'),
    'mailmerge.yaml': `csv: list.csv\ntemplate: "{{kind}}"\nsmtp: { host: 127.0.0.1, port: ${sink.port} }\n`,
    ...files,
  })
}

const LIST =
  'name,email,kind\nAda,ada@example.com,welcome\nBob,bob@example.com,renewal\nCleo,cleo@example.com, welcome \n'

function subjects(): readonly string[] {
  return sink.messages.map(({ octets }) => /^Subject: (.*)$/im.exec(octets.toString())?.[1]?.trim() ?? '').sort()
}

test('each row gets its own, and the results say which', async () => {
  await prepare(LIST)
  const run = await project.run(['run', '--yes'])
  expect(run.code, run.stderr).toBe(0)
  expect(subjects()).toEqual(['renewal Bob', 'welcome Ada', 'welcome Cleo'])
  expect((await project.run(['report', '--format', 'csv'])).stdout.split('\r\n')[0]).toContain('variant')
  expect(newestResults(project.dir).map((row) => (row as { variant?: string }).variant)).toEqual([
    'welcome',
    'renewal',
    'welcome',
  ])
  expect((await project.run(['status'])).stdout).toMatch(/ kind-list /)
  expect((await project.run(['run', '--yes'])).code).toBe(0)
  expect(sink.messages).toHaveLength(3)
})

test('a row that names none is an error of its row, and nothing is sent; --skip-bad leaves it out', async () => {
  await prepare(`${LIST}Dan,dan@example.com,welcom\nEve,eve@example.com,\nFay,fay@example.com,../list\n`)
  const run = await project.run(['run', '--yes'])
  expect(run.code).toBe(65)
  expect(run.stderr).toMatch(/list\.csv:5.*there is no template 'welcom'/)
  expect(run.stderr).toContain("Did you mean 'welcome'?")
  expect(run.stderr).toMatch(/list\.csv:6.*the column 'kind', which names the template, is empty/)
  expect(run.stderr).toMatch(/list\.csv:7.*this is not the name of a template/)
  expect(sink.messages).toHaveLength(0)
  const rest = await project.run(['run', '--yes', '--skip-bad'])
  expect(rest.code, rest.stderr).toBe(0)
  expect(subjects()).toEqual(['renewal Bob', 'welcome Ada', 'welcome Cleo'])
})

test('a template that a row names is checked before the first message goes, one that none names is not', async () => {
  await prepare(LIST, { 'templates/renewal.md': template('renewal', ' {{nothing}}') })
  const run = await project.run(['run', '--yes'])
  expect(run.code).toBe(65)
  expect(run.stderr).toContain('nothing')
  expect(sink.messages).toHaveLength(0)
  const check = await project.run(['check'])
  expect(check.stdout + check.stderr).toContain('renewal.md')
})

test('what it cannot be is refused: a column that is not there, a stream, variants beside it', async () => {
  await prepare(LIST)
  const column = await project.run(['run', '--yes', '--template', '{{kinds}}'])
  expect([column.code, column.stderr]).toEqual([64, expect.stringContaining("Did you mean 'kind'?")])
  const stream = await startProgram(['run', '--yes', '--csv', '-'], project.dir, {}, LIST).ended
  expect([stream.code, stream.stderr]).toEqual([64, expect.stringContaining('must read the list twice')])
  project.write('mailmerge.yaml', `csv: list.csv\ntemplate: "{{kind}}"\nvariants: { a: {}, b: {} }\n`)
  const variants = await project.run(['run', '--yes'])
  expect([variants.code, variants.stderr]).toEqual([64, expect.stringContaining('each row names its own template')])
})

test('a run that was killed goes on with the templates that it was planned with, also when the list is gone', async () => {
  const rows = Array.from({ length: 90 }, (_, at) => `P${at},p${at}@example.com,${KINDS[at % 3]}`)
  await prepare(`name,email,kind\n${rows.join('\n')}\n`, {}, 10)
  const running = project.start(['run', '--yes'])
  while (sink.messages.length < 20) await sleep(5)
  running.child.kill('SIGKILL')
  await running.ended
  project.write('list.csv', 'gone')
  project.write('templates/later.md', template('later'))
  await project.run(['resume'])
  expectNobodyLostOrTwice(
    await truthOf(project),
    rows.map((row) => row.split(',')[1] ?? ''),
    (address) => sink.recipients.get(address) ?? 0,
  )
  for (const { to, octets } of sink.messages) {
    const at = Number(/\d+/.exec(to[0] ?? '')?.[0])
    expect(octets.toString()).toContain(`Subject: ${KINDS[at % 3]} P${at}`)
  }
})

test('the rows to look at show each template', async () => {
  await prepare(LIST)
  const sample = await project.run(['run', '--yes', '--test-to', 'me@example.net', '--sample', 'cases'])
  expect(sample.code, sample.stderr).toBe(0)
  expect(new Set(subjects().map((subject) => subject.split(' ')[0]))).toEqual(new Set(['renewal', 'welcome']))
})
