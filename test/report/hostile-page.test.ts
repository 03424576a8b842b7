/** The HTML report in a real browser, made of cells, names and answers that try to be more than text. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, expect, test, vi } from 'vitest'
import { axeFindings, startBrowser } from '../support/browser.ts'
import { startOutside } from '../support/hostile-mail.ts'
import { makeProject } from '../support/program.ts'
import { startScriptedServer } from '../support/scripted-server.ts'

vi.setConfig({ testTimeout: 90_000 })

const found = await startBrowser()
const browser = 'skipped' in found ? undefined : (found as Browser)
if (browser === undefined) console.warn(`not tested in a browser: ${(found as { skipped: string }).skipped}`)

afterAll(() => browser?.close())

test.skipIf(browser === undefined)(
  'hostile cells, names and answers run nothing, ask nobody and lead nowhere in the report',
  async () => {
    const outside = await startOutside()
    const at = `http://${outside.host}`
    /** Breaks out of a text, an attribute, a style, a drawing and a comment, whichever it is put into. */
    const attack = (name: string): string =>
      `x--></style></title></svg>"'><script>document.title='ran'</script><img src=${at}/${name} onerror="document.title='ran'"><a id=${name} href=${at}/${name}>x</a>`
    const server = await startScriptedServer({
      rcpt: ({ line }) =>
        line.includes('gone@')
          ? `550 5.1.1 ${attack('answer')}`
          : line.includes('later@')
            ? `451 4.7.1 ${attack('wait')}`
            : undefined,
    })
    const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
    const project = makeProject({
      'mailmerge.yaml': `smtp: { host: 127.0.0.1, port: ${server.port} }\nretryFor: 0\n`,
      'list.csv': `name,email\n${[
        [attack('cell'), 'ada@example.com'],
        ['Ben', 'gone@example.com'],
        ['Cem', 'later@example.net'],
        ['Dana', attack('address')],
      ]
        .map((cells) => cells.map(quoted).join(','))
        .join('\n')}\n`,
      'templates/letter.txt': `---
from: '"</style><script>1</script>" <author@example.org>'
subject: Hello {{name}}
---
Dear {{name}},
`,
    })
    try {
      const campaign = attack('campaign').slice(0, 120)
      const args = ['run', '--csv', 'list.csv', '-t', 'letter', '--yes', '--skip-bad', '--campaign', campaign]
      const ended = await project.run([...args, '--report', 'page.html'])
      // Bad and failed rows are in it, and one that waits.
      expect(ended.code, ended.stderr).toBe(75)
      const file = join(project.dir, 'page.html')
      expect(readFileSync(file, 'utf8')).toContain('&lt;script&gt;')
      const context = await (browser as Browser).newContext()
      const page = await context.newPage()
      const dialogs: string[] = []
      page.on('dialog', (dialog) => {
        dialogs.push(dialog.message())
        void dialog.dismiss()
      })
      await page.goto(pathToFileURL(file).href)
      await page.getByText('4 rows').first().waitFor()
      expect(await page.locator('script, img, iframe, object, embed, form, base, link').count()).toBe(0)
      const links = await page.locator('a').evaluateAll((all) => all.map((one) => one.getAttribute('href')))
      for (const href of links) expect(href).toMatch(/^(?:#[\w-]+|results\.csv)$/)
      await page.waitForTimeout(300)
      expect([outside.asked, dialogs, context.pages().length, page.url()]).toEqual([
        [],
        [],
        1,
        pathToFileURL(file).href,
      ])
      expect(await page.title()).not.toBe('ran')
      // What was tried is there to be read.
      expect(await page.getByText(`550 5.1.1 ${attack('answer').slice(0, 40)}`).count()).toBeGreaterThan(0)
      expect(await axeFindings(page)).toEqual([])
      await context.close()
    } finally {
      outside.close()
      await server.close()
      project.remove()
    }
  },
)
