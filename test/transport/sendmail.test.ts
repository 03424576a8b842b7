/** The sendmail command: its arguments, its exit codes, and Postfix's own. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Message } from '../../src/message/message.ts'
import { createSendmailTransport } from '../../src/transport/sendmail.ts'
import type { Lane, LaneEnd, Outcome, Transport } from '../../src/transport/transport.ts'
import { letter } from './smtp-lane.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-sendmail-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** A sendmail that writes down what it was given and ends as told. */
function command(end: string): string {
  const path = join(dir, 'sendmail')
  writeFileSync(path, `#!/bin/sh\nprintf '%s\\n' "$@" > ${dir}/args\ncat > ${dir}/mail\n${end}\n`)
  chmodSync(path, 0o755)
  return path
}

async function deliver(
  transport: Transport,
  message: Message,
  during?: (lane: Lane) => void,
): Promise<{ outcome: Outcome | undefined; end: LaneEnd }> {
  let outcome: Outcome | undefined
  const waiting = [{ message }]
  const lane = await transport.open()
  const running = lane.run({
    next: () => waiting.shift(),
    begin: () => Promise.resolve(),
    end(_job, told) {
      outcome = told
    },
  })
  during?.(lane)
  const end = await running
  return { outcome, end }
}

test('it gets the envelope as arguments that cannot be options, and the message with Unix line ends', async () => {
  const transport = createSendmailTransport({ path: command('exit 0'), args: ['-X', 'log'] })
  const to = ['-oQ/tmp@example.com', '"a b"@example.com']
  const { outcome } = await deliver(transport, letter(1, { to, body: '.\r\nnot the end\r\n' }))
  expect(outcome).toEqual({ kind: 'accepted', reply: { code: 250, text: 'taken by sendmail' } })
  expect(readFileSync(join(dir, 'args'), 'utf8').split('\n').slice(0, -1)).toEqual([
    '-i',
    '-f',
    'sender@example.org',
    '-X',
    'log',
    '--',
    ...to,
  ])
  expect(readFileSync(join(dir, 'mail'), 'utf8')).toBe('Message-ID: <1@test>\nSubject: 1\n\n.\nnot the end\n')
})

test('the null sender is an address too', async () => {
  const message = { ...letter(1), envelope: { from: '', to: ['a@example.com'] } }
  await deliver(createSendmailTransport({ path: command('exit 0') }), message)
  expect(readFileSync(join(dir, 'args'), 'utf8')).toContain('-f\n<>\n')
})

test.each([
  [65, 'rejected', 554],
  [67, 'rejected', 550],
  [68, 'rejected', 550],
  [77, 'rejected', 550],
  [69, 'deferred', 451],
  [70, 'deferred', 451],
  [71, 'deferred', 451],
  [74, 'deferred', 451],
  [75, 'deferred', 451],
  [1, 'deferred', 451],
])('exit code %i -> %s', async (code, kind, replyCode) => {
  const transport = createSendmailTransport({ path: command(`echo 'sendmail: so it is' >&2; exit ${code}`) })
  const { outcome } = await deliver(transport, letter(1))
  expect(outcome).toMatchObject({ kind, reply: { code: replyCode, text: 'sendmail: so it is' } })
})

test.each([[64], [78], [127]])(
  'exit code %i is a wrong setting: the message is unsent, and the run stops',
  async (code) => {
    const transport = createSendmailTransport({ path: command(`exit ${code}`) })
    const { outcome, end } = await deliver(transport, letter(1))
    expect([outcome?.kind, end.kind]).toEqual(['unsent', 'lost'])
    await expect(transport.open()).rejects.toMatchObject({ exitCode: 78 })
  },
)

test('a command that is not there -> wrong configuration', async () => {
  for (const path of [join(dir, 'nothing'), 'no-such-sendmail', dir]) {
    const transport = createSendmailTransport({ path })
    const wrong = { exitCode: 78, message: expect.stringMatching(/there is no program|is not a program/) }
    await expect(transport.open()).rejects.toMatchObject(wrong)
    await expect(transport.verify()).rejects.toMatchObject(wrong)
  }
})

test('a command that is taken away under a run -> the message is unsent, and no further one is tried', async () => {
  const transport = createSendmailTransport({ path: command('exit 0') })
  const open = async (): Promise<Lane> => {
    const lane = await transport.open()
    rmSync(join(dir, 'sendmail'))
    return lane
  }
  expect((await deliver({ ...transport, open }, letter(1))).outcome?.kind).toBe('unsent')
  await expect(transport.open()).rejects.toMatchObject({ exitCode: 78, message: expect.stringContaining('not found') })
})

describe('in doubt is', () => {
  test('a command that was killed', async () => {
    const { outcome } = await deliver(createSendmailTransport({ path: command('kill -9 $$') }), letter(1))
    expect(outcome).toMatchObject({ kind: 'in_doubt', reason: expect.stringContaining('SIGKILL') })
  })

  test('one that was cut off while it worked', async () => {
    const transport = createSendmailTransport({ path: command('sleep 5') })
    const { outcome } = await deliver(transport, letter(1), (lane) => setTimeout(() => lane.abort(), 100))
    expect(outcome?.kind).toBe('in_doubt')
  })
})

test('a message is whole also for a command that outlives us: it reads a file and no pipe', async () => {
  const kind = join(dir, 'kind')
  const path = join(dir, 'sendmail')
  writeFileSync(path, `#!/bin/sh\nstat -L -c %F /dev/stdin > ${kind}\n`)
  chmodSync(path, 0o755)
  await deliver(createSendmailTransport({ path }), letter(1))
  expect(readFileSync(kind, 'utf8').trim()).toBe('regular file')
})
