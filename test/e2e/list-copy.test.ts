/** `mailmerge report --list` and `--failed`, as typed. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeProject, type Project } from '../support/program.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'

let project: Project
let server: ScriptedServer
beforeAll(async () => {
  server = await startScriptedServer({ rcpt: ({ line }) => (line.includes('@gone') ? '550 5.1.1 unknown' : undefined) })
  project = makeProject({
    'list.csv': 'name,email\nAnn,ann@example.com\nBob,bob@gone.example\n',
    'templates/t.md': '---\nfrom: a@example.org\nsubject: Hello\n---\nDear {{name}}\n',
    'mailmerge.yaml': `smtp:\n  url: smtp://127.0.0.1:${server.port}\n`,
  })
  const { code } = await project.run(['run', '--csv', 'list.csv', '--template', 't', '--yes'])
  expect(code).toBe(1)
})
afterAll(async () => {
  project.remove()
  await server.close()
})

function report(...args: readonly string[]) {
  return project.run(['report', ...args])
}

function written(name: string): string {
  return readFileSync(join(project.dir, name), 'utf8')
}

test('the list of the newest run is found by itself, and both copies are written', async () => {
  const { code, stderr } = await report('--list', 'status.csv', '--failed', 'not sent.csv')
  expect(code, stderr).toBe(0)
  expect(written('status.csv')).toMatch(
    /^name,email,status,sent_at,reason\nAnn,ann@example\.com,sent,[\dT:.-]+Z,\nBob,bob@gone\.example,failed,,mailbox unknown: 550 5\.1\.1 unknown\n$/,
  )
  expect(written('not sent.csv')).toBe('name,email,reason\nBob,bob@gone.example,mailbox unknown: 550 5.1.1 unknown\n')
  const [, command = ''] = /then: mailmerge (.*)/.exec(stderr) ?? []
  expect(command).toBe("run --csv 'not sent.csv' --template t --campaign t-list")
})

test('the command that it prints sends what was corrected', async () => {
  const { code } = await report('--failed', 'failed.csv')
  expect(code).toBe(0)
  project.write('failed.csv', written('failed.csv').replace('@gone.example', '@example.com'))
  const again = await project.run(['run', '--csv', 'failed.csv', '--template', 't', '--campaign', 't-list', '--yes'])
  expect(again.code, again.stderr).toBe(0)
  expect(server.messages.map(({ to }) => to)).toEqual([['ann@example.com'], ['bob@example.com']])
})

test.each([
  [['--list', 'status.xlsx', '--csv', 'list.csv'], 64, /list\.csv is not an Excel workbook/],
  [['--list', 'status.pdf'], 64, /--list cannot write status\.pdf/],
  [['--failed', 'failed.xlsx'], 64, /--failed cannot write failed\.xlsx/],
  [['--list', 'status.csv', '--format', 'csv'], 64, /Leave out --format/],
  [['--list', 'status.csv', '--csv', 'none.csv'], 66, /there is no list none\.csv/],
  [['--list', 'no/folder/status.csv'], 73, /cannot be written/],
])('%j ends with exit code %i', async (args, exit, words) => {
  const { code, stderr } = await report(...args)
  expect(stderr).toMatch(words)
  expect(code).toBe(exit)
})

test('--json says what was written', async () => {
  const { stdout } = await report('--list', 'status.csv', '--csv', 'list.csv', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ file: 'status.csv', rows: 2, written: 2, unknown: 0 })
})
