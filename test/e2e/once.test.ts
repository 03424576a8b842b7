/** Once per person and campaign, over many runs of the whole program: interrupted, repeated, with new and fixed rows. */
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, type RecordingSinkOptions, startRecordingSink } from '../support/recording-sink.ts'
import { eventsOf, newestResults, readResults, statuses } from '../support/results.ts'

let closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing) await close()
  closing = []
})

interface Scene {
  readonly project: Project
  readonly sink: RecordingSink
  send(...args: string[]): ReturnType<Project['run']>
}

async function scene(list: string, options: RecordingSinkOptions = {}, config = ''): Promise<Scene> {
  const sink = await startRecordingSink(options)
  const project = makeProject({
    'list.csv': list,
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `csv: list.csv\ntemplate: letter\nsmtp: { host: 127.0.0.1, port: ${sink.port} }\n${config}`,
  })
  closing.push(() => sink.close(), project.remove)
  return { project, sink, send: (...args) => project.run(['run', ...args]) }
}

const COLUMNS =
  'row,key,address,status,reason,smtp_code,enhanced_code,response,message_id,attempts,first_attempt_at,finished_at'

test('a list goes out once: the results say so row by row, and the same command again sends nothing and says it', async () => {
  const { project, sink, send } = await scene(listOf(30))
  const first = await send('--report', 'r.csv', '--report', 'r.json', '--report', 'r.html')
  expect(first.code, first.stderr).toBe(0)
  expect(first.stdout).toContain('30 sent of 30 rows')
  const csv = readFileSync(join(project.dir, 'r.csv'), 'utf8')
  expect(csv.split('\r\n')[0]).toBe(COLUMNS)
  const results = readResults(join(project.dir, 'r.csv'))
  expect(results.map(({ row }) => Number(row))).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
  for (const result of results) {
    expect(result).toMatchObject({ status: 'sent', reason: '', smtp_code: '250', response: 'taken', attempts: '1' })
    expect(result.address).toBe(`p${result.row}@example.com`)
    expect(sink.ids.get(result.message_id)).toBe(1)
    expect(result.finished_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  }
  expect(eventsOf(readFileSync(join(project.dir, 'r.json'), 'utf8'))).toHaveLength(30)
  expect(readFileSync(join(project.dir, 'r.html'), 'utf8')).toContain('p30@example.com')

  const connections = sink.connections
  const again = await send()
  expect(again.code).toBe(0)
  expect(`${again.stdout}${again.stderr}`).toContain('all 30 rows were sent before')
  expect([sink.ids.size, sink.connections]).toEqual([30, connections])
  expect(statuses(newestResults(project.dir))).toEqual({ sent: 30 })
})

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  'stopped by %s a run ends with %i and says how to go on; given again it sends exactly the rest',
  async (signal, code) => {
    const { project, sink, send } = await scene(listOf(300), { delay: 10 })
    const running = project.start(['run'])
    while (sink.ids.size < 20) await new Promise((turn) => setTimeout(turn, 5))
    running.child.kill(signal)
    const stopped = await running.ended
    expect(stopped.code, stopped.stderr).toBe(code)
    expect(stopped.stderr).toContain('stopping after the messages in flight')
    const [, run] = /to continue: mailmerge resume (\S+)/.exec(stopped.stderr) ?? []
    expect(run).toMatch(/^\d{8}T\d{6}-/)
    const got = sink.ids.size
    expect(got).toBeLessThan(300)
    const counts = statuses(newestResults(project.dir))
    expect(counts).toEqual({ sent: got, deferred: 300 - got })
    expect(stopped.stdout).toContain(`${got} sent, ${300 - got} waiting of 300 rows`)
    const rest = await send('--json')
    expect(rest.code, rest.stderr).toBe(0)
    expect(eventsOf(rest.stdout)[0]).toMatchObject({ event: 'planned', rows: 300, to_send: 300 - got })
    expect(eventsOf(rest.stdout).at(-1)?.counts).toMatchObject({ sent: 300, deferred: 0, in_doubt: 0 })
    expect([...sink.recipients.values()].every((times) => times === 1)).toBe(true)
    expect(sink.recipients.size).toBe(300)
  },
)

