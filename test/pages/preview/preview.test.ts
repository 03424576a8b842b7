/** The page of `mailmerge preview` in a real browser, as a person uses it. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { ForecastView, PreviewView, RowMessageView, RowsView } from '../../../src/pages/wire.ts'
import { axeFindings, startBrowser } from '../../support/browser.ts'
import { HOSTILE_IDS, hostileMail, startOutside } from '../../support/hostile-mail.ts'
import { type Previewing, startPreview } from '../../support/previewing.ts'
import { listOf, makeProject, type Project } from '../../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../../support/recording-sink.ts'

vi.setConfig({ testTimeout: 90_000 })

const found = await startBrowser()
const browser = 'skipped' in found ? undefined : (found as Browser)
if (browser === undefined) console.warn(`not tested in a browser: ${(found as { skipped: string }).skipped}`)

afterAll(() => browser?.close())

const HTML =
  '<!doctype html><html lang="en"><head><meta name="color-scheme" content="light dark"><style>body{background:#ffffff;color:#000000}@media (prefers-color-scheme: dark){body{background:#111111 !important}}</style></head><body><h1>Hello {{name}}</h1><p>{{default city "nowhere"}}</p><img src="logo.png" alt="Logo"></body></html>'
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGP4z8CAFWEXHbQSACj/P8Fu7N9hAAAAAElFTkSuQmCC',
  'base64',
)

/** A busy machine takes its time. */
const PATIENT = { timeout: 60_000 }

interface Styled {
  computedStyleMap(): { get(name: string): { toString(): string } }
}

const LIST = [
  'name,email,city',
  'Ada Lovelace,ada@example.org,London',
  ',reader@example.org,',
  'José Ñúñez,jose@example.org,Sevilla',
  'Grace Hopper,grace@,New York',
  'Ada again,ada@example.org,Turin',
  'عمر,omar@example.org,نیشابور',
].join('\n')

let project: Project
let preview: Previewing
const pages: Page[] = []

