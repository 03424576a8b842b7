/** What is saved while a preview is open, as editors save it: shown each time, and never half of it. */
import { appendFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { axeFindings, startBrowser } from '../../support/browser.ts'
import { type Previewing, startPreview } from '../../support/previewing.ts'
import { makeProject, type Project } from '../../support/program.ts'

vi.setConfig({ testTimeout: 120_000 })

const found = await startBrowser()
const browser = 'skipped' in found ? undefined : (found as Browser)
if (browser === undefined) console.warn(`not tested in a browser: ${(found as { skipped: string }).skipped}`)

/** A busy machine takes its time. */
const PATIENT = { timeout: 60_000 }
const HEAD = 'from: Letters <letters@example.org>\nsubject: News\n'

let project: Project
let preview: Previewing | undefined
let page: Page

afterAll(() => browser?.close())

afterEach(async () => {
  await page.context().close()
  await preview?.stop()
  project.remove()
})

async function open(files: Readonly<Record<string, string>>): Promise<void> {
  project = makeProject(files)
  preview = await startPreview(project, ['--csv', 'list.csv', '--template', 'news'])
  page = await browser!.newPage({ viewport: { width: 1440, height: 900 } })
  await page.goto(preview.link)
}

/** A new file in the place of the old, as editors do it. */
function save(path: string, text: string): void {
  writeFileSync(join(project.dir, 'saving'), text)
  renameSync(join(project.dir, 'saving'), join(project.dir, path))
}

async function reads(words: string): Promise<void> {
  const body = page.frameLocator('.mail iframe').last().locator('body')
  await expect.poll(() => body.textContent().catch(() => ''), PATIENT).toContain(words)
}

describe.skipIf(browser === undefined)('while a preview is open', () => {
  test('two saves of the template, of a partial, of the layout and of the list are each shown', async () => {
    await open({
      'list.csv': 'name,email\nAda,ada@example.org\n',
      'templates/_layouts/page.hbs': '<html lang="en"><body><p>Page 0</p>{{{body}}}</body></html>',
      'templates/_partials/foot.hbs': '<p>Foot 0</p>',
      'templates/news/message.yaml': `${HEAD}layout: page\n`,
      'templates/news/html.hbs': '<p>Text 0 for {{name}}</p>{{> foot}}',
    })
    await reads('Text 0 for Ada')
    for (const version of [1, 2]) {
      save('templates/news/html.hbs', `<p>Text ${version} for {{name}}</p>{{> foot}}`)
      await reads(`Text ${version} for Ada`)
      save('templates/_partials/foot.hbs', `<p>Foot ${version}</p>`)
      await reads(`Foot ${version}`)
      save('templates/_layouts/page.hbs', `<html lang="en"><body><p>Page ${version}</p>{{{body}}}</body></html>`)
      await reads(`Page ${version}`)
      save('list.csv', `name,email\nAda ${version},ada@example.org\n`)
      await reads(`for Ada ${version}`)
    }
  })

  test('a list that is half written leaves the last good messages, says so, and is shown when it is whole', async () => {
    const list = 'name,email\nAda,ada@example.org\n"Grace Hopper",grace@example.org\n'
    await open({
      'list.csv': list,
      'templates/news/message.yaml': HEAD,
      'templates/news/html.hbs': '<html lang="en"><body><p>For {{name}}</p></body></html>',
    })
    await reads('For Ada')
    writeFileSync(join(project.dir, 'list.csv'), 'name,email\nAda Byron,ada@example.org\n"Grace Hop')
    const alert = page.getByRole('alert')
    await alert.getByText('The list cannot be read; this is the last good version').waitFor(PATIENT)
    await reads('For Ada')
    expect(await page.locator('.row').count()).toBe(2)
    expect(await axeFindings(page)).toEqual([])
    appendFileSync(join(project.dir, 'list.csv'), 'per",grace@example.org\n')
    await reads('For Ada Byron')
    expect(await alert.count()).toBe(0)
  })

  test('of a picture for light and one for dark the right one alone is asked for, whatever the browser prefers', async () => {
    const asked: string[] = []
    const pictures = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(200, { 'content-type': 'image/svg+xml' })
      response.end('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>')
    })
    await new Promise<void>((done) => pictures.listen(0, '127.0.0.1', done))
    const { port } = pictures.address() as AddressInfo
    try {
      await open({
        'list.csv': 'name,email\nAda,ada@example.org\n',
        'templates/news/message.yaml': HEAD,
        'templates/news/html.hbs': `<html lang="en"><head><meta name="color-scheme" content="light dark"><style>p{color:#000001}@media (prefers-color-scheme: dark) and (min-width: 1px){p{color:#fefefe !important}}@media not all and (prefers-color-scheme: dark){h1{color:#000002}}</style></head><body><h1>A</h1><p>For {{name}}</p><picture><source srcset="http://127.0.0.1:${port}/dark.svg" media="(prefers-color-scheme: dark)"><img src="http://127.0.0.1:${port}/light.svg" alt="Logo"></picture></body></html>`,
      })
      for (const colorScheme of ['dark', 'light'] as const) {
        await page.emulateMedia({ colorScheme })
        for (const [dark, picture, color] of [
          ['off', '/light.svg', 'rgb(0, 0, 1)'],
          ['own', '/dark.svg', 'rgb(254, 254, 254)'],
        ] as const) {
          asked.length = 0
          await page.goto(`${preview?.address}/?dark=${dark}`)
          await expect.poll(() => asked.length, PATIENT).toBeGreaterThan(0)
          const words = page.frameLocator('.mail iframe').last().locator('p')
          const shown = (): Promise<string> =>
            words.evaluate(
              (one) =>
                (one as unknown as { computedStyleMap(): Map<string, object> })
                  .computedStyleMap()
                  .get('color')
                  ?.toString() ?? '',
            )
          await expect.poll(shown, PATIENT).toBe(color)
          expect(new Set(asked), `${dark} where ${colorScheme} is preferred`).toEqual(new Set([picture]))
        }
      }
    } finally {
      pictures.close()
      pictures.closeAllConnections()
    }
  })
})
