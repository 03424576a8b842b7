/** Who is suppressed, by name, on the page of `mailmerge serve`. */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openLedger } from '../../../src/campaign/run/open-ledger.ts'
import { main } from '../../../src/cli/main.ts'
import { loadSettings } from '../../../src/config/load.ts'
import type { Suppression } from '../../../src/ledger/records.ts'
import type { ErrorFields, RunsView, SuppressionsView } from '../../../src/pages/wire.ts'
import { fakeIo } from '../../cli/fake-io.ts'
import { axeFindings, expectSoundOn, startBrowser } from '../../support/browser.ts'
import { makeProject, type Project } from '../../support/program.ts'
import { type Serving, startServing } from '../../support/serving.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const found = await startBrowser()
const browser = 'skipped' in found ? undefined : (found as Browser)
if (browser === undefined) console.warn(`not tested in a browser: ${(found as { skipped: string }).skipped}`)

afterAll(() => browser?.close())

const PATIENT = { timeout: 60_000 }
const OTHERS = 240
const BEGAN = Date.parse('2026-03-01T12:00:00Z')

let project: Project
let serving: Serving

beforeAll(async () => {
  project = makeProject({ 'mailmerge.yaml': '' })
  const settings = await loadSettings({ cwd: project.dir, env: {}, flags: {} })
  const ledger = await openLedger(settings)
  const entry = (address: string, at: number, more: Partial<Suppression> = {}): Suppression => ({
    ...{ address, hash: '', group: '', reason: 'unsubscribed', addedAt: new Date(BEGAN + at * 60_000) },
    ...more,
  })
  await ledger.suppressions.add([
    // Many of one moment: pages must not depend on the moment alone.
    ...Array.from({ length: OTHERS }, (_, at) => entry(`p${at}@example.org`, Math.floor(at / 60))),
    entry("o'brien@example.com", 500, {
      group: 'spring news',
      reason: 'complaint',
      note: '<img src=x onerror=alert(1)>',
    }),
    entry('@example.net', 501, { reason: 'manual', note: 'Asked by phone' }),
    entry('soren@blåbær.example', 502, { reason: 'hard_bounce' }),
    entry('gone@example.com', 503),
  ])
  await ledger.privacy.forget('gone@example.com')
  await ledger.close()
  serving = await startServing(project)
})

afterAll(async () => {
  await serving.stop()
  project.remove()
})

async function ask<T>(path: string): Promise<T> {
  const response = await fetch(`${serving.address}${path}`, { headers: { authorization: `Bearer ${serving.token}` } })
  return (await response.json()) as T
}

const list = (query: Record<string, string> = {}) =>
  ask<SuppressionsView>(`/api/suppressions?${new URLSearchParams(query)}`)

const names = ({ entries }: SuppressionsView) => entries.map(({ address }) => address)

test('programs page through all of them, newest first and each once, and nobody without the token', async () => {
  expect((await fetch(`${serving.address}/api/suppressions`)).status).toBe(401)
  const all: (string | undefined)[] = []
  const pages: number[] = []
  let page = await list()
  for (;;) {
    all.push(...names(page))
    pages.push(page.entries.length)
    if (page.next === undefined) break
    page = await list({ after: page.next })
  }
  expect(pages).toEqual([100, 100, OTHERS + 4 - 200])
  expect(new Set(all).size).toBe(OTHERS + 4)
  expect(all.slice(0, 4)).toEqual([undefined, 'soren@xn--blbr-roah.example', '@example.net', "o'brien@example.com"])
  expect((await list()).counts).toMatchObject({ all: OTHERS + 4, complaint: 1, imported: 0, unsubscribed: OTHERS + 1 })
  expect(await ask<RunsView>('/api/runs')).toMatchObject({ suppressed: OTHERS + 4 })
  // A place that no page named.
  expect(await ask<{ error: ErrorFields }>('/api/suppressions?after=1')).toMatchObject({ error: { code: 'usage' } })
})

