/** What every transport promises to the engine, whatever it is made of: the same tests over each of them. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Message } from '../../src/message/message.ts'
import { createFilesTransport } from '../../src/transport/files.ts'
import { createMaildirTransport } from '../../src/transport/maildir.ts'
import { createMboxTransport } from '../../src/transport/mbox.ts'
import { createNodemailerTransport } from '../../src/transport/nodemailer.ts'
import { createSendmailTransport } from '../../src/transport/sendmail.ts'
import { createSmtpTransport } from '../../src/transport/smtp/smtp-transport.ts'
import type { Feed, Job, LaneEnd, Outcome, Transport } from '../../src/transport/transport.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'
import { letter, smtpSettings } from './smtp-lane.ts'

/** A transport together with the place where its messages come out. */
interface Subject {
  readonly transport: Transport
  /** Message-IDs of what has come out whole, in any order. */
  arrived(): readonly string[]
  close?(): Promise<void>
}

let dir: string
const SUBJECTS: readonly (readonly [name: string, make: () => Promise<Subject>])[] = [
  ['SMTP', () => overSmtp(false)],
  ['LMTP', () => overSmtp(true)],
  ['files', async () => inFolder(createFilesTransport({ dir: join(dir, 'out') }), join(dir, 'out'))],
  ['Maildir', async () => inFolder(createMaildirTransport(join(dir, 'mails')), join(dir, 'mails', 'new'))],
  ['mbox', async () => inFile(createMboxTransport(join(dir, 'mbox')), join(dir, 'mbox'))],
  ['sendmail', bySendmail],
  ['nodemailer', byPlugin],
]

async function overSmtp(lmtp: boolean): Promise<Subject> {
  const server: ScriptedServer = await startScriptedServer({ lmtp })
  return {
    transport: createSmtpTransport(smtpSettings(server.port, { lmtp })),
    arrived: () => server.messages.map(({ id }) => id),
    close: () => server.close(),
  }
}

const idsIn = (text: string): string[] => [...text.matchAll(/^Message-ID: (\S+)/gm)].map(([, id]) => id ?? '')

function inFolder(transport: Transport, folder: string): Subject {
  const texts = (): string[] =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((name) => !name.endsWith('.csv'))
          .map((name) => readFileSync(join(folder, name), 'latin1'))
      : []
  return { transport, arrived: () => texts().flatMap(idsIn) }
}

function inFile(transport: Transport, path: string): Subject {
  return { transport, arrived: () => (existsSync(path) ? idsIn(readFileSync(path, 'latin1')) : []) }
}

async function bySendmail(): Promise<Subject> {
  const path = join(dir, 'sendmail')
  const folder = join(dir, 'queue')
  mkdirSync(folder)
  writeFileSync(path, `#!/bin/sh\ncat > ${folder}/.$$ && mv ${folder}/.$$ ${folder}/$$.eml\n`)
  chmodSync(path, 0o755)
  return inFolder(createSendmailTransport({ path }), folder)
}

async function byPlugin(): Promise<Subject> {
  const arrived: string[] = []
  const plugin = {
    name: 'test',
    version: '1',
    send(mail: { readonly data: { readonly raw?: unknown } }, done: (error: null, info: object) => void) {
      arrived.push(...idsIn(String(mail.data.raw)))
      setImmediate(() => done(null, { response: '250 2.0.0 queued' }))
    },
  }
  const transport = createNodemailerTransport({ name: 'test', plugin: plugin as never })
  return { transport, arrived: () => arrived }
}

interface NumberedJob extends Job {
  readonly number: number
}

/** A feed that writes down every call. */
class Watch {
  readonly calls: string[] = []
  readonly outcomes = new Map<number, Outcome[]>()
  readonly #waiting: NumberedJob[]

  constructor(messages: readonly Message[]) {
    this.#waiting = messages.map((message, at) => ({ message, number: at + 1 }))
  }

  feed(more: Partial<Feed<NumberedJob>> = {}): Feed<NumberedJob> {
    return {
      next: () => this.take(),
      begin: async (job) => {
        this.calls.push(`begin ${job.number}`)
        await more.begin?.(job)
        this.calls.push(`begun ${job.number}`)
      },
      end: (job, outcome) => {
        this.calls.push(`end ${job.number}`)
        this.outcomes.set(job.number, [...(this.outcomes.get(job.number) ?? []), outcome])
      },
      ...(more.next === undefined ? {} : { next: more.next }),
    }
  }

  take(): NumberedJob | undefined {
    const job = this.#waiting.shift()
    if (job !== undefined) this.calls.push(`next ${job.number}`)
    return job
  }

  kinds(): Record<number, readonly string[]> {
    return Object.fromEntries([...this.outcomes].map(([number, told]) => [number, told.map(({ kind }) => kind)]))
  }
}

const letters = (count: number): Message[] => Array.from({ length: count }, (_, at) => letter(at + 1))
const ids = (count: number): string[] => Array.from({ length: count }, (_, at) => `<${at + 1}@test>`)
const accepted = (count: number): Record<number, readonly string[]> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [at + 1, ['accepted']]))

