import { afterAll, beforeAll, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'

let sink: RecordingSink
const projects: Project[] = []

beforeAll(async () => {
  sink = await startRecordingSink()
})

afterAll(async () => {
  await sink.close()
  for (const project of projects) project.remove()
})

function newProject(list = listOf(3)): Project {
  const project = makeProject({
    'list.csv': list,
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nsmtp: { host: 127.0.0.1, port: ${sink.port} }\n`,
  })
  projects.push(project)
  return project
}

const iso = (milliseconds: number): string => new Date(Date.now() + milliseconds).toISOString()

test('a run with an hour is checked now and sent then, not before', async () => {
  const project = newProject()
  const hour = Date.now() + 2500
  const before = sink.ids.size
  const ended = await project.run(['run', '--yes', '--at', new Date(hour).toISOString(), '--json'])
  expect(ended.code, ended.stderr).toBe(0)
  const events = ended.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>)
  const sent = events.filter(({ event }) => event === 'sent')
  expect(sent).toHaveLength(3)
  for (const { finished_at } of sent) expect(Date.parse(finished_at ?? '')).toBeGreaterThanOrEqual(hour)
  expect(sink.ids.size - before).toBe(3)
})

test('a bad row is reported at once, not at the hour', async () => {
  const project = newProject('name,email\nAda,ada@example.com\nBob,nobody\n')
  const { code, stderr } = await project.run(['run', '--yes', '--at', 'tomorrow 9:00'])
  expect(code).toBe(65)
  expect(stderr).toContain('row 2')
})

test('stopped while it waits, a run has sent nothing, says how to go on, and is sent at its hour by resume', async () => {
  const project = newProject()
  const before = sink.ids.size
  // Long enough that a busy machine has planned the run before its time.
  const running = project.start(['run', '--yes', '--at', iso(15_000)])
  await new Promise<void>((resolve) =>
    running.child.stderr?.on('data', (text: string) => text.includes('waiting') && resolve()),
  )
  running.child.kill('SIGTERM')
  const stopped = await running.ended
  expect(stopped.code, stopped.stderr).toBe(143)
  expect(stopped.stderr).toMatch(/mailmerge resume \w+-\w+/)
  expect(sink.ids.size).toBe(before)
  expect((await project.run(['status'])).stdout).toContain('Not started (begins 20')
  expect((await project.run(['resume'])).code).toBe(0)
  expect(sink.ids.size - before).toBe(3)
}, 60_000)

test('later than it may be, a planned run is reported and not sent, until a person says that late is right', async () => {
  const project = newProject()
  const before = sink.ids.size
  const planned = await project.run(['run', '--yes', '--at', iso(0), '--detach'])
  expect(planned.code, planned.stderr).toBe(0)
  const late = await project.run(['resume', '--late', '0'])
  expect(late.code, late.stderr).toBe(75)
  expect(late.stderr).toMatch(/was for .* ago: nothing was sent/)
  expect(late.stderr).toContain('--late ok')
  expect(sink.ids.size).toBe(before)
  expect((await project.run(['resume', '--late', 'ok'])).code).toBe(0)
  expect(sink.ids.size - before).toBe(3)
})

test('each recipient is written to at the hour of the own clock', async () => {
  const project = newProject('name,email,tz\nAda,ada@example.com,Europe/Paris\nBob,bob@example.com,Asia/Tokyo\n')
  const { code, stderr } = await project.run([
    'run',
    '--yes',
    '--at-local',
    '2026-12-24 09:00',
    '--tz',
    'UTC',
    '--detach',
  ])
  expect(code, stderr).toBe(0)
  expect(stderr).toContain('24 Dec 2026, 00:00')
  const bad = newProject('name,email,tz\nAda,ada@example.com,Europe/Pariss\n')
  const refused = await bad.run(['run', '--yes', '--at-local', '09:00'])
  expect(refused.code).toBe(65)
  expect(refused.stderr).toContain("Did you mean 'Europe/Paris'?")
})

test('each row is sent at the time in its column, and the same command later sends nothing twice', async () => {
  const [soon, before] = [2_000, -60_000].map((ms) => new Date(Date.now() + ms).toISOString())
  const project = newProject(`name,email,when\nAda,ada@example.com,${soon}\nBob,bob@example.com,${before}\n`)
  const sent = sink.ids.size
  const first = await project.run(['run', '--yes', '--at-column', 'when'])
  expect(first.code, first.stderr).toBe(0)
  expect(sink.ids.size - sent).toBe(2)
  // Both are past by more than --late now, and have their message: nothing is wrong with their rows.
  const second = await project.run(['run', '--yes', '--at-column', 'when', '--late', '0s'])
  expect(second.code, second.stderr).toBe(0)
  expect(sink.ids.size - sent).toBe(2)
  const again = await project.run(['run', '--yes', '--at-column', 'when', '--late', '0s', '--again'])
  expect(again.code).toBe(65)
  expect(again.stderr).toContain('is in the past')
})

test('words that contradict each other are wrong usage', async () => {
  const project = newProject()
  for (const args of [
    ['--at', 'tomorrow 9:00', '--at-local', '09:00'],
    ['--at-column', 'when', '--at-local', '09:00'],
    ['--at-column', 'when'],
    ['--tz-column', 'tz'],
    ['--at', 'tomorrow 9:00', '--tz', 'Europe/Pari'],
    ['--sandbox', '--detach'],
  ]) {
    expect((await project.run(['run', '--yes', ...args])).code).toBe(64)
  }
})
