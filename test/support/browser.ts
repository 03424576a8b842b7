/** A Chromium of Debian for the tests of the local pages, and axe-core to judge what is shown. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { needProgram } from './debian-package.ts'

const CHROMIUM = '/usr/bin/chromium'

/** Starts it, or says why it cannot be had here. */
export async function startBrowser(): Promise<Browser | { readonly skipped: string }> {
  const missing = needProgram(CHROMIUM, ['chromium'])
  if (missing !== undefined) return { skipped: missing }
  // Its own sandbox needs rights that a container lacks; what it opens is ours.
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe-core finds on the page as it is now: the rule and where, one a line. */
export async function axeFindings(page: Page): Promise<readonly string[]> {
  // Not as a script of the page, which its policy would refuse.
  await page.evaluate(AXE)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(where: object, options: object): Promise<AxeResults> } }
    const { violations } = await axe.run({ exclude: ['iframe'] }, { iframes: false })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`))
  })
}

/** Expects that axe-core finds nothing on the page, and that it does not move sideways. */
export async function expectSound(page: Page, screen?: string): Promise<void> {
  expect(await axeFindings(page), screen).toEqual([])
  expect(await page.evaluate('document.documentElement.scrollWidth'), screen).toBe(page.viewportSize()?.width)
}

type Screen = readonly [colorScheme: 'light' | 'dark', width: number]

/** Expects it on each of these screens. @param also Expected there besides. */
export async function expectSoundOn(
  screens: readonly Screen[],
  page: Page,
  also: (screen: string) => Promise<void> = async () => {},
): Promise<void> {
  for (const [colorScheme, width] of screens) {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height: 844 })
    const screen = `${colorScheme} ${width}`
    await expectSound(page, screen)
    await also(screen)
  }
}

interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly nodes: readonly { readonly target: readonly string[] }[]
  }[]
}
