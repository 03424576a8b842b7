/**
 * A run in the text format of Prometheus (prometheus.io/docs/instrumenting/exposition_formats). Owns names, units and
 * escaping; measures nothing.
 */

import type { QuotaLeft, StatusCounts } from '../ledger/records.ts'

/** What is known of a run at this moment. */
export interface RunMetrics {
  readonly campaign: string
  readonly run: string
  readonly startedAt: Date
  readonly counts: StatusCounts
  /** Of messages, where rows are grouped. */
  readonly messages?: StatusCounts | undefined
  /** How far the delivery is, once it has begun. */
  readonly progress?: {
    readonly rate: number
    readonly lanes: number
    readonly retrying: number
    readonly quota?: QuotaLeft | undefined
    readonly secondsLeft?: number | undefined
  }
  /** Times that a row was deferred, since the start. */
  readonly deferrals: number
  readonly paused: boolean
  /** Once the run has ended. */
  readonly end?: { readonly at: Date; readonly exitCode: number }
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

interface Metric {
  readonly name: string
  readonly help: string
  readonly type?: 'counter'
  readonly samples: readonly Sample[]
}

/** The lines of one file; the campaign is a label of each, and the run, of which there are many, of one alone. */
export function metricsText(metrics: RunMetrics): string {
  const { campaign } = metrics
  return metricsOf(metrics)
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type = 'gauge', samples }) => {
      const lines = samples.map(({ labels = {}, value }) => `${name}${labelsText({ campaign, ...labels })} ${value}\n`)
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
    })
    .join('')
}

function metricsOf({
  run,
  startedAt,
  counts,
  messages,
  progress,
  deferrals,
  paused,
  end,
}: RunMetrics): readonly Metric[] {
  const quota = progress?.quota
  const limit =
    quota === undefined ? '' : `${quota.count}${quota.of === undefined ? '' : ` ${quota.of}`}/${quota.seconds}s`
  return [
    {
      name: 'mailmerge_run_info',
      help: 'The run that these numbers belong to.',
      samples: [{ labels: { run }, value: 1 }],
    },
    {
      name: 'mailmerge_rows',
      help: 'Rows of the campaign by their state.',
      samples: Object.entries(counts).map(([status, value]) => ({ labels: { status }, value })),
    },
    {
      name: 'mailmerge_messages',
      help: 'Messages of the campaign by their state, where one is made of several rows.',
      samples: Object.entries(messages ?? {}).map(([status, value]) => ({ labels: { status }, value })),
    },
    { name: 'mailmerge_lanes', help: 'Connections open now.', samples: one(end === undefined ? progress?.lanes : 0) },
    {
      name: 'mailmerge_rows_per_second',
      help: 'Rows finished a second, over the last seconds; messages, where one is made of several rows.',
      samples: one(end === undefined ? progress?.rate : 0),
    },
    {
      name: 'mailmerge_retrying_rows',
      help: 'Rows deferred by the server that wait for another try.',
      samples: one(progress?.retrying),
    },
    {
      name: 'mailmerge_deferrals_total',
      help: 'How often the server deferred a row.',
      type: 'counter',
      samples: one(deferrals),
    },
    {
      name: 'mailmerge_quota_left',
      help: 'Messages left in the quota that will be used up first, or recipients where the limit counts those.',
      samples: quota === undefined ? [] : [{ labels: { limit }, value: quota.left }],
    },
    {
      name: 'mailmerge_paused',
      help: '1 while nothing is sent because of a limit or a server.',
      samples: one(paused ? 1 : 0),
    },
    {
      name: 'mailmerge_seconds_left',
      help: 'Seconds to the end, at this rate and within the limits.',
      samples: one(end === undefined ? progress?.secondsLeft : undefined),
    },
    {
      name: 'mailmerge_run_start_timestamp_seconds',
      help: 'When the run began.',
      samples: one(startedAt.getTime() / 1000),
    },
    {
      name: 'mailmerge_run_end_timestamp_seconds',
      help: 'When the run ended; absent while it is running.',
      samples: one(end === undefined ? undefined : end.at.getTime() / 1000),
    },
    {
      name: 'mailmerge_run_exit_code',
      help: 'Exit code of the run; absent while it is running.',
      samples: one(end?.exitCode),
    },
  ]
}

function one(value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ value: Math.round(value * 1000) / 1000 }]
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return `{${parts.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
