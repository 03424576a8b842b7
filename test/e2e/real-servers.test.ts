/**
 * The mail servers that people have, each set up by the test and passing everything on to a sink that writes down what it got:
 * a whole run from list to results, in each way that these servers differ.
 */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startExim } from '../support/exim.ts'
import { startOpenSmtpd } from '../support/opensmtpd.ts'
import { startRelayingPostfix } from '../support/postfix.ts'
import { type Ended, makeProject, type Project } from '../support/program.ts'
import { type RealServer, type RelayOptions, stopStarted } from '../support/real-server.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { deliverAll, letter } from '../transport/smtp-lane.ts'

/**
 * Messages to each server, over two lanes: enough for OpenSMTPD to refuse more than its hundred a connection, and in the long
 * form (MAILMERGE_TEST_MESSAGES=5000) for Exim to hang up after its thousand.
 */
const COUNT = Number(process.env['MAILMERGE_TEST_MESSAGES'] ?? 220)
const TIME = 60_000 + COUNT * 100

interface Kind {
  readonly name: string
  readonly start: (options: RelayOptions) => Promise<RealServer | { readonly skipped: string }>
  /** Messages a connection, and what the server's log says when there are more. */
  readonly limit?: { readonly count: number; readonly said: string }
  readonly smtputf8: boolean
}
const SERVERS: readonly Kind[] = [
  { name: 'Postfix', start: startRelayingPostfix, smtputf8: true },
  { name: 'Exim', start: startExim, smtputf8: true, limit: { count: 1000, said: 'too many messages' } },
  { name: 'OpenSMTPD', start: startOpenSmtpd, smtputf8: false, limit: { count: 100, said: 'Too many messages' } },
]

const MESSAGE = `from: Society <society@example.org>
envelopeFrom: "back+{{n}}@example.org"
subject: "Number {{n}}"
attachments:
  - path: odd.txt
    name: odd.txt
`
const people = (count: number): string =>
  ['n,email', ...Array.from({ length: count }, (_, at) => `${at + 1},p${at + 1}@example.com`)].join('\n').concat('\n')

/** What some servers take for the end of a message though it is none. */
const ENDS = ['\n.\n', '\n.\r', '\r.\n', '\r.\r', '\n.\r\n', '\r.\r\n', '\r\n.\r\r\n', '\r\r\n.\r\r\n', '\r\n\0.\r\n']
const PATIENT = { connect: 20_000, greeting: 20_000, command: 20_000, data: 20_000, endOfData: 20_000 }

let sink: RecordingSink
let project: Project | undefined
beforeAll(async () => {
  sink = await startRecordingSink({ keep: true })
})
afterEach(() => project?.remove())
afterAll(() => sink.close())

