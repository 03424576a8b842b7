/**
 * The page of `mailmerge preview` as a person waits for it, in Chromium, for lists of 5, 100,000 and 1,000,000 rows: from the command
 * to the first message, until the list is read, from a save to the new message; frames a second while the list is scrolled;
 * memory of the server.
 *
 * node bench/pages.ts [rows ...]
 */
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { startBrowser } from '../test/support/browser.ts'
import { median } from './support/measure.ts'
import { HTML, makeWorkload } from './support/workload.ts'

const ROOT = resolve(import.meta.dirname, '..')
const SAVES = 7
const SCROLLED_MS = 4_000
/** Pixels a frame: faster than anybody reads. */
const STEP = 900
const LONGEST_MS = 600_000

interface Figures {
  readonly rows: number
  readonly link: number
  readonly first: number
  readonly read: number
  readonly saved: readonly number[]
  readonly frames: number
  readonly slowest: number
  readonly memory: number
  readonly peak: number
}

async function measure(browser: Browser, rows: number): Promise<Figures> {
  const workload = await makeWorkload({ rows })
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  const began = performance.now()
  const child = spawn(
    process.execPath,
    [join(ROOT, 'bin/mailmerge.js'), 'preview', '--csv', 'list.csv', '-t', 'seat', '--no-open'],
    {
      cwd: workload.dir,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  try {
    const url = await new Promise<URL>((done, fail) => {
      let text = ''
      child.stdout.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
        if (text.includes('\n')) done(new URL(text.slice(0, text.indexOf('\n'))))
      })
      child.on('exit', (code) => fail(new Error(`preview ended with ${code}`)))
    })
    const link = performance.now() - began
    await page.goto(url.href)
    await page.locator('#message h2', { hasText: 'your seat' }).waitFor({ timeout: LONGEST_MS })
    const first = performance.now() - began
    const headers = { authorization: `Bearer ${url.searchParams.get('token')}` }
    for (;;) {
      const status = (await (await fetch(`${url.origin}/api/preview`, { headers })).json()) as { isComplete: boolean }
      if (status.isComplete) break
      await sleep(50)
    }
    const read = performance.now() - began
    const { frames, slowest } = await scrolled(page)
    const saved: number[] = []
    for (let save = 1; save <= SAVES; save++) {
      saved.push(await savedToShown(page, workload.dir, save))
      await sleep(300)
    }
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
    const mebibytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024
    return { rows, link, first, read, saved, frames, slowest, memory: mebibytes('VmRSS'), peak: mebibytes('VmHWM') }
  } finally {
    child.kill('SIGKILL')
    await page.close()
    workload.remove()
  }
}

/** Frames a second while the list moves, and the 95th percentile of their milliseconds. */
async function scrolled(page: Page): Promise<{ readonly frames: number; readonly slowest: number }> {
  const times = await page.evaluate(
    ([milliseconds, step]) =>
      new Promise<readonly number[]>((done) => {
        const { document, requestAnimationFrame: next } = globalThis as never as {
          document: { querySelector(name: string): { scrollTop: number } | null }
          requestAnimationFrame(call: (at: number) => void): void
        }
        const list = document.querySelector('#rows')
        const times: number[] = []
        const frame = (at: number): void => {
          times.push(at)
          if (list !== null) list.scrollTop += step
          if (at - (times[0] ?? at) < milliseconds) next(frame)
          else done(times)
        }
        next(frame)
      }),
    [SCROLLED_MS, STEP] as const,
  )
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at))
  const seconds = gaps.reduce((sum, gap) => sum + gap, 0) / 1000
  return {
    frames: gaps.length / seconds,
    slowest: [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length * 0.95)] ?? 0,
  }
}

/** From a save as editors do it, a new file in the place of the old, to the new message on the page. */
async function savedToShown(page: Page, dir: string, save: number): Promise<number> {
  const template = join(dir, 'templates/seat')
  writeFileSync(join(dir, 'saving'), HTML.replace('Dear', `Dear${save}`))
  const began = performance.now()
  renameSync(join(dir, 'saving'), join(template, 'html.hbs'))
  await page
    .frameLocator('.mail iframe')
    .last()
    .locator('h1', { hasText: `Dear${save} ` })
    .waitFor({ timeout: LONGEST_MS })
  return performance.now() - began
}

const browser = await startBrowser()
if ('skipped' in browser) throw new Error(browser.skipped)
// Scripts and styles of the page too.
execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' })
const wanted = process.argv.slice(2).map(Number)
try {
  for (const rows of wanted.length > 0 ? wanted : [5, 100_000, 1_000_000]) {
    const { link, first, read, saved, frames, slowest, memory, peak } = await measure(browser, rows)
    const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`
    console.log(
      [
        `${rows.toLocaleString('en')} rows`,
        `address after ${seconds(link)}`,
        `first message after ${seconds(first)}`,
        `list read after ${seconds(read)}`,
        `a save shows after ${seconds(median(saved))} (${seconds(Math.min(...saved))} to ${seconds(Math.max(...saved))})`,
        `${frames.toFixed(0)} frames a second while it is scrolled, 95 of 100 within ${slowest.toFixed(0)} ms`,
        `memory of the server ${memory.toFixed(0)} MiB, at most ${peak.toFixed(0)}`,
      ].join('\n  '),
    )
  }
} finally {
  await browser.close()
}
