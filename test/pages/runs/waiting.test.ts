/** What the page of runs says of rows that wait, and of the connections that a run has. */
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { RunsView, RunView } from '../../../src/pages/wire.ts'
import { expectSoundOn, startBrowser } from '../../support/browser.ts'
import { makeCertificate, type TestCertificate } from '../../support/certificates.ts'
import { LETTER, makeProject, type Project, type Running } from '../../support/program.ts'
import { type ScriptedServer, type ScriptedServerOptions, startScriptedServer } from '../../support/scripted-server.ts'
import { type Serving, startServing, until } from '../../support/serving.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const found = await startBrowser()
const browser = 'skipped' in found ? undefined : (found as Browser)
if (browser === undefined) console.warn(`not tested in a browser: ${(found as { skipped: string }).skipped}`)

const PATIENT = { timeout: 60_000 }

let certificate: TestCertificate
let server: ScriptedServer
let project: Project
let serving: Serving
let running: Running

beforeAll(async () => {
  certificate = await makeCertificate('127.0.0.1')
})

afterEach(async () => {
  running.child.kill('SIGKILL')
  await running.ended
  await serving.stop()
  project.remove()
  await server.close()
})

afterAll(() => browser?.close())

/** A run whose last message was handed over and is not answered, after four that the server deferred. */
async function waitingRun(options: ScriptedServerOptions = {}): Promise<void> {
  let holds = false
  server = await startScriptedServer({
    ...options,
    rcpt({ line }) {
      if (line.includes('@example.net')) return '451 4.7.1 Greylisted, try again in 5 minutes'
      if (line.includes('full@')) return '452 4.2.2 Over quota'
      holds = line.includes('hold@')
      return undefined
    },
    end: () => (holds ? { silence: true } : undefined),
  })
  const people = ['sent@example.com', 'a@example.net', 'full@example.com', 'b@example.net', 'full@example.org']
  project = makeProject({
    'list.csv': `name,email\n${[...people, 'hold@example.com'].map((address) => `Ada,${address}`).join('\n')}\n`,
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nconcurrency: 1\nsmtp:\n  host: 127.0.0.1\n  port: ${server.port}\n`,
  })
  serving = await startServing(project)
  running = project.start(['run', '--yes'])
  await until(async () => ((await theRun())?.counts.deferred ?? 0) === 4, 'four rows wait')
  await until(async () => (await theRun())?.progress?.lanes?.[0]?.row === 6, 'the last one is handed over')
}

async function theRun(): Promise<RunView | undefined> {
  const ask = async <T>(path: string): Promise<T> =>
    (await (await fetch(`${serving.address}${path}`, { headers })).json()) as T
  const headers = { authorization: `Bearer ${serving.token}` }
  const [first] = (await ask<RunsView>('/api/runs')).runs
  return first && ask<RunView>(`/api/runs/${first.run}`)
}

test('rows that wait are shown by their reason, with where, when, and what the server said', async () => {
  const began = Date.now()
  await waitingRun()
  await until(async () => (await theRun())?.waiting.length === 2, 'both reasons are counted')
  const run = await theRun()
  expect(run?.waiting.map(({ nextAt: _, ...one }) => one)).toEqual([
    {
      ...{ words: 'New senders have to wait', code: '451 4.7.1', rows: 2, where: 'example.net' },
      said: 'Greylisted, try again in 5 minutes',
    },
    { words: 'Mailbox is full', code: '452 4.2.2', rows: 2, where: '2 domains', said: 'Over quota' },
  ])
  for (const { nextAt = '' } of run?.waiting ?? []) {
    expect(Date.parse(nextAt)).toBeGreaterThan(began)
    expect(Date.parse(nextAt)).toBeLessThan(began + 86_400_000)
  }
  expect(run?.progress?.lanes).toMatchObject([{ place: 1, encryption: 'not encrypted' }])
  // Once no process sends the run, nobody knows when.
  running.child.kill('SIGKILL')
  await until(async () => (await theRun())?.progress === undefined, 'its process is gone')
  await until(async () => (await theRun())?.waiting.every(({ nextAt }) => nextAt === undefined) ?? false, 'no time')
})

test('an encrypted connection says its protocol and its cipher', async () => {
  await waitingRun({ tls: certificate })
  const [lane] = (await theRun())?.progress?.lanes ?? []
  expect(lane?.encryption).toMatch(/^TLS 1\.[23], [A-Z0-9_-]{10,}$/)
})

test.skipIf(browser === undefined)('in a browser both are tables that a person reads', async () => {
  await waitingRun({ tls: certificate })
  const context = await (browser as Browser).newContext({ viewport: { width: 1440, height: 900 } })
  const page = await context.newPage()
  await page.goto(`${serving.address}/?token=${serving.token}`)
  const waits = page.getByRole('region', { name: 'Why rows wait' })
  const row = waits.getByRole('row').filter({ hasText: 'New senders have to wait' })
  await row.getByRole('cell', { name: 'example.net' }).waitFor(PATIENT)
  await row.getByRole('cell', { name: /^(?:\d+ \w{3}, )?\d\d:\d\d$/ }).waitFor(PATIENT)
  await row.getByRole('cell', { name: '451 4.7.1 Greylisted, try again in 5 minutes' }).waitFor(PATIENT)
  await page.getByRole('heading', { name: '4 rows wait, and are tried again by themselves' }).waitFor(PATIENT)
  await page
    .locator('.lanes')
    .getByText(/^TLS 1\.[23]$/)
    .waitFor(PATIENT)
  await page
    .locator('.facts')
    .getByText(/^TLS 1\.[23], [A-Z0-9_-]{10,}$/)
    .waitFor(PATIENT)
  await expectSoundOn(
    [
      ['light', 1440],
      ['dark', 390],
    ],
    page,
  )
  await page.setViewportSize({ width: 1440, height: 900 })
  running.child.kill('SIGKILL')
  await row.getByRole('cell', { name: 'when it goes on' }).waitFor(PATIENT)
  await page.getByRole('heading', { name: '4 rows wait, and are tried again when the run goes on' }).waitFor(PATIENT)
  await context.close()
})
