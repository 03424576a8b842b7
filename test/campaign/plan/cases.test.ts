import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CaseFinder, type CaseReason } from '../../../src/campaign/plan/cases.ts'
import { openContent } from '../../../src/campaign/run/content.ts'
import { openList } from '../../../src/campaign/run/list.ts'
import { loadSettings } from '../../../src/config/load.ts'
import type { RowData } from '../../../src/source/source.ts'
import { BranchTrace } from '../../../src/template/engine/branches.ts'
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

const EXAMPLES = join(import.meta.dirname, '../../../examples')

test.each(readdirSync(EXAMPLES).filter((name) => name !== 'invite' && name !== 'library'))(
  'the rows to look at take every branch of the example %s that its list takes',
  async (example) => {
    const settings = await loadSettings({ cwd: join(EXAMPLES, example), env: {}, flags: {} })
    const source = await openList(settings)
    const trace = new BranchTrace()
    const isGrouped = settings.groupBy !== undefined
    const content = await openContent(settings, {
      ...{ templateName: settings.template ?? '', campaign: () => 'c', variant: undefined, columns: source.columns },
      ...{ sends: false, follows: false, isGrouped, branches: trace },
    })
    const { template } = content
    // Each row as a message of its own, also where rows are grouped.
    const contextOf = (data: RowData, row: number) => ({
      ...{ campaign: 'c', now: NOW, unsubscribeUrl: 'https://example.org/u', row },
      ...(isGrouped ? { rows: [data] } : {}),
    })
    const plain = await openContent(settings, {
      ...{ templateName: settings.template ?? '', campaign: () => 'c', variant: undefined, columns: source.columns },
      ...{ sends: false, follows: false, isGrouped },
    })
    const finder = new CaseFinder(
      trace,
      source.columns.filter((column) => template.columns.includes(column)),
    )
    const rows = new Map<number, RowData>()
    const taken = (data: RowData, row: number): readonly number[] => {
      template.render(data, contextOf(data, row))
      return [...trace.take()]
    }
    const all = new Set<number>()
    for await (const batch of source.rows()) {
      for (const { number, data } of batch) {
        rows.set(number, data)
        // What is looked at is what is sent.
        const [looked, sent] = [template, plain.template].map((one) => one.render(data, contextOf(data, number)))
        expect([looked?.subject, looked?.text, looked?.html]).toEqual([sent?.subject, sent?.text, sent?.html])
        trace.take()
        for (const branch of taken(data, number)) all.add(branch)
        finder.see(number, data, template.render(data, contextOf(data, number)))
      }
    }
    const shown = new Set(finder.found().flatMap(({ row }) => taken(rows.get(row) ?? {}, row)))
    expect([...shown].sort()).toEqual([...all].sort())
  },
)