test('an interrupted run is gone on with by resume, which reads no list', async () => {
  const { project, sink } = await scene(listOf(200), { delay: 10 })
  const running = project.start(['run'])
  while (sink.ids.size < 20) await new Promise((turn) => setTimeout(turn, 5))
  running.child.kill('SIGINT')
  expect((await running.ended).code).toBe(130)
  project.write('list.csv', 'gone')
  const resumed = await project.run(['resume'])
  expect(resumed.code, resumed.stderr).toBe(0)
  expect([sink.recipients.size, sink.ids.size]).toEqual([200, 200])
  expect((await project.run(['status'])).stdout).toMatch(/Finished +200 +200$/m)
  const over = await project.run(['resume'])
  expect([over.code, sink.ids.size]).toEqual([0, 200])
})

test('new rows of a list are sent, those before are not', async () => {
  const { project, sink, send } = await scene(listOf(3))
  await send()
  appendFileSync(join(project.dir, 'list.csv'), 'Neu,neu@example.com\n')
  const run = await send()
  expect([run.code, sink.ids.size, sink.recipients.get('neu@example.com')]).toEqual([0, 4, 1])
  expect(run.stdout).toContain('1 sent, 3 sent before of 4 rows')
  expect(run.stderr).toContain('4 rows checked, 1 to send (3 sent before)')
})

test('a row that failed for good waits until it is corrected; retry tries the others again', async () => {
  let refused = true
  const recipient = (address: string): string | undefined =>
    refused && /^(p2|p3)@/.test(address) ? '550 5.1.1 no such user' : undefined
  const { project, sink, send } = await scene(listOf(3), { recipient })
  const first = await send()
  expect(first.code).toBe(1)
  expect(first.stdout).toContain('1 sent, 2 failed of 3 rows')
  expect(first.stderr).toMatch(/row 2 p2@example\.com failed: .*550 5\.1\.1 no such user/)
  expect(first.stderr).toContain('mailmerge retry')
  refused = false
  expect([(await send()).code, sink.ids.size]).toEqual([1, 1])
  project.write('list.csv', listOf(3).replace('p2@', 'mended@'))
  expect([(await send()).code, [...sink.recipients.keys()]]).toEqual([1, ['p1@example.com', 'mended@example.com']])
  expect(statuses(newestResults(project.dir))).toEqual({ sent: 2, failed: 1 })
  const retried = await project.run(['retry'])
  expect([retried.code, sink.recipients.get('p3@example.com'), sink.ids.size]).toEqual([0, 1, 3])
  expect(statuses(newestResults(project.dir))).toEqual({ sent: 3 })
})

test('a row deferred by the server stays to come, and resume tries it again', async () => {
  let busy = true
  const recipient = (address: string): string | undefined =>
    busy && address.startsWith('p2@') ? '450 4.2.1 mailbox busy' : undefined
  const { project, sink, send } = await scene(listOf(3), { recipient })
  const first = await send('--retry-for', '0')
  expect(first.code, first.stderr).toBe(75)
  expect(statuses(newestResults(project.dir))).toEqual({ sent: 2, deferred: 1 })
  expect(first.stderr).toContain('mailmerge resume')
  busy = false
  // Its turn comes a minute later; nobody waits for it here.
  const ledger = new DatabaseSync(join(project.dir, '.mailmerge/ledger.db'))
  ledger.exec("UPDATE recipient SET due_at = 1 WHERE status = 'deferred'")
  ledger.close()
  expect([(await project.run(['resume'])).code, sink.recipients.get('p2@example.com')]).toEqual([0, 1])
})

