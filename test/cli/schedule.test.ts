import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { fakeIo } from './fake-io.ts'

let project: Project
let sink: RecordingSink

beforeEach(async () => {
  sink = await startRecordingSink({ keep: true })
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
    [['add', 'x', '--cron', '0 25 * * *'], 64, "not a valid cron expression: '25' is not a valid hour (0 to 23)"],
    [['add', 'x', '--cron', '0 9 30 2 *'], 64, 'never happens'],
    [['add', 'x', '--cron', '0 9 * * *', '--at', 'tomorrow 9:00'], 64, 'cannot both be given'],
    [['add', 'x', '--at', '2020-01-01 09:00'], 64, 'is in the past'],
    [['add', 'x', '--cron', '0 9 * * *', '--tz', 'Europe/Pari'], 64, 'is not a time zone'],
    [['add', 'x', '--cron', '0 9 * * *', '--campaign', 'a-{{day}}'], 64, 'is not known'],
    [['add', 'x', '--cron', '0 9 * * *', '--campaign', 'a-{{month}}'], 64, 'would be one campaign'],
    [['add', 'x', '--cron', '0 9 * * *', '--where', 'citty=Paris'], 64, 'citty'],
    [['add', 'x', '--cron', '0 9 * * *', '--sample', 'cases'], 64, '--sample cases is for run and preview'],
    [['add', 'x', '--cron', '0 9 * * *', '--sample', 'ten'], 64, '--sample needs a number'],
    [['add', 'x', '--cron', '0 9 * * *', '--seed', 'a'], 64, '--seed is for --sample'],
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

describe('at a known time', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2027-01-01T00:00:00Z') }))
  afterEach(() => vi.useRealTimers())

  const clockAt = (time: string) => vi.setSystemTime(Date.parse(time))
  const sent = () => [...sink.recipients.keys()].sort()

  test('what is added is shown with its next times, and with what may come as a surprise', async () => {
    const monthly = await schedule('add', 'monthly', '--cron', '0 9 31 * *', '--tz', 'UTC')
    expect(monthly.stderr).toContain('then Wed 2027-03-31 09:00, Mon 2027-05-31 09:00, Sat 2027-07-31 09:00')
    expect(monthly.stderr).toContain('February, April, June, September and November have no 31st and are left out')
    expect(monthly.stderr).toContain("L is the last day of every month: '0 9 L * *'")
    const both = await schedule('add', 'both', '--cron', '0 9 1 * MON', '--tz', 'UTC')
    expect(both.stdout).toContain('both: first 2027-01-01 09:00')
    expect(both.stderr).toContain('then Mon 2027-01-04 09:00, Mon 2027-01-11 09:00')
    expect(both.stderr).toContain("comes on both kinds of day; a + limits it to days that match both: '0 9 1 * +MON'")
    const restart = await schedule('add', 'restart', '--cron', '0 9 */14 * *', '--tz', 'UTC')
    expect(restart.stderr).toContain('starts again each month: 1, 15, 29')
    const plain = await schedule('add', 'plain', '--cron', '0 9 L * *', '--tz', 'UTC')
    expect(plain.stderr).not.toContain('note:')
  })

  test('a newsletter of every second week comes every second week, and says so', async () => {
    const added = await schedule('add', 'news', '--at', '2026-12-21 09:00', '--every', '2w', '--tz', 'Europe/Paris')
    expect(added.code, added.stderr).toBe(0)
    expect(added.stdout).toContain('news: first 2027-01-04 09:00 (Europe/Paris)')
    expect(added.stderr).toContain('then Mon 2027-01-18 09:00, Mon 2027-02-01 09:00')
    expect((await schedule('list')).stdout).toContain('every 2 weeks at 09:00')
    expect(JSON.parse((await schedule('list', '--json')).stdout)).toMatchObject({
      cron: null,
      at: '2026-12-21T09:00',
      every: 'P2W',
      next_wall: '2027-01-04T09:00',
    })
    clockAt('2027-01-04T08:00:05Z')
    expect((await schedule('run-due')).code).toBe(0)
    expect(sent()).toHaveLength(2)
    clockAt('2027-01-11T08:00:05Z')
    expect((await schedule('run-due')).stderr).toContain('nothing is due')
    clockAt('2027-01-18T08:00:05Z')
    expect((await schedule('run-due')).stdout).toContain('2 sent')
  })

  test('a zone keeps the name that it was given, and one without daylight saving is pointed out', async () => {
    const eastern = await schedule('add', 'eastern', '--cron', '0 9 * * *', '--tz', 'EST')
    expect(eastern.stdout).toContain('2027-01-01 09:00 (EST), 2027-01-01T14:00')
    expect(eastern.stderr).toContain('EST is UTC-05:00 all year')
    expect((await schedule('add', 'india', '--cron', '0 9 * * *', '--tz', 'Asia/Kolkata')).stderr).not.toContain('note')
    await schedule('add', 'paris', '--cron', '0 9 * * *', '--tz', 'europe/paris')
    const zones = (await schedule('list', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).tz)
    expect(zones).toEqual(['EST', 'Asia/Kolkata', 'Europe/Paris'])
  })

  test('a welcome mail reports who got it now, not all who ever did', async () => {
    await schedule('add', 'welcome', '--cron', '0 9 * * *', '--tz', 'UTC', '--campaign', 'welcome')
    clockAt('2027-01-01T09:00:10Z')
    expect((await schedule('run-due')).stdout).toContain('2 sent of 2 rows')
    project.write('list.csv', listOf(3))
    clockAt('2027-01-02T09:00:10Z')
    expect((await schedule('run-due')).stdout).toContain('1 sent, 2 sent before of 3 rows')
    clockAt('2027-01-03T09:00:10Z')
    expect((await schedule('run-due')).stdout).toContain('nothing to send: all 3 rows were sent before')
  })

  test('of many missed occurrences the number, the first and the last are said', async () => {
    await schedule('add', 'hourly', '--cron', '0 * * * *', '--tz', 'UTC')
    clockAt('2027-02-01T00:10:00Z')
    const { stderr, code } = await schedule('run-due')
    expect(stderr).toContain(
      'hourly: 743 occurrences were missed and not sent, from 2027-01-01 01:00 to 2027-01-31 23:00',
    )
    expect(code).toBe(0)
    expect(stderr).not.toContain('--late ok')
    expect(sent()).toHaveLength(2)
  })

  test('rows of a follow-up that are days away are left to a later call', async () => {
    await run('--campaign', 'news', '--rows', '1')
    clockAt('2027-01-02T00:00:00Z')
    await run('--campaign', 'news')
    clockAt('2027-01-03T00:00:00Z')
    const planned = await run('--campaign', 'second', '--after', 'news', '--wait', '3d', '--detach')
    expect(planned).toMatch(/begins Mon 4 Jan 2027, 00:00 .*, ends Tue 5 Jan 2027, 00:00/)
    expect(await status()).toContain('Not started (begins 2027-01-04 00:00)')
    expect(sink.messages).toHaveLength(2)
    clockAt('2027-01-04T00:00:30Z')
    const first = await schedule('run-due')
    expect(first.stdout, first.stderr).toContain('1 sent, 1 waiting of 2 rows')
    expect(first.stderr).toContain('the next message is to be sent Tue 5 Jan 2027')
    expect(first.code).toBe(75)
    expect(await status()).toContain('Waiting until 2027-01-05 00:00')
    clockAt('2027-01-04T12:00:00Z')
    expect(await schedule('run-due')).toMatchObject({ code: 0, stdout: '', stderr: 'nothing is due\n' })
    // Later than a run may begin, but these rows have only just come.
    clockAt('2027-01-05T00:00:30Z')
    expect((await schedule('run-due')).stdout).toContain('1 sent, 1 sent before of 2 rows')
    expect(sink.messages).toHaveLength(4)
  })

  test('a follow-up on a schedule reminds each person once, some days after the first message', async () => {
    await schedule('add', 'remind', '--cron', '0 9 * * *', '--tz', 'UTC', '--after', 'welcome', '--wait', '3d')
    clockAt('2027-01-01T09:00:10Z')
    const early = await schedule('run-due')
    expect(early.stderr).toContain("nothing was sent yet in the campaign 'welcome'")
    expect(early.code).toBe(0)
    clockAt('2027-01-01T12:00:00Z')
    await run('--campaign', 'welcome', '--rows', '1')
    clockAt('2027-01-02T09:00:10Z')
    expect((await schedule('run-due')).stdout).toContain('1 waiting')
    clockAt('2027-01-02T12:00:00Z')
    await run('--campaign', 'welcome')
    expect(sink.messages).toHaveLength(2)
    for (const [day, messages] of [
      [3, 2],
      [4, 2],
      [5, 3],
      [6, 4],
      [7, 4],
      [8, 4],
    ] as const) {
      clockAt(`2027-01-0${day}T09:00:20Z`)
      const { stderr } = await schedule('run-due')
      expect(sink.messages, `on day ${day}: ${stderr}`).toHaveLength(messages)
      expect(stderr).not.toContain('resume')
    }
    expect([...sink.recipients.values()]).toEqual([2, 2])
  })
})

test('a second run-due beside the first leaves the occurrence to it, and asks nobody to do anything', async () => {
  await sink.close()
  sink = await startRecordingSink({ port: sink.port, delay: 500, keep: true })
  await schedule('add', 'news', '--cron', '* * * * *', '--tz', 'UTC')
  await backdate('news', 61_000)
  const first = schedule('run-due')
  await expect.poll(() => sink.connections, { timeout: 20_000 }).toBeGreaterThan(0)
  const second = await schedule('run-due')
  expect(second.stderr).toMatch(/is being worked on by process \d+/)
  expect(second.stderr).not.toMatch(/hint|resume|again|nothing is due/)
  expect(second.code).toBe(0)
  expect((await first).code).toBe(0)
  expect([...sink.recipients.values()]).toEqual([1, 1])
})

async function run(...args: readonly string[]): Promise<string> {
  const io = fakeIo({ cwd: project.dir })
  expect(await main(['run', '--yes', '--tz', 'UTC', ...args], io), io.stderr.text).toBe(0)
  return io.stderr.text
}

async function status(): Promise<string> {
  const io = fakeIo({ cwd: project.dir, columns: 200 })
  await main(['status'], io)
  return io.stdout.text
}
