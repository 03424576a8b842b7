/**
 * A process that does one piece of work for `mailmerge serve`, so that a run neither slows the answers to links nor takes
 * the others down with it. Owns what is said over the channel; when the process that began it is gone, it finishes what is
 * in flight and ends, as at SIGTERM: the ledger knows the rest.
 */
import { openLedger } from '../campaign/run/open-ledger.ts'
import { type Flags, loadSettings } from '../config/load.ts'
import { MailmergeError } from '../errors.ts'
import { pauseWords, stopWords } from '../report/reasons.ts'
import type { WorkResult } from '../schedule/occurrence.ts'
import { runWork } from '../schedule/run-due.ts'
import type { Work } from '../schedule/unfinished.ts'
import { onStrayError } from '../template/helpers/late-failure.ts'
import { type FromJob, failedEnd, type JobResult, type ToJob } from './job-messages.ts'

/** A listener that has gone must not end the work. */
function send(message: FromJob): void {
  if (process.connected) process.send?.(message, () => {})
}

async function work({ work, root, flags }: Extract<ToJob, { kind: 'work' }>, stop: AbortSignal, abort: AbortSignal) {
  const settingsWith = (own: Flags) => loadSettings({ cwd: root, env: process.env, flags: { ...own, ...flags } })
  const ledger = await openLedger(await settingsWith({}))
  try {
    const result = await runWork(
      revived(work),
      { ledger, settingsWith },
      {
        signal: stop,
        abort,
        note: (text) => send({ kind: 'note', text }),
        onEvent: (event) => {
          if (event.event === 'planned') {
            send({ kind: 'planned', run: event.run, rows: event.rows, toSend: event.toSend })
          } else if (event.event === 'paused') {
            send({
              kind: 'paused',
              reason: pauseWords(event.reason),
              until: event.until?.toISOString(),
            })
          }
        },
      },
    )
    return endOf(result)
  } finally {
    await ledger.close()
  }
}

function endOf({ kind, summary, error }: WorkResult): JobResult {
  return {
    kind,
    run: summary?.run,
    counts: summary?.counts,
    stopped: summary?.stopped && stopWords(summary.stopped),
    exitCode: error?.exitCode ?? summary?.exitCode ?? 0,
    ...(error === undefined
      ? {}
      : {
          error: {
            message: error.message,
            hint: error.hint,
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
  onStrayError((error) => end(failureOf(error)))
  let begun = false
  process.on('message', (message: ToJob) => {
    if (message.kind === 'stop') stop.abort()
    else if (message.kind === 'abort') {
      stop.abort()
      abort.abort()
    } else if (!begun) {
      begun = true
      void work(message, stop.signal, abort.signal).catch(failureOf).then(end)
    }
  })
}

function failureOf(error: unknown): JobResult {
  if (error instanceof MailmergeError) return endOf({ kind: 'failed', error })
  const text = error instanceof Error ? error.message : String(error)
  return failedEnd(`a defect: ${text}`)
}

/** Reports how it ended, and ends the process. */
function end(result: JobResult): void {
  if (!process.connected) process.exit()
  process.send?.({ kind: 'end', end: result } satisfies FromJob, () => process.exit())
}

if (import.meta.main) main()
