/** The HTML report of real runs: what it says is true, adds up, stays small, and can be read by anybody. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseDocument } from 'htmlparser2'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LedgerEvent, PlannedRow } from '../../src/ledger/records.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { reportHead } from '../../src/report/head.ts'
import { writeReport } from '../../src/report/report.ts'
import { later, NOW, planRun, started, updated } from '../ledger/harness.ts'
import { makeProject, type Project } from '../support/program.ts'
import { startScriptedServer } from '../support/scripted-server.ts'

let project: Project | undefined
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-page-'))
})
afterEach(() => {
  project?.remove()
  project = undefined
  rmSync(dir, { recursive: true, force: true })
})

type Nodes = ReturnType<typeof parseDocument>['children']

/** The words of a page, as a reader has them; where a tag was there is a space. */
function wordsOf(html: string): string {
  const walk = (nodes: Nodes): string =>
    nodes
      .map((node) => {
        if (node.type === 'text') return node.data
        if (!('children' in node) || ('name' in node && node.name === 'style')) return ''
        return 'name' in node && /^(bdi|wbr|b|i|span)$/.test(node.name)
          ? walk(node.children as Nodes)
          : ` ${walk(node.children as Nodes)} `
      })
      .join('')
  return walk(parseDocument(html).children).replace(/\s+/g, ' ')
}

/** The headline figures, by their words. */
function figuresOf(html: string): Readonly<Record<string, number>> {
  const found = [...html.matchAll(/<li><b>([\d,]+)<\/b><span class="st \w+"><svg.*?<\/svg>([^<]+)<\/span>/g)]
  return Object.fromEntries(found.map(([, number = '', word = '']) => [word, Number(number.replaceAll(',', ''))]))
}

/** The cells of the table under a heading, row by row, its head left out. */
function tableOf(html: string, heading: string): readonly (readonly string[])[] {
  const section = html.slice(html.indexOf(`<h2>${heading}</h2>`)).split('</section>')[0] ?? ''
  const body = /<tbody>(.*?)<\/tbody>/s.exec(section)?.[1] ?? ''
  return body
    .split('</tr>')
    .slice(0, -1)
    .map((row) => row.split(/<\/t[dh]>/).map((cell) => wordsOf(cell).trim()))
    .map((cells) => cells.slice(0, -1))
}

const numberIn = (cell = ''): number => Number(cell.replaceAll(',', ''))
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

