import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { type Serving, startServing, until } from '../support/serving.ts'

/** Kills of serve in all. The long form: MAILMERGE_TEST_KILLS=100. */
const KILLS = Number(process.env['MAILMERGE_TEST_KILLS'] ?? 6)
/** Kills right after a 200. The long form: MAILMERGE_TEST_KILLS=100. */
const CLICK_KILLS = Number(process.env['MAILMERGE_TEST_KILLS'] ?? 4)
const ROWS = 25
const LANES = 5

const LETTER = [
  '---',
  'from: Author <author@example.org>',
  'subject: News for {{name}}',
  '---',
  'Dear {{name}}, leave: {{@merge.unsubscribeUrl}}',
  '',
].join('\n')

let sink: RecordingSink
const projects: Project[] = []
const servings: Serving[] = []

beforeAll(async () => {
  sink = await startRecordingSink({ delay: 1, keep: true })
})

afterAll(async () => {
  for (const serving of servings) await serving.kill(true).catch(() => {})
  await sink.close()
  for (const project of projects) project.remove()
})

function newProject(list = listOf(3), more = ''): Project {
  const project = makeProject({
    'list.csv': list,
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': [
      'template: letter',
      'csv: list.csv',
      `smtp: { host: 127.0.0.1, port: ${sink.port} }`,
      'unsubscribe: { url: "https://news.example.com" }',
      more,
      '',
    ].join('\n'),
  })
  projects.push(project)
  return project
}

async function serving(
  project: Project,
  args: readonly string[] = [],
  env: NodeJS.Dict<string> = {},
): Promise<Serving> {
  const started = await startServing(project, args, env)
  servings.push(started)
  return started
}

/** Messages that a campaign of `prefix...@` got. */
function got(prefix: string): ReadonlyMap<string, number> {
  return new Map([...sink.recipients].filter(([address]) => address.startsWith(prefix)))
}

function people(prefix: string, count: number): string {
  return `name,email\n${Array.from({ length: count }, (_, i) => `P ${i},${prefix}${i}@example.com`).join('\n')}\n`
}

async function addOnce(project: Project, name: string, at: Date, csv: string): Promise<void> {
  const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
  try {
    await ledger.schedules.add({
      name,
      timing: { kind: 'once', wall: at.toISOString().slice(0, 23) },
      zone: 'UTC',
      createdAt: new Date(Math.min(Date.now(), at.getTime() - 1)),
      options: { flags: { csv: `${project.dir}/${csv}` }, selection: {}, campaign: '{{name}}', catchUp: 'all' },
    })
  } finally {
    await ledger.close()
  }
}

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

