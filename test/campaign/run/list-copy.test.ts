/** The list of a run with what became of its rows: merges over real SMTP, their list read again. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { findRun } from '../../../src/campaign/run/find-run.ts'
import { type CopyRequest, copyList, withListOf } from '../../../src/campaign/run/list-copy.ts'
import { openLedger } from '../../../src/campaign/run/open-ledger.ts'
import { runMerge } from '../../../src/campaign/run/start.ts'
import { type Flags, loadSettings } from '../../../src/config/load.ts'
import { DataError, InputError, UsageError } from '../../../src/errors.ts'
import { makeProject, type Project } from '../../support/program.ts'
import { type ScriptedServer, startScriptedServer } from '../../support/scripted-server.ts'

const LETTER = '---\nfrom: Society <society@example.org>\nsubject: Hello {{name}}\n---\nDear {{name}}\n'
const LIST = 'name;email;"note"\r\nAnn;ann@example.com;"a;b"\r\nBob;bob@gone.example;\r\nCy;cy@example.com;=1\r\n'
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g

let project: Project
let server: ScriptedServer
afterEach(async () => {
  project.remove()
  await server.close()
})

async function prepare(files: Readonly<Record<string, string>> = {}): Promise<void> {
  project = makeProject({ 'list.csv': LIST, 'templates/t.md': LETTER, ...files })
  server = await startScriptedServer({ rcpt: ({ line }) => (line.includes('@gone') ? '550 5.1.1 unknown' : undefined) })
}

function settingsOf(flags: Flags = {}) {
  const smtp = `smtp://127.0.0.1:${server.port}`
  const csv = join(project.dir, 'list.csv')
  return loadSettings({ cwd: project.dir, env: {}, flags: { csv, template: 't', smtp, ...flags } })
}

async function send(flags: Flags = {}) {
  return runMerge(await settingsOf(flags), { mode: 'send' })
}

async function copyOf(what: CopyRequest['what'], flags: Flags = {}, out = 'out.csv', id?: string) {
  const settings = await settingsOf(flags)
  const ledger = await openLedger(settings)
  try {
    const run = await findRun(ledger, id)
    const request = { what, out: join(project.dir, out) }
    const facts = await copyList(withListOf(settings, run, true), ledger, run, request)
    return { facts, text: readFileSync(request.out, 'utf8').replace(TIME, 'TIME') }
  } finally {
    await ledger.close()
  }
}

test('the list has the state of each row behind it', async () => {
  await prepare()
  await send()
  const { facts, text } = await copyOf('list')
  expect(text).toBe(
    'name;email;"note";status;sent_at;reason\r\nAnn;ann@example.com;"a;b";sent;TIME;\r\n' +
      'Bob;bob@gone.example;;failed;;mailbox unknown: 550 5.1.1 unknown\r\nCy;cy@example.com;=1;sent;TIME;\r\n',
  )
  expect(facts).toEqual({ rows: 3, written: 3, unknown: 0 })
})

test('a list that was sorted and added to since has each state at its person', async () => {
  await prepare()
  await send()
  project.write(
    'list.csv',
    'name,email\nNew,new@example.com\nCy,cy@example.com\nBob,BOB@gone.example\nAnn,ann@example.com\n',
  )
  const { facts, text } = await copyOf('list')
  expect(text.split('\n').map((line) => line.split(',').slice(1, 3).join(' '))).toEqual([
    'email status',
    'new@example.com ',
    'cy@example.com sent',
    'BOB@gone.example failed',
    'ann@example.com sent',
    '',
  ])
  expect(facts.unknown).toBe(1)
})

test('failed rows, corrected, are sent by the same campaign, and nobody else gets anything', async () => {
  await prepare({
    'list.csv': 'name;email\nAnn;ann@example.com\nBob;bob@gone.example\nDee;dee@gone.example\nCy;cy@example.com\n',
  })
  const { campaign } = await send()
  const { facts, text } = await copyOf('failed', {}, 'failed.csv')
  expect(text).toBe(
    'name;email;reason\nBob;bob@gone.example;mailbox unknown: 550 5.1.1 unknown\nDee;dee@gone.example;mailbox unknown: 550 5.1.1 unknown\n',
  )
  expect(facts).toEqual({ rows: 4, written: 2, unknown: 0 })
  project.write('failed.csv', text.replace('bob@gone.example', 'bob@example.com'))
  const before = server.messages.length
  const again = await send({ csv: join(project.dir, 'failed.csv'), campaign })
  expect(server.messages.slice(before).map(({ to }) => to)).toEqual([['bob@example.com']])
  expect(again.counts).toMatchObject({ sent: 1, failed: 1 })
})

test('rows are found by the column of the key', async () => {
  await prepare({ 'list.csv': 'id,email\n1,ann@example.com\n2,bob@gone.example\n' })
  project.write('templates/t.md', LETTER.replaceAll('{{name}}', 'you'))
  await send({ key: 'id' })
  project.write('list.csv', 'id,email\n2,bob@gone.example\n1,ann@elsewhere.example\n')
  expect((await copyOf('list', { key: 'id' })).text).toContain('1,ann@elsewhere.example,sent,')
})

test('rows whose address the template says are found by their number', async () => {
  await prepare({ 'templates/t.md': LETTER.replace('subject', 'to: "{{name}}@example.com"\nsubject') })
  await send()
  const { text } = await copyOf('list')
  expect(text.match(/;sent;/g)).toHaveLength(3)
})

test('all rows of a message have its state, whatever they are grouped by', async () => {
  await prepare({
    'list.csv':
      'house,email,item\nA,ann@example.com,1\nB,bob@gone.example,2\nA,ann@example.com,3\nB,bob@gone.example,4\n',
    'templates/t.md': LETTER.replaceAll('{{name}}', '{{#each rows}}{{item}} {{/each}}'),
  })
  await send({ groupBy: 'house' })
  expect(server.messages).toHaveLength(1)
  const { text } = await copyOf('list', { groupBy: 'house' })
  expect(text.match(/,sent,TIME,/g)).toHaveLength(2)
  expect(text.match(/,failed,,mailbox unknown/g)).toHaveLength(2)
  expect((await copyOf('failed', {}, 'failed.csv')).facts.written).toBe(2)
})

test('another list is refused, and no file appears', async () => {
  await prepare({ 'other.csv': 'name,email\nX,x@example.com\nY,y@example.com\n' })
  await send()
  const copy = copyOf('list', { csv: join(project.dir, 'other.csv') })
  await expect(copy).rejects.toThrow(DataError)
  expect(existsSync(join(project.dir, 'out.csv'))).toBe(false)
})

test('a list that is gone is asked for, and a copy must say what it is', async () => {
  await prepare()
  await send()
  const settings = await settingsOf()
  const ledger = await openLedger(settings)
  const run = await findRun(ledger, undefined)
  const missing = { ...run, source: 'gone.csv' }
  expect(() => withListOf({ ...settings, source: { from: undefined } }, missing, false)).toThrow(InputError)
  expect(
    withListOf({ ...settings, source: { from: undefined } }, { ...run, source: 'list.csv' }, false).source.from,
  ).toMatchObject({
    kind: 'file',
  })
  await ledger.close()
  await expect(copyOf('list', {}, 'out.txt')).rejects.toThrow(UsageError)
  await expect(copyOf('failed', {}, 'out.xlsx')).rejects.toThrow(UsageError)
})
