/** What a person does before sending: dry run, sandbox, a test to oneself, a few rows. None of it counts as sent. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { simpleParser } from 'mailparser'
import PostalMime from 'postal-mime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { eventsOf, mailsIn, readResults, statuses } from '../support/results.ts'

const LIST = `name,email,city,ticket
Ada Lovelace,ada@example.com,London,one
"Łukasz ""Ł"" Żółć",lukasz@example.com,Kraków,two
岩田 聡,satoru@example.com,京都,one
"O'Hara, Zoë",zoe@example.com,London,two
Bob,bob@example.com,Paris,one
`
const FILES = {
  'list.csv': LIST,
  'mailmerge.yaml': 'csv: list.csv\ntemplate: invite\n',
  'templates/invite/message.yaml':
    'from: Gesellschaft für Züge <us@example.org>\nto: "{{name}} <{{email}}>"\nbcc: archive@example.net\nenvelopeFrom: bounces@example.org\nsubject: "Grüße, {{name}}"\nattachments: ["files/{{ticket}}.bin"]\n',
  'templates/invite/text.hbs': 'Dear {{name}} of {{city}}\n',
  'templates/invite/html.hbs': '<p>Dear <b>{{name}}</b> of {{city}}</p>\n',
  'files/one.bin': 'one\n\u0000\u00FF',
  'files/two.bin': 'two\r\n.\r\n',
}
const NAMES = ['Ada Lovelace', 'Łukasz "Ł" Żółć', '岩田 聡', "O'Hara, Zoë", 'Bob']
const ROW_FILES = [
  '0001-ada@example.com.eml',
  '0002-lukasz@example.com.eml',
  '0003-satoru@example.com.eml',
  '0004-zoe@example.com.eml',
  '0005-bob@example.com.eml',
]

let sink: RecordingSink
let project: Project
const smtp = (): string[] => ['--smtp', `smtp://127.0.0.1:${sink.port}`]
const recorded = (): boolean => existsSync(join(project.dir, '.mailmerge/ledger.db'))

beforeAll(async () => {
  sink = await startRecordingSink({ keep: true })
  project = makeProject(FILES)
})
afterAll(async () => {
  await sink.close()
  project.remove()
})

describe('a dry run', () => {
  test('writes a file a row, named by row and address, that two mail readers understand alike', async () => {
    const { code, stdout, stderr } = await project.run(['run', '--dry-run', ...smtp()])
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('5 written of 5 rows')
    const mails = mailsIn(join(project.dir, '.mailmerge/dry-run'))
    expect([...mails.keys()]).toEqual(ROW_FILES)
    for (const [index, octets] of [...mails.values()].entries()) {
      const [one, two] = [await PostalMime.parse(octets), await simpleParser(octets)]
      const name = NAMES[index]
      expect([one.subject, two.subject]).toEqual([`Grüße, ${name}`, `Grüße, ${name}`])
      expect(one.from).toEqual({ name: 'Gesellschaft für Züge', address: 'us@example.org' })
      expect(two.from?.value[0]?.name).toBe('Gesellschaft für Züge')
      expect(one.to?.[0]?.name).toBe(name)
      expect(one.text?.trim()).toMatch(new RegExp(`^Dear ${name?.replace(/["']/g, '.')} of `))
      expect(two.text?.trim()).toBe(one.text?.trim())
      expect(String(two.html).trim()).toBe(one.html?.trim())
      const file = Buffer.from(index % 2 === 0 ? FILES['files/one.bin'] : FILES['files/two.bin'])
      expect(Buffer.from(one.attachments[0]?.content as ArrayBuffer)).toEqual(file)
      expect(two.attachments[0]?.content).toEqual(file)
      expect(octets.toString('latin1')).not.toMatch(/archive@|bounces@/)
    }
  })

  test('leaves an index in the order of the list, readable by people', () => {
    const index: Record<string, string>[] = parse(
      readFileSync(join(project.dir, '.mailmerge/dry-run/index.csv'), 'utf8'),
      { columns: true },
    )
    expect(index.map(({ row, file, subject }) => [row, file, subject])).toEqual(
      NAMES.map((name, i) => [String(i + 1), ROW_FILES[i], `Grüße, ${name}`]),
    )
  })

  test('of some rows keeps the names that they have in the whole, and takes away what it wrote before', async () => {
    const { code, stdout } = await project.run(['run', '--dry-run', '--rows', '2,4-5'])
    expect([code, stdout.includes('3 written, 2 skipped of 5 rows')]).toEqual([0, true])
    expect([...mailsIn(join(project.dir, '.mailmerge/dry-run')).keys()]).toEqual([1, 3, 4].map((i) => ROW_FILES[i]))
  })

  test('goes to the folder of --out, and touches no folder that holds files of others', async () => {
    expect((await project.run(['run', '--dry-run', '--out', 'mails'])).code).toBe(0)
    expect(mailsIn(join(project.dir, 'mails')).size).toBe(5)
    project.write('precious/letter.eml', 'mine')
    const refused = await project.run(['run', '--dry-run', '--out', 'precious'])
    expect([refused.code, refused.stderr]).toEqual([73, expect.stringContaining('files that no dry run wrote')])
    expect(readFileSync(join(project.dir, 'precious/letter.eml'), 'utf8')).toBe('mine')
  })

  test('connects to nothing and records nothing', () => {
    expect([sink.connections, recorded()]).toEqual([0, false])
  })
})

describe('the sandbox', () => {
  test('takes the same messages over a real connection, and nothing counts as sent', async () => {
    const run = await project.run(['run', '--sandbox', '--json', ...smtp()])
    expect(run.code, run.stderr).toBe(0)
    const events = eventsOf(run.stdout)
    expect(events.map(({ event }) => event).filter((event) => event !== 'progress')).toEqual([
      'planned',
      ...Array(5).fill('sent'),
      'summary',
    ])
    const mails = mailsIn(events.at(-1)?.mails ?? '')
    const subjects = await Promise.all(
      [...mails.values()].map(async (octets) => (await PostalMime.parse(octets)).subject),
    )
    expect(subjects.sort()).toEqual(NAMES.map((name) => `Grüße, ${name}`).sort())
    expect(statuses(readResults(join(events.at(-1)?.mails ?? '', 'results.csv')))).toEqual({ sent: 5 })
    expect([sink.connections, recorded()]).toEqual([0, false])
  })

  test('holds the bytes of the dry run but for their date', async () => {
    await project.run(['run', '--dry-run'])
    const again = eventsOf((await project.run(['run', '--sandbox', '--json'])).stdout).at(-1)
    const plain = (mails: ReadonlyMap<string, Buffer>): readonly string[] =>
      [...mails.values()].map((octets) => withoutChance(octets.toString('latin1'))).sort()
    expect(plain(mailsIn(again?.mails ?? ''))).toEqual(plain(mailsIn(join(project.dir, '.mailmerge/dry-run'))))
  })
})

/** Each rehearsal is a campaign of its own: ids and boundaries differ by its token. */
function withoutChance(mail: string): string {
  const boundaries = new Set([...mail.matchAll(/boundary="([^"]+)"/g)].map((match) => match[1] ?? ''))
  let plain = mail.replace(/^(Date|Message-ID): .*\r\n/gim, '').replace(/^\s+<\S+>\r\n/gm, '')
  for (const boundary of boundaries) plain = plain.replaceAll(boundary, 'boundary')
  return plain
}

describe('--test-to', () => {
  test('sends every message to one address over the real server, with the headers that people would see', async () => {
    const run = await project.run(['run', '--test-to', 'me@example.net', ...smtp()])
    expect(run.code, run.stderr).toBe(0)
    expect(run.stdout).toContain('5 sent to the test address of 5 rows')
    expect([...sink.recipients]).toEqual([['me@example.net', 5]])
    const parsed = await Promise.all(sink.messages.map(({ octets }) => PostalMime.parse(octets)))
    expect(parsed.map(({ to }) => to?.[0]?.address).sort()).toEqual(LIST.match(/\w+@example\.com/g)?.sort())
    expect(sink.messages.every(({ from }) => from === 'bounces@example.org')).toBe(true)
    expect(recorded()).toBe(false)
  })

  test('asks for one right address', async () => {
    for (const wrong of ['me', 'me@example.net, you@example.net', 'me@example.net\r\nRCPT TO:<x@y>']) {
      const run = await project.run(['run', '--test-to', wrong, ...smtp()])
      expect([run.code, run.stderr]).toEqual([64, expect.stringContaining('--test-to')])
    }
    expect(sink.recipients.size).toBe(1)
  })
})

describe('only some rows', () => {
  const chosen = async (...args: string[]): Promise<unknown> => {
    const run = await project.run(['run', '--sandbox', '--json', ...args])
    if (run.code !== 0) return run.code
    const last = eventsOf(run.stdout).at(-1)
    return readResults(join(last?.mails ?? '', 'results.csv'))
      .filter(({ status }) => status === 'sent')
      .map(({ row }) => Number(row))
  }

  test.each([
    [
      ['--limit', '2'],
      [1, 2],
    ],
    [['--limit', '0'], []],
    [
      ['--rows', '1-2,5'],
      [1, 2, 5],
    ],
    [
      ['--rows', '4-'],
      [4, 5],
    ],
    [
      ['--where', 'city=London'],
      [1, 4],
    ],
    [['--where', 'city=London', '--where', 'ticket=two'], [4]],
    [['--where', 'city!=London', '--limit', '1'], [2]],
    [['--rows', '0'], 64],
    [['--rows', '5-2'], 64],
    [['--rows', 'two'], 64],
    [['--where', 'town=London'], 64],
    [['--where', 'London'], 64],
    [['--limit', '-1'], 64],
    [['--limit', 'few'], 64],
  ])('%j sends %j', async (args, rows) => {
    expect(await chosen(...args)).toEqual(rows)
  })
})
