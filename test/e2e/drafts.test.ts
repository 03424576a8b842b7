/** `run --drafts`: messages in the Drafts folder of a real IMAP server, each once, also after kills. */
import { chmodSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ImapFlow } from 'imapflow'
import PostalMime from 'postal-mime'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Dovecot, startDovecot } from '../support/dovecot.ts'
import { makeProject, type Project } from '../support/program.ts'
import { stopStarted } from '../support/real-server.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'
import { truthOf } from '../support/truth.ts'

let box: Dovecot | { readonly skipped: string }
let server: ScriptedServer
let project: Project

beforeAll(async () => {
  box = await startDovecot()
  server = await startScriptedServer()
}, 400_000)
afterAll(async () => {
  await stopStarted(box)
  await server.close()
})
afterEach(() => project?.remove())

function start(port: number, rows: readonly string[], more = ''): void {
  project = makeProject({
    'list.csv': `name,email\n${rows.map((name) => `${name},${name.toLowerCase()}@post.example\n`).join('')}`,
    'templates/n.txt':
      '---\nfrom: N <n@society.example>\nbcc: archive@society.example\nsubject: Hello {{name}}\n---\nDear {{name}}\n',
    'mailmerge.yaml': `csv: list.csv\ntemplate: n\nsmtp: { url: "smtp://127.0.0.1:${server.port}" }\nimap: { host: 127.0.0.1, port: ${port}, security: none, user: ada }\n${more}`,
  })
}

const env = (): NodeJS.Dict<string> => ({ MAILMERGE_IMAP_PASSWORD: 'password' in box ? box.password : '' })

interface Draft {
  readonly head: string
  readonly flags: readonly string[]
  readonly id: string
}

async function draftsIn(folder: string): Promise<readonly Draft[]> {
  if ('skipped' in box) return []
  const client = new ImapFlow({
    ...{ host: '127.0.0.1', port: box.port, secure: false, doSTARTTLS: false, logger: false },
    auth: { user: box.user, pass: box.password },
  })
  await client.connect()
  try {
    const lock = await client.getMailboxLock(folder)
    const drafts: Draft[] = []
    for await (const { source, flags } of client.fetch('1:*', { source: true, flags: true })) {
      const { messageId = '' } = await PostalMime.parse(source ?? '')
      drafts.push({
        head: source?.toString().split('\r\n\r\n')[0] ?? '',
        flags: [...(flags ?? [])].sort(),
        id: messageId,
      })
    }
    lock.release()
    return drafts
  } finally {
    await client.logout()
  }
}

test('each message is a draft with its blind copies, nothing is sent, and a draft counts as sent', async ({ skip }) => {
  if ('skipped' in box) return skip(box.skipped)
  start(box.port, ['Ada', 'Zoë'])
  const { code, stdout, stderr } = await project.run(['run', '--yes', '--drafts'], env())
  expect(code, stderr).toBe(0)
  expect(stdout).toMatch(/^2 put into Drafts of 2 rows/)
  const drafts = await draftsIn('Drafts')
  for (const { flags } of drafts) expect(flags).toEqual(expect.arrayContaining(['\\Draft', '\\Seen']))
  expect(drafts).toHaveLength(2)
  expect(drafts[0]?.head).toMatch(/^Bcc: archive@society\.example\r\n/)
  expect(drafts[0]?.head).toMatch(/^To: ada@post\.example/m)
  expect(server.messages).toHaveLength(0)
  const results = await project.run(['report', '--format', 'csv'])
  expect(results.stdout.match(/,sent,drafted,/g)).toHaveLength(2)
  // The same campaign sends them nothing, with or without --drafts.
  for (const more of [['--drafts'], []]) {
    const again = await project.run(['run', '--yes', ...more], env())
    expect(again.code, again.stderr).toBe(0)
  }
  expect(await draftsIn('Drafts')).toHaveLength(2)
  expect(server.messages).toHaveLength(0)
})

test('the folder can be named, and a mailbox must be set', async ({ skip }) => {
  if ('skipped' in box) return skip(box.skipped)
  start(box.port, ['Ada'], 'transport: drafts:Entwürfe\n')
  expect((await project.run(['run', '--yes'], env())).code).toBe(0)
  expect(await draftsIn('Entwürfe')).toHaveLength(1)
  project.remove()
  project = makeProject({
    'list.csv': 'name,email\nAda,ada@post.example\n',
    'templates/n.txt': '---\nfrom: n@society.example\nsubject: Hello\n---\nDear {{name}}\n',
  })
  const { code, stderr } = await project.run(['run', '--csv', 'list.csv', '--template', 'n', '--drafts', '--yes'])
  expect([code, stderr.includes('drafts need a mailbox')]).toEqual([78, true])
})

test('drafts are for real runs, of templates of the project', async ({ skip }) => {
  if ('skipped' in box) return skip(box.skipped)
  start(box.port, ['Ada'])
  expect((await project.run(['run', '--yes', '--drafts', '--sandbox'], env())).code).toBe(64)
  expect((await project.run(['run', '--yes', '--drafts', '--template', 'invite'], env())).code).toBe(65)
})

test('killed again and again, each row is one draft, or in doubt', { timeout: 300_000 }, async ({ skip }) => {
  if ('skipped' in box) return skip(box.skipped)
  const rows = Array.from({ length: 400 }, (_, i) => `P${i}`)
  start(box.port, rows, 'transport: drafts:Killed\n')
  const { maildir } = box
  const count = (): number => {
    const folders = ['new', 'cur'].map((part) => join(maildir, '.Killed', part))
    return folders.flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : [])).length
  }
  let kills = 0
  for (const goal of [20, 90, 170, 260]) {
    const running = project.start(kills === 0 ? ['run', '--yes'] : ['resume'], env())
    let over = false
    void running.ended.then(() => {
      over = true
    })
    while (!over && count() < goal) await sleep(5)
    running.child.kill('SIGKILL')
    await running.ended
    kills++
  }
  await project.run(['resume'], env())
  const truth = await truthOf(project)
  const ids = (await draftsIn('Killed')).map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(truth.sent + truth.inDoubt.length).toBe(rows.length)
  // A row in doubt may be a draft; a row that is sent is one.
  expect(ids.length).toBeGreaterThanOrEqual(truth.sent)
  expect(ids.length).toBeLessThanOrEqual(rows.length)
  expect(truth.inDoubt.length).toBeLessThanOrEqual(2 * kills)
})

test('a mailbox that is full stops the run, no row fails for it, and resume goes on', async ({ skip }) => {
  if ('skipped' in box) return skip(box.skipped)
  start(box.port, ['Ada', 'Bob'], 'transport: drafts:Full\n')
  expect((await project.run(['run', '--yes', '--limit', '1'], env())).code).toBe(0)
  const folder = join(box.maildir, '.Full', 'tmp')
  chmodSync(folder, 0)
  const { code, stderr } = await project.run(['run', '--yes'], env())
  expect(code, stderr).toBe(75)
  expect(stderr).toContain("does not accept a draft into 'Full'")
  expect(await truthOf(project)).toMatchObject({ sent: 1, failed: 0, deferred: 1, inDoubt: [] })
  chmodSync(folder, 0o700)
  expect((await project.run(['resume'], env())).code).toBe(0)
  expect(await draftsIn('Full')).toHaveLength(2)
})
