import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { fakeIo } from './fake-io.ts'

let project: Project
let sink: RecordingSink

beforeEach(async () => {
  sink = await startRecordingSink()
  project = makeProject({
    'list.csv': listOf(2),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nsmtp: { host: 127.0.0.1, port: ${sink.port} }\n`,
  })
})

afterEach(async () => {
  await sink.close()
  project.remove()
})

async function schedule(...args: readonly string[]) {
  const io = fakeIo({ cwd: project.dir })
  const code = await main(['schedule', ...args], io)
  return { code, stdout: io.stdout.text, stderr: io.stderr.text }
}

test('a schedule is added, listed, shown ahead and removed', async () => {
  const added = await schedule('add', 'news', '--cron', '0 9 * * MON', '--tz', 'Europe/Paris')
  expect(added.code, added.stderr).toBe(0)
  expect(added.stdout).toMatch(/^news: first \d{4}-\d\d-\d\d 09:00 \(Europe\/Paris\)/)
  const [listed] = (await schedule('list', '--json')).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(listed).toMatchObject({
    schedule: 'news',
    cron: '0 9 * * MON',
    at: null,
    tz: 'Europe/Paris',
    campaign: '{{name}}-{{date}}',
    catch_up: 'skip',
    last: null,
  })
  expect((await schedule('next', 'news', '-n', '3')).stdout.trim().split('\n')).toHaveLength(4)
  expect((await schedule('remove', 'news')).code).toBe(0)
  expect((await schedule('list')).stderr).toContain('there are no schedules')
})

test('who is the same on the list holds for a schedule too', async () => {
  project.write('twins.csv', 'name,email\nAda,ada.l@gmail.com\nAda,adal+news@gmail.com\nBob,bob@example.com\n')
  const same = ['--csv', 'twins.csv', '--fold-gmail', '--duplicates', 'skip']
  expect((await schedule('add', 'twins', '--at', 'in 1 hour', ...same)).code).toBe(0)
  await backdateOnce('twins')
  const { code, stdout, stderr } = await schedule('run-due')
  expect(code, stderr).toBe(0)
  expect(stdout).toContain('2 sent')
  expect([...sink.recipients.keys()].sort()).toEqual(['ada.l@gmail.com', 'bob@example.com'])
})

test('occurrences that come several times a day have the time in their campaign', async () => {
  await schedule('add', 'hourly', '--cron', '0 * * * *')
  expect(JSON.parse((await schedule('list', '--json')).stdout).campaign).toBe('{{name}}-{{date}}T{{time}}')
})

describe('what is wrong is reported', () => {
  test.each([
    [['add', 'x'], 64, 'needs a time'],
    [['add', 'x', '--cron', '0 9 * *'], 64, 'not a valid cron expression: it has 4 fields'],
    [['add', 'x', '--cron', '0 9 * * * *'], 64, 'not a valid cron expression: it has 6 fields'],
    [['add', 'x', '--cron', '0 25 * * *'], 64, 'not a valid cron expression: Invalid value for hour: 25'],
    [['add', 'x', '--cron', '0 9 30 2 *'], 64, 'never happens'],
    [['add', 'x', '--cron', '0 9 * * *', '--at', 'tomorrow 9:00'], 64, 'cannot both be given'],
    [['add', 'x', '--at', '2020-01-01 09:00'], 64, 'is in the past'],
    [['add', 'x', '--cron', '0 9 * * *', '--tz', 'Europe/Pari'], 64, 'is not a time zone'],
    [['add', 'x', '--cron', '0 9 * * *', '--campaign', 'a-{{day}}'], 64, 'is not known'],
    [['add', 'x', '--cron', '0 9 * * *', '--campaign', 'a-{{month}}'], 64, 'would be one campaign'],
    [['add', 'x', '--cron', '0 9 * * *', '--where', 'citty=Paris'], 64, 'citty'],
    [['add', 'x', '--cron', '0 9 * * *', '--template', 'leter'], 66, 'there is no template'],
    [['add', 'x', '--cron', '0 9 * * *', '--csv', '-'], 64, 'standard input'],
    [['add', '../x', '--cron', '0 9 * * *'], 64, 'is not a valid name'],
    [['add', 'x', '--cron', '0 9 * * *', '--late', 'ok'], 64, 'is for a single run'],
    [['add'], 64, '<name> is missing'],
    [['remove', 'nobody'], 66, 'there is no schedule'],
    [['list', 'nobody'], 66, 'there is no schedule'],
    [['lst'], 64, 'Did you mean mailmerge schedule list?'],
    [['list', '--cron', '0 9 * * *'], 64, 'an option of mailmerge schedule add'],
    [['run-due', '--late', 'ok'], 64, 'needs the name'],
    [['next', '-n', '0'], 64, 'between 1 and 1000'],
  ])('%j', async (args, code, words) => {
    const wrong = await schedule(...args)
    expect(wrong.stderr).toContain(words)
    expect(wrong.code).toBe(code)
    expect(wrong.stderr).not.toMatch(/^ {4}at /m)
  })

  test('a name that is taken', async () => {
    await schedule('add', 'news', '--cron', '0 9 * * *')
    const again = await schedule('add', 'news', '--cron', '0 10 * * *')
    expect(again.code).toBe(64)
    expect(again.stderr).toContain('schedule remove news')
  })

  test('a list that is not there yet is accepted, as it is read at the time', async () => {
    const added = await schedule('add', 'later', '--cron', '0 9 * * *', '--csv', 'later.csv')
    expect(added.code).toBe(0)
    expect(added.stderr).toContain('the list cannot be read now')
  })
})

test('occurrences that are one campaign on purpose reach those who are new on the list', async () => {
  const added = await schedule('add', 'welcome', '--cron', '* * * * *', '--tz', 'UTC', '--campaign', 'welcome')
  expect(added.stderr).toContain('those who have not had it yet')
  await backdate('welcome', 90_000)
  expect((await schedule('run-due')).code).toBe(0)
  expect([...sink.recipients.values()]).toEqual([1, 1])
  project.write('list.csv', listOf(3))
  await forgetOccurrences()
  expect((await schedule('run-due')).code).toBe(0)
  expect(sink.recipients.size).toBe(3)
  expect([...sink.recipients.values()]).toEqual([1, 1, 1])
})

/** As if the schedule had been added earlier. */
async function backdate(name: string, milliseconds: number): Promise<void> {
  const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
  const found = (await ledger.schedules.list()).find((one) => one.name === name)
  if (found === undefined) throw new Error('no schedule')
  await ledger.schedules.remove(name)
  await ledger.schedules.add({ ...found, createdAt: new Date(Date.now() - milliseconds) })
  await ledger.close()
}

/** As if the hour of a schedule that comes once had just come. */
async function backdateOnce(name: string): Promise<void> {
  const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
  const found = (await ledger.schedules.list()).find((one) => one.name === name)
  if (found === undefined) throw new Error('no schedule')
  await ledger.schedules.remove(name)
  const wall = new Date(Date.now() - 1000).toISOString().slice(0, 19)
  const createdAt = new Date(Date.now() - 60_000)
  await ledger.schedules.add({ ...found, timing: { kind: 'once', wall }, zone: 'UTC', createdAt })
  await ledger.close()
}

/** As if the next minute had come: the schedule goes by another name. */
async function forgetOccurrences(): Promise<void> {
  const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
  const [found] = await ledger.schedules.list()
  if (found === undefined) throw new Error('no schedule')
  await ledger.schedules.remove(found.name)
  await ledger.schedules.add({ ...found, name: 'welcome-too' })
  await ledger.close()
}