/** A project that is previewed until its tests are over. */
async function given(files: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<void> {
  project = makeProject(files)
  preview = await startPreview(project, ['--csv', 'list.csv', '--template', 'news', ...args])
}

async function open(path = '', options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await (browser as Browser).newContext({ viewport: { width: 1440, height: 900 }, ...options })
  const page = await context.newPage()
  pages.push(page)
  await page.goto(preview.link.replace('/?', `/?${path}`))
  return page
}

afterEach(async () => {
  for (const page of pages.splice(0)) await page.context().close()
})

describe.skipIf(browser === undefined)('a preview', () => {
  beforeAll(async () => {
    project = makeProject({
      'list.csv': LIST,
      'templates/news/message.yaml': 'from: Letters <letters@example.org>\nsubject: News for {{default name "you"}}\n',
      'templates/news/html.hbs': HTML,
    })
    writeFileSync(join(project.dir, 'templates/news/logo.png'), PNG)
    preview = await startPreview(project, ['--csv', 'list.csv', '--template', 'news'])
  })

  afterAll(async () => {
    expect(await preview.stop()).toBe(0)
    project.remove()
  })

  test('is used by the keyboard alone: rows, views, widths, dark, search, a jump', async () => {
    const page = await open()
    const heading = page.locator('#message h2')
    await heading.getByText('News for Ada Lovelace').waitFor()
    expect(new URL(page.url()).search).not.toContain('token')
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await heading.getByText('News for José Ñúñez').waitFor()
    expect(await page.locator('.row[aria-selected=true]').textContent()).toContain('José')
    await page.keyboard.press('2')
    await page.locator('#panel-text').getByText('Sevilla').waitFor()
    await page.keyboard.press('3')
    await page.locator('#panel-headers').getByText('message.yaml:2').waitFor()
    await page.keyboard.press('4')
    await page.locator('#panel-source').getByText('Content-Type: multipart/').first().waitFor()
    await page.keyboard.press('1')
    await page.keyboard.press('w')
    expect(await page.locator('.seg [aria-pressed=true]').textContent()).toBe('430')
    expect(new URL(page.url()).searchParams.get('w')).toBe('430')
    await page.keyboard.press('/')
    await page.keyboard.type('TURIN')
    await expect
      .poll(() => page.locator('.rows .row').allTextContents(), PATIENT)
      .toEqual([expect.stringContaining('Ada again')])
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await page.keyboard.press('g')
    await page.keyboard.type('6')
    await page.keyboard.press('Enter')
    await heading.getByText('News for عمر').waitFor()
    await page.keyboard.press('?')
    await page.getByText('Go to a row by number').waitFor()
    await page.keyboard.press('Escape')
    // From the address bar on, the tab key leads to the rows and into the tabs, and never into the mail.
    for (let step = 0; step < 30; step++) {
      await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement?.tagName')).not.toBe('IFRAME')
    }
  })

  test('a picture of the mail shows in its frame, and goes with the pictures off', async () => {
    const page = await open()
    const picture = page.frameLocator('.mail iframe').last().locator('img')
    const width = () => picture.evaluate((img) => (img as unknown as { naturalWidth: number }).naturalWidth)
    await expect.poll(width, PATIENT).toBe(8)
    await page.getByRole('switch', { name: 'Pictures' }).click()
    await expect.poll(width, PATIENT).toBe(0)
  })

  test('the two switches for dark show what each kind of mail program does, and one at most is on', async () => {
    const page = await open('', { colorScheme: 'dark' })
    const ground = (): Promise<string> =>
      page
        .frameLocator('.mail iframe')
        .last()
        .locator('body')
        .evaluate((body) => (body as unknown as Styled).computedStyleMap().get('background-color').toString())
    await expect.poll(ground, PATIENT).toBe('rgb(255, 255, 255)')
    await page.getByRole('switch', { name: 'Its own dark' }).click()
    await expect.poll(ground, PATIENT).toBe('rgb(17, 17, 17)')
    await page.getByRole('switch', { name: 'Inverted' }).click()
    await expect.poll(ground, PATIENT).toBe('rgb(33, 33, 33)')
    expect(await page.getByRole('switch', { name: 'Its own dark' }).getAttribute('aria-checked')).toBe('false')
  })

  test('rows that stop a run, and rows that are left out, are found by their filters', async () => {
    const page = await open()
    await page.getByRole('button', { name: /^With problems\s+1$/ }).click()
    await page.locator('.row').getByText('Grace Hopper').click()
    await page.getByRole('alert').getByText('This row stops the run').waitFor()
    expect(await page.getByRole('alert').textContent()).toContain('column email')
    await page.getByRole('button', { name: /^Duplicates\s+1$/ }).click()
    await page.getByLabel('Duplicate of row 1').waitFor()
  })

  test.each([
    ['wide and light', { colorScheme: 'light' }, ['1', '2', '3', '4', '5', '6']],
    ['wide and dark', { colorScheme: 'dark' }, ['2']],
    ['of a laptop', { viewport: { width: 1024, height: 768 } }, ['6']],
    ['of a phone', { viewport: { width: 390, height: 844 }, colorScheme: 'dark', hasTouch: true }, ['3']],
  ] as const)('a screen %s: axe-core finds nothing, and nothing scrolls sideways', async (_, options, tabs) => {
    const page = await open('', options)
    await page.locator('.row').getByText('Ada Lovelace').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.locator('.row').getByText('Grace Hopper').click()
    await page.getByRole('alert').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.keyboard.press('Escape')
    await page.locator('.row').getByText('Ada Lovelace').click()
    await page.locator('#message h2').getByText('News for Ada Lovelace').waitFor()
    for (const tab of tabs) {
      await page.keyboard.press(tab)
      expect(await axeFindings(page)).toEqual([])
    }
    await page.keyboard.press('t')
    await page.locator('dialog[open]').waitFor()
    expect(await axeFindings(page)).toEqual([])
    expect(await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth')).toBe(
      true,
    )
  })

  test.each([
    ['wide and light', { colorScheme: 'light' }],
    ['wide and dark', { colorScheme: 'dark' }],
    ['of a phone', { viewport: { width: 390, height: 844 }, colorScheme: 'light', hasTouch: true }],
  ] as const)(
    'a screen %s: axe-core finds nothing in a dialog, a drawer, or where nothing is found',
    async (_, options) => {
      const page = await open('', options)
      await page.locator('.row').getByText('Ada Lovelace').waitFor()
      for (const [key, name] of [
        ['b', 'Before you send'],
        ['g', 'Go to a row'],
        ['?', 'Keyboard'],
      ] as const) {
        await page.keyboard.press(key)
        await page.getByRole('dialog', { name }).waitFor()
        expect(await axeFindings(page), name).toEqual([])
        await page.keyboard.press('Escape')
      }
      await page.keyboard.press('/')
      await page.keyboard.type('nobody has this')
      await page.getByText('No row has “nobody has this”').waitFor()
      expect(await axeFindings(page)).toEqual([])
      await page.getByRole('button', { name: 'Clear the search' }).click()
      await page.getByRole('button', { name: /^Hidden\s+0$/ }).click()
      await page.getByText('There are none').waitFor()
      expect(await axeFindings(page)).toEqual([])
    },
  )

  test('every save shows at once, also one that puts a new file in the place of the old; a broken one leaves the last good render', async () => {
    const page = await open()
    const title = page.frameLocator('.mail iframe').last().locator('h1')
    const save = (path: string, text: string): void => {
      writeFileSync(join(project.dir, 'saving'), text)
      renameSync(join(project.dir, 'saving'), join(project.dir, path))
    }
    await expect.poll(() => title.textContent().catch(() => ''), PATIENT).toBe('Hello Ada Lovelace')
    for (const word of ['Good day', 'Good evening', 'Good night']) {
      save('templates/news/html.hbs', HTML.replace('Hello', word))
      await expect.poll(() => title.textContent().catch(() => ''), PATIENT).toBe(`${word} Ada Lovelace`)
    }
    save('templates/news/html.hbs', HTML.replace('{{name}}', '{{#if name}}'))
    const alert = page.getByRole('alert')
    await alert.getByText('this is the last good version').waitFor()
    expect(await alert.textContent()).toMatch(
      /templates\/news\/html\.hbs, line 1, column \d+: the block {{#if}} is not closed/,
    )
    expect(await title.textContent()).toBe('Good night Ada Lovelace')
    expect(await axeFindings(page)).toEqual([])
    save('templates/news/html.hbs', HTML)
    await expect.poll(() => title.textContent().catch(() => ''), PATIENT).toBe('Hello Ada Lovelace')
    expect(await alert.count()).toBe(0)
    save('list.csv', LIST.replace('Ada Lovelace', 'Ada Byron'))
    await expect.poll(() => title.textContent().catch(() => ''), PATIENT).toBe('Hello Ada Byron')
    save('list.csv', LIST)
    await expect.poll(() => title.textContent().catch(() => ''), PATIENT).toBe('Hello Ada Lovelace')
  })

  test('what mail programs do not support is named with its line, which opens, and leads back to the finding', async () => {
    const page = await open()
    const finding = page.locator('.rail .finding', { hasText: '@media (prefers-color-scheme)' })
    await finding.getByText(/Not supported by Gmail.*Tested in \w+ \d{4}/).waitFor()
    await finding.getByRole('button', { name: 'news/html.hbs:1', exact: true }).click()
    const drawer = page.getByRole('dialog', { name: 'news/html.hbs:1' })
    await drawer.getByText('templates/news/html.hbs:1').waitFor()
    expect(await drawer.locator('.hit').textContent()).toContain('@media (prefers-color-scheme: dark)')
    expect(await axeFindings(page)).toEqual([])
    await drawer.getByRole('button', { name: '@media (prefers-color-scheme)' }).click()
    expect(await drawer.isVisible()).toBe(false)
    expect(await page.evaluate('document.activeElement.textContent')).toContain('@media (prefers-color-scheme)')
    // Of a header too.
    await page.keyboard.press('3')
    await page.locator('#panel-headers').getByRole('button', { name: 'news/message.yaml:2', exact: true }).click()
    await page.getByRole('dialog').locator('.hit').getByText('subject: News for').waitFor()
    await page.keyboard.press('Escape')
  })

  test('a row whose address asks for a look is marked in the list, and is not a problem', async () => {
    const page = await open('q=omar@&')
    await page.locator('.row').getByLabel('Worth a look').waitFor(PATIENT)
    expect((await preview.get<PreviewView>('/api/preview')).counts.problems).toBe(1)
  })

  test('the files of the template are shown, and no other file', async () => {
    const file = (name: string): Promise<unknown> => preview.get(`/api/template/file?${new URLSearchParams({ name })}`)
    expect(await file('templates/news/html.hbs')).toMatchObject({ lines: [HTML] })
    for (const name of ['list.csv', 'mailmerge.yaml', '../list.csv', 'templates/../list.csv', '/etc/passwd', ''])
      expect(await file(name), name).toMatchObject({ error: {} })
  })

  test('seven tabs are all live', async () => {
    const page = await open()
    await page.getByText('Up to date').waitFor()
    const context = page.context()
    const tabs = [page]
    for (let tab = 0; tab < 6; tab++) {
      const next = await context.newPage()
      await next.goto(`${preview.address}/`)
      tabs.push(next)
    }
    for (const tab of tabs) await tab.getByText('Up to date').waitFor()
    project.write('templates/news/message.yaml', 'from: Letters <letters@example.org>\nsubject: Late news\n')
    for (const tab of tabs) await tab.locator('#message h2').getByText('Late news').waitFor()
  })
})

test.skipIf(browser === undefined)(
  'a hostile mail runs nothing, asks nobody and leads nowhere, in the page and in a tab of its own',
  async () => {
    const outside = await startOutside()
    const { asked, host, port } = outside
    try {
      await given({
        'list.csv': `name,email,picture\nAda,ada@example.org,http://localhost:${port}/cell.png\n`,
        'templates/news/message.yaml': 'from: Letters <letters@example.org>\nsubject: News\n',
        'templates/news/html.hbs': hostileMail(host, '{{picture}}'),
      })
      const page = await open()
      const said: string[] = []
      await page.exposeFunction('heard', (text: string) => said.push(text))
      await page.evaluate('addEventListener("message", ({ data }) => heard(String(data)))')
      const frame = page.frameLocator('.mail iframe').last()
      await frame.locator('#there').waitFor()
      for (const id of HOSTILE_IDS) await frame.locator(`#${id}`).click({ timeout: 5_000 })
      await page.waitForTimeout(300)
      expect(said).toEqual([])
      // Pictures of a host that the template itself names are loaded, and nothing else of it; that of a cell is not.
      expect(asked.filter((path) => !['/ground', '/old', '/svg'].includes(path))).toEqual([])
      expect(page.url()).toContain(preview.address)
      expect(await page.locator('#message h2').textContent()).toBe('News')
      expect(await frame.locator('#there').count()).toBe(1)
      asked.length = 0
      const alone = await page.context().newPage()
      await alone.goto(`${preview.address}/api/rows/1/html?pictures=own`)
      await alone.locator('#there').waitFor()
      for (const id of HOSTILE_IDS) await alone.locator(`#${id}`).click({ timeout: 5_000 })
      await alone.waitForTimeout(300)
      expect(asked).toEqual([])
      expect(alone.url().split('#')[0]).toBe(`${preview.address}/api/rows/1/html?pictures=own`)
      expect(await alone.title()).not.toBe('ran')
    } finally {
      outside.close()
      await preview.stop()
      project.remove()
    }
  },
)

describe.skipIf(browser === undefined)('a list of 100,000 rows', () => {
  beforeAll(async () => {
    await given({
      'list.csv': listOf(100_000),
      'templates/news.md': '---\nfrom: Letters <letters@example.org>\nsubject: News for {{name}}\n---\nDear {{name}}\n',
    })
    const isRead = async (): Promise<void> =>
      expect((await preview.get<PreviewView>('/api/preview')).isComplete).toBe(true)
    await vi.waitFor(isRead, { timeout: 60_000, interval: 100 })
  })

  afterAll(async () => {
    await preview.stop()
    project.remove()
  })

  test('is scrolled, searched and walked with few rows in the page and few requests', async () => {
    const page = await open()
    let asked = 0
    page.on('request', () => asked++)
    await page.locator('#message h2').getByText('News for Person 1').waitFor()
    // The row with the longest name is one to look at; the page hears of it after the server knows it.
    await page.locator('.side-foot').getByText('1 of 100,000').waitFor(PATIENT)
    await page.keyboard.press('n')
    await page.locator('#message h2').getByText('News for Person 100000').waitFor()
    await page.locator('#rows').focus()
    await page.keyboard.press('Home')
    await page
      .locator('#message h2')
      .getByText(/News for Person 1$/)
      .waitFor()
    await page.keyboard.press('End')
    await page.locator('#message h2').getByText('News for Person 100000').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('p77777@')
    await page.locator('.row').getByText('Person 77777').waitFor()
    expect(await page.locator('.row').count()).toBe(1)
    await page.keyboard.press('Escape')
    await page.locator('#rows').focus()
    await page.keyboard.press('Home')
    await page.locator('#message h2').getByText('News for Person 1').waitFor()
    const before = asked
    for (let step = 0; step < 60; step++) await page.keyboard.press('j')
    await page.locator('#message h2').getByText('News for Person 61').waitFor()
    expect(asked - before).toBeLessThan(200)
    expect(await page.locator('.row').count()).toBeLessThan(60)
  })

  test('holding a key for five seconds asks for few messages, and memory stays flat', async () => {
    const page = await open()
    await page.locator('#message h2').getByText('News for Person 1').waitFor(PATIENT)
    const memory = (): number => {
      const status = readFileSync(`/proc/${preview.running.child.pid}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024
    }
    const hold = async (milliseconds: number): Promise<number> => {
      const end = performance.now() + milliseconds
      let presses = 0
      for (; performance.now() < end; presses++) await page.keyboard.down('j')
      await page.keyboard.up('j')
      return presses
    }
    // Once before, so that what is kept of messages is there.
    await hold(2_000)
    const before = memory()
    const presses = await hold(5_000)
    // Presses that are still on their way move on: it is at rest once the message is that of the row.
    let row = 0
    await expect
      .poll(async () => {
        const at = await page.locator('.row[aria-selected=true]').textContent()
        row = Number(/\d[\d,]*/.exec(at ?? '')?.[0].replaceAll(',', ''))
        return page.locator('#message h2').textContent()
      }, PATIENT)
      .toSatisfy((title) => title === `News for Person ${row}`)
    expect(row).toBeGreaterThan(presses / 2)
    expect(memory() - before).toBeLessThan(80)
    expect(await page.locator('.row').count()).toBeLessThan(60)
    // To the middle, by the wheel: the rows there are shown.
    await page.locator('#rows').evaluate((list) => {
      const box = list as unknown as { scrollTop: number; scrollHeight: number }
      box.scrollTop = box.scrollHeight / 2
    })
    await page.locator('.row').getByText('Person 50000', { exact: true }).waitFor(PATIENT)
    await expect.poll(() => page.locator('.row .bone').count(), PATIENT).toBe(0)
  })

  test('what programs ask is answered by position, by search and by row', async () => {
    const rows = await preview.get<RowsView>('/api/rows?q=PERSON+99999&limit=10')
    expect(rows.rows.map(({ row }) => row)).toEqual([99_999])
    expect((await preview.get<RowsView>('/api/rows?row=50000&limit=1')).rows).toMatchObject([{ row: 50_000 }])
    const { message } = await preview.get<RowMessageView>('/api/rows/50000')
    expect(message?.subject).toBe('News for Person 50000')
  })
})

describe.skipIf(browser === undefined)('a test to oneself', () => {
  let sink: RecordingSink

  beforeAll(async () => {
    sink = await startRecordingSink({ keep: true })
    await given({
      'list.csv':
        'name,email,likes\nAda,ada@example.org,\nJosé,jose@example.org,engines\nGrace,grace@example.org,\nZoë,zoe@example.org,\n',
      'templates/news.md':
        '---\nfrom: Letters <letters@example.org>\nsubject: News for {{name}}\n---\n{{#if likes}}You like {{likes}}.{{else}}Hello.{{/if}}\n',
      'mailmerge.yaml': `rate: 100/day\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n`,
    })
  })

  afterAll(async () => {
    await preview.stop()
    project.remove()
    await sink.close()
  })

  test('sends the row that is shown, or all rows to look at, to the address that is typed and nobody else', async () => {
    const page = await open('row=2&')
    await page.locator('#message h2').getByText('News for José').waitFor()
    await expect
      .poll(async () => (await preview.get<PreviewView>('/api/preview')).looks.length, PATIENT)
      .toBeGreaterThan(1)
    const { looks } = await preview.get<PreviewView>('/api/preview')
    await page.keyboard.press('t')
    const dialog = page.getByRole('dialog', { name: 'Send row 2 to yourself' })
    await dialog.getByLabel('Your address').fill('me@example.net')
    await page.keyboard.press('Enter')
    await page.getByText(/^Accepted by 127\.0\.0\.1 for me@example\.net/).waitFor(PATIENT)
    expect([...sink.recipients]).toEqual([['me@example.net', 1]])
    expect(sink.messages[0]?.octets.toString('utf8')).toContain('You like engines.')
    await page.keyboard.press('t')
    await dialog.getByRole('button', { name: `Send all ${looks.length} rows to look at` }).click()
    await page.getByText(`${looks.length} messages accepted by 127.0.0.1 for me@example.net`).waitFor(PATIENT)
    expect([...sink.recipients]).toEqual([['me@example.net', 1 + looks.length]])
  })

  test('links are asked when a person says so, and never where they lead into a private network', async () => {
    const page = await open()
    const rail = page.locator('.rail')
    project.write(
      'templates/news.md',
      `---\nfrom: Letters <letters@example.org>\nsubject: Links for {{name}}\n---\n[One](http://127.0.0.1:${sink.port}/one) and [leave](https://example.org/unsubscribe)\n`,
    )
    await rail.getByText('2 links, not visited').waitFor(PATIENT)
    const before = sink.connections
    await rail.getByRole('button', { name: 'Check the links' }).click()
    await rail.getByText('A link leads into a private network and was not asked').waitFor(PATIENT)
    await rail.getByText('1 not, because they act for one person alone.').waitFor(PATIENT)
    expect(sink.connections).toBe(before)
    expect(await rail.getByText('not visited').count()).toBe(0)
    expect(await axeFindings(page)).toEqual([])
  })

  test('before sending, what other runs took of a quota today is counted, as are messages that Gmail cuts off', async () => {
    const page = await open()
    const forecast = (): Promise<ForecastView> => preview.get('/api/forecast')
    await expect.poll(async () => (await forecast()).sizes?.measured, PATIENT).toBe(4)
    expect((await forecast()).pace?.taken).toBeUndefined()
    expect(
      await project.run(['run', '--yes', '--csv', 'list.csv', '-t', 'news', '--campaign', 'other', '--rows', '1,2']),
    ).toMatchObject({ code: 0 })
    expect((await forecast()).pace).toMatchObject({ taken: 2, limit: { count: 100 } })
    expect((await forecast()).sizes?.clipped).toBe(0)
    project.write(
      'templates/news.md',
      `---\nfrom: Letters <letters@example.org>\nsubject: News for {{name}}\n---\n{{#if likes}}${'Words. '.repeat(20_000)}{{/if}}Hello.\n`,
    )
    await expect.poll(async () => (await forecast())?.sizes?.clipped, PATIENT).toBe(1)
    await page.keyboard.press('b')
    await page.getByText('Gmail cuts off 1 of them').waitFor(PATIENT)
    expect(await axeFindings(page)).toEqual([])
  })
})
