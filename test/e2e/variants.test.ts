import { parse } from 'csv-parse/sync'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'

const PEOPLE = 60
const LIST = `name,email\n${Array.from({ length: PEOPLE }, (_, i) => `Person ${i},p${i}@example.com`).join('\n')}\n`
const LETTER = (words: string): string =>
  `---\nfrom: a@example.org\nsubject: Hello {{name}}\n---\nDear {{name}}, ${words}.\n`
const CONFIG = `csv: list.csv
template: letter
variants:
  plain: {}
  late: { subject: "Last seats, {{name}}" }
  long: { template: longer, share: 2 }
`

let sink: RecordingSink
let project: Project

beforeAll(async () => {
  sink = await startRecordingSink({})
})
afterAll(() => sink.close())
afterEach(() => project.remove())

function start(config = CONFIG): Project {
  project = makeProject({
    'list.csv': LIST,
    'templates/letter.txt': LETTER('short'),
    'templates/longer.txt': LETTER('and here is more'),
    'mailmerge.yaml': config,
  })
  return project
}

const to = (): string => `smtp://127.0.0.1:${sink.port}`

async function results(): Promise<readonly Readonly<Record<string, string>>[]> {
  const { stdout } = await project.run(['report'])
  return parse(stdout, { columns: true })
}

describe('a split campaign', () => {
  test('sends each row its variant, says it in every report, and counts each variant', async () => {
    start()
    const { stdout, stderr, code } = await project.run(['run', '--yes', '--smtp', to(), '--report', 'out.html'])
    expect(code, stderr).toBe(0)
    const rows = await results()
    const of = (name: string): number => rows.filter(({ variant }) => variant === name).length
    expect(of('plain') + of('late') + of('long')).toBe(PEOPLE)
    expect(of('long')).toBeGreaterThan(of('late'))
    for (const name of ['plain', 'late', 'long']) {
      expect(of(name)).toBeGreaterThan(0)
      expect(stdout).toContain(`variant ${name}: ${of(name)} sent`)
    }
  })

  test('gives the same variants in a dry run, and the message that belongs to each', async () => {
    start()
    const { stdout, code } = await project.run(['run', '--dry-run', '--json', '--out', 'mails'])
    expect(code).toBe(0)
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const dry = new Map(events.filter(({ event }) => event === 'sent').map((one) => [one.key, one.variant]))
    expect(dry.size).toBe(PEOPLE)
    expect(events.at(-1).variants.long.sent).toBe([...dry.values()].filter((name) => name === 'long').length)
    await project.run(['run', '--yes', '--smtp', to(), '--campaign', 'letter-list'])
    for (const { key, variant } of await results()) expect(variant, key).toBe(dry.get(key))
  })

  test('keeps what was sent, and gives the winner to all others', async () => {
    start()
    expect((await project.run(['run', '--yes', '--smtp', to(), '--limit', '20'])).code).toBe(0)
    const before = (await results()).filter(({ status }) => status === 'sent')
    expect(before).toHaveLength(20)
    expect((await project.run(['run', '--yes', '--smtp', to(), '--variant', 'late'])).code).toBe(0)
    const after = await results()
    expect(after.every(({ status }) => status === 'sent')).toBe(true)
    for (const { row, variant } of before) expect(after[Number(row) - 1]?.['variant']).toBe(variant)
    for (const { variant } of after.slice(20)) expect(variant).toBe('late')
  })

  test('without variants the results are as they always were', async () => {
    start('csv: list.csv\ntemplate: letter\n')
    await project.run(['run', '--yes', '--smtp', to()])
    expect(Object.keys((await results())[0] ?? {})).not.toContain('variant')
  })
})

test('a name that a variant does not find in the list is reported before anything is sent', async () => {
  start(CONFIG.replace('Last seats, {{name}}', 'Last seats, {{nam}}'))
  const { code, stderr } = await project.run(['run', '--yes', '--smtp', to()])
  expect(code).toBe(65)
  expect(stderr).toContain("'nam'")
  expect(stderr).toContain('variants')
  const check = await project.run(['check'])
  expect(check.stdout + check.stderr).toContain("'nam'")
})
