/** What `mailmerge preview` says without its page being looked at. */
import { afterEach, expect, test } from 'vitest'
import type { ForecastView, PreviewView, RowMessageView } from '../../../src/pages/wire.ts'
import { startPreview } from '../../support/previewing.ts'
import { makeProject, type Project } from '../../support/program.ts'
import { until } from '../../support/serving.ts'

let project: Project

afterEach(() => project.remove())

const MESSAGE = 'from: Letters <letters@example.org>\nsubject: News for {{name}}\n'

function given(list: string): void {
  project = makeProject({
    'list.csv': list,
    'templates/news/message.yaml': MESSAGE,
    'templates/news/html.hbs': '<p>Dear {{name}}</p><p>see <a href="https://example.org">this</a></p>',
  })
}

const NEWS = ['--csv', 'list.csv', '--template', 'news']

test('--text prints the message of one row, and nothing of another', async () => {
  given('name,email\nAda,ada@example.org\nJosé,jose@example.org\n')
  const { code, stdout } = await project.run(['preview', ...NEWS, '--text', '2'])
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /^From: Letters <letters@example\.org>\nTo: jose@example\.org\nSubject: News for José\n\nDear José\n/,
  )
  expect(stdout).not.toContain('Ada')
})

test.each([
  [['--text', '3'], 66, 'there is no row 3 in list.csv'],
  [['--text', 'x'], 64, '--text x is not the number of a row'],
  [['--csv', 'none.csv'], 66, 'none.csv'],
  [['--port', '70000'], 64, '--port 70000 is not a valid port'],
])('preview %j ends with exit code %i', async (args, exit, says) => {
  given('name,email\nAda,ada@example.org\nJosé,jose@example.org\n')
  const { code, stderr } = await project.run([
    'preview',
    '--no-open',
    ...NEWS.filter((word) => !args.includes('--csv') || !['--csv', 'list.csv'].includes(word)),
    ...args,
  ])
  expect(stderr).toContain(says)
  expect(code).toBe(exit)
})

test('the forecast is what a run with the same options then does', async () => {
  given(
    'name,email\nAda,ada@example.org\nBad,bad@\nAgain,ada@example.org\nGone,gone@example.org\nJosé,jose@example.org\n',
  )
  await project.run(['suppress', 'add', 'gone@example.org'])
  const preview = await startPreview(project, [...NEWS, '--rate', '1/day'])
  await until(async () => (await preview.get<PreviewView>('/api/preview')).isComplete, 'the list is read')
  const forecast = await preview.get<ForecastView>('/api/forecast')
  expect(forecast).toMatchObject({
    rows: 5,
    toSend: 2,
    stopping: 2,
    leftOut: [
      { why: 'suppressed', rows: 1, detail: '1 added by hand' },
      { why: 'duplicate', rows: 1 },
      { why: 'bad', rows: 1 },
    ],
    pace: { limit: { count: 1, seconds: 86_400 }, days: [{ messages: 1 }, { messages: 1 }] },
    command: 'mailmerge run --csv list.csv --template news --rate 1/day',
  })
  const duplicate = await preview.get<RowMessageView>('/api/rows/3')
  expect(duplicate.error?.message).toBe('row 3 has the same address as row 1')
  await preview.stop()
  const run = await project.run(['run', ...NEWS, '--skip-bad', '--dry-run', '--json'])
  const summary = run.stdout.split('\n').find((line) => line.includes('"summary"')) ?? '{}'
  expect(JSON.parse(summary)).toMatchObject({ sent: forecast.toSend, skipped: 3 })
})
