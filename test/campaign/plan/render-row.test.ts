/** One row to one message: the same way when it is checked, shown and sent, with an identity that outlives a restart. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RowRenderer, RowRendererOptions } from '../../../src/campaign/plan/render-row.ts'
import { restoreRow } from '../../../src/campaign/plan/row-data.ts'
import { createSplit } from '../../../src/campaign/plan/variants.ts'
import { DataError, type Problem, UsageError } from '../../../src/errors.ts'
import type { DueRow } from '../../../src/ledger/records.ts'
import { loadTemplate } from '../../../src/template/load.ts'
import { makeProject, type Project } from '../../support/program.ts'
import { rowRenderer } from './row-renderer.ts'

const NOW = new Date('2026-01-02T03:04:05Z')
let project: Project

beforeEach(() => {
  project = makeProject({
    'templates/letter.md': '---\nfrom: Ada <ada@bücher.example>\nsubject: "{{subject}}"\n---\nHello {{name}}\n',
    'templates/other.md': '---\nfrom: ada@example.org\nsubject: Other\n---\nHello {{name}}\n',
    'templates/copies.md': '---\nfrom: ada@example.org\nsubject: Copies\ncc: "{{copies}}"\n---\nHello {{name}}\n',
    'templates/open.md': '---\nfrom: ada@example.org\nsubject: Open\n---\n{{name}}: {{@merge.unsubscribeUrl}}\n',
  })
})
afterEach(() => project.remove())

async function renderer(more: Partial<RowRendererOptions> = {}, name = 'letter'): Promise<RowRenderer> {
  return rowRenderer(project.dir, await loadTemplate(name, { root: project.dir }), more)
}

const row = (data: Readonly<Record<string, unknown>>, number = 1) => ({ number, data })
const ADA = { email: 'Ada@example.com', name: 'Ada', subject: 'Hello' }

/** The row as the ledger gives it when its turn has come. */
async function planned(made: RowRenderer, data: Readonly<Record<string, unknown>>, occurrence = 0): Promise<DueRow> {
  const { key, address, data: kept, variant } = await made.check(row(data), NOW)
  return {
    ...{ recipient: 1, row: 1, key, address, occurrence, data: kept, variant },
    ...{ rows: 1, attempts: 0, firstAttemptAt: undefined },
  }
}

async function problemOf(work: () => unknown): Promise<Problem | undefined> {
  try {
    await work()
  } catch (error) {
    if (error instanceof DataError) return error.problems[0]
    throw error
  }
  return undefined
}

const textOf = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString()

describe('a message', () => {
  test('is the same from a planned row in every process: its Message-ID, its bytes', async () => {
    const due = await planned(await renderer(), ADA)
    const [one, other] = [await (await renderer()).render(due, NOW), await (await renderer()).render(due, NOW)]
    expect(textOf(one.chunks)).toBe(textOf(other.chunks))
    expect(one.id).toMatch(/^<[0-9a-f]{32}@xn--bcher-kva\.example>$/)
  })

  test('is kept with the addresses of its copies, by which a report on one of them is known', async () => {
    project.write(
      'templates/archived.md',
      '---\nfrom: ada@example.org\nsubject: A\nbcc: archive@example.org\n---\nHello\n',
    )
    const [archived, letter] = [
      await planned(await renderer({}, 'archived'), ADA),
      await planned(await renderer(), ADA),
    ]
    expect(restoreRow(archived.data)).toMatchObject({ copies: ['archive@example.org'] })
    expect(restoreRow(letter.data).copies).toBeUndefined()
  })

  test('has another Message-ID for another key, another occurrence and another campaign', async () => {
    const made = await renderer()
    const due = await planned(made, ADA)
    const again = await renderer({ campaign: { name: 'letter', token: 'next generation' } })
    const ids = [
      (await made.render(due, NOW)).id,
      (await made.render({ ...due, occurrence: 1 }, NOW)).id,
      (await made.render({ ...due, key: 'bob@example.com' }, NOW)).id,
      (await again.render(due, NOW)).id,
    ]
    expect(new Set(ids).size).toBe(4)
  })

  test('goes to another address with testTo, and is otherwise what the recipient would get', async () => {
    const due = await planned(await renderer(), ADA)
    const { envelope, chunks } = await (await renderer({ testTo: 'me@example.net' })).render(due, NOW)
    expect(envelope.to).toEqual(['me@example.net'])
    expect(textOf(chunks)).toContain('To: Ada@example.com')
  })

  test('has a return path of its own where the project wants one', async () => {
    const made = await renderer({ returnPath: 'bounces+*@example.org' })
    const { id, envelope } = await made.render(await planned(made, ADA), NOW)
    expect(envelope.from).toBe(`bounces+${id.slice(1).split('@')[0]}@example.org`)
  })

  test('of a test unsubscribes its reader and never the person of the row', async () => {
    const unsubscribeLinks = (address: string) => ({ url: `https://example.org/u/${address}`, mailto: undefined })
    const made = await renderer({ unsubscribeLinks }, 'open')
    const due = await planned(made, ADA)
    expect(textOf((await made.render(due, NOW)).chunks)).toContain('https://example.org/u/Ada@example.com')
    const tested = await renderer({ unsubscribeLinks, testTo: 'me@example.net' }, 'open')
    const text = textOf((await tested.render(due, NOW)).chunks)
    expect(text).toContain('https://example.org/u/me@example.net')
    expect(text).not.toContain('https://example.org/u/Ada')
  })
})

