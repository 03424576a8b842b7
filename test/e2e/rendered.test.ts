/**
 * The templates that we show, in a real browser: light and dark, wide and phone-narrow. Nothing runs over the edge, every
 * image shows, and all words stand out from what is behind them (WCAG 2.2, 1.4.3).
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import PostalMime from 'postal-mime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needProgram } from '../support/debian-package.ts'
import { makeProject, startProgram } from '../support/program.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const CHROMIUM = '/usr/bin/chromium'
const missing = needProgram(CHROMIUM, ['chromium'])
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailmerge-rendered-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs in the browser: looks at a mail in a frame of that many pixels. */
const LOOK = `
function channels(color) { const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number); return { r, g, b, a } }
function light({ r, g, b }) { const [x, y, z] = [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 }); return 0.2126 * x + 0.7152 * y + 0.0722 * z }
function behind(element, view) { for (let at = element; at; at = at.parentElement) { const c = channels(view.getComputedStyle(at).backgroundColor); if (c.a > 0.5) return c } return { r: 255, g: 255, b: 255 } }
function look(frame) {
  const page = frame.contentDocument, view = frame.contentWindow, faint = []
  const words = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT)
  let seen = 0
  while (words.nextNode()) {
    const element = words.currentNode.parentElement
    const style = view.getComputedStyle(element)
    if (words.currentNode.data.trim() === '' || element.closest('.preheader, style, script, title')) continue
    seen++
    const [x, y] = [light(channels(style.color)), light(behind(element, view))].sort((a, b) => b - a)
    if ((x + 0.05) / (y + 0.05) < 4.5) faint.push(words.currentNode.data.trim().slice(0, 40) + ' ' + style.color)
  }
  return { words: seen, over: page.documentElement.scrollWidth - frame.clientWidth, faint, blind: [...page.images].filter((image) => !image.naturalWidth).length, dark: light(behind(page.body, view)) < 0.2 }
}
addEventListener('load', () => { document.title = 'x'; document.body.dataset.seen = JSON.stringify([...document.querySelectorAll('iframe')].map(look)) })
`

interface Seen {
  readonly words: number
  readonly over: number
  readonly faint: readonly string[]
  readonly blind: number
  readonly dark: boolean
}

/** What the browser sees of a mail, 1,000 and 375 pixels wide. */
async function seen(eml: string, scheme: 'light' | 'dark'): Promise<readonly Seen[]> {
  const { html = '', attachments } = await PostalMime.parse(readFileSync(eml))
  const shown = attachments.reduce((page, { contentId = '', mimeType, content }) => {
    const data = `data:${mimeType};base64,${Buffer.from(content as ArrayBuffer).toString('base64')}`
    return contentId === '' ? page : page.replaceAll(`cid:${contentId.replace(/[<>]/g, '')}`, data)
  }, html)
  const framed = shown.replaceAll('&', '&amp;').replaceAll('"', '&quot;')
  const frames = [1000, 375].map(
    (width) => `<iframe width="${width}" height="900" style="border:0" srcdoc="${framed}"></iframe>`,
  )
  const path = join(folder, 'page.html')
  writeFileSync(path, `<!doctype html><meta charset="utf-8"><body>${frames.join('')}<script>${LOOK}</script>`)
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']
  const color = `--blink-settings=preferredColorScheme=${scheme === 'dark' ? 0 : 1}`
  const profile = `--user-data-dir=${join(folder, 'profile')}`
  const dom = execFileSync(CHROMIUM, [...args, color, profile, '--dump-dom', `file://${path}`], {
    encoding: 'utf8',
    maxBuffer: 64_000_000,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 90_000,
  })
  const data = /<body data-seen="([^"]*)"/.exec(dom)?.[1] ?? '[]'
  return JSON.parse(data.replaceAll('&quot;', '"').replaceAll('&amp;', '&')) as readonly Seen[]
}

/** The first message of a dry run. */
async function firstMail(args: readonly string[], cwd: string, name: string): Promise<string> {
  const out = join(folder, name)
  const run = await startProgram(['run', '--dry-run', '--out', out, '--ledger', join(folder, 'l.db'), ...args], cwd)
    .ended
  expect(run.code, run.stderr).toBe(0)
  const [first = ''] = readdirSync(out)
    .filter((file) => file.endsWith('.eml'))
    .sort()
  return join(out, first)
}

const MARKDOWN = `---
from: a@example.org
subject: All of Markdown
---
# A heading

Words, **strong**, \`code\`, a [link](https://example.com), Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft.

- a
- b

> A quote.

| Item | Price |
| --- | ---: |
| Ink, very black and good for writing in the rain | €36.60 |

\`\`\`
code
\`\`\`
`

describe.skipIf(missing !== undefined)(
  `in a browser${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: 300_000 },
  () => {
    test.each(['invite', 'newsletter', 'ticket', 'starter', 'markdown'])('%s', async (name) => {
      const project = makeProject({ 'list.csv': 'name,email\nAda,ada@example.com\n', 'templates/m.md': MARKDOWN })
      if (name === 'starter') await project.run(['init', 'starter'])
      const eml = await (name === 'invite'
        ? firstMail(['--csv', 'examples/invite/list.csv', '--template', 'invite'], ROOT, name)
        : name === 'markdown'
          ? firstMail(['--csv', 'list.csv', '--template', 'm'], project.dir, name)
          : firstMail([], name === 'starter' ? join(project.dir, 'starter') : join(ROOT, 'examples', name), name))
      project.remove()
      for (const scheme of ['light', 'dark'] as const) {
        const views = await seen(eml, scheme)
        expect(views).toHaveLength(2)
        for (const { words, over, faint, blind, dark } of views) {
          expect(words).toBeGreaterThan(2)
          expect(over, 'pixels over the edge').toBeLessThanOrEqual(0)
          expect(faint, `hard to read when ${scheme}`).toEqual([])
          expect(blind, 'images that do not show').toBe(0)
          expect(dark).toBe(scheme === 'dark')
        }
      }
    })
  },
)
