import { parse } from 'csv-parse/sync'
import { ImapFlow } from 'imapflow'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { type Dovecot, startDovecot } from '../support/dovecot.ts'
import { type Postfix, startPostfix } from '../support/postfix.ts'
import { makeProject, type Project } from '../support/program.ts'
import { stopStarted } from '../support/real-server.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'

/** The world outside: it knows nobody called `gone`, the box of `full` is full, and it refuses one domain for policy. */
const ANSWERS: readonly (readonly [RegExp, string])[] = [
  [/gone@/, '550 5.1.1 no such user here'],
  [/full@/, '552 5.2.2 mailbox is full'],
  [/@refused\.example/, '550 5.7.1 refused by local policy'],
]
const PEOPLE = ['ada@outside.example', 'gone@outside.example', 'full@outside.example', 'eve@refused.example']

let world: ScriptedServer
let postfix: Postfix | { readonly skipped: string }
let dovecot: Dovecot | { readonly skipped: string }
let project: Project

beforeAll(async () => {
  world = await startScriptedServer({ rcpt: ({ line }) => ANSWERS.find(([who]) => who.test(line))?.[1] })
  postfix = await startPostfix({
    settings: [
      'virtual_mailbox_domains = society.example',
      'virtual_mailbox_maps = static:bounces/',
      `relayhost = [127.0.0.1]:${world.port}`,
      'disable_dns_lookups = yes',
      'smtp_host_lookup = native',
    ],
  })
  if ('skipped' in postfix) dovecot = postfix
  else dovecot = await startDovecot({ maildir: `${postfix.mailFolder}/bounces`, owner: postfix.mailOwner })
}, 400_000)

afterAll(async () => {
  await stopStarted(postfix)
  await stopStarted(dovecot)
  await world.close()
  project?.remove()
})

const config = (more = ''): string => {
  if ('skipped' in dovecot || 'skipped' in postfix) return ''
  return `csv: list.csv
template: news
smtp: { host: localhost, port: ${postfix.port}, ca: ${postfix.ca} }
imap: { host: 127.0.0.1, port: ${dovecot.port}, security: none, user: ${dovecot.user}, password: "${dovecot.password}" }
bounces: { returnPath: "bounces+*@society.example"${more} }
`
}

async function results(): Promise<readonly Readonly<Record<string, string>>[]> {
  return parse((await project.run(['report'])).stdout, { columns: true })
}

async function until<T>(ask: () => Promise<T>, right: (answer: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries++) {
    const answer = await ask()
    if (right(answer) || tries > 60) return answer
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

describe('a real Postfix whose bounces lie in a real Dovecot', () => {
  test('each is heard once: the dead address suppressed, the full one counted, the refused one kept', {
    timeout: 120_000,
  }, async ({ skip }) => {
    if ('skipped' in dovecot) return skip(dovecot.skipped)
    project = makeProject({
      'list.csv': `name,email\n${PEOPLE.map((address) => `X,${address}`).join('\n')}\n`,
      'templates/news.txt': '---\nfrom: News <news@society.example>\nsubject: News\n---\nDear {{name}}, news.\n',
      'mailmerge.yaml': config(),
    })
    const run = await project.run(['run', '--yes'])
    expect(run.code, run.stderr).toBe(0)
    // Postfix writes three reports, each a little later.
    const heard: Record<string, unknown>[] = []
    const read = async (): Promise<number> => {
      const { stdout, stderr, code } = await project.run(['bounces', '--json'])
      expect(code, stderr).toBe(0)
      heard.push(
        ...stdout
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line)),
      )
      return heard.length
    }
    await until(read, (count) => count >= 3)
    const said = heard.map(
      ({ address, kind, outcome, enhanced_code }) => `${address} ${kind} ${enhanced_code} ${outcome}`,
    )
    expect(said.sort()).toEqual([
      'eve@refused.example soft 5.7.1 recorded',
      'full@outside.example soft 5.2.2 recorded',
      'gone@outside.example hard 5.1.1 suppressed',
    ])
    // Nothing is heard twice.
    expect(await read()).toBe(3)
    // A mailbox put back from a backup has other UIDs: all is read again, and known.
    dovecot.forgetUids()
    expect(await read()).toBe(6)
    expect(heard.slice(3).map(({ outcome }) => outcome)).toEqual(['known', 'known', 'known'])
    const rows = await results()
    expect(rows.map(({ address, status, bounce }) => `${address} ${status} ${bounce}`)).toEqual([
      'ada@outside.example sent ',
      'gone@outside.example sent hard: mailbox unknown',
      'full@outside.example sent soft: mailbox full',
      'eve@refused.example sent soft: refused by policy',
    ])
    const next = await project.run(['run', '--yes', '--campaign', 'next', '--json'])
    expect(next.code).toBe(0)
    const skipped = next.stdout.split('\n').filter((line) => line.includes('"skipped"') && line.includes('"row"'))
    expect(skipped).toHaveLength(1)
    expect(skipped[0]).toContain('gone@outside.example')
  })
})

