/** The projects under examples/, each run from its own folder as its comment says, into real servers. */
import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import PostalMime, { type Email } from 'postal-mime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startProgram } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')
let copy: string
let sink: RecordingSink

/** A copy, so that no run leaves a ledger in the checkout. */
beforeAll(async () => {
  copy = mkdtempSync(join(tmpdir(), 'mailmerge-examples-'))
  for (const name of ['examples', 'templates', 'src', 'package.json', 'schema', 'bin'])
    cpSync(join(ROOT, name), join(copy, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  sink = await startRecordingSink({ keep: true })
})
afterAll(async () => {
  await sink.close()
  rmSync(copy, { recursive: true, force: true })
})

interface Arrived {
  readonly from: string
  readonly to: readonly string[]
  readonly head: string
  readonly mail: Email
}

async function send(example: string): Promise<readonly Arrived[]> {
  const before = sink.messages.length
  const args = ['run', '--csv', 'list.csv', '--smtp', `smtp://localhost:${sink.port}`]
  const ended = await startProgram(args, join(copy, 'examples', example)).ended
  expect(ended.code, ended.stderr).toBe(0)
  const arrived = sink.messages.slice(before).map(async ({ from, to, octets }) => ({
    from,
    to,
    head: octets.toString('latin1').split('\r\n\r\n')[0] ?? '',
    mail: await PostalMime.parse(octets),
  }))
  return (await Promise.all(arrived)).sort((one, other) => (one.to[0] ?? '').localeCompare(other.to[0] ?? ''))
}

test('plain-text: one text part, with the letters of every name', async () => {
  const arrived = await send('plain-text')
  expect(arrived.map(({ mail }) => mail.subject)).toEqual(['Hello Ada', 'Hello Søren', 'Hello Zoë'])
  for (const { mail, head } of arrived) {
    expect(head).toMatch(/^content-type: text\/plain; charset=utf-8/im)
    expect([mail.html, mail.attachments]).toEqual([undefined, []])
  }
  expect(arrived[1]?.mail.text).toContain('It says god dag in your language.')
})

test('html: values are text in it, and the plain part is made from it', async () => {
  const arrived = await send('html')
  expect(arrived.map(({ mail }) => mail.subject)).toEqual(['News for Bits & Looms', 'News for <Tags> Ltd'])
  const [ada, bjork] = arrived.map(({ mail }) => mail)
  expect(ada?.html).toContain('<h1>News for Bits &amp; Looms</h1>')
  expect(bjork?.html).toContain('News for &lt;Tags&gt; Ltd')
  expect(ada?.text).toMatch(/NEWS FOR BITS & LOOMS|News for Bits & Looms/)
  expect(ada?.text).toContain('https://www.example.com/news')
  expect(ada?.text).toContain('We moved to Zürich.')
})

test('attachment: one file for everyone and one of its own for each row, byte for byte', async () => {
  const arrived = await send('attachment')
  for (const [index, { mail }] of arrived.entries()) {
    const [terms, invoice] = mail.attachments
    expect(mail.attachments).toHaveLength(2)
    expect([terms?.filename, invoice?.filename]).toEqual(['terms.txt', `Rechnung für ${['Ada', 'Jürgen'][index]}.csv`])
    expect(text(terms?.content)).toBe('Terms: pay within thirty days, complain within sixty.\n')
    expect(text(invoice?.content)).toMatch(['Punched cards', 'Valves'][index] ?? '')
  }
})

test('newsletter: a picture within, words for those who see none, and a way to leave of each reader’s own', async () => {
  const arrived = await send('newsletter')
  expect(arrived.map(({ mail }) => mail.subject)).toEqual([
    'Ada, the engine is running',
    'José, the engine is running',
    'The engine is running',
    'Zoë, the engine is running',
  ])
  const ways = arrived.map(({ mail, head }) => {
    expect(mail.html).toMatch(/<img src="cid:[^"]+" alt="Rows of brass wheels[^>]*style="[^"]*width: 100%/)
    expect(mail.html).not.toMatch(/\{\{|zqm/)
    expect(mail.attachments).toMatchObject([{ filename: 'wheels.png', disposition: 'inline' }])
    expect(head).toMatch(/^list-unsubscribe-post: List-Unsubscribe=One-Click/im)
    return /https:\/\/news\.example\.com\/u\/[\w-]+/.exec(mail.text ?? '')?.[0]
  })
  expect(new Set(ways).size).toBe(4)
  expect(arrived[0]?.mail.text).toContain('Dear Ada,\n')
  expect(arrived[2]?.mail.text).toContain('Dear reader,\n')
  expect(arrived[0]?.mail.text).toMatch(/^Letters on Engines\n[\s\S]*Yours,\nthe editors\n/)
})

test('ticket: a PDF, a code and an invitation of each guest’s own, in the language of each', async () => {
  const arrived = await send('ticket')
  const lucja = arrived.find(({ to }) => to[0] === 'lucja@example.com')?.mail
  expect(lucja?.html).toContain('11 grudnia 2026 19:00')
  expect(lucja?.attachments.map(({ mimeType }) => mimeType).sort()).toEqual([
    'application/ics',
    'application/pdf',
    'image/png',
    'text/calendar',
  ])
  const pdf = lucja?.attachments.find(({ mimeType }) => mimeType === 'application/pdf')
  expect(pdf?.filename).toBe('Ticket EV-1791.pdf')
  expect(text(pdf?.content).slice(0, 5)).toBe('%PDF-')
  const uids = arrived.map(({ mail }) => {
    const invitation = mail.attachments.find(({ mimeType }) => mimeType === 'application/ics')
    return /^UID:(.*?)\r?$/m.exec(text(invitation?.content))?.[1]
  })
  expect(uids.sort()).toEqual(['1791', '1815', '1871', '1906'].map((number) => `evening-EV-${number}@example.org`))
})

test('languages: each reader has subject, words and dates in one language, and the usual ones where there is no other', async () => {
  const arrived = await send('languages')
  const seen = arrived.map(({ to, mail }) => [
    to[0]?.split('@')[0],
    mail.subject,
    /\*?\*?(\w+day|Freitag|vendredi)/.exec(mail.text ?? '')?.[1],
  ])
  expect(seen).toEqual([
    ['ada', 'Ada, an evening of engines', 'Friday'],
    ['chloe', 'Chloé, une soirée de machines', 'vendredi'],
    ['juergen', 'Jürgen, ein Abend der Maschinen', 'Freitag'],
    ['soren', 'Søren, an evening of engines', 'Friday'],
    ['zoe', 'Zoë, an evening of engines', 'Friday'],
  ])
})

test('orders: one message a customer, with the labels of all their orders and one document of them', async () => {
  const arrived = await send('orders')
  expect(arrived.map(({ to, mail }) => [to[0], mail.subject])).toEqual([
    ['ada@example.com', 'Your 3 orders are on the way'],
    ['edsger@example.com', 'Your order is on the way'],
    ['grace@example.com', 'Your order is on the way'],
  ])
  const ada = arrived[0]?.mail
  expect(ada?.text).toContain('- 2 x Ink (order 1003): €3.05\n')
  expect(ada?.text).toContain('Together: €15.65')
  expect(ada?.attachments.map(({ filename }) => filename)).toEqual(['1001.txt', '1005.txt', 'Delivery note.pdf'])
  expect(text(ada?.attachments[2]?.content).slice(0, 5)).toBe('%PDF-')
})

test('envelope: the sender and the copy of the envelope are in no header', async () => {
  const arrived = await send('envelope')
  expect(arrived).toHaveLength(2)
  for (const { from, to, head, mail } of arrived) {
    expect([from, to[1]]).toEqual(['bounces@example.org', 'archive@example.net'])
    expect(mail.from?.address).toBe('author@example.com')
    expect(head).not.toMatch(/archive@|bounces@/)
  }
})

test('sending-hours: goes on at any hour when a person says so, under the limit of the first day', async () => {
  const before = sink.messages.length
  const args = ['run', '--smtp', `smtp://localhost:${sink.port}`, '--window', 'always', '--pause', '50-100ms']
  const ended = await startProgram(args, join(copy, 'examples/sending-hours')).ended
  expect(ended.code, ended.stderr).toBe(0)
  expect(sink.messages.slice(before).map(({ to }) => to[0])).toEqual([
    'ada@example.com',
    'grace@example.com',
    'taro@example.com',
  ])
})

test('no-server: the run says that nobody answers, and can be resumed', async () => {
  const ended = await startProgram(['run', '--csv', 'list.csv'], join(copy, 'examples/no-server')).ended
  expect(ended.code, ended.stderr).toBe(69)
  expect(ended.stderr).toContain('nobody answers at localhost:9')
  expect(ended.stderr).toContain('mailmerge resume')
  expect(ended.stdout).toContain('0 sent, 3 waiting of 3 rows')
})

test.each(['attachment', 'envelope', 'html', 'newsletter', 'no-server', 'plain-text', 'sending-hours', 'ticket'])(
  '%s runs as it is: its config names list and template',
  async (name) => {
    const ended = await startProgram(['run', '--sandbox'], join(copy, 'examples', name)).ended
    expect(ended.code, ended.stderr).toBe(0)
  },
)

test('invite: the command of the README, from the folder of the project', async () => {
  const args = ['run', '--csv', 'examples/invite/list.csv', '--template', 'invite', '--sandbox']
  const ended = await startProgram(args, copy).ended
  expect(ended.code, ended.stderr).toBe(0)
  expect(ended.stdout).toContain('5 delivered to the sandbox of 5 rows')
  const before = sink.messages.length
  const sent = await startProgram([...args.slice(0, -1), '--smtp', `smtp://localhost:${sink.port}`], copy).ended
  expect(sent.code, sent.stderr).toBe(0)
  const mails = await Promise.all(sink.messages.slice(before).map(({ octets }) => PostalMime.parse(octets)))
  const satoru = mails.find(({ to }) => to?.[0]?.address === 'satoru@example.com')
  expect(satoru?.subject).toBe('岩田 聡, your seat at the Analytical Evening')
  expect([satoru?.text, satoru?.html].every((body) => body?.includes('機関室, 京都'))).toBe(true)
  expect(satoru?.attachments[0]?.filename).toBe('ticket-B2.txt')
  expect(text(satoru?.attachments[0]?.content)).toContain('Guest:  岩田 聡')
})

test('library: the program beside its list sends it, through the name of the package', async () => {
  execFileSync(process.execPath, [TSC, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(copy, 'dist')])
  const { stdout } = await promisify(execFile)(process.execPath, ['send.ts'], { cwd: join(copy, 'examples/library') })
  expect(stdout).toMatch(/^ada@example\.com: 250 kept as /m)
  expect(stdout).toContain('3 of 3 sent')
})

function text(content: ArrayBuffer | Uint8Array | string | undefined): string {
  return Buffer.from(content as ArrayBuffer).toString('utf8')
}

test('accounts: each row comes from the desk that it names, and a shared load from both', async () => {
  const desk = await startRecordingSink({ keep: true })
  try {
    const env = {
      MAILMERGE_ACCOUNTS_SALES_SMTP_URL: `smtp://localhost:${sink.port}`,
      MAILMERGE_ACCOUNTS_SUPPORT_SMTP_URL: `smtp://localhost:${desk.port}`,
    }
    const folder = join(copy, 'examples/accounts')
    const before = sink.messages.length
    const ended = await startProgram(['run', '--yes'], folder, env).ended
    expect(ended.code, ended.stderr).toBe(0)
    const of = ({ from, to }: { readonly from: string; readonly to: readonly string[] }) => [from, ...to]
    expect(sink.messages.slice(before).map(of)).toEqual([['sales@shop.example.com', 'ada@example.com']])
    expect(desk.messages.map(of).toSorted()).toEqual([
      ['support@shop.example.com', 'grace@example.com'],
      ['support@shop.example.com', 'linus@example.com'],
    ])
    const shared = await startProgram(['run', '--yes', '--again', '--account', 'share'], folder, env).ended
    expect(shared.code, shared.stderr).toBe(0)
    // 499 of a day are left to the one, and 1,998 to the other.
    expect([sink.messages.length - before, desk.messages.length]).toEqual([2, 4])
  } finally {
    await desk.close()
  }
})

test('mail-service: a project for Microsoft Graph rehearses without an account, and says who must sign in', async () => {
  const dir = join(copy, 'examples', 'mail-service')
  const rehearsal = await startProgram(['run', '--sandbox'], dir).ended
  expect(rehearsal.code, rehearsal.stderr).toBe(0)
  expect(rehearsal.stdout).toContain('2')
  const run = await startProgram(['run', '--yes'], dir, { XDG_STATE_HOME: join(copy, 'state') }).ended
  expect([run.code, run.stderr]).toEqual([77, expect.stringContaining('mailmerge login graph --user ada@example.com')])
})
