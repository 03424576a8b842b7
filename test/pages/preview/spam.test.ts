/** A spam filter of the project's own is asked about a message when a person says so, and not before. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FindingsView, PreviewView, RowMessageView } from '../../../src/pages/wire.ts'
import { axeFindings, startBrowser } from '../../support/browser.ts'
import { type Previewing, startPreview } from '../../support/previewing.ts'
import { makeProject, type Project } from '../../support/program.ts'

vi.setConfig({ testTimeout: 90_000 })

const found = await startBrowser()
const browser = 'skipped' in found ? undefined : (found as Browser)
if (browser === undefined) console.warn(`not tested in a browser: ${(found as { skipped: string }).skipped}`)

afterAll(() => browser?.close())

const PATIENT = { timeout: 60_000 }

/** Messages that the filter was handed. */
const handed: string[] = []
let verdict: { score: number; required_score: number; symbols: Record<string, { score: number }> }
let filter: Server
let address: string
let project: Project
let preview: Previewing

beforeEach(async () => {
  handed.length = 0
  verdict = { score: 2.5, required_score: 15, symbols: { SHORT_PART: { score: 2.5 }, GOOD_SIGN: { score: -1 } } }
  filter = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    handed.push(Buffer.concat(chunks).toString())
    response.end(JSON.stringify(verdict))
  })
  await new Promise<void>((resolve) => filter.listen(0, '127.0.0.1', resolve))
  address = `http://127.0.0.1:${(filter.address() as AddressInfo).port}`
})

afterEach(async () => {
  await preview.stop()
  project.remove()
  filter.closeAllConnections()
  filter.close()
})

async function given(config: string): Promise<void> {
  project = makeProject({
    'list.csv': 'name,email\nAda,ada@letters-on-engines.net\nGrace,grace@letters-on-engines.net\n',
    'templates/news.md': '---\nfrom: Letters <letters@example.org>\nsubject: News for {{name}}\n---\nDear {{name}}\n',
    'mailmerge.yaml': config,
  })
  preview = await startPreview(project, ['--csv', 'list.csv', '--template', 'news'])
  // A row is there once it was read.
  const isRead = async (): Promise<void> =>
    expect((await preview.get<PreviewView>('/api/preview')).isComplete).toBe(true)
  await vi.waitFor(isRead, { timeout: 60_000, interval: 50 })
}

const ofFilter = ({ findings }: FindingsView) => findings.filter(({ group }) => group === 'spam')

test('programs ask with the token, by POST, and about a row that is there; nobody else gets anything asked', async () => {
  await given(`check:\n  rspamd: ${address}\n`)
  const { message } = await preview.get<RowMessageView>('/api/rows/2')
  expect(ofFilter(message as FindingsView)).toMatchObject([{ title: 'rspamd not asked', asks: 'spam' }])
  const own = { authorization: `Bearer ${preview.token}`, 'content-type': 'application/json' }
  const ask = (row: number, headers: Record<string, string>, method = 'POST') =>
    fetch(`${preview.address}/api/rows/${row}/spam`, method === 'POST' ? { method, headers, body: '{}' } : { headers })
  expect((await ask(2, { 'content-type': 'application/json' })).status).toBe(401)
  expect((await ask(2, { ...own, 'content-type': 'text/plain' })).status).toBe(415)
  expect((await ask(2, own, 'GET')).status).toBe(404)
  expect((await ask(99, own)).status).toBe(404)
  expect(handed).toEqual([])
  expect(await (await ask(2, own)).json()).toEqual({
    findings: [
      {
        group: 'spam',
        severity: 'passed',
        title: 'Not spam to rspamd',
        effect: '2.5 points; 15 are spam. Raised by SHORT_PART.',
      },
    ],
  })
  expect(handed).toHaveLength(1)
  expect(handed[0]).toMatch(/^Subject: News for Grace\r$/m)
})

test('without a filter in the settings there is none to ask', async () => {
  await given('')
  const { message } = await preview.get<RowMessageView>('/api/rows/1')
  expect(ofFilter(message as FindingsView)).toEqual([])
  const headers = { authorization: `Bearer ${preview.token}`, 'content-type': 'application/json' }
  const answer = await fetch(`${preview.address}/api/rows/1/spam`, { method: 'POST', headers, body: '{}' })
  expect(await answer.json()).toEqual({ findings: [] })
})

test.skipIf(browser === undefined)(
  'a person asks with a button and reads the verdict; a filter that is away can be asked again',
  async () => {
    await given(`check:\n  rspamd: ${address}\n`)
    const context = await (browser as Browser).newContext({ viewport: { width: 1440, height: 900 } })
    const page = await context.newPage()
    await page.goto(preview.link)
    const rail = page.locator('.rail')
    await rail.getByText('rspamd not asked').waitFor(PATIENT)
    await rail.getByText('Nothing to look at').waitFor(PATIENT)
    expect(handed).toEqual([])
    verdict = { score: 20, required_score: 15, symbols: { URIBL: { score: 20 } } }
    await rail.getByRole('button', { name: 'Ask the spam filter' }).focus()
    await page.keyboard.press('Enter')
    await rail.getByText('Spam to rspamd').waitFor(PATIENT)
    await rail.getByText('20 points; 15 are spam. Raised by URIBL.').waitFor(PATIENT)
    await rail.getByText('1 to look at').waitFor(PATIENT)
    // The focus is where the answer is.
    expect(await page.evaluate('document.activeElement.textContent')).toContain('Spam to rspamd')
    expect(await axeFindings(page)).toEqual([])
    await new Promise((done) => {
      filter.close(done)
      filter.closeAllConnections()
    })
    await page.keyboard.press('j')
    await rail.getByRole('button', { name: 'Ask the spam filter' }).click(PATIENT)
    await rail.getByText('rspamd gives no verdict').waitFor(PATIENT)
    await rail.getByRole('button', { name: 'Ask the spam filter' }).waitFor(PATIENT)
    await context.close()
  },
)

test.skipIf(browser === undefined)('notes alone are counted as notes, and not said to be nothing', async () => {
  await given('')
  const context = await (browser as Browser).newContext({ viewport: { width: 1440, height: 900 } })
  const page = await context.newPage()
  await page.goto(preview.link)
  const pill = page.locator('.rail-head .pill')
  await pill.getByText('Nothing to look at').waitFor(PATIENT)
  // Not every mail program has it, and none is worse for it.
  const style = '<style>@media (prefers-color-scheme: dark) { p { color: #ffffff } }</style>'
  project.write(
    'templates/news.md',
    `---\nfrom: Letters <letters@example.org>\nsubject: News\n---\n${style}\n\nDear {{name}}\n`,
  )
  await pill.getByText(/^No warnings, \d+ notes?$/).waitFor(PATIENT)
  expect(await page.locator('.rail .finding.info').count()).toBeGreaterThan(0)
  expect(await axeFindings(page)).toEqual([])
  await context.close()
})
