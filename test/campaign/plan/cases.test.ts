import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CaseFinder, type CaseReason } from '../../../src/campaign/plan/cases.ts'
import { openContent } from '../../../src/campaign/run/content.ts'
import { openList } from '../../../src/campaign/run/list.ts'
import { loadSettings } from '../../../src/config/load.ts'
import { DataError } from '../../../src/errors.ts'
import type { RowData } from '../../../src/source/source.ts'
import { type Branch, BranchTrace } from '../../../src/template/engine/branches.ts'
import { loadTemplate } from '../../../src/template/load.ts'
import { makeProject } from '../../support/program.ts'

const NOW = new Date('2026-11-27T14:00:00Z')

/** The cases that a template and rows have, by row. */
async function casesOf(body: string, rows: readonly RowData[], all?: readonly string[]) {
  const project = makeProject({ 'templates/t.md': `---\nfrom: a@example.org\nsubject: Hello\n---\n${body}\n` })
  try {
    const trace = new BranchTrace()
    const template = await loadTemplate('t', { root: project.dir, branches: trace })
    const finder = new CaseFinder(trace, template.columns, all)
    for (const [index, data] of rows.entries()) {
      finder.see(index + 1, data, template.render(data, { row: index + 1, campaign: 'c', now: NOW }))
    }
    return new Map(finder.found().map(({ row, reasons }) => [row, reasons]))
  } finally {
    project.remove()
  }
}

function kinds(reasons: readonly CaseReason[] | undefined): readonly string[] {
  return (reasons ?? []).map(({ kind }) => kind)
}

describe('the rows to look at', () => {
  test('show both ways of each block, with the line of the template', async () => {
    const cases = await casesOf('Dear {{#if name}}{{name}}{{else}}reader{{/if}},\n\n{{#if vip}}welcome{{/if}}', [
      { name: 'Ada', vip: '' },
      { name: 'Bob', vip: '' },
      { name: '', vip: 'yes' },
      { name: 'Cy', vip: '' },
    ])
    expect([...cases.keys()].slice(0, 2).sort()).toEqual([1, 3])
    const branches = [...cases.values()].flat().filter((reason) => reason.kind === 'branch')
    expect(branches.map(({ block, about, isElse, line }) => `${line} ${block} ${about} ${isElse}`).sort()).toEqual([
      '5 if name false',
      '5 if name true',
      '7 if vip false',
      '7 if vip true',
    ])
  })

  test('show an empty cell, the longest text, other scripts and each language', async () => {
    const cases = await casesOf(
      'Dear {{default name "reader"}} of {{default city "nowhere"}}',
      [
        { name: 'Ada', city: 'London', lang: 'en' },
        { name: 'Hildegard von Bingen-Rüdesheim', city: 'Bingen', lang: 'de' },
        { name: 'عمر', city: 'نیشابور', lang: 'en' },
        { name: '', city: '', lang: 'en' },
        { name: 'Bob', city: 'Leeds', lang: 'en' },
      ],
      ['name', 'city', 'lang'],
    )
    expect(kinds(cases.get(2))).toEqual(expect.arrayContaining(['language', 'longest']))
    expect(cases.get(3)).toContainEqual({ kind: 'script', script: 'Arabic' })
    expect(kinds(cases.get(4))).toEqual(expect.arrayContaining(['empty', 'emptiest']))
    expect(cases.has(5)).toBe(false)
  })

  test('are few, however many rows there are', async () => {
    const rows = Array.from({ length: 3_000 }, (_, n) => ({
      name: n % 7 === 0 ? '' : `Person ${n}`,
      vip: n % 11 === 0 ? 'x' : '',
    }))
    const cases = await casesOf('{{#if name}}{{name}}{{else}}you{{/if}}{{#if vip}}!{{/if}}', rows)
    expect(cases.size).toBeLessThanOrEqual(5)
  })
})

const ROOT = join(import.meta.dirname, '../../..')
const EXAMPLES = join(ROOT, 'examples')

/** Each example, with the template that the package brings for one of them. */
const MERGES = readdirSync(EXAMPLES).map((name) => {
  const flags = { csv: join(EXAMPLES, name, 'list.csv') }
  if (name === 'invite') return { name, cwd: ROOT, flags: { ...flags, template: 'invite' } }
  return { name, cwd: join(EXAMPLES, name), flags: name === 'library' ? { ...flags, template: 'hello' } : {} }
})