test.each([
  ["O'BRIEN@", {}, ["o'brien@example.com"]],
  ['spring', {}, ["o'brien@example.com"]],
  ['by PHONE', {}, ['@example.net']],
  ['blåbær.example', {}, ['soren@xn--blbr-roah.example']],
  ['p23@', { filter: 'unsubscribed' }, ['p23@example.org']],
  ['p23@', { filter: 'complaint' }, []],
  ['%', {}, []],
  // Forgotten: whoever knows the address finds it.
  ['Gone@example.com', {}, [undefined]],
  ['gone', {}, []],
] as const)('the search %j with %j finds %j', async (q, more, wanted) => {
  expect(names(await list({ q, ...more }))).toEqual(wanted)
})

test.skipIf(browser === undefined)(
  'a person finds somebody by the keyboard, sees the command, and the list follows what it does',
  async () => {
    const context = await (browser as Browser).newContext({ viewport: { width: 1440, height: 900 } })
    const page = await context.newPage()
    await page.goto(`${serving.address}/?token=${serving.token}`)
    await page.getByRole('link', { name: /^Suppressed\s*244$/ }).waitFor(PATIENT)
    await page.keyboard.press('s')
    await page.getByRole('heading', { name: 'Suppressed' }).waitFor(PATIENT)
    await page.getByText('1 to 100 of 244').waitFor(PATIENT)
    expect(new URL(page.url()).search).toBe('?view=suppressed')
    // What people wrote is text.
    await page.getByText('<img src=x onerror=alert(1)>').waitFor(PATIENT)
    await page.getByRole('button', { name: 'Older' }).press('Enter')
    await page.getByText('101 to 200 of 244').waitFor(PATIENT)
    await page.getByRole('button', { name: 'Older' }).press('Enter')
    await page.getByText('201 to 244 of 244').waitFor(PATIENT)
    expect(await page.getByRole('button', { name: 'Older' }).getAttribute('aria-disabled')).toBe('true')
    await page.getByRole('button', { name: 'Newer' }).press('Enter')
    await page.getByText('101 to 200 of 244').waitFor(PATIENT)
    await page.keyboard.press('/')
    await page.keyboard.type('blåbær.example')
    await page.getByText('soren@xn--blbr-roah.example').waitFor(PATIENT)
    await page.getByText('1 to 1', { exact: true }).waitFor(PATIENT)
    const button = page.getByRole('button', { name: 'Take off soren@xn--blbr-roah.example' })
    await button.press('Enter')
    const command = page.getByText('mailmerge suppress remove soren@xn--blbr-roah.example')
    await command.waitFor(PATIENT)
    const screens = [
      ['light', 1440],
      ['dark', 1024],
      ['light', 390],
      ['dark', 390],
    ] as const
    await expectSoundOn(screens, page, async (screen) => {
      const list =
        '(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector("#suppressed"))'
      expect(await page.evaluate(list), screen).toBe(0)
    })
    await page.setViewportSize({ width: 1440, height: 900 })
    expect(await main(['suppress', 'remove', 'soren@blåbær.example'], fakeIo({ cwd: project.dir }))).toBe(0)
    await page.getByRole('heading', { name: 'Nobody here has “blåbær.example”' }).waitFor(PATIENT)
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Clear the search' }).click()
    await page.getByText('1 to 100 of 243').waitFor(PATIENT)
    await page.getByRole('button', { name: /^Complained\s*1$/ }).click()
    await page.getByText("o'brien@example.com").waitFor(PATIENT)
    await page.keyboard.press('l')
    await page.getByRole('heading', { name: 'No run yet' }).waitFor(PATIENT)
    expect(new URL(page.url()).search).toBe('?view=all')
    await context.close()
  },
)

test('each comes with why, since when, for which campaign, and the command that takes it off', async () => {
  const [entry] = (await list({ q: "o'brien" })).entries
  expect(entry).toMatchObject({
    ...{ reason: 'Complained', group: 'spring news', since: '2026-03-01T20:20:00.000Z' },
    command: `mailmerge suppress remove --group 'spring news' 'o'\\''brien@example.com'`,
  })
  const command = ['suppress', 'remove', '--group', 'spring news', "o'brien@example.com"]
  expect(await main(command, fakeIo({ cwd: project.dir }))).toBe(0)
  expect((await list({ q: "o'brien" })).entries).toEqual([])
})