test('a run that left rows in every state says so, and what to do about each', async () => {
  const server = await startScriptedServer({
    rcpt: ({ line }) =>
      line.includes('gone@')
        ? '550 5.1.1 No such user here'
        : line.includes('later@')
          ? '451 4.7.1 Greylisted, come back'
          : undefined,
    end: ({ message }) => (message === 2 ? { drop: true } : undefined),
  })
  project = makeProject({
    'mailmerge.yaml': `smtp: { host: 127.0.0.1, port: ${server.port} }\n`,
    'list.csv':
      'email,name\nada@example.com,Ada\nben@example.net,Ben\ngone@example.com,<script>alert(1)</script>\nlater@blåbær.example,Cem\nnot an address,Dana\n',
    'templates/letter.txt':
      '---\nfrom: Author <author@example.org>\nsubject: Hello {{name}}\n---\nDear {{name}},\n\nthis is for you.\n',
  })
  const end = await project.run([
    ...[
      'run',
      '--csv',
      'list.csv',
      '-t',
      'letter',
      '--yes',
      '--skip-bad',
      '--concurrency',
      '1',
      '--retry-for',
      '0',
      '--tz',
      'UTC',
    ],
    ...['--report', 'page.html'],
  ])
  await server.close()
  expect(end).toMatchObject({ code: 75 })
  const html = readFileSync(join(project.dir, 'page.html'), 'utf8')
  const words = wordsOf(html)
  const [run = ''] = /\d{8}T\d{6}-\w+/.exec(words) ?? []

  expect(figuresOf(html)).toEqual({ Sent: 1, Waiting: 1, Failed: 1, 'In doubt': 1, Skipped: 1 })
  expect(words).toContain('1 of 5 rows is sent. 1 waits; 3 need a person.')
  expect(words).toContain('template letter with list.csv')
  expect(words).toContain('from Author <author@example.org>')
  expect(words).not.toMatch(/\dT\d\d:\d\d:\d\d/)
  for (const command of ['', ' --in-doubt keep', ' --in-doubt resend'])
    expect(words).toContain(`mailmerge resume ${run}${command}`)
  expect(words).toContain(`mailmerge retry ${run}`)

  expect(tableOf(html, 'Rows that need a person').map((cells) => cells.slice(0, 4))).toEqual([
    ['2', 'In doubt', 'ben@example.net', expect.stringMatching(/^Handed over, but the answer never came/)],
    ['3', 'Failed', 'gone@example.com', '550 5.1.1 No such user here'],
    ['5', 'Skipped', 'no address', "It has no '@'"],
  ])
  const reasons = tableOf(html, 'Why not sent')
  expect(reasons).toContainEqual(['Failed', 'No such person', '550 5.1.1', '1'])
  expect(reasons).toContainEqual(['Waiting', 'New senders have to wait', '451 4.7.1', '1'])
  expect(sum(reasons.map((cells) => numberIn(cells.at(-1))))).toBe(4)
  expect(sum(tableOf(html, 'By domain').flatMap((cells) => cells.slice(1).map(numberIn)))).toBe(4)
  expect(tableOf(html, 'Rows')).toHaveLength(5)
})

test('a rehearsal says that nobody got anything, and offers no command that its run is not recorded for', async () => {
  project = makeProject({
    'list.csv': 'email,name\nada@example.com,Ada\nben@example.com,Ben\n',
    'templates/letter.txt': '---\nfrom: a@example.org\nsubject: Hello\n---\nDear {{name}}\n',
  })
  const args = ['run', '--csv', 'list.csv', '-t', 'letter', '--sandbox', '--report', 'page.html']
  expect(await project.run(args)).toMatchObject({ code: 0 })
  const words = wordsOf(readFileSync(join(project.dir, 'page.html'), 'utf8'))
  expect(words).toContain('All 2 rows are delivered to the sandbox.')
  expect(words).toContain('Nobody on the list got anything')
  expect(words).not.toMatch(/mailmerge (resume|retry|report)/)
})

test('when all is sent there is nothing to do', async () => {
  const server = await startScriptedServer()
  project = makeProject({
    'mailmerge.yaml': `smtp: { host: 127.0.0.1, port: ${server.port} }\n`,
    'list.csv': 'email,name\nada@example.com,Ada\n',
    'templates/letter.txt': '---\nfrom: "{{name}} <a@example.org>"\nsubject: Hello\n---\nDear {{name}}\n',
  })
  await project.run(['run', '--csv', 'list.csv', '-t', 'letter', '--yes'])
  await server.close()
  expect(await project.run(['report', '--output', 'page.html'])).toMatchObject({ code: 0 })
  const html = readFileSync(join(project.dir, 'page.html'), 'utf8')
  expect(wordsOf(html)).toContain('The row is sent.')
  expect(html).not.toContain('<h2>Why not sent</h2>')
  // A sender that each row has its own of is not written as a template.
  expect(html).not.toContain('{{')
})

const STATES = ['sent', 'sent', 'sent', 'sent', 'failed', 'in_doubt', 'deferred', 'untried'] as const

