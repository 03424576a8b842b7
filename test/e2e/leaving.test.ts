import { Agent, request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadSettings } from '../../src/config/load.ts'
import { openUnsubscribeTokens } from '../../src/unsubscribe/links.ts'
import { makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { type Serving, startServing, until } from '../support/serving.ts'

/** The long form: MAILMERGE_TEST_ROWS=10000, with 300 that leave. */
const ROWS = Number(process.env['MAILMERGE_TEST_ROWS'] ?? 2000)
const LEAVING = Math.round(ROWS * 0.03)
/** A suppression of another process reaches a run within this. */
const REACH_MS = 1000

let sink: RecordingSink
let project: Project
let serve: Serving
/** When the end of a person's message came. */
const arrived = new Map<string, number>()

beforeAll(async () => {
  sink = await startRecordingSink({
    delay: 4,
    answer: ({ to }) => {
      for (const address of to) arrived.set(address, performance.now())
      return undefined
    },
  })
})

afterAll(async () => {
  await serve.kill(true).catch(() => {})
  await sink.close()
  project.remove()
})

test(`of ${LEAVING} who leave while a newsletter of ${ROWS} is on its way, none gets a mail that was not in flight`, {
  timeout: 60_000 + ROWS * 20,
}, async () => {
  const people = Array.from({ length: ROWS }, (_, i) => `Person ${i},p${i}@example.com`)
  project = makeProject({
    'list.csv': `name,email\n${people.join('\n')}\n`,
    'templates/letter.txt': '---\nfrom: Author <author@example.org>\nsubject: News\n---\nDear {{name}}\n',
    'mailmerge.yaml': [
      'template: letter',
      'csv: list.csv',
      'group: news',
      `smtp: { host: 127.0.0.1, port: ${sink.port} }`,
      'unsubscribe: { url: "https://news.example.com" }',
      '',
    ].join('\n'),
  })
  serve = await startServing(project)
  const settings = await loadSettings({ cwd: project.dir, env: {}, flags: {} })
  const tokens = await openUnsubscribeTokens(settings)
  const running = project.start(['run', '--yes', '--concurrency', '3'])
  await until(() => sink.recipients.size > 10, 'the newsletter is on its way')

  // People from all over the list leave, each when somewhat fewer rows are sent than stand before theirs, or much fewer.
  const agent = new Agent({ keepAlive: true, maxSockets: 10 })
  const left = new Map<string, { readonly answered: number; readonly had: boolean }>()
  let at = 10
  while (left.size < LEAVING && sink.recipients.size < ROWS - LEAVING) {
    const row = Math.min(ROWS - 1, sink.recipients.size + Math.floor(Math.random() * Math.random() * ROWS))
    at = Math.max(at, row)
    const address = `p${row}@example.com`
    if (left.has(address)) continue
    const token = tokens.seal({ address, group: 'news' })
    expect(await click(serve.address, token, agent)).toBe(200)
    left.set(address, { answered: performance.now(), had: arrived.has(address) })
    await new Promise((done) => setTimeout(done, (ROWS * 1.2) / LEAVING))
  }
  agent.destroy()
  const { code, stderr } = await running.ended
  expect(code, stderr).toBe(0)

  const after = [...left].filter(([address, { had }]) => !had && arrived.has(address))
  const late = after.filter(([address, { answered }]) => (arrived.get(address) ?? 0) - answered > REACH_MS)
  expect(late).toEqual([])
  // Most of them were still to come, and got nothing; all the others got theirs, once.
  const spared = [...left.keys()].filter((address) => !arrived.has(address))
  expect(spared.length).toBeGreaterThan(LEAVING / 4)
  expect(sink.recipients.size).toBe(ROWS - spared.length)
  expect([...sink.recipients.values()].every((count) => count === 1)).toBe(true)
  console.error(
    `${left.size} left: ${spared.length} got nothing, ${after.length} got theirs within ${REACH_MS} ms after, ` +
      `the latest ${Math.max(0, ...after.map(([who, { answered }]) => (arrived.get(who) ?? 0) - answered)).toFixed(0)} ms`,
  )
})

function click(address: string, token: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const body = 'List-Unsubscribe=One-Click'
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) }
    const sent = request(new URL(`/u/${token}`, address), { method: 'POST', headers, agent }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