test('every template that the package brings belongs to an example', () => {
  const all = readdirSync(join(ROOT, 'templates')).filter((name) => !name.startsWith('_'))
  expect(MERGES.map(({ name }) => name)).toEqual(expect.arrayContaining(all))
})

/** The example as a merge whose branches are watched: its list, and what a row of it makes. */
async function openExample({ cwd, flags }: (typeof MERGES)[number]) {
  const settings = await loadSettings({ cwd, env: {}, flags })
  const source = await openList(settings)
  const isGrouped = settings.groupBy !== undefined
  const open = async (branches?: BranchTrace) => {
    const { template } = await openContent(settings, {
      ...{ templateName: settings.template ?? '', campaign: () => 'c', variant: undefined, columns: source.columns },
      ...{ sends: false, follows: false, isGrouped, branches },
    })
    // Each row as a message of its own, also where rows are grouped.
    const make = (data: RowData, row: number) =>
      template.render(data, {
        ...{ campaign: 'c', now: NOW, unsubscribeUrl: 'https://example.org/u', row },
        ...(isGrouped ? { rows: [data] } : {}),
      })
    return { template, make }
  }
  const trace = new BranchTrace()
  const { make: watched } = await open(trace)
  const { template, make: sent } = await open()
  const columns = source.columns.filter((column) => template.columns.includes(column))
  const rows: RowData[] = []
  for await (const batch of source.rows()) rows.push(...batch.map(({ data }) => data))
  return { trace, columns, all: source.columns, rows, watched, sent }
}

/** The branches that these rows take, and those that the rows to look at among them take. */
function branchesOf(
  { trace, columns, all, watched }: Awaited<ReturnType<typeof openExample>>,
  rows: readonly RowData[],
) {
  const finder = new CaseFinder(trace, columns, all)
  const taken = rows.map((data, index) => {
    watched(data, index + 1)
    return [...trace.take()]
  })
  for (const [index, data] of rows.entries()) finder.see(index + 1, data, watched(data, index + 1))
  const cases = finder.found()
  const ofCases = new Set(cases.flatMap(({ row }) => taken[row - 1] ?? []))
  return { cases, taken: [...new Set(taken.flat())].sort(), looked: [...ofCases].sort() }
}

/** A message that several rows make has one of them at least. */
function isNeverTaken({ block, about, isElse }: Branch): boolean {
  return isElse && block === 'each' && about === 'rows'
}

/** Bad rows are not sent, and not looked at. */
function isMessage(make: () => unknown): boolean {
  try {
    make()
    return true
  } catch (error) {
    if (error instanceof DataError) return false
    throw error
  }
}

describe.each(MERGES)('of the example $name', (merge) => {
  test('the rows to look at take every branch that its list takes, and are made as they are sent', async () => {
    const example = await openExample(merge)
    for (const [index, data] of example.rows.entries()) {
      const [looked, sent] = [example.watched, example.sent].map((make) => make(data, index + 1))
      expect([looked?.subject, looked?.text, looked?.html]).toEqual([sent?.subject, sent?.text, sent?.html])
    }
    example.trace.take()
    const { taken, looked } = branchesOf(example, example.rows)
    expect(looked).toEqual(taken)
  })

  test('they take every branch of its template, once a list has a row for each', async () => {
    const example = await openExample(merge)
    // As it is, and with each cell empty and with all of them.
    const wanted = example.rows.flatMap((data) => [
      data,
      ...example.columns.map((column) => ({ ...data, [column]: '' })),
      { ...data, ...Object.fromEntries(example.columns.map((column) => [column, ''])) },
    ])
    const rows = wanted.filter((data, index) => isMessage(() => example.sent(data, index + 1)))
    const { cases, looked } = branchesOf(example, rows)
    const missed = example.trace.branches.filter((branch, number) => !looked.includes(number) && !isNeverTaken(branch))
    expect(missed).toEqual([])
    // Few all the same: each shows something that the others do not.
    expect(cases.length).toBeLessThanOrEqual(example.trace.branches.length + 3 * example.columns.length + 4)
  })
})
