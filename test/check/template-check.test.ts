/** What `check` says of a template, in words and for programs, with the exit codes of the contract. */
import { afterEach, describe, expect, test } from 'vitest'
import type { Problem } from '../../src/errors.ts'
import { makeProject, type Project } from '../support/program.ts'

let project: Project
afterEach(() => project.remove())

const LIST = 'name,email,seat,note\nAda,ada@example.com,A1,x\nBob,bob@example.com,A2,y\n'
const CONFIG = 'csv: list.csv\ntemplate: t\n'

interface Said {
  readonly code: number | null
  readonly stdout: string
  readonly problems: readonly Problem[]
}

async function check(files: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<Said> {
  project = makeProject({ 'list.csv': LIST, 'mailmerge.yaml': CONFIG, ...files })
  const { code, stdout, stderr } = await project.run(['check', '--json', ...args])
  const lines = stdout.split('\n').filter((line) => line !== '')
  expect(lines.length, stderr).toBeGreaterThan(0)
  return { code, stdout, problems: lines.map((line) => JSON.parse(line) as Problem) }
}

function one({ problems }: Said, code: string): Problem | undefined {
  const found = problems.filter((problem) => problem.code === code)
  expect(found.length, `${code} among ${problems.map((problem) => problem.code).join(' ')}`).toBe(1)
  return found[0]
}

const HEAD = '---\nfrom: Society <s@example.org>\nsubject: Your seat {{seat}}\n---\n'

describe('errors, with which nothing would be sent', () => {
  test('every column that the list has not, at once, with place and nearest', async () => {
    const said = await check({ 'templates/t.txt': `${HEAD}Dear {{nmae}},\n{{seta}} {{zzz}}\n` })
    expect(said.code).toBe(65)
    const unknown = said.problems.filter(({ code }) => code === 'unknown-column')
    expect(unknown).toMatchObject([
      { severity: 'error', file: 'templates/t.txt', line: 5, column: '8', hint: "Did you mean 'name'?", row: null },
      { line: 6, column: '3', hint: "Did you mean 'seat'?" },
      { line: 6, column: '12' },
    ])
  })

  test('a template that cannot be read', async () => {
    const said = await check({ 'templates/t.txt': `${HEAD}{{#if name}}x` })
    expect(said.code).toBe(65)
    expect(one(said, 'template-syntax')).toMatchObject({ severity: 'error', file: 'templates/t.txt', line: 5 })
  })

  test('a value that a helper cannot take, by row', async () => {
    const said = await check({ 'templates/t.txt': `${HEAD}Dear Ada,\n{{date note}}` })
    expect(said.code).toBe(65)
    const failed = said.problems.filter(({ code }) => code === 'helper-failed')
    expect(failed).toMatchObject([{ row: 1, line: 6, file: 'templates/t.txt' }, { row: 2 }])
  })

  test('no subject, of the template and once: no row can give one', async () => {
    const said = await check({ 'templates/t.txt': '---\nfrom: s@example.org\n---\nDear {{name}},\n' })
    expect(said.code).toBe(65)
    const missing = said.problems.filter(({ code }) => code === 'no-subject')
    expect(missing).toMatchObject([
      { severity: 'error', row: null, file: 'templates/t.txt', hint: expect.stringContaining('subject:') },
    ])
  })

  test('an empty subject, by row, where the row should have filled it', async () => {
    const said = await check({
      'templates/t.txt': '---\nfrom: s@example.org\nsubject: "{{note}}"\n---\nDear {{name}},\n',
    })
    expect(said.problems.filter(({ code }) => code === 'no-subject').every(({ row }) => row !== null)).toBe(true)
  })

  test('a template that is not there is no finding but a missing file', async () => {
    project = makeProject({ 'list.csv': LIST, 'mailmerge.yaml': CONFIG, 'templates/tt.txt': 'x' })
    const { code, stderr } = await project.run(['check'])
    expect(code).toBe(66)
    expect(stderr).toContain("Did you mean 'tt'?")
  })
})

describe('warnings, with which a run would go on', () => {
  test.each<[string, string, string]>([
    ['missing-text', 't.html', `${HEAD}<img src="https://example.com/{{name}}.png" alt="All there is">`],
    ['broken-link', 't.html', `${HEAD}<p>Dear {{name}},</p><a href="www.example.com">x</a>`],
    ['insecure-link', 't.html', `${HEAD}<p>Dear {{name}},</p><a href="http://example.com/?n={{urlencode name}}">x</a>`],
    ['missing-alt', 't.html', `${HEAD}<p>Dear {{name}},</p><img src="https://example.com/a.png">`],
    ['clipped', 't.html', `${HEAD}<p>Dear {{name}},</p>${'<p>word</p>'.repeat(11_000)}`],
    ['merge-tag', 't.txt', `${HEAD}Dear {{name}},\nyour *|SEAT|*\n`],
  ])('%s', async (code, file, template) => {
    const said = await check({ [`templates/${file}`]: template })
    expect(said.code).toBe(0)
    const found = one(said, code)
    expect(found).toMatchObject({ severity: 'warning', row: null })
    expect(found?.hint).toBeTruthy()
  })

  test('an empty greeting is reported with the first row that has it', async () => {
    const list = 'name,email\nAda,ada@example.com\n,bob@example.com\n,eve@example.com\nZoe,zoe@example.com\n'
    const said = await check({
      'list.csv': list,
      'templates/t.txt': '---\nfrom: s@example.org\nsubject: x\n---\nDear {{name}},\n',
    })
    expect(one(said, 'empty-greeting')).toMatchObject({
      severity: 'warning',
      row: 2,
      message: expect.stringContaining('2 rows'),
    })
  })

  test('a bulk campaign that nobody can leave, and not one that says how', async () => {
    const list = `name,email\n${Array.from({ length: 120 }, (_, i) => `P${i},p${i}@example.com`).join('\n')}\n`
    const letter = '---\nfrom: s@example.org\nsubject: x\n---\nDear {{name}},\nhello\n'
    const said = await check({ 'list.csv': list, 'templates/t.txt': letter })
    expect(one(said, 'no-unsubscribe')).toMatchObject({
      severity: 'warning',
      message: '120 messages do not say how to unsubscribe',
    })
    project.remove()
    const header = await check({
      'list.csv': list,
      'templates/t.txt': letter,
      'mailmerge.yaml': `${CONFIG}unsubscribe: { mailto: leave@example.org }\n`,
    })
    expect(header.problems.map(({ code }) => code)).not.toContain('no-unsubscribe')
  })
})

describe('what is only worth knowing', () => {
  test('columns that nothing uses, a long subject, and the size of the whole run', async () => {
    const said = await check({
      'templates/t.txt': `---\nfrom: s@example.org\nsubject: ${'long '.repeat(20)}\n---\nDear {{name}},\n${'x'.repeat(5_000)}\n`,
    })
    expect(said.code).toBe(0)
    const unused = said.problems.filter(({ code }) => code === 'unused-column')
    expect(unused.map(({ column }) => column)).toEqual(['seat', 'note'])
    expect(one(said, 'long-subject')).toMatchObject({ severity: 'info' })
    expect(one(said, 'run-size')?.message).toMatch(/^2 messages of about 5\.\d KB, 1[01](?:\.\d)? KB in all$/)
  })

  test('a column that only a partial, an attachment or a condition uses is used', async () => {
    const said = await check({
      'templates/_partials/p.hbs': '{{seat}}',
      'templates/ticket.hbs': '{{note}}',
      'templates/t.txt':
        '---\nfrom: s@example.org\nsubject: x\nattachments:\n  - template: ticket.hbs\n    name: t.txt\n---\nDear friend,{{#if name}} {{> p}}{{/if}}\n',
    })
    expect(said.problems.map(({ code }) => code)).not.toContain('unused-column')
  })
})

test('every line for programs has the fields of the contract', async () => {
  const said = await check({ 'templates/t.html': `${HEAD}<p>Dear {{name}},</p><a href="#">x</a>` })
  for (const problem of said.problems) {
    expect(Object.keys(problem).slice(0, 6)).toEqual(['severity', 'code', 'row', 'column', 'message', 'hint'])
    expect(['error', 'warning', 'info']).toContain(problem.severity)
    expect(problem.code).toMatch(/^[a-z]+(?:-[a-z]+)*$/)
  }
})

test('people read the heaviest first, with place and advice, and a last line that counts', async () => {
  project = makeProject({
    'list.csv': LIST,
    'mailmerge.yaml': CONFIG,
    'templates/t.html': `${HEAD}<p>Dear {{nmae}},</p><a href="http://example.com">x</a>`,
  })
  const wrong = await project.run(['check'])
  expect(wrong.code).toBe(65)
  expect(wrong.stdout).toMatch(/error +templates\/t\.html:5:11: the list has no column 'nmae'\n +Did you mean 'name'\?/)
  project.write('list.csv', LIST.replaceAll('@example.com', '@post.eu'))
  project.write('templates/t.html', `${HEAD}<p>Dear {{name}},</p><a href="http://example.com">x</a>`)
  const good = await project.run(['check'])
  expect(good.code).toBe(0)
  expect(good.stdout).toMatch(/warning +a link is http, not https \(http:\/\/example\.com\)\n +Use https:\/\//)
  expect(good.stdout.trimEnd().split('\n').at(-1)).toMatch(/^0 errors, 1 warning, \d notes?; 2 of 2 rows are good$/)
})
