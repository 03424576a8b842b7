/** A template of files in a folder of its own, rendered without list, ledger or server. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { DataError, type Problem } from '../../src/errors.ts'
import { type LoadOptions, loadTemplate } from '../../src/template/load.ts'
import type { RenderContext, Rendered, Template } from '../../src/template/template.ts'

export const NOW = new Date('2026-11-25T09:30:00Z')
export const CONTEXT: RenderContext = { row: 1, campaign: 'test', now: NOW }

export type Files = Readonly<Record<string, string | Uint8Array>>

/** A folder with the files, removed when the test ends. */
export function folderOf(files: Files): string {
  const root = mkdtempSync(join(tmpdir(), 'mailmerge-template-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

export function load(name: string, files: Files, options: Partial<LoadOptions> = {}): Promise<Template> {
  return loadTemplate(name, {
    root: folderOf(files),
    timeZone: 'Europe/Vienna',
    allowEmpty: true,
    locale: 'en',
    ...options,
  })
}

/** A row as sources give it: without a prototype. */
export function rowOf(cells: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.assign(Object.create(null), cells)
}

/** Loads, binds to the row's own columns, and renders; a look ahead must give the same. */
export async function render(
  name: string,
  files: Files,
  cells: Readonly<Record<string, unknown>> = {},
  options: Partial<LoadOptions> = {},
  context: Partial<RenderContext> = {},
): Promise<Rendered> {
  const template = await load(name, files, options)
  template.bind(Object.keys(cells))
  const whole = { ...CONTEXT, ...context }
  const checked = cameTo(() => template.check(rowOf(cells), whole))
  const rendered = cameTo(() => template.render(rowOf(cells), whole))
  if ('error' in rendered) {
    expect(checked).toEqual(rendered)
    throw rendered.error
  }
  // A look ahead may leave out a body, but not change one.
  expect({ ...rendered, ...checked }).toEqual(rendered)
  return rendered
}

function cameTo(work: () => Rendered): Rendered | { readonly error: unknown } {
  try {
    return work()
  } catch (error) {
    return { error }
  }
}

/** The text that a body of `templates/t.txt` gives for a row. */
export async function text(
  body: string,
  cells: Readonly<Record<string, unknown>> = {},
  options: Partial<LoadOptions> = {},
): Promise<string> {
  return (await render('t', { 'templates/t.txt': body }, cells, options)).text ?? ''
}

/** The HTML that a body of `templates/t.html` gives for a row. */
export async function html(body: string, cells: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return (await render('t', { 'templates/t.html': body }, cells)).html ?? ''
}

/** The problems of what is refused; a failure of the test when nothing is. */
export async function problems(work: Promise<unknown>): Promise<readonly Problem[]> {
  const error = await work.then(
    (value) => {
      throw new Error(`nothing was refused: ${JSON.stringify(value)?.slice(0, 300)}`)
    },
    (reason: unknown) => reason,
  )
  if (error instanceof DataError && error.problems.length > 0) return error.problems
  throw error
}
