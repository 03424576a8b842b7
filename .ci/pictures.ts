/**
 * Makes the two pictures of README.md from the built program: a run in a terminal, and a preview. Run by `npm run pictures` after
 * `npm run build`; needs Chromium (Debian's package) and `script` of util-linux.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { startBrowser } from '../test/support/browser.ts'
import { startRecordingSink } from '../test/support/recording-sink.ts'

const ROOT = join(import.meta.dirname, '..')
const PROGRAM = join(ROOT, 'bin/mailmerge.js')
const TO = join(ROOT, 'docs/pictures')
const COLUMNS = 92
const PEOPLE: readonly (readonly [name: string, address: string])[] = [
  ['Ada Lovelace', 'ada'],
  ['', 'reader'],
  ['José Ñúñez', 'jose'],
  ['Zoë O’Hara', 'zoe'],
  ['Łucja Żak', 'lucja'],
  ['عمر الخيّام', 'omar'],
  ['Hildegard von Bingen', 'hildegard'],
  ['Ὑπατία', 'hypatia'],
  ['Grace Hopper', 'grace'],
  ['Søren Åkjær', 'soren'],
  ['Мария Кюри', 'maria'],
  ['Emmy Noether', 'emmy'],
  ['Sophie Germain', 'sophie'],
  ['Alan Turing', 'alan'],
]

/** The newsletter of the examples, with a longer list and a server of its own. */
function makeProject(port: number): string {
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-pictures-'))
  cpSync(join(ROOT, 'examples/newsletter'), dir, { recursive: true })
  const rows = Array.from({ length: 480 }, (_, index) => {
    const [name, address] = PEOPLE[index] ?? [`Reader ${index + 1}`, `reader${index + 1}`]
    const month = String((index % 12) + 1).padStart(2, '0')
    return `${name},${address}@letters.club,2021-${month}-01,${index % 3 === 2 ? 'engines' : 'looms'}`
  })
  writeFileSync(join(dir, 'list.csv'), `name,email,since,sort\n${rows.join('\n')}\n`)
  const config = readFileSync(join(dir, 'mailmerge.yaml'), 'utf8')
  writeFileSync(
    join(dir, 'mailmerge.yaml'),
    `${config}\nrate: [100/s, 5000/day]\nsmtp:\n  host: localhost\n  port: ${port}\n`,
  )
  return dir
}

/** What a terminal shows of a run that is asked for, and agreed to. */
function runInTerminal(dir: string): Promise<string> {
  const env = {
    ...process.env,
    TERM: 'xterm-256color',
    MAILMERGE_UNSUBSCRIBE_SECRET: 'a secret for pictures alone, 32',
  }
  const command = `stty cols ${COLUMNS} rows 40; ${process.execPath} ${PROGRAM} run`
  const child = spawn('script', ['-qfec', command, '/dev/null'], { cwd: dir, env })
  let text = ''
  let answered = false
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      if (answered || !text.includes('[y/N]')) return
      answered = true
      child.stdin.write('y\r')
    })
    child.on('exit', (code) => (code === 0 ? done(text) : fail(new Error(`the run ended with ${code}:\n${text}`))))
  })
}

