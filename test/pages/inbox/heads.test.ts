/** Heads of messages as the list and the search of an inbox know them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { MailFolder } from '../../../src/pages/inbox/folder.ts'
import { headOf } from '../../../src/pages/inbox/head.ts'
import { type Headed, Heads } from '../../../src/pages/inbox/heads.ts'

const dir = mkdtempSync(join(tmpdir(), 'mailmerge-heads-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const MIXED =
  'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n'

test.each([
  [
    'From: Ada <ada@example.com>\r\nTo: José <j@example.com>, b@example.com\r\nSubject: Hello\r\n\r\nSubject: not this\r\n',
    {
      from: 'Ada <ada@example.com>',
      who: 'José',
      subject: 'Hello',
      hasAttachment: false,
      words: { to: 'jose <j@example.com>, b@example.com' },
    },
  ],
  [
    'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\n from Ada\n\nbody\n',
    { subject: 'Grüße from Ada', who: '', words: { subject: 'gruße from ada' } },
  ],
  ['Subject: only a head', { subject: 'only a head' }],
  [MIXED, { hasAttachment: true, subject: '' }],
  ['Content-Type: application/pdf\r\n\r\n%PDF', { hasAttachment: true }],
  ['Content-Type: text/plain\r\n\r\nContent-Disposition: attachment\r\n', { hasAttachment: false }],
  ['', { from: '', subject: '', hasAttachment: false }],
])('%j', (text, head) => {
  expect(headOf(Buffer.from(text))).toMatchObject(head)
})

test('a head is kept by itself, without the message that it was read from', () => {
  const { subject } = headOf(Buffer.from(`Subject: ${'long '.repeat(1000)}\r\n\r\n`))
  expect(subject.length).toBeLessThanOrEqual(1000)
})

test('each is read once, with the row of its file, and one that is gone is empty', async () => {
  const folder = new MailFolder(dir, 'dry-run')
  writeFileSync(join(dir, '0007-ada.eml'), 'Subject: Seven\r\n\r\n')
  const entries: Headed[] = ['0007-ada.eml', '0008-gone.eml'].map((file) => ({ folder, file }))
  const heads = new Heads()
  await heads.readAll(entries)
  expect(entries).toMatchObject([
    { head: { subject: 'Seven' }, row: 7 },
    { head: { subject: '' }, row: 8 },
  ])
  writeFileSync(join(dir, '0007-ada.eml'), 'Subject: Other\r\n\r\n')
  await heads.readAll(entries)
  expect(entries[0]?.head?.subject).toBe('Seven')
})
