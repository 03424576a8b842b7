/** The page of `mailmerge inbox` in a real browser, as a person uses it, with mail that comes over real SMTP. */
import { createTransport, type SendMailOptions } from 'nodemailer'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { InboxView, MailRowsView } from '../../../src/pages/wire.ts'
import { axeFindings, expectSound, startBrowser } from '../../support/browser.ts'
import { HOSTILE_IDS, hostileMail, type Outside, startOutside } from '../../support/hostile-mail.ts'
import { type Previewing, startPage } from '../../support/previewing.ts'
import { makeProject, type Project } from '../../support/program.ts'

vi.setConfig({ testTimeout: 120_000 })

const found = await startBrowser()
const browser = 'skipped' in found ? undefined : (found as Browser)
if (browser === undefined) console.warn(`not tested in a browser: ${(found as { skipped: string }).skipped}`)

afterAll(() => browser?.close())

/** A busy machine takes its time. */
const PATIENT = { timeout: 60_000 }

describe.skipIf(browser === undefined)('an inbox', () => {
  let project: Project
  let inbox: Previewing
  let smtp: string
  const pages: Page[] = []
  let outside: Outside

  beforeAll(async () => {
    outside = await startOutside()
    project = makeProject({})
    inbox = await startPage(project, ['inbox', '--smtp-port', '0'])
    smtp = `smtp://${(await inbox.get<InboxView>('/api/inbox')).server}?ignoreTLS=true`
  })
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close()
  })
  afterAll(async () => {
    await inbox.stop()
    project.remove()
    outside.close()
  })

  async function open(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    const context = await (browser as Browser).newContext({ viewport: { width: 1440, height: 900 }, ...options })
    const page = await context.newPage()
    pages.push(page)
    await page.goto(inbox.link)
    return page
  }

  async function send(...mails: readonly SendMailOptions[]): Promise<void> {
    const transport = createTransport(smtp)
    for (const mail of mails) await transport.sendMail({ from: 'App <app@example.org>', text: 'words', ...mail })
    transport.close()
  }

  const chosen = (page: Page) => page.locator('[role=option][aria-selected=true]')
  const subject = (page: Page) => page.locator('.msg-head h2')

  test('an empty one says where to send, and shows the first message by itself', async () => {
    const page = await open()
    await page.getByRole('heading', { name: 'Nothing has arrived yet' }).waitFor(PATIENT)
    expect(await page.locator('.cmd').first().textContent()).toContain('smtp://localhost:')
    expect(await axeFindings(page)).toEqual([])
    await send({ to: 'Ada <ada@example.com>', subject: 'First' })
    await subject(page).filter({ hasText: 'First' }).waitFor(PATIENT)
    expect(await chosen(page).textContent()).toContain('Ada')
  })

  test('a hostile message runs nothing, asks nobody, and loads its pictures once a person says so', async () => {
    const at = `http://${outside.host}`
    const html = `<!doctype html><html><head><link rel="stylesheet" href="${at}/css"><script>top.document.title = 'run'</script>
      <meta http-equiv="refresh" content="0;url=${at}/refresh"></head>
      <body onload="top.document.title = 'run'"><h1>Hello</h1><img src="${at}/picture" onerror="top.document.title = 'run'"><iframe src="${at}/frame"></iframe>
      <form action="${at}/form"><button>Go</button></form><a href="${at}/link" target="_top" ping="${at}/ping">A link</a></body></html>`
    await send({ to: 'eve@example.com', subject: 'Hostile', html })
    const page = await open()
    await subject(page).filter({ hasText: 'Hostile' }).waitFor(PATIENT)
    await page.frameLocator('.mail iframe').getByRole('heading', { name: 'Hello' }).waitFor(PATIENT)
    await page.waitForTimeout(500)
    expect(outside.asked).toEqual([])
    await page.getByRole('button', { name: 'Show once' }).click()
    await expect.poll(() => outside.asked, PATIENT).toContain('/picture')
    expect(outside.asked.every((path) => path === '/picture')).toBe(true)
    expect(await page.title()).toBe('Inbox')
    // The next message asks again.
    await page.keyboard.press('j')
    await subject(page).filter({ hasText: 'First' }).waitFor(PATIENT)
    await page.keyboard.press('k')
    await page.getByRole('button', { name: 'Show once' }).waitFor(PATIENT)
  })

  test('a mail that tries everything runs nothing, asks nobody and leads nowhere, also in a tab of its own', async () => {
    const { asked, host } = outside
    asked.length = 0
    await send({ to: 'eve@example.com', subject: 'Everything', html: hostileMail(host, `http://${host}/picture`) })
    const page = await open()
    await subject(page).filter({ hasText: 'Everything' }).waitFor(PATIENT)
    const said: string[] = []
    await page.exposeFunction('heard', (text: string) => said.push(text))
    await page.evaluate('addEventListener("message", ({ data }) => heard(String(data)))')
    const frame = page.frameLocator('.mail iframe').last()
    for (const id of HOSTILE_IDS) await frame.locator(`#${id}`).click({ timeout: 5_000 })
    await page.waitForTimeout(300)
    expect([said, asked, new URL(page.url()).origin]).toEqual([[], [], inbox.address])
    expect(await frame.locator('#there').count()).toBe(1)
    const [{ id } = { id: 0 }] = (await inbox.get<MailRowsView>('/api/messages')).rows
    const address = `${inbox.address}/api/messages/${id}/html`
    const alone = await page.context().newPage()
    for (const query of ['', '?pictures=own', '?dark=inverted']) {
      const answer = await alone.goto(`${address}${query}`)
      expect(answer?.headers()['content-security-policy']).toContain('sandbox')
      for (const id of HOSTILE_IDS) await alone.locator(`#${id}`).click({ timeout: 5_000 })
      await alone.waitForTimeout(300)
      expect([asked, alone.url().split('#')[0], page.context().pages().length]).toEqual([[], `${address}${query}`, 2])
      expect(await alone.title()).not.toBe('ran')
    }
  })

  test('by keyboard alone: choose, look at each view, search, filter, order faults', async () => {
    await send(
      { to: 'José <jose@example.com>', subject: 'With a file', attachments: [{ filename: 'a.txt', content: 'notes' }] },
      { to: 'عمر <omar@example.org>', subject: 'تذكرتك' },
    )
    const page = await open()
    await subject(page).filter({ hasText: 'تذكرتك' }).waitFor(PATIENT)
    await page.keyboard.press('j')
    await subject(page).filter({ hasText: 'With a file' }).waitFor(PATIENT)
    for (const [key, panel, words] of [
      ['2', 'text', 'words'],
      ['3', 'headers', 'Message-ID'],
      ['4', 'source', 'Subject: With a file'],
      ['5', 'attachments', 'a.txt'],
      ['6', 'checks', ''],
    ] as const) {
      await page.keyboard.press(key)
      await page.locator(`#panel-${panel}`).getByText(words).first().waitFor(PATIENT)
    }
    await page.keyboard.press('1')
    await page.keyboard.press('/')
    await page.keyboard.type('to:jose has:attachment')
    await expect.poll(() => page.locator('[role=option]').count(), PATIENT).toBe(1)
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await page.keyboard.press('u')
    await expect.poll(() => page.locator('.chip').filter({ hasText: 'New' }).getAttribute('aria-pressed')).toBe('true')
    await page.keyboard.press('u')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('f')
    await page.getByRole('switch', { name: 'Put off' }).press('Enter')
    await page.getByText('Faults: 1').waitFor({ state: 'attached', ...PATIENT })
    expect((await inbox.get<InboxView>('/api/inbox')).faults).toMatchObject({ refuse: 0, defer: 0.2 })
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Turn all off' }).press('Enter')
    await expect.poll(async () => (await inbox.get<InboxView>('/api/inbox')).faults.defer).toBe(0)
  })

  test.each([
    ['light', 1440, 900],
    ['dark', 1024, 768],
    ['light', 390, 844],
    ['dark', 390, 844],
  ] as const)(
    'axe finds nothing on it in %s at %i pixels, and it does not move sideways',
    async (colorScheme, width, height) => {
      const page = await open({ viewport: { width, height }, colorScheme })
      await page.locator('.mi').first().waitFor(PATIENT)
      await expectSound(page)
      if (width > 700) return
      await page.locator('.mi').first().click()
      await page.getByRole('button', { name: 'Back to the list' }).waitFor(PATIENT)
      await expectSound(page)
    },
  )

  test('mail that comes while a person reads further down waits behind a bar', async () => {
    await send(...Array.from({ length: 20 }, (_, at) => ({ to: `p${at}@example.com`, subject: `Number ${at}` })))
    const page = await open()
    await subject(page).filter({ hasText: 'Number 19' }).waitFor(PATIENT)
    await page.locator('#rows').evaluate((rows) => rows.scrollTo(0, 500))
    const before = await page.locator('[role=option]').allTextContents()
    await send({ to: 'late@example.com', subject: 'Late' })
    const bar = page.getByRole('button', { name: '1 more has arrived' })
    await bar.waitFor(PATIENT)
    expect(await page.locator('[role=option]').allTextContents()).toEqual(before)
    await bar.click()
    await page.locator('.mi').filter({ hasText: 'Late' }).waitFor(PATIENT)
    // The message that was read is still the one chosen.
    expect(await subject(page).textContent()).toContain('Number 19')
    await expect.poll(() => chosen(page).textContent(), PATIENT).toContain('Number 19')
  })

  test('deleting counts what it takes away, and asks first', async () => {
    const { total } = await inbox.get<MailRowsView>('/api/messages')
    const page = await open()
    await page.locator('.mi').first().waitFor(PATIENT)
    await page.getByRole('button', { name: 'Delete all' }).click()
    await page.getByRole('heading', { name: `Delete all ${total} messages?` }).waitFor(PATIENT)
    await page.getByRole('button', { name: 'Keep' }).click()
    expect((await inbox.get<MailRowsView>('/api/messages')).total).toBe(total)
    await page.getByRole('button', { name: 'Delete all' }).click()
    await page.getByRole('button', { name: `Delete ${total}` }).click()
    await page.getByRole('heading', { name: 'Nothing has arrived yet' }).waitFor(PATIENT)
    expect((await inbox.get<MailRowsView>('/api/messages')).total).toBe(0)
  })
})
