/** Templates that are wrong, and helpers that talk, through the whole program: nothing is sent, and stdout stays clean. */
import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { makeProject, type Project } from '../support/program.ts'
import { startRecordingSink } from '../support/recording-sink.ts'

let project: Project
afterEach(() => project.remove())

const LIST = 'name,email\nAda,ada@example.com\nBob,bob@example.com\n'
const HEAD = '---\nfrom: a@example.org\nsubject: x\n---\n'

test.each([
  ['a column that is not there', `${HEAD}Dear {{nmae}}`, 'templates/t.txt:5:8', "Did you mean 'name'?"],
  ['a partial that is not there', `${HEAD}\n{{> foot}}`, 'templates/t.txt:6:1', 'templates/_partials'],
  ['a syntax that is wrong', `${HEAD}\n\n{{#if name}}x{{/iff}}`, 'templates/t.txt:7:', '{{/block}}'],
  ['a date that is none', `${HEAD}{{date name}}`, 'templates/t.txt:5', "'Ada' is not a date"],
])('%s ends a run with 65, named by file and line, without a connection', async (_, template, place, hint) => {
  project = makeProject({ 'list.csv': LIST, 'templates/t.txt': template })
  let connections = 0
  const server = createServer(() => connections++)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const run = await project.run(['run', '--csv', 'list.csv', '-t', 't', '--smtp', `smtp://127.0.0.1:${port}`, '-y'])
  server.close()
  expect(run.code, run.stderr).toBe(65)
  expect(run.stderr).toContain(place)
  expect(run.stderr).toContain(hint)
  expect(run.stderr).not.toMatch(/ at \w+ \(|node_modules/)
  expect(connections).toBe(0)
})

test('what helpers and {{log}} print is not among the results', async () => {
  project = makeProject({
    'list.csv': LIST,
    'templates/t.txt': `${HEAD}{{log "from the template"}}{{talk name}}`,
    'templates/_helpers/talk.mjs':
      "export function talk(name) { console.log('said', name); console.info('x'); console.table([1]); return name }\n",
  })
  const run = await project.run(['run', '--csv', 'list.csv', '-t', 't', '--dry-run', '--json'])
  expect(run.code, run.stderr).toBe(0)
  const lines = run.stdout.trimEnd().split('\n')
  for (const line of lines) expect(() => JSON.parse(line), line).not.toThrow()
  expect(run.stdout).not.toMatch(/said|from the template/)
  expect(run.stderr).toContain('said Ada')
})

test.each([
  ['throws in a timer', "setTimeout(() => { throw new Error('the lamp is out') }, 1)", 'the lamp is out'],
  ['rejects a promise that nobody waits for', "Promise.reject('the lamp is out')", 'the lamp is out'],
  ['waits in vain for the network', "fetch('http://127.0.0.1:1/')", 'fetch failed'],
  ['ends the program in a timer', 'setTimeout(process.exit, 1)', 'it calls process.exit'],
])('a helper that %s is named, and the run does not look finished', async (_, code, words) => {
  project = makeProject({
    'list.csv': `name,email\n${Array.from({ length: 200 }, (_, n) => `P${n},p${n}@example.com\n`).join('')}`,
    'templates/t.txt': `${HEAD}{{lamp name}}`,
    'templates/_helpers/lamp.mjs': `export const lamp = (name) => {\n  ${code}\n  return name\n}\n`,
  })
  const sink = await startRecordingSink({ delay: 20 })
  const run = await project.run([
    'run',
    '--csv',
    'list.csv',
    '-t',
    't',
    '--smtp',
    `smtp://127.0.0.1:${sink.port}`,
    '-y',
  ])
  await sink.close()
  expect(run.code, run.stderr).toBe(78)
  expect(run.stderr).toContain('the helpers in templates/_helpers/lamp.mjs failed after they had given their values')
  expect(run.stderr).toContain(words)
  expect(run.stderr).not.toContain('this should not have happened')
})
