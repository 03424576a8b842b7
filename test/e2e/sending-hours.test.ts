/** Sending hours, pauses and limits that rise, with the whole program and a real server: stopped, killed and gone on with. */

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, expect, test } from 'vitest'
import type { Clock } from '../../src/campaign/clock.ts'
import { openLedger } from '../../src/campaign/run/open-ledger.ts'
import { resumeMerge } from '../../src/campaign/run/resume.ts'
import { runMerge } from '../../src/campaign/run/start.ts'
import { loadSettings } from '../../src/config/load.ts'
import { unfinishedWork } from '../../src/schedule/unfinished.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { isPlanned, truthOf } from '../support/truth.ts'

let project: Project
let sink: RecordingSink

afterEach(async () => {
  project.remove()
  await sink.close()
})

async function prepare(rows: number | string, config: string, delay = 0): Promise<void> {
  sink = await startRecordingSink({ delay })
  project = makeProject({
    'list.csv': typeof rows === 'string' ? rows : listOf(rows),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nsmtp: { host: 127.0.0.1, port: ${sink.port} }\n${config}`,
  })
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
/** Hours that are some days from now, whenever that is. */
const CLOSED = `${DAYS[(new Date().getUTCDay() + 3) % 7]} 09:00-17:00`
/** A zone in which it is about noon, so that no day ends while a test runs. */
function noonZone(): string {
  const hours = new Date().getUTCHours() - 12
  return hours >= 0 ? `Etc/GMT+${hours}` : `Etc/GMT-${-hours}`
}

/** A clock that shows that time now, and goes on. */
function clockFrom(time: string): Clock {
  const start = performance.now()
  return {
    now: () => new Date(Date.parse(time) + performance.now() - start),
    monotonic: () => performance.now(),
    random: () => 0.5,
  }
}

const settingsOf = () => loadSettings({ cwd: project.dir, env: {}, flags: {} })

test('a run outside its hours waits, has sent nothing when it is stopped, and goes on at any hour when a person says so', async () => {
  await prepare(3, `window: ${CLOSED}\ntimeZone: UTC\n`)
  const running = project.start(['run', '--yes'])
  const waits = new Promise<void>((resolve) =>
    running.child.stderr?.on('data', (text: string) => text.includes('outside the sending hours') && resolve()),
  )
  await Promise.race([waits, running.ended])
  running.child.kill('SIGTERM')
  const stopped = await running.ended
  expect(stopped.code, stopped.stderr).toBe(143)
  expect(stopped.stderr).toMatch(/waiting: outside the sending hours \(\w{3} 09:00-17:00\), until \w{3}, .*, 09:00:00/)
  expect(stopped.stderr).toMatch(/to continue: mailmerge resume/)
  expect(sink.ids.size).toBe(0)
  const id = /resume (\S+)/.exec(stopped.stderr)?.[1] ?? ''
  expect((await project.run(['status', id])).stdout).toMatch(/ends +\w{3} .*09:00 \(UTC\) at the earliest, with/)
  const resumed = await project.run(['resume', '--window', 'always'])
  expect(resumed.code, resumed.stderr).toBe(0)
  expect(sink.ids.size).toBe(3)
})

test('hours that never begin are an error before anything is read or sent', async () => {
  await prepare(1, "window: { hours: Mon-Fri 09:00-17:00, holidays: '01-01 to 12-31' }\n")
  const { code, stderr } = await project.run(['run', '--yes'])
  expect(code, stderr).toBe(78)
  expect(stderr).toContain('the sending hours (Mon-Fri 09:00-17:00) never begin')
})

test('with hours of the own zone, a cell that is not a zone is an error of its row', async () => {
  await prepare('name,email,tz\nAda,ada@x.org,Europe/Pariss\n', 'window: { hours: 09:00-17:00, zone: recipient }\n')
  const { code, stderr } = await project.run(['run', '--yes'])
  expect(code, stderr).toBe(65)
  expect(stderr).toContain("'Europe/Pariss' is not a time zone")
  expect(sink.ids.size).toBe(0)
})

test('a run begun before its hours sends when they begin, and not before', async () => {
  await prepare(3, 'window: Mon-Fri 09:00-17:00\ntimeZone: UTC\n')
  const clock = clockFrom('2026-11-30T08:59:58.500Z')
  const at: string[] = []
  const summary = await runMerge(
    await settingsOf(),
    { mode: 'send' },
    {
      clock,
      onEvent: (event) => {
        if (event.event === 'sent') at.push(event.finishedAt?.toISOString() ?? '')
      },
    },
  )
  expect(summary.outcome).toBe('done')
  expect(at).toHaveLength(3)
  for (const time of at) expect(time > '2026-11-30T09:00:00.000Z').toBe(true)
})

test('the ledger knows until when a run waits: serve resumes it then, though it was away meanwhile', async () => {
  await prepare(3, 'window: Mon-Fri 09:00-17:00\ntimeZone: UTC\n')
  const evening = new Date('2026-11-27T18:00:00Z')
  const opens = new Date('2026-11-30T09:00:00Z')
  const settings = await settingsOf()
  const request = { mode: 'send', at: evening, patience: 1000 } as const
  const summary = await runMerge(settings, request, { clock: clockFrom(evening.toISOString()) })
  expect(summary).toMatchObject({ exitCode: 75, stopped: { kind: 'waiting', until: opens }, counts: { deferred: 3 } })
  const workAt = async (now: Date) => {
    const ledger = await openLedger(settings)
    try {
      const found = await unfinishedWork(ledger, { now, lateBy: 3_600_000, aliveAt: evening })
      return { work: found.work.length, notices: found.notices.length }
    } finally {
      await ledger.close()
    }
  }
  expect(await workAt(new Date('2026-11-29T12:00:00Z'))).toEqual({ work: 0, notices: 0 })
  expect(await workAt(new Date('2026-11-30T09:05:00Z'))).toEqual({ work: 1, notices: 0 })
  const resumed = await resumeMerge(settings, { patience: 1000 }, { clock: clockFrom('2026-11-30T09:05:00Z') })
  expect(resumed.counts.sent).toBe(3)
})

test('a killed run neither forgets its day of a limit that rises nor counts it twice', {
  timeout: 90_000,
}, async () => {
  await prepare(60, `rampUp: 20/day, +50 %/day\ntimeZone: ${noonZone()}\nconcurrency: 3\n`, 20)
  const kills = Number(process.env['RAMP_KILLS'] ?? 2)
  for (let kill = 0; kill < kills; kill++) {
    const { child, ended } = project.start((await isPlanned(project)) ? ['resume'] : ['run', '--yes'])
    const before = sink.ids.size
    const until = Date.now() + 8000
    while (sink.ids.size < before + 4 && Date.now() < until) await new Promise((go) => setTimeout(go, 5))
    child.kill('SIGKILL')
    await ended
  }
  const last = await project.run(['resume'])
  expect(last.code, last.stderr).toBe(75)
  expect(last.stderr).toContain('the limit of 20 messages for this day (rampUp) is used up until')
  expect(sink.ids.size).toBeLessThanOrEqual(20)
  // A kill costs what was reserved and not yet handed over: at most one message a lane.
  expect(sink.ids.size).toBeGreaterThanOrEqual(20 - kills * 4)
  expect(Math.max(...sink.ids.values())).toBe(1)
  const sent = sink.ids.size
  expect((await project.run(['resume'])).code).toBe(75)
  expect(sink.ids.size).toBe(sent)
  const database = new DatabaseSync(join(project.dir, '.mailmerge/ledger.db'), { readOnly: true })
  expect(
    database
      .prepare('SELECT used FROM ramp_day')
      .all()
      .map(({ used }) => used),
  ).toEqual([20])
  database.close()
  expect((await truthOf(project)).rows).toBe(60)
})
