/** The page of `mailmerge serve` in a real browser, and what programs get from the same addresses. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { main } from '../../../src/cli/main.ts'
import type { RunsView, RunView } from '../../../src/pages/wire.ts'
import { fakeIo } from '../../cli/fake-io.ts'
import { axeFindings, startBrowser } from '../../support/browser.ts'
import { LETTER, listOf, makeProject, type Project } from '../../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../../support/recording-sink.ts'
import { type Serving, startServing, until } from '../../support/serving.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const found = await startBrowser()
const browser = 'skipped' in found ? undefined : (found as Browser)
if (browser === undefined) console.warn(`not tested in a browser: ${(found as { skipped: string }).skipped}`)

/** A busy machine takes its time. */
const PATIENT = { timeout: 60_000 }
const ROWS = 60

let sink: RecordingSink
let project: Project
let serving: Serving
/** Awaited by the mail server before each reply. */
let gate: () => Promise<unknown>

beforeEach(async () => {
  gate = () => Promise.resolve()
  sink = await startRecordingSink({
    gate: () => gate(),
    recipient: (address) => (address.startsWith('p7@') ? '550 5.1.1 no such user here' : undefined),
  })
  project = makeProject({
    'list.csv': listOf(ROWS),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nconcurrency: 2\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n`,
  })
  serving = await startServing(project)
})

afterEach(async () => {
  await serving.stop()
  project.remove()
  await sink.close()
})

afterAll(() => browser?.close())

async function mailmerge(...args: readonly string[]): Promise<number> {
  return main(args, fakeIo({ cwd: project.dir }))
}

/** As a program with the token asks. */
async function ask<T>(path: string, body?: unknown): Promise<T> {
  const headers = { authorization: `Bearer ${serving.token}`, 'content-type': 'application/json' }
  const init = body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) }
  return (await (await fetch(`${serving.address}${path}`, init)).json()) as T
}

async function theRun(): Promise<RunView> {
  const { runs } = await ask<RunsView>('/api/runs')
  return ask<RunView>(`/api/runs/${runs[0]?.run}`)
}

/** A run that was killed with two messages handed over and not answered. */
async function killedRun(): Promise<void> {
  gate = () => (sink.ids.size > 6 ? new Promise(() => {}) : Promise.resolve())
  const running = project.start(['run', '--yes'])
  await until(() => sink.ids.size > 7, 'messages wait for their replies')
  running.child.kill('SIGKILL')
  await running.ended
  gate = () => Promise.resolve()
}

test('programs get JSON from the address that a browser opens, and nothing without the token', async () => {
  const { address, token } = serving
  const json = await fetch(`${address}/runs?token=${token}`)
  expect([json.status, json.headers.get('content-type')]).toEqual([200, 'application/json'])
  const html = { accept: 'text/html' }
  const page = await fetch(`${address}/?token=${token}`, { headers: html, redirect: 'manual' })
  expect([page.status, page.headers.get('location')]).toEqual([303, '/'])
  expect(page.headers.get('set-cookie')).toMatch(/^mailmerge_\d+=[\w-]+; Path=\/; HttpOnly; SameSite=Strict$/)
  expect((await fetch(address, { headers: html })).status).toBe(401)
  expect((await fetch(`${address}/api/runs`)).status).toBe(401)
  const foreign = {
    cookie: page.headers.get('set-cookie') ?? '',
    origin: 'http://evil.example',
    'content-type': 'application/json',
  }
  const post = await fetch(`${address}/api/runs/x/pause`, { method: 'POST', headers: foreign, body: '{}' })
  expect(post.status).toBe(403)
})

test('a run of another process is shown as it goes, and what is asked for is done by it or by serve', async () => {
  gate = () => sleep(sink.ids.size > 10 ? 300 : 0)
  const { ended } = project.start(['run', '--yes'])
  await until(() => sink.ids.size > 10, 'the run is at work')
  await until(async () => (await theRun()).progress !== undefined, 'its process said how it goes')
  const shown = await theRun()
  expect(shown).toMatchObject({ sign: 'sending', atWork: true, rows: ROWS, source: 'list.csv', template: 'letter' })
  expect(Object.values(shown.counts).reduce((sum, value) => sum + value, 0)).toBe(ROWS)
  // Each connection by itself: its place, and the row whose message it has handed over.
  expect(shown.progress).toMatchObject({ most: 2, isHeldBack: false })
  const lanes = shown.progress?.lanes ?? []
  expect(lanes.map(({ place }) => place)).toEqual([1, 2].slice(0, shown.progress?.connections))
  for (const { row = 1, quietMs, perSecond } of lanes)
    expect([row >= 1 && row <= ROWS, quietMs >= 0, perSecond >= 0]).toEqual([true, true, true])
  expect(await ask(`/api/runs/${shown.run}/pause`, {})).toEqual({ run: shown.run })
  expect((await ended).code).toBe(75)
  gate = () => Promise.resolve()
  expect(await theRun()).toMatchObject({ sign: 'paused', words: 'Paused', atWork: false })
  await ask(`/api/runs/${shown.run}/resume`, {})
  await until(async () => (await theRun()).sign === 'failed', 'serve has sent the rest')
  expect(await theRun()).toMatchObject({
    counts: { sent: ROWS - 1, failed: 1, deferred: 0, to_send: 0 },
    failed: [{ words: 'No such person', code: '550 5.1.1', rows: 1 }],
  })
  expect(sink.ids.size).toBe(ROWS - 1)
  // Wrong requests change nothing.
  expect(await ask(`/api/runs/${shown.run}/in_doubt`, { decision: 'maybe' })).toMatchObject({
    error: { message: expect.any(String) },
  })
  expect(await ask(`/api/runs/${shown.run}/explode`, {})).toMatchObject({ error: {} })
  expect(await ask(`/api/runs/${shown.run}/pause`, {})).toMatchObject({
    error: { message: `the run ${shown.run} is finished already` },
  })
})

describe.skipIf(browser === undefined)('in a browser', () => {
  async function open(path = '', options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    const context = await (browser as Browser).newContext({ viewport: { width: 1440, height: 900 }, ...options })
    const page = await context.newPage()
    await page.goto(`${serving.address}/?token=${serving.token}`)
    if (path !== '') await page.goto(`${serving.address}${path}`)
    return page
  }

  test('a person decides about rows in doubt, goes on, and sees the end, by keys and buttons', async () => {
    await killedRun()
    const page = await open()
    expect(new URL(page.url()).search).not.toContain('token')
    await page.getByRole('heading', { name: 'letter-list' }).waitFor(PATIENT)
    await page.getByText('Stopped', { exact: true }).first().waitFor(PATIENT)
    await page.getByRole('button', { name: 'Go on' }).first().click()
    await page.getByText(/2 rows are in doubt. You decide./).waitFor(PATIENT)
    await page.keyboard.press('d')
    expect(
      await page.evaluate(
        () => (globalThis as never as { document: { activeElement: { id: string } } }).document.activeElement.id,
      ),
    ).toBe('doubt')
    expect(await axeFindings(page)).toEqual([])
    await page
      .getByRole('button', { name: /^It arrived: keep, row \d+$/ })
      .first()
      .click()
    await page.getByText(/1 row is in doubt. You decide./).waitFor(PATIENT)
    const before = sink.ids.size
    await page.getByRole('button', { name: /^Send again, row \d+$/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Send again' }).click()
    await page.getByText('Finished with failures').first().waitFor(PATIENT)
    await until(() => [...sink.ids.values()].includes(2), 'the row was sent again')
    expect(sink.ids.size).toBeGreaterThanOrEqual(before)
    await page.keyboard.press('l')
    await page.getByRole('heading', { name: 'All runs' }).waitFor(PATIENT)
    expect(await axeFindings(page)).toEqual([])
    await page.context().close()
  })

  test('by keyboard alone: runs, their list, pause and go on, and the way back; in light, in dark and on a phone', async () => {
    await mailmerge('run', '--yes', '--campaign', 'first')
    const asked = Promise.withResolvers<void>()
    // The server waits for the pause, and then takes its time.
    gate = () => (sink.ids.size > ROWS + 5 ? asked.promise.then(() => sleep(500)) : Promise.resolve())
    const { ended } = project.start(['run', '--yes', '--campaign', 'second'])
    await until(async () => (await theRun()).sign === 'sending', 'the second run is at work')
    const page = await open()
    const heading = page.locator('#main h2.title')
    await heading.getByText('second').waitFor(PATIENT)
    await page.locator('.st.pill').getByText('Sending').waitFor(PATIENT)
    expect(await axeFindings(page)).toEqual([])
    await page.keyboard.press('j')
    await heading.getByText('first').waitFor(PATIENT)
    await page.keyboard.press('k')
    await heading.getByText('second').waitFor(PATIENT)
    await page.keyboard.press('p')
    asked.resolve()
    expect((await ended).code).toBe(75)
    await page.locator('.st.pill').getByText('Paused').waitFor(PATIENT)
    for (const [colorScheme, width] of [
      ['light', 1440],
      ['dark', 1440],
      ['dark', 390],
      ['light', 390],
    ] as const) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 844 })
      expect(await axeFindings(page), `${colorScheme} ${width}`).toEqual([])
    }
    await page.setViewportSize({ width: 1440, height: 900 })
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard' }).getByText('Pause, or go on').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.keyboard.press('Escape')
    gate = () => Promise.resolve()
    await page.keyboard.press('p')
    await page.locator('.st.pill').getByText('Finished with failures').waitFor(PATIENT)
    await page.keyboard.press('l')
    await page.getByRole('heading', { name: 'All runs' }).waitFor()
    // By the tab key to a run, and into it.
    for (let step = 0; step < 40; step++) {
      await page.keyboard.press('Tab')
      if ((await page.evaluate('document.activeElement.textContent')) === 'first') break
    }
    await page.keyboard.press('Enter')
    await heading.getByText('first').waitFor(PATIENT)
    await page.context().close()
  })

  test('an empty ledger teaches, names are text, and a phone and the dark show no fault', async () => {
    const page = await open('', { viewport: { width: 390, height: 800 }, colorScheme: 'dark' })
    await page.getByRole('heading', { name: 'No run yet' }).waitFor(PATIENT)
    await mailmerge('run', '--yes', '--campaign', '<img src=x onerror=alert(1)>')
    await page.getByRole('heading', { name: '<img src=x onerror=alert(1)>' }).waitFor(PATIENT)
    expect(await axeFindings(page)).toEqual([])
    const sideways = await page.evaluate(() => {
      const { documentElement: root } = (
        globalThis as never as { document: { documentElement: { scrollWidth: number; clientWidth: number } } }
      ).document
      return root.scrollWidth - root.clientWidth
    })
    expect(sideways).toBe(0)
    await page.context().close()
  })
})
