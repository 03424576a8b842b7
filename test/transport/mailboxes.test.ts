/** Maildir and mbox: what stands on the disk, whatever crashes or others do. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { withLockFile } from '../../src/fs/lock-file.ts'
import type { Message } from '../../src/message/message.ts'
import { createMaildirTransport } from '../../src/transport/maildir.ts'
import { createMboxTransport } from '../../src/transport/mbox.ts'
import type { Feed, LaneEnd, Outcome, Transport } from '../../src/transport/transport.ts'
import { letter } from './smtp-lane.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-mailbox-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function deliver(
  transport: Transport,
  messages: readonly Message[],
): Promise<{ outcomes: Outcome[]; end: LaneEnd }> {
  const outcomes: Outcome[] = []
  const waiting = messages.map((message) => ({ message }))
  const feed: Feed = {
    next: () => waiting.shift(),
    begin: () => Promise.resolve(),
    end: (_job, outcome) => void outcomes.push(outcome),
  }
  return { outcomes, end: await (await transport.open()).run(feed) }
}

function of(content: string, more: Partial<Message['envelope']> = {}): Message {
  const octets = Buffer.from(content.replaceAll('\n', '\r\n'), 'latin1')
  const envelope = { from: 'sender@example.org', to: ['r@example.com'], ...more }
  return { ...letter(1), envelope, chunks: [octets.subarray(0, 7), octets.subarray(7)], size: octets.length }
}

describe('Maildir', () => {
  const mails = (): string[] =>
    readdirSync(join(dir, 'box', 'new')).map((name) => readFileSync(join(dir, 'box', 'new', name), 'latin1'))

  test('gets each message with the lines of a final delivery and Unix line ends', async () => {
    const message = of('Subject: x\n\nFrom here on\n.\n', { from: '', to: ['a@example.com', 'copy@example.com'] })
    await deliver(createMaildirTransport(join(dir, 'box')), [message])
    expect(mails()).toEqual([
      'Return-Path: <>\nDelivered-To: a@example.com\nDelivered-To: copy@example.com\nSubject: x\n\nFrom here on\n.\n',
    ])
    expect(readdirSync(join(dir, 'box'))).toEqual(['cur', 'new', 'tmp'])
    expect(readdirSync(join(dir, 'box', 'tmp'))).toEqual([])
    const [name = ''] = readdirSync(join(dir, 'box', 'new'))
    expect(name).toMatch(/^\d{10}\.M\d+P\d+Q\d+\.[^/:]+$/)
    expect(statSync(join(dir, 'box', 'new', name)).mode & 0o777).toBe(0o600)
  })

  test('gets a thousand messages under a thousand names', async () => {
    await deliver(
      createMaildirTransport(join(dir, 'box')),
      Array.from({ length: 1000 }, (_, at) => letter(at)),
    )
    expect(readdirSync(join(dir, 'box', 'new'))).toHaveLength(1000)
  })

  test('does not use a folder that holds something else', async () => {
    writeFileSync(join(dir, 'thesis.txt'), 'x')
    await expect(createMaildirTransport(dir).open()).rejects.toMatchObject({ exitCode: 73 })
    expect(readdirSync(dir)).toEqual(['thesis.txt'])
  })

  test('that takes nothing any more: the message is as unsent as before, and the run stops', async () => {
    const box = join(dir, 'box')
    const transport = createMaildirTransport(box)
    await deliver(transport, [letter(1)])
    rmSync(join(box, 'tmp'), { recursive: true })
    const { outcomes, end } = await deliver(transport, [letter(2), letter(3)])
    expect([outcomes.map(({ kind }) => kind), end.kind]).toEqual([['unsent'], 'lost'])
    await expect(transport.open()).rejects.toMatchObject({ exitCode: 73, hint: expect.stringContaining('resume') })
    expect(mails()).toHaveLength(1)
  })
})

describe('mbox', () => {
  const path = (): string => join(dir, 'mbox')
  const text = (): string => readFileSync(path(), 'latin1')

  test('gets messages in the form mboxrd, each behind an empty line', async () => {
    const first = of('Subject: x\n\nFrom here\n>From there\n>>From\nfrom, From \nFromage\nlast')
    const second = of('Subject: y\n\nFrom me\n', { from: '' })
    await deliver(createMboxTransport(path()), [first, second])
    const time = String.raw`\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}`
    expect(text()).toMatch(
      new RegExp(
        `^From sender@example\\.org ${time}\nReturn-Path: <sender@example\\.org>\nDelivered-To: r@example\\.com\n` +
          'Subject: x\n\n>From here\n>>From there\n>>From\nfrom, From \nFromage\nlast\n\n' +
          `From MAILER-DAEMON ${time}\nReturn-Path: <>\nDelivered-To: r@example\\.com\nSubject: y\n\n>From me\n\n$`,
      ),
    )
    expect(statSync(path()).mode & 0o777).toBe(0o600)
    expect(existsSync(`${path()}.lock`)).toBe(false)
  })

  test('finds a From at any place where a message is cut into pieces', async () => {
    const content = Buffer.from('Subject: x\r\n\r\nFrom a\r\n>From b\r\n')
    for (let at = 1; at < content.length; at++) {
      const chunks = [content.subarray(0, at), content.subarray(at)]
      await deliver(createMboxTransport(path()), [{ ...letter(1), chunks, size: content.length }])
    }
    expect(text().match(/^>From a$/gm)).toHaveLength(content.length - 1)
    expect(text().match(/^>>From b$/gm)).toHaveLength(content.length - 1)
  })

  test.each([
    ['an empty file', '', ''],
    ['a message cut off by a crash', 'From x\n\nhalf a li', '\n\n'],
    ['a last line without an empty one', 'From x\n\nend\n', '\n'],
    ['a single letter', 'x', '\n\n'],
    ['a right end', 'From x\n\nend\n\n', ''],
  ])('begins a new message behind %s', async (_what, before, between) => {
    writeFileSync(path(), before)
    await deliver(createMboxTransport(path()), [letter(1)])
    expect(text().startsWith(`${before}${between}From sender@example.org `)).toBe(true)
  })

  test('waits while another program has the lock, and loses nothing that it writes', async () => {
    const transport = createMboxTransport(path())
    let delivering: Promise<unknown> = Promise.resolve()
    await withLockFile(`${path()}.lock`, { stale: 60_000, patience: 60_000 }, async () => {
      delivering = deliver(transport, [letter(1)])
      await new Promise((resolve) => setTimeout(resolve, 60))
      appendFileSync(path(), 'From other\n\nthe other one\n\n')
      expect(text()).not.toContain('Message-ID: <1@test>')
    })
    await delivering
    expect(text()).toMatch(/^From other\n\nthe other one\n\nFrom sender@example\.org .*Message-ID: <1@test>/s)
  })

  test.each([
    ['a folder', () => mkdirSync(path())],
    ['in a folder that is not there', () => rmSync(dir, { recursive: true })],
  ])('that is %s is refused before anything is taken', async (_what, make) => {
    make()
    await expect(createMboxTransport(path()).open()).rejects.toMatchObject({ exitCode: 73 })
  })

  test.skipIf(process.getuid?.() === 0)('that is read-only is refused', async () => {
    writeFileSync(path(), '')
    chmodSync(path(), 0o400)
    await expect(createMboxTransport(path()).open()).rejects.toMatchObject({ exitCode: 73 })
  })
})
