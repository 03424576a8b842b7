/** `mailmerge run --watch`: the page of one run while it sends, and the run that ends as without it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import { axeFindings, startBrowser } from '../../support/browser.ts'
import { LETTER, listOf, makeProject, type Project, type Running } from '../../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../../support/recording-sink.ts'
import { until } from '../../support/serving.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const found = await startBrowser()
const browser = 'skipped' in found ? undefined : (found as Browser)
if (browser === undefined) console.warn(`not tested in a browser: ${(found as { skipped: string }).skipped}`)

const PATIENT = { timeout: 60_000 }
const ROWS = 20

let sink: RecordingSink
let project: Project
/** The mail server answers from now on. */
let answer: () => void
let answers: Promise<void>
/** Milliseconds before each answer from then on. */
let delay: number
/** Messages that are taken before it waits. */
let waitsFrom: number
/** An address that is refused. */
let refused: string

beforeEach(async () => {
  answers = new Promise((resolve) => {
    answer = resolve
  })
  delay = 0
  waitsFrom = 5
  refused = ''
  sink = await startRecordingSink({
    gate: () => (sink.ids.size < waitsFrom ? Promise.resolve() : answers.then(() => sleep(delay))),
    recipient: (address) => (address === refused ? '550 5.1.1 no such user here' : undefined),
  })
  project = makeProject({
    'list.csv': listOf(ROWS),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n`,
  })
})

afterEach(async () => {
  project.remove()
  await sink.close()
})

afterAll(() => browser?.close())

/** A run that is watched; its server waits with the fifth answer until the test says so. */
async function watchedRun(...args: readonly string[]): Promise<{ running: Running; url: URL }> {
  return watched('run', '--yes', ...args)
}

/** A command that sends, and the page that it opens. */
async function watched(...args: readonly string[]): Promise<{ running: Running; url: URL }> {
  const running = project.start([...args, '--watch', '--no-open'])
  let stderr = ''
  running.child.stderr?.on('data', (text: string) => {
    stderr += text
  })
  await until(() => /http:\S+/.test(stderr), 'the page is there')
  return { running, url: new URL(/http:\S+/.exec(stderr)?.[0] ?? '') }
}

test('the page asks for its token, is of this run alone, and ends with it; the run ends as without a page', async () => {
  const { running, url } = await watchedRun('--json')
  const headers = { authorization: `Bearer ${url.searchParams.get('token')}`, 'content-type': 'application/json' }
  const ask = (path: string, method = 'GET'): Promise<Response> =>
    fetch(`${url.origin}${path}`, method === 'GET' ? { headers } : { headers, method, body: '{}' })
  expect(url.hostname).toBe('127.0.0.1')
  expect((await fetch(`${url.origin}/api/runs`)).status).toBe(401)
  const run = url.searchParams.get('run')
  expect(await (await ask(`/api/runs/${run}`)).json()).toMatchObject({ run, sign: 'sending', atWork: true, rows: ROWS })
  expect(await (await ask('/api/runs')).json()).toMatchObject({ resumes: false })
  for (const action of ['resume', 'retry']) {
    expect(await (await ask(`/api/runs/${run}/${action}`, 'POST')).json()).toMatchObject({
      error: { hint: `Give the command: mailmerge ${action} ${run}` },
    })
  }
  expect((await ask(`/api/runs/${run}/pause`, 'POST')).status).toBe(200)
  // What asks for a pause is looked for while the rest would take much longer.
  delay = 2_000
  answer()
  const { code, stdout } = await running.ended
  expect(code).toBe(75)
  // Standard output is for programs.
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; stopped?: string })
  expect(events.at(-1)).toMatchObject({ event: 'summary', stopped: 'paused' })
  await expect(ask('/api/runs')).rejects.toThrow()
})

test.each([
  [['--sandbox'], /--watch/],
  [['--dry-run'], /--watch/],
  [['--detach'], /--watch/],
])('with %j there is nothing to watch', async (args, words) => {
  const { code, stderr } = await project.run(['run', '--yes', '--watch', ...args])
  expect([code, stderr]).toEqual([64, expect.stringMatching(words)])
})

test.each([
  ['run', '--yes', '--port', '8025'],
  ['run', '--yes', '--no-open'],
  ['resume', '--port', '8025'],
  ['retry', '--no-open'],
])('options of the page are wrong without --watch: %s %s %s', async (...args) => {
  const { code, stderr } = await project.run(args)
  expect([code, stderr]).toEqual([64, expect.stringContaining('--watch')])
})

test.each([
  ['resume', ['run', '--yes', '--detach'], 0, ROWS],
  ['retry', ['run', '--yes'], 1, 1],
] as const)('%s --watch opens the same page, of the run that it sends', async (command, before, code, sends) => {
  answer()
  refused = 'p3@example.com'
  expect((await project.run(before)).code).toBe(code)
  const had = sink.ids.size
  refused = ''
  answers = new Promise((resolve) => {
    answer = resolve
  })
  waitsFrom = 0
  const { running, url } = await watched(command, '--json')
  const headers = { authorization: `Bearer ${url.searchParams.get('token')}` }
  const run = url.searchParams.get('run')
  expect((await fetch(`${url.origin}/api/runs/${run}`)).status).toBe(401)
  expect(await (await fetch(`${url.origin}/api/runs/${run}`, { headers })).json()).toMatchObject({
    ...{ run, atWork: true, sign: 'sending', rows: ROWS },
  })
  answer()
  const { code: ended, stdout } = await running.ended
  expect([ended, sink.ids.size - had]).toEqual([0, sends])
  // Standard output is for programs.
  for (const line of stdout.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('event')
})

test.skipIf(browser === undefined)(
  'in a browser it shows the run while it sends, and its end when it has ended',
  async () => {
    const { running, url } = await watchedRun()
    const context = await (browser as Browser).newContext({ viewport: { width: 1440, height: 900 } })
    const page = await context.newPage()
    await page.goto(url.href)
    expect(new URL(page.url()).search).toBe(`?run=${url.searchParams.get('run')}`)
    await page.getByRole('heading', { name: 'letter-list' }).waitFor(PATIENT)
    await page
      .locator('.lanes')
      .getByText(/Sending row \d+|Row \d+: no answer for \d+ s yet/)
      .first()
      .waitFor(PATIENT)
    expect(await axeFindings(page)).toEqual([])
    answer()
    expect((await running.ended).code).toBe(0)
    await page.getByText('The run has ended, and this page with it').waitFor(PATIENT)
    await page.getByRole('status').getByText('Finished').first().waitFor(PATIENT)
    expect(await page.locator('.stat').first().textContent()).toContain(String(ROWS))
    // Nothing is left to ask of a process that is gone.
    expect(await page.getByRole('button', { name: /Pause|Cancel|Go on/ }).count()).toBe(0)
    expect(await axeFindings(page)).toEqual([])
    await context.close()
  },
)
