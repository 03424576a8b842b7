/**
 * A process that does one piece of work for `mailmerge serve`, so that a run neither slows the answers to links nor takes
 * the others down with it. Owns what is said over the channel; when the process that began it is gone, it finishes what is
 * in flight and ends, as at SIGTERM: the ledger knows the rest.
 */
import { openLedger } from '../campaign/run/open-ledger.ts'
import { type Flags, loadSettings } from '../config/load.ts'
import { MailmergeError } from '../errors.ts'
import type { StatusCounts } from '../ledger/ledger.ts'
import { runWork } from '../schedule/run-due.ts'
import type { Work } from '../schedule/unfinished.ts'

/** What the process is told. The first message is the work; an occurrence's times are texts on the way. */
export type ToJob =
  | { readonly kind: 'work'; readonly work: Work; readonly root: string; readonly flags: Flags }
  | { readonly kind: 'stop' }
  | { readonly kind: 'abort' }

/** What it tells. `end` comes last, and once. */
export type FromJob =
  | { readonly kind: 'planned'; readonly run: string; readonly rows: number; readonly toSend: number }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'paused'; readonly reason: string; readonly until?: string }
  | { readonly kind: 'end'; readonly end: JobResult }

export interface JobResult {
  readonly run?: string
  readonly counts?: StatusCounts
  readonly stopped?: string
  readonly exitCode: number
  readonly error?: { readonly message: string; readonly hint?: string; readonly problems: number }
}

/** One who listens no more must not end the work. */
function tell(message: FromJob): void {
  if (process.connected) process.send?.(message, () => {})
}

async function work({ work, root, flags }: Extract<ToJob, { kind: 'work' }>, stop: AbortSignal, abort: AbortSignal) {
  const settingsWith = (own: Flags) => loadSettings({ cwd: root, env: process.env, flags: { ...own, ...flags } })
  const ledger = await openLedger(await settingsWith({}))
  try {
    const { summary, error } = await runWork(
      revived(work),
      { ledger, settingsWith },
      {
        signal: stop,
        abort,
        note: (text) => tell({ kind: 'note', text }),
        onEvent: (event) => {
          if (event.event === 'planned') {
            tell({ kind: 'planned', run: event.run, rows: event.rows, toSend: event.toSend })
          } else if (event.event === 'paused') {
            tell({
              kind: 'paused',
              reason: event.reason,
              ...(event.until === undefined ? {} : { until: event.until.toISOString() }),
            })
          }
        },
      },
    )
    return resultOf(summary, error)
  } finally {
    await ledger.close()
  }
}

function resultOf(
  summary:
    | { readonly run: string; readonly counts: StatusCounts; readonly stopped?: string; readonly exitCode: number }
    | undefined,
  error: MailmergeError | undefined,
): JobResult {
  return {
    ...(summary === undefined ? {} : { run: summary.run, counts: summary.counts }),
    ...(summary?.stopped === undefined ? {} : { stopped: summary.stopped }),
    exitCode: error?.exitCode ?? summary?.exitCode ?? 0,
    ...(error === undefined
      ? {}
      : {
          error: {
            message: error.message,
            ...(error.hint === undefined ? {} : { hint: error.hint }),
            problems: error.problems.length,
          },
        }),
  }
}

/** Times become texts on the channel. */
function revived(work: Work): Work {
  if (work.kind === 'run') return work
  const { at, changedAt, ...rest } = work.occurrence
  return { kind: 'occurrence', occurrence: { ...rest, at: new Date(at), changedAt: new Date(changedAt) } }
}

function main(): void {
  const stop = new AbortController()
  const abort = new AbortController()
  // A signal to the whole group reaches this process too; it means the same as the message that follows.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
  process.on('disconnect', () => stop.abort())
  let begun = false
  process.on('message', (message: ToJob) => {
    if (message.kind === 'stop') stop.abort()
    else if (message.kind === 'abort') {
      stop.abort()
      abort.abort()
    } else if (!begun) {
      begun = true
      void work(message, stop.signal, abort.signal)
        .catch((error: unknown) => {
          if (error instanceof MailmergeError) return resultOf(undefined, error)
          const text = error instanceof Error ? error.message : String(error)
          return { exitCode: 70, error: { message: `a defect: ${text}`, problems: 0 } }
        })
        .then((end) => {
          if (!process.connected) process.exit()
          process.send?.({ kind: 'end', end } satisfies FromJob, () => process.exit())
        })
    }
  })
}

if (import.meta.main) main()
