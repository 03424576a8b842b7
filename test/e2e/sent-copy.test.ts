import { ImapFlow } from 'imapflow'
import PostalMime from 'postal-mime'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { type Dovecot, startDovecot } from '../support/dovecot.ts'
import { makeProject, type Project } from '../support/program.ts'
import { stopStarted } from '../support/real-server.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'

let box: Dovecot | { readonly skipped: string }
let server: ScriptedServer
let project: Project

beforeAll(async () => {
  box = await startDovecot()
  server = await startScriptedServer({ rcpt: ({ line }) => (line.includes('bob') ? '550 5.1.1 unknown' : undefined) })
}, 400_000)
afterAll(async () => {
  await stopStarted(box)
  await server.close()
})
afterEach(() => project?.remove())

function start(port: number): void {
  project = makeProject({
    'list.csv': 'name,email\nAda,ada@post.example\nBob,bob@post.example\nCleo,cleo@post.example\n',
    'templates/n.txt': '---\nfrom: N <n@society.example>\nsubject: Hello {{name}}\n---\nDear {{name}}, grüße.\n',
    'mailmerge.yaml': `csv: list.csv\ntemplate: n\nsmtp: { url: "smtp://127.0.0.1:${server.port}" }\nimap: { host: 127.0.0.1, port: ${port}, security: none, user: ada }\nsentCopy: Sent\n`,
  })
}

const env = (): NodeJS.Dict<string> => ({ MAILMERGE_IMAP_PASSWORD: 'password' in box ? box.password : '' })

async function sentFolder(): Promise<readonly { readonly octets: Buffer; readonly seen: boolean }[]> {
  if ('skipped' in box) return []
  const client = new ImapFlow({
    ...{ host: '127.0.0.1', port: box.port, secure: false, doSTARTTLS: false, logger: false },
    auth: { user: box.user, pass: box.password },
  })
  await client.connect()
  const lock = await client.getMailboxLock('Sent')
  try {
    const mails: { octets: Buffer; seen: boolean }[] = []
    for await (const { source, flags } of client.fetch('1:*', { source: true, flags: true }))
      mails.push({ octets: source ?? Buffer.alloc(0), seen: flags?.has('\\Seen') ?? false })
    return mails
  } finally {
    lock.release()
    await client.logout()
  }
}

describe('a copy of each sent message in the mailbox of the sender', () => {
  test('is what was sent, once, read, and of nobody who did not get it', { timeout: 60_000 }, async ({ skip }) => {
    if ('skipped' in box) return skip(box.skipped)
    start(box.port)
    const { code, stderr } = await project.run(['run', '--yes'], env())
    expect(code, stderr).toBe(1)
    const copies = await sentFolder()
    expect(copies.map(({ seen }) => seen)).toEqual([true, true])
    const ids = await Promise.all(copies.map(async ({ octets }) => (await PostalMime.parse(octets)).messageId))
    expect(ids).toEqual(server.messages.map(({ id }) => id))
    for (const [index, { octets }] of copies.entries()) {
      const sent = server.messages[index]?.octets.toString().replace(/^Date: .*\r\n/m, '')
      expect(octets.toString().replace(/^Date: .*\r\n/m, '')).toBe(sent)
    }
    // A stop between a copy and its record, and the same command again: no second copy.
    const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
    const [run] = await ledger.runs.list()
    expect(await ledger.copies.missing(run?.id ?? '', 10)).toEqual([])
    await ledger.close()
    await project.run(['run', '--yes'], env())
    expect(await sentFolder()).toHaveLength(2)
  })

  test('that cannot be kept is reported, changes nothing about the run, and is kept later', {
    timeout: 60_000,
  }, async ({ skip }) => {
    if ('skipped' in box) return skip(box.skipped)
    start(1)
    const before = (await sentFolder()).length
    const { code, stderr } = await project.run(['run', '--yes'], env())
    expect(code).toBe(1)
    expect(stderr).toContain("copies in 'Sent' are not complete")
    expect((await project.run(['resume'], { ...env(), MAILMERGE_IMAP_PORT: String(box.port) })).code).toBe(1)
    expect(await sentFolder()).toHaveLength(before + 2)
  })
})