/** A request byte for byte as given: fetch would correct the Host. */
function ask(
  address: string,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
) {
  const { body, ...rest } = options
  return new Promise<Answer>((resolve, reject) => {
    const sent = httpRequest(new URL(path, address), rest, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** The request of RFC 8058 section 8.1, for a link as it stands in a message. */
function oneClick(serving: Serving, link: string): Promise<Answer> {
  return ask(serving.address, new URL(link).pathname, {
    method: 'POST',
    headers: { host: 'news.example.com', 'content-type': 'application/x-www-form-urlencoded', 'content-length': '26' },
    body: 'List-Unsubscribe=One-Click',
  })
}

function linkTo(address: string): string {
  const message = sink.messages.find(({ to }) => to.includes(address))
  const header = /^List-Unsubscribe: <(https:[^>]+)>/im.exec(message?.octets.toString('latin1') ?? '')
  return header?.[1] ?? ''
}

test('the first line is the address with its token, which opens runs and schedules to this machine alone', async () => {
  const project = newProject()
  const serve = await serving(project, [], { MAILMERGE_SERVE_TOKEN: 'canary-token-of-mine' })
  const bearer = { authorization: 'Bearer canary-token-of-mine' }
  expect(serve.token).toBe('canary-token-of-mine')
  expect((await ask(serve.address, '/health')).body).toBe('{"status":"ok"}')
  expect((await ask(serve.address, '/healthz')).body).toBe('{"status":"ok"}')
  expect(JSON.parse((await ask(serve.address, '/runs', { headers: bearer })).body)).toEqual({ runs: [], all: 0 })
  expect(JSON.parse((await ask(serve.address, '/schedules?token=canary-token-of-mine')).body)).toEqual({
    schedules: [],
  })
  for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: 'canary-token-of-mine' }]) {
    expect((await ask(serve.address, '/runs', { headers })).status).toBe(401)
  }
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.', 'news.example.com:80']) {
    expect((await ask(serve.address, '/runs', { headers: { ...bearer, host } })).status).toBe(421)
  }
  expect((await ask(serve.address, '/runs', { method: 'POST', headers: bearer })).status).toBe(405)
  for (const path of ['/etc/passwd', '/runs/..%2f..', '/runs/none', '/u/', '/u/a/b']) {
    expect((await ask(serve.address, path, { headers: bearer })).status).toBe(404)
  }
  expect((await ask(serve.address, '/u/xxx', { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(404)
  expect(await serve.stop()).toBe(0)
  expect(serve.output.stderr).not.toContain('canary')
  expect(serve.log.map(({ event }) => event)).toEqual(['listening', 'stopping', 'stopped'])
})

test.runIf(process.platform === 'linux')(
  'links are answered by a thread that stands behind the schedules and the runs in the queue for the processor',
  async () => {
    const serve = await serving(newProject())
    const { pid = 0 } = serve.child
    const nice = (thread: string): number =>
      Number(
        readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')[16],
      )
    const own = nice(String(pid))
    expect(readdirSync(`/proc/${pid}/task`).filter((thread) => nice(thread) > own)).toHaveLength(1)
    await serve.stop()
  },
)

test('a port that another program has is reported, and ends with 73', async () => {
  const project = newProject()
  const serve = await serving(project)
  const { code, stderr } = await project.run(['serve', '--port', new URL(serve.address).port])
  expect(code, stderr).toBe(73)
  expect(stderr).toContain('another program has it')
  await serve.stop()
})

test('a planned run is sent at its hour, and an occurrence of a schedule is a campaign of its own', async () => {
  const project = newProject(people('hour', 3))
  project.write('second.csv', people('second', 4))
  const planned = await project.run(['run', '--yes', '--at', new Date(Date.now() + 3000).toISOString(), '--detach'])
  expect(planned.code, planned.stderr).toBe(0)
  await addOnce(project, 'launch', new Date(Date.now() + 3000), 'second.csv')
  const serve = await serving(project)
  await until(() => got('hour').size === 3 && got('second').size === 4, 'both were sent')
  await until(() => serve.log.filter(({ event }) => event === 'finished').length === 2, 'both finished')
  const { runs } = JSON.parse((await ask(serve.address, `/runs?token=${serve.token}`)).body)
  expect(runs).toMatchObject([{ state: 'finished', sent: expect.any(Number) }, { state: 'finished' }])
  expect(runs.map(({ campaign }: { campaign: string }) => campaign).sort()).toEqual(['launch', 'letter-list'])
  const listed = (await project.run(['schedule', 'list', '--json'])).stdout
  expect(JSON.parse(listed)).toMatchObject({ schedule: 'launch', next_at: null, last: { state: 'done' } })
  await serve.stop()
  for (const count of [...got('hour').values(), ...got('second').values()]) expect(count).toBe(1)
})

test('an occurrence whose list is not there yet is sent when it comes; one with bad rows is reported and sent when corrected', async () => {
  const project = newProject()
  project.write('bad.csv', 'name,email\nAda,nobody\n')
  await addOnce(project, 'later', new Date(), 'later.csv')
  await addOnce(project, 'bad', new Date(), 'bad.csv')
  await new Promise((done) => setTimeout(done, 20))
  const missing = await project.run(['schedule', 'run-due'])
  expect(missing.stderr).toContain('there is no list')
  expect(missing.stderr).toContain('row 1')
  expect(missing.code).toBe(66)
  project.write('later.csv', people('later', 2))
  project.write('bad.csv', people('mended', 2))
  expect((await project.run(['schedule', 'run-due'])).code).toBe(0)
  expect([got('later').size, got('mended').size]).toEqual([2, 0])
  expect((await project.run(['schedule', 'run-due', 'bad', '--late', 'ok'])).code).toBe(0)
  expect(got('mended').size).toBe(2)
  const idle = await project.run(['schedule', 'run-due'])
  expect(idle.stderr).toContain('nothing is due')
  expect(idle.code).toBe(0)
})

test(`killed ${KILLS} times at random instants, serve fires each occurrence once and loses nobody`, {
  timeout: 60_000 + KILLS * 15_000,
}, async () => {
  const project = newProject()
  const occurrences = KILLS * 2
  const start = Date.now() + 2000
  for (let i = 0; i < occurrences; i++) {
    project.write(`list${i}.csv`, people(`kill${i}.`, ROWS))
    await addOnce(project, `kill${i}`, new Date(start + i * 900), `list${i}.csv`)
  }
  // Two at once on one ledger: which of them fires is chance.
  let pair = [await serving(project), await serving(project)]
  for (let kill = 0; kill < KILLS; kill++) {
    await new Promise((done) => setTimeout(done, 200 + Math.random() * 1800))
    const victim = Math.random() < 0.5 ? 0 : 1
    await pair[victim]?.kill(kill % 2 === 0)
    pair = [pair[1 - victim] as Serving, await serving(project)]
  }
  const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
  let inDoubt = 0
  try {
    await until(
      async () => {
        // One that is late on a busy machine is not there yet, and so not unfinished either.
        for (let i = 0; i < occurrences; i++)
          if ((await ledger.schedules.occurrences(`kill${i}`, 1)).length === 0) return false
        return (await ledger.schedules.unfinished()).length === 0
      },
      'every occurrence is done',
      60_000 + KILLS * 10_000,
    )
    for (let i = 0; i < occurrences; i++) {
      const [record, ...more] = await ledger.schedules.occurrences(`kill${i}`, 5)
      expect(more).toEqual([])
      expect(record?.state).toBe('done')
      const doubtful = new Set<string>()
      for await (const rows of ledger.results.rows(record?.run ?? '')) {
        for (const { status, address } of rows) if (status === 'in_doubt') doubtful.add(address)
      }
      inDoubt += doubtful.size
      for (let row = 0; row < ROWS; row++) {
        const address = `kill${i}.${row}@example.com`
        const times = sink.recipients.get(address) ?? 0
        if (doubtful.has(address)) expect(times, address).toBeLessThanOrEqual(1)
        else expect(times, address).toBe(1)
      }
    }
    expect(inDoubt).toBeLessThanOrEqual(LANES * KILLS * 4)
    const runs = (await ledger.runs.list()).filter(({ options }) => String(options['occurrence']).startsWith('kill'))
    expect(runs).toHaveLength(occurrences)
  } finally {
    await ledger.close()
    for (const one of pair) await one.stop()
  }
})

test('one click, from the message to the next issue: the exact request of the standard takes one person off one list', async () => {
  const project = newProject(people('click', 3), 'group: news')
  expect((await project.run(['run', '--yes', '--campaign', 'first'])).code).toBe(0)
  const message = sink.messages.find(({ to }) => to.includes('click1@example.com'))?.octets.toString('latin1') ?? ''
  expect(message).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n')
  const link = linkTo('click1@example.com')
  expect(message.replaceAll('=\r\n', '').replaceAll('=3D', '=')).toContain(`leave: ${link}`)
  expect(link).not.toMatch(/click1|example\.com.*example|news\//)
  const serve = await serving(project)
  const opened = await ask(serve.address, new URL(link).pathname)
  expect(opened.status).toBe(200)
  expect((await project.run(['suppress', 'list', '--json'])).stdout).toBe('')
  const answer = await oneClick(serve, link)
  expect(answer.status).toBe(200)
  expect(answer.headers['set-cookie']).toBeUndefined()
  expect(answer.headers['location']).toBeUndefined()
  expect((await oneClick(serve, link)).status).toBe(200)
  expect((await oneClick(serve, `${link.slice(0, -1)}${link.endsWith('A') ? 'B' : 'A'}`)).status).toBe(404)
  const behindProxy = await ask(serve.address, `/mail${new URL(linkTo('click2@example.com')).pathname}?lang=de`)
  expect(behindProxy.body).toContain('<html lang="de">')
  expect((await project.run(['run', '--yes', '--campaign', 'second'])).code).toBe(0)
  expect([...got('click').entries()].sort()).toEqual([
    ['click0@example.com', 2],
    ['click1@example.com', 1],
    ['click2@example.com', 2],
  ])
  expect(serve.output.stderr).not.toContain('click1')
  await serve.stop()
})

test(`a 200 is kept: killed right after it, ${CLICK_KILLS} times, the person is off the list`, {
  timeout: 60_000 + CLICK_KILLS * 10_000,
}, async () => {
  const project = newProject(people('kept', CLICK_KILLS))
  expect((await project.run(['run', '--yes', '--campaign', 'kept'])).code).toBe(0)
  for (let i = 0; i < CLICK_KILLS; i++) {
    const serve = await serving(project)
    const answer = await oneClick(serve, linkTo(`kept${i}@example.com`))
    await serve.kill(true)
    expect(answer.status).toBe(200)
    const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
    expect((await ledger.suppressions.find([`kept${i}@example.com`], 'kept')).size).toBe(1)
    await ledger.close()
  }
})

test.each([
  ['a secret of the links that can be guessed', { MAILMERGE_UNSUBSCRIBE_SECRET: 'short' }, [], 78, 'can be guessed'],
  ['a secret that is no file', {}, [], 66, 'unsubscribe.key cannot be read: it is a folder'],
  [
    'a port that cannot be had',
    { MAILMERGE_UNSUBSCRIBE_SECRET: 'x'.repeat(40) },
    ['--host', '192.0.2.1'],
    73,
    'no such address',
  ],
] as const)('%s ends serve with its own exit code', async (_what, env, args, code, words) => {
  const project = newProject()
  mkdirSync(join(project.dir, '.mailmerge/unsubscribe.key'), { recursive: true })
  const ended = await project.run(['serve', '--port', '0', ...args], env)
  expect(ended.code, ended.stderr).toBe(code)
  expect(ended.stderr).toContain(words)
  expect(ended.stderr).toMatch(/^hint: /m)
  expect(ended.stdout).toBe('')
})