describe.each(SUBJECTS)('%s', (_name, make) => {
  let subject: Subject
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'mailmerge-contract-'))
    subject = await make()
  })
  afterEach(async () => {
    await subject.transport.close()
    await subject.close?.()
    rmSync(dir, { recursive: true, force: true })
  })

  test('works until the feed is empty, and each message comes out once', async () => {
    const watch = new Watch(letters(7))
    const lane = await subject.transport.open()
    expect(await lane.run(watch.feed())).toEqual({ kind: 'drained' })
    expect(watch.kinds()).toEqual(accepted(7))
    expect([...subject.arrived()].sort()).toEqual(ids(7))
  })

  test('asks, begins and ends in this order, once for each message', async () => {
    const watch = new Watch(letters(5))
    await (await subject.transport.open()).run(watch.feed())
    for (let number = 1; number <= 5; number++) {
      const own = watch.calls.filter((call) => call.endsWith(` ${number}`)).map((call) => call.split(' ')[0])
      expect(own).toEqual(['next', 'begin', 'begun', 'end'])
    }
  })

  test('hands nothing over before its start is durable', async () => {
    const watch = new Watch(letters(3))
    const before: number[] = []
    const begin = async (): Promise<void> => {
      await sleep(20)
      before.push(subject.arrived().length)
    }
    await (await subject.transport.open()).run(watch.feed({ begin }))
    expect(before).toEqual([0, 1, 2])
  })

  test('hands nothing over, ever, when the start cannot be recorded', async () => {
    const watch = new Watch(letters(3))
    const begin = (job: NumberedJob): Promise<void> =>
      job.number === 1 ? Promise.resolve() : Promise.reject(new Error('the ledger is broken'))
    const end: LaneEnd = await (await subject.transport.open()).run(watch.feed({ begin }))
    expect(end.kind).not.toBe('drained')
    await sleep(50)
    expect(subject.arrived()).toEqual(['<1@test>'])
    // Whoever was taken ends once, as what never happened.
    expect(watch.kinds()[1]).toEqual(['accepted'])
    expect(watch.kinds()[2]).toEqual(['unsent'])
    expect(watch.calls.filter((call) => call.startsWith('next')).length).toBe(watch.outcomes.size)
  })

  test('waits for a feed that has nothing at the moment', async () => {
    const watch = new Watch(letters(2))
    let asked = 0
    const next = (): NumberedJob | undefined | Promise<NumberedJob | undefined> =>
      ++asked === 1 ? watch.take() : sleep(30).then(() => watch.take())
    const lane = await subject.transport.open()
    expect(await lane.run(watch.feed({ next }))).toEqual({ kind: 'drained' })
    expect(watch.kinds()).toEqual(accepted(2))
  })

  test('stops when the feed says so, and ends what it has taken', async () => {
    const watch = new Watch(letters(9))
    let asked = 0
    const lane = await subject.transport.open()
    const end = await lane.run(watch.feed({ next: () => (++asked > 3 ? undefined : watch.take()) }))
    expect(end).toEqual({ kind: 'drained' })
    expect(watch.kinds()).toEqual(accepted(3))
  })

  test('is cut off at once, and each message that was taken ends once and truly', async () => {
    const watch = new Watch(letters(50))
    const lane = await subject.transport.open()
    const begin = async ({ number }: NumberedJob): Promise<void> => {
      if (number === 4) setImmediate(() => lane.abort())
      await sleep(1)
    }
    await lane.run(watch.feed({ begin }))
    const kinds = watch.kinds()
    const taken = watch.calls.filter((call) => call.startsWith('next')).length
    expect(Object.keys(kinds)).toHaveLength(taken)
    expect(taken).toBeLessThan(50)
    expect(Object.values(kinds).every((told) => told.length === 1)).toBe(true)
    await sleep(50)
    const arrived = new Set(subject.arrived())
    for (const [number, [kind]] of Object.entries(kinds)) {
      if (kind === 'accepted') expect(arrived).toContain(`<${number}@test>`)
      if (kind === 'unsent') expect(arrived).not.toContain(`<${number}@test>`)
    }
  })

  test('works over several lanes at once', async () => {
    const watch = new Watch(letters(20))
    const lanes = await Promise.all(
      Array.from({ length: Math.min(4, subject.transport.maxLanes ?? 4) }, () => subject.transport.open()),
    )
    await Promise.all(lanes.map((lane) => lane.run(watch.feed())))
    expect(watch.kinds()).toEqual(accepted(20))
    expect([...subject.arrived()].sort()).toEqual(ids(20).sort())
  })

  test('lets no message out with a bare line break or a NUL in it', async () => {
    const octets = Buffer.from('Message-ID: <1@test>\r\n\r\none\n.\r\nMAIL FROM:<evil@example.net>\r\n')
    const watch = new Watch([{ ...letter(1), chunks: [octets], size: octets.length }, letter(2)])
    await (await subject.transport.open()).run(watch.feed())
    expect(watch.kinds()[2]).toEqual(['accepted'])
    expect(watch.kinds()[1]).toEqual(['rejected'])
    expect(subject.arrived()).toEqual(['<2@test>'])
  })

  test('describes itself without sending', async () => {
    const report = await subject.transport.verify()
    expect(report.server).not.toBe('')
    expect(subject.transport.name).not.toBe('')
    expect(subject.arrived()).toEqual([])
  })
})
