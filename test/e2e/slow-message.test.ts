/** A message in the mailbox that takes for ever to read is skipped by its name; nothing waits for it, and nothing is lost. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ImapFlow } from 'imapflow'
import { afterEach, expect, test } from 'vitest'
import { type Dovecot, startDovecot } from '../support/dovecot.ts'
import { makeProject, type Project } from '../support/program.ts'
import { stopStarted } from '../support/real-server.ts'
import { startServing, until } from '../support/serving.ts'
import { SLOW_MARK, slowReading } from '../support/slow-reading.ts'

let project: Project
let dovecot: Dovecot | { readonly skipped: string } | undefined

afterEach(async () => {
  project?.remove()
  if (dovecot !== undefined) await stopStarted(dovecot)
  dovecot = undefined
})

function bounceOf(address: string, text = ''): string {
  return [
    'Return-Path: <>',
    'From: MAILER-DAEMON@mx.example.net',
    'To: bounces@example.org',
    'Subject: Undelivered Mail Returned to Sender',
    '',
    `<${address}>: 550 5.1.1 user unknown`,
    text,
    '',
  ].join('\r\n')
}

function projectWith(config = ''): { readonly log: string; readonly env: NodeJS.Dict<string> } {
  project = makeProject({ 'mailmerge.yaml': `message: { from: s@example.org, subject: News }\n${config}` })
  const log = join(project.dir, 'slow.log')
  return { log, env: slowReading(log) }
}

function imapConfig({ port, user, password }: Dovecot): string {
  return `imap: { host: 127.0.0.1, port: ${port}, security: none, user: ${user}, password: "${password}" }\n`
}

test('the command names the message that it skipped, and reads those before and after it', {
  timeout: 120_000,
}, async () => {
  const { env } = projectWith()
  project.write('box/1.eml', bounceOf('ada@example.com'))
  project.write('box/2.eml', bounceOf('bob@example.com', SLOW_MARK))
  project.write('box/3.eml', bounceOf('eve@example.com'))
  const shown = await project.run(['bounces', '--dry-run', 'box'], env)
  expect(shown.stdout).toMatch(/box\/1\.eml: ada@example\.com[\s\S]*box\/3\.eml: eve@example\.com/)
  expect(shown.stderr).toMatch(/box\/2\.eml was skipped: reading it took longer than \d+ s/)
  expect(shown.code).toBe(0)
})

test('serve answers while it reads, names what it skipped, leaves it as it was, and does not read it again', {
  timeout: 180_000,
}, async ({ skip }) => {
  dovecot = await startDovecot()
  if ('skipped' in dovecot) return skip(dovecot.skipped)
  const { log, env } = projectWith(imapConfig(dovecot))
  dovecot.deliver(bounceOf('bob@example.com', SLOW_MARK))
  const serving = await startServing(project, [], env)
  await until(() => existsSync(log), 'the message is being read')
  expect((await fetch(`${serving.address}/health`)).status).toBe(200)
  await until(() => serving.log.some(({ event }) => event === 'bounces read'), 'the mailbox was read')
  const skipped = serving.log.find(({ event }) => event === 'message skipped')
  expect(skipped).toMatchObject({ level: 'warning', message: expect.stringMatching(/INBOX;UID=1$/) })
  expect(await serving.stop()).toBe(0)
  expect(await flagsIn(dovecot)).toEqual([[]])
  // Its second life finds nothing new.
  const again = await project.run(['bounces'], env)
  expect(again.stderr).toContain('0 messages read')
})

test('serve that is told to stop does not wait for the message', { timeout: 180_000 }, async ({ skip }) => {
  dovecot = await startDovecot()
  if ('skipped' in dovecot) return skip(dovecot.skipped)
  const { log, env } = projectWith(imapConfig(dovecot))
  dovecot.deliver(bounceOf('bob@example.com', SLOW_MARK))
  const serving = await startServing(project, [], env)
  await until(() => existsSync(log), 'the message is being read')
  expect(await serving.stop()).toBe(0)
  expect(serving.log.map(({ event }) => event)).not.toContain('message skipped')
  // It was not taken in, and is read the next time.
  const again = await project.run(['bounces'])
  expect(again.stderr).toContain('1 message read')
})

/** The flags of each message in the mailbox. */
async function flagsIn({ port, user, password }: Dovecot): Promise<readonly (readonly string[])[]> {
  const client = new ImapFlow({
    host: '127.0.0.1',
    port,
    secure: false,
    doSTARTTLS: false,
    auth: { user, pass: password },
    logger: false,
  })
  await client.connect()
  const lock = await client.getMailboxLock('INBOX')
  const flags: string[][] = []
  for await (const message of client.fetch('1:*', { flags: true })) {
    flags.push([...(message.flags ?? [])].filter((flag) => flag !== '\\Recent'))
  }
  lock.release()
  await client.logout()
  return flags
}