/** A run, over STARTTLS and with a login where the server has them. */
function makeRun(server: RealServer, files: Readonly<Record<string, string>>): Project {
  project = makeProject({
    'templates/letter/message.yaml': MESSAGE.slice(0, MESSAGE.indexOf('attachments')),
    'templates/letter/text.hbs': 'Dear number {{n}},\n\nthis is for you.\n',
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nsmtp:\n  host: ${server.host}\n  port: ${server.port}\n  dsn: { notify: [failure, delay], return: headers }\n${server.secure ? `  security: starttls\n  user: ${server.user}\n  ca: ${server.ca}\n` : ''}`,
    ...files,
  })
  return project
}

function run(server: RealServer, args: readonly string[] = [], command = ['run', '--yes']): Promise<Ended> {
  if (project === undefined) throw new Error('there is no project')
  return project.run([...command, '--report', 'results.csv', ...args], {
    MAILMERGE_SMTP_PASSWORD: server.password,
  })
}

interface Row {
  readonly status: string
  readonly reason: string
  readonly attempts: string
}

function results(): readonly Row[] {
  const [head = '', ...lines] = readFileSync(`${project?.dir}/results.csv`, 'utf8').trim().split('\n')
  const names = head.split(',')
  return lines.map((line) => {
    const cells = [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(([, quoted, bare]) => quoted ?? bare)
    const cell = (name: string): string => cells[names.indexOf(name)] ?? ''
    return { status: cell('status'), reason: cell('reason'), attempts: cell('attempts') }
  })
}

/** Waits until the server has passed on that many more messages than were there before. */
async function passedOn(before: number, count: number): Promise<RecordingSink['messages']> {
  for (let waited = 0; waited < TIME && sink.messages.length < before + count; waited += 50)
    await new Promise((resolve) => setTimeout(resolve, 50))
  return sink.messages.slice(before)
}

describe.each(SERVERS)('a real $name', ({ start, limit, smtputf8 }) => {
  let server: RealServer | { readonly skipped: string }
  beforeAll(async () => {
    server = await start({ relayTo: sink.port, refuse: { rcpt: '^gone[0-9]+@', end: '^back.[0-9]*7@' } })
  }, 400_000)
  afterAll(async () => {
    await stopStarted(server)
  })

  test(`takes ${COUNT} messages: each once, under its own sender, nothing deferred`, {
    timeout: TIME,
  }, async ({ skip }) => {
    if ('skipped' in server) return skip(server.skipped)
    // Nobody whose sender ends in 7: these are refused at their end.
    const rows = people(Math.ceil(COUNT / 0.9))
      .split('\n')
      .filter((line) => !/^\d*7,/.test(line))
      .join('\n')
    const { length } = rows.trim().split('\n').slice(1)
    const before = sink.messages.length
    makeRun(server, { 'list.csv': rows })
    const { code, stderr } = await run(server, ['--concurrency', '2'])
    expect(code, stderr + server.log().slice(-3000)).toBe(0)
    // Neither what it says after its last message for a connection defers a row.
    if (limit !== undefined && length / 2 > limit.count) expect(server.log()).toContain(limit.said)
    expect(results().filter(({ status, attempts }) => status !== 'sent' || attempts !== '1')).toEqual([])
    const arrived = await passedOn(before, length)
    expect(arrived).toHaveLength(length)
    expect(new Set(arrived.map(({ id }) => id)).size).toBe(length)
    for (const { from, to, octets } of arrived) {
      const [, number = ''] = /^p(\d+)@example\.com$/.exec(to[0] ?? '') ?? []
      expect(from).toBe(`back+${number}@example.org`)
      expect(octets.toString()).toContain(`Dear number ${number},\r\n`)
    }
  })

  test('refuses some at RCPT and some at their end: those failed, every other one arrived once under its own sender', {
    timeout: TIME,
  }, async ({ skip }) => {
    if ('skipped' in server) return skip(server.skipped)
    const lines = people(100)
      .split('\n')
      .map((line) => line.replace(/^(\d*3),p(\d+)@/, '$1,gone$2@'))
    const before = sink.messages.length
    makeRun(server, { 'list.csv': lines.join('\n') })
    let { code, stderr } = await run(server)
    // Postfix 3.7 can crash where a recipient is refused behind a message that it refused: what was unanswered is rightly in doubt.
    for (let again = 0; again < 5 && code === 75 && server.log().includes('killed by signal 11'); again++)
      ({ code, stderr } = await run(server, ['--in-doubt', 'resend'], ['resume']))
    expect(code, stderr + server.log().slice(-3000)).toBe(1)
    const rows = results()
    for (const [at, { status, reason }] of rows.entries()) {
      const number = at + 1
      const expected = number % 10 === 3 ? 'mailbox unknown' : number % 10 === 7 ? 'refused as spam' : ''
      expect({ number, status, reason }).toEqual({
        number,
        status: expected === '' ? 'sent' : 'failed',
        reason: expected,
      })
    }
    const arrived = await passedOn(before, 80)
    expect(arrived.map(({ from, to }) => `${from} ${to}`).sort()).toEqual(
      Array.from({ length: 100 }, (_, at) => at + 1)
        .filter((number) => number % 10 !== 3 && number % 10 !== 7)
        .map((number) => `back+${number}@example.org p${number}@example.com`)
        .sort(),
    )
    expect(arrived.filter(({ octets }) => !octets.includes('Dear number'))).toEqual([])
  })

  test('gets one message for one row, whatever looks like the end of a message in it', { timeout: TIME }, async ({
    skip,
  }) => {
    if ('skipped' in server) return skip(server.skipped)
    const forged = (end: string): string =>
      `before${end}MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nSubject: forged\r\n\r\nforged${end}after`
    const before = sink.messages.length
    const list = ENDS.map((end, at) => JSON.stringify({ n: at * 10, email: `p${at}@example.com`, x: forged(end) }))
    makeRun(server, {
      'list.ndjson': list.join('\n'),
      'odd.txt': ENDS.map(forged).join('\r\n'),
      'templates/letter/message.yaml': MESSAGE,
      'templates/letter/text.hbs': '{{x}}\n',
      'templates/letter/html.hbs': '<p>{{x}}</p>\n',
    })
    project?.write(
      'mailmerge.yaml',
      readFileSync(`${project.dir}/mailmerge.yaml`, 'utf8').replace('csv: list.csv', 'data: list.ndjson'),
    )
    const { code, stderr } = await run(server, ['--skip-bad'])
    expect(code, stderr).toBe(0)
    const sent = results().filter(({ status }) => status === 'sent').length
    expect(sent).toBeGreaterThanOrEqual(ENDS.length - 1)
    const arrived = await passedOn(before, sent)
    expect(arrived).toHaveLength(sent)
    expect(arrived.filter(({ from, to }) => from.includes('evil') || to.includes('victim@example.com'))).toEqual([])
  })

  test('gets lines of dots byte for byte, and nothing that could be two messages', { timeout: TIME }, async ({
    skip,
  }) => {
    if ('skipped' in server) return skip(server.skipped)
    const before = sink.messages.length
    const lines = Array.from({ length: 60 }, (_, at) => `${'.'.repeat(at % 6)}${'x'.repeat((at * 7) % 3)}`)
    const bodies = Array.from({ length: 40 }, (_, at) => [...lines.slice(at), ...lines.slice(0, at)].join('\r\n'))
    const messages = [
      ...bodies.map((body, at) => letter(at + 1, { body: `${body}\r\n` })),
      ...ENDS.map((end, at) => letter(bodies.length + at + 1, { body: `a${end}MAIL FROM:<evil@example.org>\r\n` })),
    ]
    const { outcomes } = await deliverAll(server.port, messages.length, {
      messages,
      settings: { security: 'none', timeouts: PATIENT },
    })
    const refused = [...outcomes].filter(([, told]) => told.at(-1)?.kind !== 'accepted').map(([number]) => number)
    expect(refused).toEqual(ENDS.map((_, at) => bodies.length + at + 1))
    const arrived = await passedOn(before, bodies.length)
    expect(arrived).toHaveLength(bodies.length)
    for (const { id, octets } of arrived) {
      const text = octets.toString('latin1')
      expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe(`${bodies[Number(id.slice(1, id.indexOf('@'))) - 1]}\r\n`)
    }
  })

  test('an international address: taken, or failed with the reason', { timeout: TIME }, async ({ skip }) => {
    if ('skipped' in server) return skip(server.skipped)
    const before = sink.messages.length
    makeRun(server, { 'list.csv': 'n,email\n1,jörg@example.com\n2,ada@bücher.example\n' })
    const { code, stderr } = await run(server)
    const [first, second] = results()
    expect(second, stderr).toMatchObject({ status: 'sent' })
    if (!smtputf8) {
      expect(code).toBe(1)
      expect(first).toMatchObject({ status: 'failed', reason: expect.stringContaining('international') })
      return
    }
    expect(code, stderr).toBe(0)
    const arrived = await passedOn(before, 2)
    expect(arrived.map(({ to }) => to[0]).sort()).toEqual(['ada@xn--bcher-kva.example', 'jörg@example.com'])
  })
})
