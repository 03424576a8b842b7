/** The numbers of a run for Prometheus: right in form, true, whole at every moment, and no reason to stop. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MergeEvent, RowEvent, SummaryEvent } from '../../src/campaign/events.ts'
import { withMetricsFile } from '../../src/campaign/run/metrics-file.ts'
import { LoginError } from '../../src/errors.ts'
import { NO_COPIES, type StatusCounts } from '../../src/ledger/records.ts'
import { metricsText } from '../../src/report/metrics.ts'
import { LETTER, listOf, makeProject } from '../support/program.ts'
import { startScriptedServer } from '../support/scripted-server.ts'

/** Samples by name and labels; fails on a line that is not of the format. */
function parse(text: string): Record<string, number> {
  const found: Record<string, number> = {}
  let type = ''
  for (const line of text.split('\n').slice(0, -1)) {
    const comment = /^# (HELP|TYPE) ([a-z_:]+) (.+)$/.exec(line)
    if (comment !== null) {
      if (comment[1] === 'TYPE') type = comment[2] ?? ''
      continue
    }
    const sample = /^([a-z_:]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+\}) (-?[0-9.]+(?:e[+-]?\d+)?)$/.exec(line)
    expect(sample, line).not.toBeNull()
    expect(sample?.[1]).toBe(type)
    const key = `${sample?.[1]}${sample?.[2]}`
    expect(found).not.toHaveProperty([key])
    found[key] = Number(sample?.[3])
  }
  expect(text.endsWith('\n')).toBe(true)
  return found
}

const counts = (sent: number, deferred: number): StatusCounts => ({
  sent,
  failed: 0,
  skipped: 0,
  deferred,
  in_doubt: 0,
})

test('a run that goes on has its numbers and no end', () => {
  const text = metricsText({
    campaign: 'a "b" \\ c\nd',
    run: 'r1',
    startedAt: new Date(1_000_500),
    counts: counts(3, 7),
    deferrals: 2,
    paused: true,
    progress: {
      rate: 1.23456,
      lanes: 4,
      retrying: 1,
      quota: { count: 500, seconds: 86_400, left: 497 },
      secondsLeft: 9,
    },
  })
  const campaign = 'campaign="a \\"b\\" \\\\ c\\nd"'
  expect(parse(text)).toEqual({
    [`mailmerge_run_info{${campaign},run="r1"}`]: 1,
    [`mailmerge_rows{${campaign},status="sent"}`]: 3,
    [`mailmerge_rows{${campaign},status="failed"}`]: 0,
    [`mailmerge_rows{${campaign},status="skipped"}`]: 0,
    [`mailmerge_rows{${campaign},status="deferred"}`]: 7,
    [`mailmerge_rows{${campaign},status="in_doubt"}`]: 0,
    [`mailmerge_lanes{${campaign}}`]: 4,
    [`mailmerge_rows_per_second{${campaign}}`]: 1.235,
    [`mailmerge_retrying_rows{${campaign}}`]: 1,
    [`mailmerge_deferrals_total{${campaign}}`]: 2,
    [`mailmerge_quota_left{${campaign},limit="500/86400s"}`]: 497,
    [`mailmerge_paused{${campaign}}`]: 1,
    [`mailmerge_seconds_left{${campaign}}`]: 9,
    [`mailmerge_run_start_timestamp_seconds{${campaign}}`]: 1000.5,
  })
})

describe('the file', () => {
  let dir: string
  let path: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'mailmerge-metrics-'))
    path = join(dir, 'run.prom')
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const planned: MergeEvent = {
    event: 'planned',
    run: 'r',
    campaign: 'c',
    rows: 2,
    toSend: 2,
    counts: counts(0, 2),
    skipped: {},
    copies: NO_COPIES,
  }
  const summary = { event: 'summary', run: 'r', campaign: 'c', counts: counts(2, 0), exitCode: 0 } as SummaryEvent
  const written = (): Record<string, number> => parse(readFileSync(path, 'utf8'))

  test('has the end, its exit code, and the deferrals on the way', async () => {
    const heard: string[] = []
    await withMetricsFile(path, { onEvent: ({ event }: MergeEvent) => void heard.push(event) }, async (hooks) => {
      hooks.onEvent(planned)
      hooks.onEvent({ event: 'deferred' } as RowEvent)
      hooks.onEvent(summary)
      return summary
    })
    expect(heard).toEqual(['planned', 'deferred', 'summary'])
    expect(written()).toMatchObject({
      'mailmerge_rows{campaign="c",status="sent"}': 2,
      'mailmerge_deferrals_total{campaign="c"}': 1,
      'mailmerge_run_exit_code{campaign="c"}': 0,
      'mailmerge_run_end_timestamp_seconds{campaign="c"}': expect.any(Number),
    })
    expect(readdirSync(dir)).toEqual(['run.prom'])
  })

  test('has the exit code of a run that broke', async () => {
    const work = withMetricsFile(path, {} as { onEvent?(event: MergeEvent): void }, async (hooks) => {
      hooks.onEvent?.(planned)
      throw new LoginError('no')
    })
    await expect(work).rejects.toMatchObject({ exitCode: 77 })
    expect(written()).toMatchObject({ 'mailmerge_run_exit_code{campaign="c"}': 77 })
  })

  test('that cannot be written ends the command before the work', async () => {
    mkdirSync(path)
    let worked = false
    const work = withMetricsFile(path, {}, async () => {
      worked = true
      return summary
    })
    await expect(work).rejects.toMatchObject({ exitCode: 73 })
    expect(worked).toBe(false)
  })

  test('that cannot be written any more is reported once, and the work goes on', async () => {
    const notes: string[] = []
    const hooks = { note: (text: string) => void notes.push(text), onEvent: (_event: MergeEvent) => {} }
    const end = await withMetricsFile(path, hooks, async (own) => {
      rmSync(dir, { recursive: true })
      own.onEvent(planned)
      await new Promise((resolve) => setTimeout(resolve, 20))
      return summary
    })
    expect([end, notes.length]).toEqual([summary, 1])
  })

  test('is written by the program for sends and for nothing else', async () => {
    const server = await startScriptedServer({
      rcpt: ({ line }) => (line.includes('p2@') ? '550 5.1.1 unknown' : undefined),
    })
    const project = makeProject({
      'mailmerge.yaml': `smtp: { host: 127.0.0.1, port: ${server.port} }\nmetrics: run.prom\ncampaign: news\n`,
      'list.csv': listOf(3),
      'templates/letter.txt': LETTER,
    })
    try {
      const args = ['run', '--csv', 'list.csv', '-t', 'letter', '--yes']
      expect((await project.run([...args, '--dry-run'])).code).toBe(0)
      expect(readdirSync(project.dir)).not.toContain('run.prom')
      expect((await project.run([...args, '--rate', '100/min', '--metrics', 'flag.prom'])).code).toBe(1)
      const found = parse(readFileSync(join(project.dir, 'flag.prom'), 'utf8'))
      expect(found).toMatchObject({
        'mailmerge_rows{campaign="news",status="sent"}': 2,
        'mailmerge_rows{campaign="news",status="failed"}': 1,
        'mailmerge_lanes{campaign="news"}': 0,
        'mailmerge_run_exit_code{campaign="news"}': 1,
      })
      expect(readFileSync(join(project.dir, 'flag.prom'), 'utf8')).not.toContain('example.com')
    } finally {
      await server.close()
      project.remove()
    }
  })
})