describe('checking a row', () => {
  test('finds an empty subject before anything is sent', async () => {
    const made = await renderer()
    expect(await problemOf(() => made.check(row({ ...ADA, subject: ' ' }), NOW))).toMatchObject({ code: 'no-subject' })
  })

  test('finds a wrong copy, and says which column it is made of', async () => {
    const made = await renderer({}, 'copies')
    expect(await problemOf(() => made.check(row({ ...ADA, copies: 'nobody' }), NOW))).toMatchObject({
      column: 'copies',
    })
  })

  test('finds a message with more recipients than any rate ever lets through', async () => {
    const made = await renderer({ rates: [{ count: 2, seconds: 60, of: 'recipients' }] }, 'copies')
    const copies = 'b@example.com, c@example.com'
    expect(await problemOf(() => made.check(row({ ...ADA, copies }), NOW))).toMatchObject({
      code: 'too-many-recipients',
    })
    expect(await problemOf(() => made.check(row({ ...ADA, copies: 'b@example.com' }), NOW))).toBeUndefined()
  })

  test('without a template looks at the cells alone', async () => {
    const made = rowRenderer(project.dir, undefined)
    expect(await made.check(row(ADA), NOW)).toMatchObject({ key: 'ada@example.com', rendered: undefined })
    expect(await problemOf(() => made.check(row({ ...ADA, email: 'x' }), NOW))).toMatchObject({ column: 'email' })
  })
})

test('what a person sees before sending is what is sent', async () => {
  const made = await renderer()
  const due = await planned(made, ADA)
  expect(made.preview(due, NOW)).toEqual({
    address: 'Ada@example.com',
    from: 'Ada <ada@bücher.example>',
    subject: 'Hello',
  })
})

test('a row keeps the variant that it was planned with, and stops where that is gone', async () => {
  const [letter, other] = [
    await loadTemplate('letter', { root: project.dir }),
    await loadTemplate('other', { root: project.dir }),
  ]
  const split = createSplit([{ name: 'b', share: 1, template: other }], 'letter')
  const made = rowRenderer(project.dir, letter, { split })
  const due = await planned(made, ADA)
  expect(due.variant).toBe('b')
  expect(textOf((await made.render(due, NOW)).chunks)).toContain('Subject: Other')
  const without = rowRenderer(project.dir, letter)
  await expect((async () => without.render(due, NOW))()).rejects.toThrow(/the variant 'b' .* is gone/)
})

test('an address for tests that is not one is refused at once', async () => {
  await expect(renderer({ testTo: 'me' })).rejects.toThrow(UsageError)
})

describe('an unsubscribe link', () => {
  const links = (address: string) => ({ url: `https://news.example.com/u/${address}`, mailto: undefined })

  async function check(front: string, data: Readonly<Record<string, string>>) {
    project.write('templates/news.txt', `---\nfrom: a@example.org\n${front}---\n{{@merge.unsubscribeUrl}}\n`)
    const made = await renderer({ unsubscribeLinks: links, bodies: true }, 'news')
    return made.check({ number: 1, data }, NOW)
  }

  test('does not hide that a bad address is what is wrong with its row', async () => {
    await expect(check('subject: News\n', { email: 'nomail' })).rejects.toMatchObject({
      problems: [{ code: 'bad-address', column: 'email' }],
    })
  })

  test('is there for the check, though an address that the template makes is known only afterwards', async () => {
    const { address } = await check('subject: News\nto: "{{name}}@example.com"\n', { name: 'ada', email: '' })
    expect(address).toBe('ada@example.com')
  })
})