/** The lines that are left of what a terminal was sent, each in pieces of one style. */
function linesShown(text: string): readonly (readonly { readonly text: string; readonly look: string }[])[] {
  const lines: { character: string; look: string }[][] = [[]]
  let [row, column, look] = [0, 0, '']
  // Control sequences (ECMA-48): of them those that the program uses.
  for (const [part, parameters, final] of text.matchAll(/\u001B\[([\d;?]*)([A-Za-z])|[\s\S]/g)) {
    lines[row] ??= []
    const line = lines[row] ?? []
    if (final === 'm') look = LOOKS[parameters ?? ''] ?? ''
    else if (final === 'K') line.length = parameters === '2' ? 0 : column
    else if (final === 'J') lines.length = row + 1
    else if (final === 'G') column = Number(parameters) - 1
    else if (final === 'A') row = Math.max(0, row - Number(parameters || 1))
    else if (final !== undefined) continue
    else if (part === '\r') column = 0
    else if (part === '\n') row++
    else line[column++] = { character: part, look }
  }
  return lines.map((line) => {
    const pieces: { text: string; look: string }[] = []
    for (const one of Array.from(line, (cell) => cell ?? { character: ' ', look: '' })) {
      const last = pieces.at(-1)
      if (last?.look === one.look) last.text += one.character
      else pieces.push({ text: one.character, look: one.look })
    }
    return pieces
  })
}

const LOOKS: Readonly<Record<string, string>> = { 1: 'bold', 2: 'dim', 31: 'red', 32: 'green', 33: 'yellow' }

function terminalPage(text: string): string {
  const escaped = (part: string): string => part.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`)
  const body = linesShown(text)
    .map((line) => line.map(({ text: part, look }) => `<span class="${look}">${escaped(part)}</span>`).join(''))
    .join('\n')
    .trimEnd()
  return `<!doctype html><meta charset="utf-8"><style>
    body { margin: 0; padding: 20px 24px; width: max-content; background: #16181d; }
    pre { margin: 0; font: 14px/1.45 "DejaVu Sans Mono", monospace; color: #d8dce4; }
    .dim { color: #8b93a3 } .bold { font-weight: 700 } .red { color: #f28b82 } .green { color: #81c995 } .yellow { color: #fdd663 }
  </style><pre><span class="dim">$</span> mailmerge run\n${body}</pre>`
}

/** In few bytes: the browser itself makes a WebP of what it shows. */
async function save(page: Page, name: string, clip?: Parameters<Page['screenshot']>[0]): Promise<void> {
  const png = (await page.screenshot(clip)).toString('base64')
  const url = await page.evaluate(async (data) => {
    const { Image, document } = globalThis as never as {
      Image: new () => { src: string; width: number; height: number; decode(): Promise<void> }
      document: { createElement(name: 'canvas'): Canvas }
    }
    const image = new Image()
    image.src = `data:image/png;base64,${data}`
    await image.decode()
    const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height })
    canvas.getContext('2d').drawImage(image, 0, 0)
    return canvas.toDataURL('image/webp', 0.75)
  }, png)
  const bytes = Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')
  writeFileSync(join(TO, `${name}.webp`), bytes)
  console.log(`docs/pictures/${name}.webp: ${(bytes.length / 1000).toFixed(1)} KB`)
}

interface Canvas {
  getContext(kind: '2d'): { drawImage(image: object, x: number, y: number): void }
  toDataURL(type: string, quality: number): string
}

async function pictureOfRun(browser: Browser, dir: string): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 900, height: 600 } })
  await page.setContent(terminalPage(await runInTerminal(dir)))
  const body = page.locator('body')
  const { width = 900, height = 600 } = (await body.boundingBox()) ?? {}
  await page.setViewportSize({ width: Math.ceil(width), height: Math.ceil(height) })
  await save(page, 'run')
  await page.close()
}

async function pictureOfPreview(browser: Browser, dir: string): Promise<void> {
  const env = { ...process.env, MAILMERGE_UNSUBSCRIBE_SECRET: 'a secret for pictures alone, 32' }
  const child = spawn(process.execPath, [PROGRAM, 'preview', '--no-open'], { cwd: dir, env })
  try {
    const link = await new Promise<string>((done, fail) => {
      let text = ''
      child.stdout.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
        if (text.includes('\n')) done(text.slice(0, text.indexOf('\n')))
      })
      child.on('exit', (code) => fail(new Error(`preview ended with ${code}`)))
    })
    const context = await browser.newContext({ viewport: { width: 1400, height: 800 }, colorScheme: 'light' })
    const page = await context.newPage()
    await page.goto(link.replace('/?', '/?row=3&'))
    await page.frameLocator('.mail iframe').last().locator('img').first().waitFor()
    await page.locator('.look').first().waitFor()
    // The pictures of the mail, and what the checks say.
    await sleep(2_000)
    await save(page, 'preview')
    await context.close()
  } finally {
    child.kill('SIGKILL')
  }
}

if (import.meta.main) {
  const browser = await startBrowser()
  if ('skipped' in browser) throw new Error(browser.skipped)
  const sink = await startRecordingSink({ delay: 20 })
  const dir = makeProject(sink.port)
  mkdirSync(TO, { recursive: true })
  try {
    // The preview first, while nobody got the message yet.
    await pictureOfPreview(browser, dir)
    await pictureOfRun(browser, dir)
  } finally {
    await browser.close()
    await sink.close()
    rmSync(dir, { recursive: true, force: true })
  }
}