const report = (token: string): string =>
  `From: MAILER-DAEMON@x.example\r\nTo: bounces@society.example\r\nSubject: Undelivered Mail\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <${token}@society.example>\r\n\r\nx\r\n--b--\r\n`

/** A run that sent to each of these; the token of each message is `<token><row>`. */
async function recordSent(ledger: Ledger, addresses: readonly string[], token: string): Promise<void> {
  const campaign = await ledger.campaigns.open('news')
  const now = new Date()
  await ledger.runs.create({
    ...{ id: 'r1', campaign, startedAt: now, source: 's', template: 't', templateHash: '', columns: [], options: {} },
  })
  await ledger.plans.add(
    'r1',
    addresses.map((address, index) => ({ row: index + 1, key: address, address, data: '{}' })),
  )
  await ledger.plans.complete('r1', { duplicates: 'skip' })
  const due = await ledger.deliveries.due('r1', { now, after: 0, limit: 1000 })
  await ledger.deliveries.record(
    due.map(({ recipient, row }) => ({
      ...{ kind: 'row-updated', recipient, lane: 1, at: now, status: 'sent', attempted: true },
      messageId: `<${token}${row}@society.example>`,
    })),
  )
}

/** Subjects in INBOX: for `seen` those that are unread, else all. */
async function subjects({ port, user, password }: Dovecot, done: string): Promise<string[]> {
  const client = new ImapFlow({ host: '127.0.0.1', port, secure: false, auth: { user, pass: password }, logger: false })
  await client.connect()
  const lock = await client.getMailboxLock('INBOX')
  const found: string[] = []
  for await (const { envelope, flags } of client.fetch('1:*', { envelope: true, flags: true })) {
    if (done !== 'seen' || flags?.has('\\Seen') !== true) found.push(`${envelope?.subject}`)
  }
  lock.release()
  await client.logout()
  return found
}

