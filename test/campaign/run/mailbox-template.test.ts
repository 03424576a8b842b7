/** Drafts in a real mailbox as templates. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { ImapFlow } from 'imapflow'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openTemplate } from '../../../src/campaign/run/content.ts'
import { loadSettings } from '../../../src/config/load.ts'
import { ConfigError, InputError } from '../../../src/errors.ts'
import { type Dovecot, startDovecot } from '../../support/dovecot.ts'
import { makeProject, type Project } from '../../support/program.ts'
import { stopStarted } from '../../support/real-server.ts'

let box: Dovecot | { readonly skipped: string }
let project: Project

beforeAll(async () => {
  box = await startDovecot()
  if ('skipped' in box) return
  const client = new ImapFlow({
    ...{ host: '127.0.0.1', port: box.port, secure: false, doSTARTTLS: false, logger: false },
    auth: { user: box.user, pass: box.password },
  })
  await client.connect()
  for (const folder of ['Drafts', 'Drafts.Old']) await client.mailboxCreate(folder).catch(() => {})
  for (const [subject, body] of [
    ['Hello {{name}}', 'the first'],
    ['Hello {{name}}', 'the newest'],
    ['A/B', 'slashes'],
  ]) {
    const mail = `From: Guild <guild@example.org>\r\nSubject: ${subject}\r\nContent-Type: text/plain\r\n\r\nDear {{name}}, ${body}\r\n`
    await client.append('Drafts', mail, ['\\Draft'])
  }
  await client.logout()
}, 400_000)
afterAll(() => stopStarted(box))
afterEach(() => project?.remove())

async function textOf(template: string): Promise<string | undefined> {
  if ('skipped' in box) throw new Error(box.skipped)
  project = makeProject({
    'mailmerge.yaml': `imap: { host: 127.0.0.1, port: ${box.port}, security: none, user: ${box.user} }\n`,
  })
  const settings = await loadSettings({ cwd: project.dir, env: { MAILMERGE_IMAP_PASSWORD: box.password }, flags: {} })
  const opened = await openTemplate(template, settings)
  opened.bind(['name'])
  return opened.render({ name: 'Ada' }, { row: 1, campaign: 'c', now: new Date() }).text?.trim()
}

test('a draft is taken by its folder and subject, the newest of several, and its copy is private', async ({ skip }) => {
  if ('skipped' in box) return skip(box.skipped)
  expect(await textOf('imap:Drafts/Hello {{name}}')).toBe('Dear Ada, the newest')
  expect(statSync(join(project.dir, '.mailmerge/drafts/hello.eml')).mode & 0o777).toBe(0o600)
  project.remove()
  expect(await textOf('imap:Drafts/"A/B"')).toBe('Dear Ada, slashes')
})

test('a draft or a folder that is not there is an error that names what is', async ({ skip }) => {
  if ('skipped' in box) return skip(box.skipped)
  const missing = textOf('imap:Drafts/Helo {{name}}')
  await expect(missing).rejects.toThrow(InputError)
  await expect(missing).rejects.toMatchObject({ hint: "Did you mean 'Hello {{name}}'?" })
  project.remove()
  await expect(textOf('imap:Nowhere/Hello')).rejects.toMatchObject({ hint: expect.stringContaining('Drafts') })
})

test('a mailbox must be set', async () => {
  project = makeProject({})
  const settings = await loadSettings({ cwd: project.dir, env: {}, flags: {} })
  await expect(openTemplate('imap:Drafts/Hello', settings)).rejects.toThrow(ConfigError)
})