test('--again starts the campaign again, another --campaign is another', async () => {
  const { project, sink, send } = await scene(listOf(4))
  await send()
  expect([(await send('--again')).code, sink.ids.size, sink.recipients.get('p1@example.com')]).toEqual([0, 8, 2])
  expect([(await send()).code, sink.ids.size]).toEqual([0, 8])
  expect([(await send('--campaign', 'other')).code, sink.ids.size]).toEqual([0, 12])
  expect((await project.run(['status'])).stdout).toMatch(/letter-list \(2\)/)
})

test('a cancelled run stays unsent until the command is given again', async () => {
  const { project, sink, send } = await scene(listOf(2), { recipient: () => '450 4.3.0 not now' })
  expect((await send('--retry-for', '0')).code).toBe(75)
  expect((await project.run(['cancel'])).code).toBe(0)
  const resumed = await project.run(['resume'])
  expect([resumed.code, resumed.stderr]).toEqual([64, expect.stringContaining('was cancelled')])
  expect(sink.ids.size).toBe(0)
})

describe('two rows of one person', () => {
  const TWICE =
    'name,email,member\nAda,ada@example.com,1\nBob,bob@example.com,2\nAda K.,ADA@Example.com,3\nBo,b@example.com,2\n'

  test('stop the run by default, and nothing is sent', async () => {
    const { sink, send } = await scene(TWICE)
    const run = await send()
    expect([run.code, sink.connections]).toEqual([65, 0])
    expect(run.stderr).toMatch(/list\.csv.*row 3.*the same address as row 1/)
    expect(run.stderr).toContain('--duplicates skip')
  })

  test('skip sends to the first, all to each', async () => {
    const { project, sink, send } = await scene(TWICE)
    expect([(await send('--duplicates', 'skip')).code, sink.ids.size]).toEqual([0, 3])
    const results = newestResults(project.dir)
    expect(results.map(({ status }) => status)).toEqual(['sent', 'sent', 'skipped', 'sent'])
    expect(results[2]?.reason).toMatch(/row 1/)
    expect([(await send('--duplicates', 'all', '--campaign', 'all')).code, sink.ids.size]).toEqual([0, 7])
    expect([(await send('--duplicates', 'all', '--campaign', 'all')).code, sink.ids.size]).toEqual([0, 7])
  })

  test('are reported by the column of --key', async () => {
    const { project, sink, send } = await scene(TWICE)
    const run = await send('--key', 'member')
    expect([run.code, sink.connections]).toEqual([65, 0])
    expect(run.stderr).toMatch(/row 4.*the same member as row 2/)
    expect([(await send('--key', 'member', '--duplicates', 'skip')).code, sink.ids.size]).toEqual([0, 3])
    expect(newestResults(project.dir).map(({ key }) => key)).toEqual(['1', '2', '3', '2'])
  })
})

test('--skip-bad sends the good rows, and the bad ones stand in the results with their reasons', async () => {
  const { project, sink, send } = await scene(
    'name,email\nAda,ada@example.com\nBob,bob at example\nZoë,\nEve,eve@example.com\n',
  )
  expect([(await send()).code, sink.connections]).toEqual([65, 0])
  const run = await send('--skip-bad')
  expect(run.code, run.stderr).toBe(0)
  expect(run.stdout).toContain('2 sent, 2 skipped of 4 rows')
  const results = newestResults(project.dir)
  expect(results.map(({ status }) => status)).toEqual(['sent', 'skipped', 'skipped', 'sent'])
  expect(results[1]?.reason).toContain('bad row')
  expect([...sink.recipients.keys()].sort()).toEqual(['ada@example.com', 'eve@example.com'])
  project.write(
    'list.csv',
    'name,email\nAda,ada@example.com\nBob,bob@example.com\nZoë,zoe@example.com\nEve,eve@example.com\n',
  )
  expect([(await send()).code, sink.ids.size]).toEqual([0, 4])
})

test('standard input can be the list', async () => {
  const { project, sink } = await scene('')
  const running = project.start(['run', '--data', '-', '--campaign', 'piped'], {}, listOf(5))
  expect([(await running.ended).code, sink.ids.size]).toEqual([0, 5])
})