describe('a mailbox over IMAP', () => {
  let box: Dovecot | { readonly skipped: string }
  beforeAll(async () => {
    box = await startDovecot()
  }, 400_000)
  afterAll(async () => {
    await stopStarted(box)
  })
  beforeEach(() => {
    project?.remove()
    if ('skipped' in box) return
    project = makeProject({
      'mailmerge.yaml': `imap: { host: 127.0.0.1, port: ${box.port}, security: none, user: ${box.user} }\nbounces: { done: { move: Done } }\n`,
    })
  })
  const env = (): NodeJS.Dict<string> => ({ MAILMERGE_IMAP_PASSWORD: 'password' in box ? box.password : '' })
  const lines = async (args: readonly string[]): Promise<readonly string[]> =>
    (await project.run([...args, '--json'], env())).stdout.split('\n').filter(Boolean)

  test('is only looked at by --dry-run; taken in, its letters go where the config says', { timeout: 60_000 }, async ({
    skip,
  }) => {
    if ('skipped' in box) return skip(box.skipped)
    for (const token of ['a', 'b', 'c']) box.deliver(report(token))
    expect(await lines(['bounces', '--dry-run'])).toHaveLength(3)
    expect(await lines(['bounces', '--dry-run'])).toHaveLength(3)
    expect(await lines(['bounces'])).toHaveLength(3)
    expect(await lines(['bounces'])).toHaveLength(0)
    box.deliver(report('d'))
    expect(await lines(['bounces'])).toHaveLength(1)
  })

  test.each([
    ['seen', 'marked as read'],
    ['delete', 'deleted'],
  ])('with done: %s, only what was about our messages is %s', { timeout: 60_000 }, async (done) => {
    if ('skipped' in box) return
    const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
    await recordSent(ledger, ['ada@example.com', 'bob@example.com'], `own${done}`)
    await ledger.close()
    const before = await subjects(box, done)
    const mails: readonly (readonly [subject: string, headers: string])[] = [
      ['private', 'From: friend@example.com'],
      [
        'private holiday',
        'From: friend@example.com\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: <mine@example.org>',
      ],
      ['private newsletter', 'From: shop@example.com\r\nList-Unsubscribe: <https://shop.example/x>'],
      ['question', `From: bob@example.com\r\nIn-Reply-To: <own${done}2@society.example>`],
    ]
    for (const [subject, headers] of mails)
      box.deliver(`${headers}\r\nTo: us@example.org\r\nSubject: ${done} ${subject}\r\n\r\nHello\r\n`)
    box.deliver(report(`own${done}1`))
    box.deliver(report('of-somebody-else').replace('Undelivered Mail', `${done} foreign report`))
    const config = { ...env(), MAILMERGE_BOUNCES_DONE: done }
    expect((await project.run(['bounces'], config)).code).toBe(0)
    const left = (await subjects(box, done)).filter((subject) => !before.includes(subject))
    expect(left.sort()).toEqual([...mails.map(([subject]) => `${done} ${subject}`), `${done} foreign report`].sort())
  })

  test('with a wrong password ends with 77 after one try, without its port with 69, without the folder with 78', {
    timeout: 60_000,
  }, async ({ skip }) => {
    if ('skipped' in box) return skip(box.skipped)
    const wrong = await project.run(['bounces'], { MAILMERGE_IMAP_PASSWORD: 'hunter2-canary' })
    expect(wrong.code).toBe(77)
    expect(wrong.stderr).toContain('refused the login of ada')
    expect(wrong.stderr).not.toContain('hunter2-canary')
    const folder = await project.run(['bounces'], { ...env(), MAILMERGE_BOUNCES_MAILBOX: 'Nowhere' })
    expect(folder.code).toBe(78)
    expect(folder.stderr).toContain("no folder 'Nowhere'")
    const away = await project.run(['bounces'], { ...env(), MAILMERGE_IMAP_PORT: '1' })
    expect(away.code).toBe(69)
    const none = await project.run(['bounces'], { MAILMERGE_IMAP_PASSWORD: '' })
    expect(none.code).toBe(78)
    expect(none.stderr).toContain('MAILMERGE_IMAP_PASSWORD')
  })

  test('loses no report and counts none twice when the reading is killed again and again', {
    timeout: 120_000,
  }, async ({ skip }) => {
    if ('skipped' in box) return skip(box.skipped)
    const addresses = Array.from({ length: 450 }, (_, index) => `p${index}@example.com`)
    const path = `${project.dir}/.mailmerge/ledger.db`
    const before = await openSqliteLedger(path)
    await recordSent(before, addresses, 'killed')
    await before.close()
    for (const row of addresses.keys()) box.deliver(report(`killed${row + 1}`))
    for (let kills = 0; kills < 4; kills++) {
      const { child, ended } = project.start(['bounces'], env())
      const timer = setTimeout(() => child.kill('SIGKILL'), 500 + Math.random() * 700)
      await ended
      clearTimeout(timer)
    }
    const { code, stderr } = await project.run(['bounces'], env())
    expect(code, stderr).toBe(0)
    const after = await openSqliteLedger(path)
    expect(await after.feedback.counts('r1')).toEqual(new Map([['hard', addresses.length]]))
    let suppressed = 0
    for await (const batch of after.suppressions.list()) suppressed += batch.length
    expect(suppressed).toBe(addresses.length)
    await after.close()
    expect(await lines(['bounces'])).toEqual([])
  })
})
