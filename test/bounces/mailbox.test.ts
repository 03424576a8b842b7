import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type InboundMessage, readMailbox } from '../../src/bounces/mailbox.ts'
import { InputError } from '../../src/errors.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-mailbox-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function put(name: string, content: string | Buffer): string {
  const path = join(dir, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  return path
}

async function read(path: string, stdin?: Readable): Promise<readonly InboundMessage[]> {
  const messages: InboundMessage[] = []
  for await (const message of readMailbox(path, stdin)) messages.push(message)
  return messages
}

const text = ({ bytes }: InboundMessage): string => Buffer.from(bytes).toString('latin1')

describe('a mailbox', () => {
  test('is a single message', async () => {
    const path = put('a.eml', 'Subject: a\r\n\r\nFrom here on, text.\r\n')
    const messages = await read(path)
    expect(messages).toHaveLength(1)
    expect(messages[0]).toMatchObject({ file: path })
    expect(messages[0]?.number).toBeUndefined()
  })

  test('is an mbox, cut where a blank line and `From ` stand, its quoting taken off', async () => {
    const path = put(
      'box',
      'From a@b Fri\nSubject: 1\n\nFrom the start\n>From me\n>>From you\n\nFrom c@d Sat\nSubject: 2\n\nx\nFrom nobody\n',
    )
    const messages = await read(path)
    expect(messages.map(text)).toEqual([
      'From a@b Fri\nSubject: 1\n\n',
      'From the start\nFrom me\n>From you\n\n',
      'From c@d Sat\nSubject: 2\n\nx\nFrom nobody\n',
    ])
    expect(messages.map(({ number }) => number)).toEqual([1, 2, 3])
  })

  test('is a Maildir: what is new and what was seen, nothing half written', async () => {
    put('md/cur/1:2,S', 'Subject: 1\n\n')
    put('md/new/2', 'Subject: 2\n\n')
    put('md/tmp/3', 'Subject: 3\n\n')
    put('md/dovecot-uidlist', 'x')
    expect((await read(join(dir, 'md'))).map(text)).toEqual(['Subject: 1\n\n', 'Subject: 2\n\n'])
  })

  test('is a folder of files, hidden ones and folders left out', async () => {
    put('f/b.eml', 'Subject: b\n\n')
    put('f/a.eml', 'Subject: a\n\n')
    put('f/.hidden', 'x')
    put('f/sub/c.eml', 'x')
    expect((await read(join(dir, 'f'))).map(text)).toEqual(['Subject: a\n\n', 'Subject: b\n\n'])
  })

  test('is standard input', async () => {
    const messages = await read('-', Readable.from([Buffer.from('Subj'), Buffer.from('ect: a\n\nb')]))
    expect(messages.map(text)).toEqual(['Subject: a\n\nb'])
    expect(messages[0]?.file).toBe('standard input')
  })

  test('that is empty holds no message, and one that is not there is reported', async () => {
    expect(await read(put('empty', ''))).toEqual([])
    await expect(read(join(dir, 'none'))).rejects.toThrow(InputError)
    await expect(read(join(dir, 'none'))).rejects.toThrow(/cannot be read: it does not exist/)
  })

  test('gives only the beginning of a huge message, also one without any line end', async () => {
    const [one] = await read(put('huge.eml', Buffer.alloc(9_000_000, 'x')))
    expect(one?.bytes.length).toBe(2_000_000)
    const [two] = await read(put('lines.eml', 'a line of text\n'.repeat(400_000)))
    expect(two?.bytes.length).toBe(2_000_000)
  })

  test('gives the same messages however its bytes are cut', async () => {
    const box = 'From a@b\nSubject: 1\n\nx\n\nFrom c@d\nSubject: 2\n\n>From y\nz'
    const whole = (await read('-', Readable.from([Buffer.from(box)]))).map(text)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), async (sizes) => {
        const pieces: Buffer[] = []
        for (let at = 0, i = 0; at < box.length; i++) {
          const size = sizes[i % sizes.length] ?? 1
          pieces.push(Buffer.from(box.slice(at, at + size)))
          at += size
        }
        expect((await read('-', Readable.from(pieces))).map(text)).toEqual(whole)
      }),
      { numRuns: 50 },
    )
  })
})