// Planning and recording the rows takes most of the time.
test('the page of 50,000 rows is small, adds up, and links to a file that has them all', async () => {
  const ROWS = 50_000
  const ledger = await openSqliteLedger(join(dir, 'ledger.db'))
  const campaign = await ledger.campaigns.open('letter-list')
  const rows = Array.from({ length: ROWS }, (_, at): PlannedRow => {
    const address = `p${at}@d${at % 7 === 0 ? at : at % 5}.example`
    const skip =
      at % 11 === 0 ? ({ kind: 'bad', detail: `cell ${at} is wrong ${'x'.repeat(400)}` } as const) : undefined
    return { row: at + 1, key: address, address, data: '{}', skip }
  })
  const run = await planRun(ledger, campaign, rows)
  const events: LedgerEvent[] = []
  for (let after = 0; ; ) {
    const due = await ledger.deliveries.due(run, { now: NOW, after, limit: 10_000 })
    if (due.length === 0) break
    for (const { recipient, row } of due) {
      const state = STATES[row % STATES.length] ?? 'untried'
      if (state === 'untried') continue
      const at = later(row / 20)
      const response = `Refused number ${row} ${'y'.repeat(400)}`
      events.push(started(recipient, at), updated(recipient, state, { at, smtpCode: 550, response, reason: `r${row}` }))
    }
    after = due.at(-1)?.row ?? 0
  }
  for (let at = 0; at < events.length; at += 10_000) await ledger.deliveries.record(events.slice(at, at + 10_000))
  const counts = await ledger.results.counts(run)
  const head = await reportHead(ledger, run, { results: join(dir, 'a folder', 'results.csv') })
  await writeReport(join(dir, 'page.html'), ledger.results.rows(run), head)
  await ledger.close()

  const html = readFileSync(join(dir, 'page.html'), 'utf8')
  expect(statSync(join(dir, 'page.html')).size).toBeLessThan(1_500_000)
  const figures = figuresOf(html)
  expect(figures).toMatchObject({ Sent: counts.sent, Failed: counts.failed, Skipped: counts.skipped })
  expect((figures['Waiting'] ?? 0) + (figures['To send'] ?? 0)).toBe(counts.deferred)
  expect(sum(Object.values(figures))).toBe(ROWS)
  expect(sum(tableOf(html, 'Why not sent').map((cells) => numberIn(cells.at(-1))))).toBe(ROWS - counts.sent)
  expect(sum(tableOf(html, 'By domain').flatMap((cells) => cells.slice(1).map(numberIn)))).toBe(ROWS - counts.skipped)
  const [sent = [], rate = []] = tableOf(html, 'Messages a second')
  expect(sum(sent.slice(1).map(numberIn))).toBe(counts.sent)
  for (const one of rate.slice(1)) expect(numberIn(one)).toBeCloseTo(10, -1)
  expect(tableOf(html, 'Rows')).toHaveLength(1000)
  expect(html).toContain('<a href="a%20folder/results.csv">results.csv</a>')
}, 120_000)

test('a page that cannot show every row brings the results in CSV with it', async () => {
  const server = await startScriptedServer()
  const list = Array.from({ length: 1001 }, (_, at) => `p${at}@example.com`).join('\n')
  project = makeProject({
    'mailmerge.yaml': `smtp: { host: 127.0.0.1, port: ${server.port} }\n`,
    'list.csv': `email\n${list}\n`,
    'templates/letter.txt': '---\nfrom: a@example.org\nsubject: Hello\n---\nDear reader\n',
  })
  const end = await project.run(['run', '--csv', 'list.csv', '-t', 'letter', '--yes', '--report', 'page.html'])
  await server.close()
  expect(end).toMatchObject({ code: 0 })
  const href = /<a href="([^"]+)">results\.csv<\/a>/.exec(readFileSync(join(project.dir, 'page.html'), 'utf8'))?.[1]
  const results = readFileSync(join(project.dir, href ?? ''), 'utf8')
  expect(results.trim().split('\r\n')).toHaveLength(1002)
  expect(end.stdout).toContain('results: page.html')
  rmSync(join(project.dir, href ?? ''))
  expect(await project.run(['report', '-o', 'other.html'])).toMatchObject({ code: 0 })
  expect(readdirSync(project.dir)).toContain('other.html')
  expect(readFileSync(join(project.dir, href ?? ''), 'utf8')).toBe(results)
})
