/** Notices of how a run ended: by a real mail server and a real web server of this machine. */
import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import PostalMime from 'postal-mime'
import { afterEach, expect, test } from 'vitest'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { startServing, until } from '../support/serving.ts'

const SECRET = 'a secret of more than sixteen characters'
const env = { MAILMERGE_NOTIFY_SECRET: SECRET }

interface Posted {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

interface Hook extends AsyncDisposable {
  readonly url: string
  readonly posted: readonly Posted[]
}

/** A web server that gives these answers in turn, the last one ever after; 0 never answers. */
async function startHook(...answers: readonly number[]): Promise<Hook> {
  const posted: Posted[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      const status = answers[Math.min(posted.length, answers.length - 1)] ?? 200
      posted.push({ headers: request.headers, body })
      if (status === 0) return
      response.writeHead(status, status === 302 ? { location: `${url}/elsewhere` } : {}).end('thanks')
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  return {
    url,
    posted,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

let project: Project
let sink: RecordingSink
afterEach(async () => {
  project?.remove()
  await sink?.close()
})

function start(notify: string, people = 3, more = ''): void {
  project = makeProject({
    'list.csv': listOf(people),
    'templates/n.txt': '---\nfrom: N <n@society.example>\nsubject: Hello {{name}}\n---\nDear {{name}}.\n',
    'mailmerge.yaml': `csv: list.csv\ntemplate: n\ncampaign: news\nsmtp: { url: "smtp://127.0.0.1:${sink.port}" }\nnotify: ${notify}\n${more}`,
  })
}

function facts({ body }: Posted = { headers: {}, body: '{}' }): Readonly<Record<string, unknown>> {
  return JSON.parse(body) as Readonly<Record<string, unknown>>
}

const forOps = (): readonly Buffer[] =>
  sink.messages.filter(({ to }) => to.includes('ops@example.org')).map(({ octets }) => octets)

test('the end of a run is posted, signed, and mailed, with counts and nobody of the list', async () => {
  sink = await startRecordingSink({ keep: true })
  await using hook = await startHook(200)
  start(`{ mail: ops@example.org, from: merge@example.org, webhook: "${hook.url}" }`)
  const run = await project.run(['run', '--yes'], env)
  expect(run.code, run.stderr).toBe(0)
  expect(hook.posted).toHaveLength(1)
  const [{ headers, body }] = hook.posted as [Posted]
  const time = String(headers['mailmerge-timestamp'])
  const signature = createHmac('sha256', SECRET).update(`${time}.${body}`).digest('hex')
  expect(headers['mailmerge-signature']).toBe(`v1=${signature}`)
  expect(Math.abs(Date.now() / 1000 - Number(time))).toBeLessThan(120)
  expect(facts(hook.posted[0])).toMatchObject({
    kind: 'ended',
    campaign: 'news',
    counts: { sent: 3, failed: 0, skipped: 0, deferred: 0, in_doubt: 0 },
    reason: null,
  })
  const [letter] = await Promise.all(forOps().map((octets) => PostalMime.parse(octets)))
  expect(forOps()).toHaveLength(1)
  expect(letter?.subject).toBe('mailmerge: news: finished')
  expect(letter?.text).toContain('Sent: 3')
  expect(letter?.from?.address).toBe('merge@example.org')
  expect(letter?.headers.find(({ key }) => key === 'auto-submitted')?.value).toBe('auto-generated')
  for (const text of [body, letter?.text ?? '']) expect(text).not.toMatch(/example\.com|Person/)
  expect(run.stderr + run.stdout).not.toContain(SECRET)
  // Nothing is left to send, so there is no notice.
  expect((await project.run(['run', '--yes'], env)).code).toBe(0)
  expect(hook.posted).toHaveLength(1)
})

test('a web server that fails once is tried again with the same notice', async () => {
  sink = await startRecordingSink()
  await using hook = await startHook(500, 200)
  start(`{ webhook: "${hook.url}" }`)
  const run = await project.run(['run', '--yes'], env)
  expect(run.code, run.stderr).toBe(0)
  expect(hook.posted).toHaveLength(2)
  expect(hook.posted[1]?.body).toBe(hook.posted[0]?.body)
  expect(run.stderr).not.toContain('was not given')
})

test('a notice that cannot be given is a note and no other exit code: redirected, refused, never answered', async () => {
  sink = await startRecordingSink()
  for (const [answer, why, tries] of [
    [302, 'it answers 302, and redirects are not followed', 1],
    [404, 'it answers 404', 1],
    [0, 'it does not answer in time', 3],
  ] as const) {
    await using hook = await startHook(answer)
    start(`{ webhook: "${hook.url}" }`)
    const run = await project.run(['run', '--yes'], env)
    expect(run.code, run.stderr).toBe(0)
    expect(run.stderr).toContain(`the notice to ${new URL(hook.url).origin} was not given: ${why}`)
    expect(hook.posted.length).toBeLessThanOrEqual(tries)
    expect(hook.posted.length).toBeGreaterThan(0)
    // It was tried and is not kept for later.
    const posted = hook.posted.length
    await project.run(['run', '--yes'], env)
    expect(hook.posted).toHaveLength(posted)
    project.remove()
  }
})

test('an account at its limit, and a quota, need a person; a server of its own takes the mail', async () => {
  sink = await startRecordingSink({
    answer: () => '550 5.4.5 <p1@example.com> Daily user sending limit exceeded for ada%40example.com',
  })
  const own = await startRecordingSink({ keep: true })
  try {
    start(`{ mail: ops@example.org, smtp: "smtp://127.0.0.1:${own.port}" }`)
    const run = await project.run(['run', '--yes'])
    expect(run.code, run.stderr).toBe(75)
    const [letter] = await Promise.all(own.messages.map(({ octets }) => PostalMime.parse(octets)))
    expect(own.messages.map(({ to }) => to)).toEqual([['ops@example.org']])
    expect(letter?.subject).toBe('mailmerge: news: needs you')
    expect(letter?.text).toContain('a sending limit of the account is reached')
    expect(letter?.text).not.toMatch(/example\.com/)
    // The same stop with nothing more sent is not said again.
    expect((await project.run(['resume'])).code).toBe(75)
    expect(own.messages).toHaveLength(1)
  } finally {
    await own.close()
  }
})

test('a login that is refused needs a person', async () => {
  sink = await startRecordingSink()
  await using hook = await startHook(200)
  start(`{ webhook: "${hook.url}" }`)
  project.write(
    'mailmerge.yaml',
    `csv: list.csv\ntemplate: n\nsmtp: { url: "smtp://127.0.0.1:1" }\nnotify: { webhook: "${hook.url}" }\n`,
  )
  const run = await project.run(['run', '--yes', '--retry-for', '0'], env)
  expect(run.code).not.toBe(0)
  expect(hook.posted.map((one) => facts(one)['kind'])).toEqual(['needs_you'])
})

test('of a run that was killed the next command gives notice, once', async () => {
  let letGo: () => void = () => {}
  const gate = new Promise<void>((done) => {
    letGo = done
  })
  sink = await startRecordingSink({ gate: () => gate })
  await using hook = await startHook(200)
  start(`{ webhook: "${hook.url}" }`)
  const { child, ended } = project.start(['run', '--yes'], env)
  await until(() => sink.connections > 0, 'a connection is there')
  await new Promise((done) => setTimeout(done, 1500))
  child.kill('SIGKILL')
  await ended
  letGo()
  expect(hook.posted).toHaveLength(0)
  // Another campaign of the project: what the killed one owes is given with it.
  for (let i = 0; i < 2; i++) await project.run(['run', '--yes', '--campaign', 'other'], env)
  const of = (campaign: string) => hook.posted.map((one) => facts(one)).filter((one) => one['campaign'] === campaign)
  expect(of('news')).toHaveLength(1)
  expect(of('news')[0]).toMatchObject({ kind: 'needs_you', reason: 'broken-off' })
  expect(of('other').map(({ kind }) => kind)).toEqual(['ended'])
})

test('a program that is killed after its run ended leaves the notice to serve', async () => {
  sink = await startRecordingSink()
  await using hook = await startHook(0, 200)
  start(`{ webhook: "${hook.url}" }`)
  const { child, ended } = project.start(['run', '--yes'], env)
  await until(() => hook.posted.length === 1, 'the notice is on its way')
  child.kill('SIGKILL')
  await ended
  const serving = await startServing(project, [], env)
  try {
    // It is taken up once its first process can no longer be at it.
    await until(() => hook.posted.length === 2, 'serve gave it', 110_000)
    expect(hook.posted[1]?.body).toBe(hook.posted[0]?.body)
    expect(facts(hook.posted[1])).toMatchObject({ kind: 'ended' })
  } finally {
    await serving.stop()
  }
}, 200_000)

test('verify --notify gives a test notice each way, and says what does not work', async () => {
  sink = await startRecordingSink({ keep: true })
  await using hook = await startHook(200, 403)
  start(`{ mail: ops@example.org, webhook: "${hook.url}" }`)
  const good = await project.run(['verify', '--notify'], env)
  expect(good.code, good.stderr).toBe(0)
  expect(facts(hook.posted[0])).toMatchObject({ kind: 'test', run: null })
  expect(forOps()).toHaveLength(1)
  const bad = await project.run(['verify', '--notify'], env)
  expect(bad.code).toBe(69)
  expect(bad.stderr).toContain(`the test notice was not given to ${new URL(hook.url).origin}: it answers 403`)
})

test('settings that cannot work are refused before anything is sent', async () => {
  sink = await startRecordingSink()
  for (const [notify, why] of [
    ['{ when: [ended] }', 'notify names nobody'],
    ['{ webhook: "https://hooks.example.org/x" }', 'notify.webhook has no key to sign with'],
    ['{ webhook: "https://hooks.example.org/x", secret: short }', 'notify.secret is too short'],
    ['{ webhook: "http://hooks.example.org/x" }', 'must be an https:// address'],
    ['{ mail: nobody }', 'must be an address'],
  ] as const) {
    start(notify)
    const run = await project.run(['run', '--yes'])
    expect(run.code).toBe(78)
    expect(run.stderr).toContain(why)
    project.remove()
  }
  expect(sink.connections).toBe(0)
})

test('a schedule whose list is wrong needs a person, and says so once', async () => {
  sink = await startRecordingSink()
  await using hook = await startHook(200)
  start(`{ webhook: "${hook.url}" }`)
  project.write('list.csv', 'name,email\nAda,ada@example.com\nBob,bob@@example.com\n')
  expect((await project.run(['schedule', 'add', 'weekly', '--cron', '0 9 * * *'], env)).code).toBe(0)
  // Now is an occurrence of it, whatever the clock says.
  const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
  const at = new Date(Date.now() - 1000)
  const wall = at.toISOString().slice(0, 16)
  await ledger.schedules.claim({ schedule: 'weekly', wall, at, campaign: 'weekly-1' }, at)
  await ledger.close()
  for (let i = 0; i < 2; i++) {
    const { code, stderr } = await project.run(['schedule', 'run-due', 'weekly', '--late', 'ok'], env)
    expect(code, stderr).toBe(65)
  }
  expect(hook.posted.map((one) => facts(one))).toMatchObject([
    { kind: 'needs_you', run: null, counts: null, campaign: 'weekly-1', reason: 'data' },
  ])
  expect(hook.posted[0]?.body).not.toContain('example.com')
})
