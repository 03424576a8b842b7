/**
 * A run whose numbers stand in a file while it goes on. Owns when the file is written: seldom, one write at a time, and at
 * the end; a file that cannot be written any more stops no run.
 */
import { MailmergeError } from '../../errors.ts'
import { checkOutput, writeOutput } from '../../fs/output-file.ts'
import { metricsText, type RunMetrics } from '../../report/metrics.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { MergeEvent, SummaryEvent } from '../events.ts'

/** Milliseconds between two writes; whoever reads the file does so every 15 seconds or so. */
const SELDOM_MS = 5_000

interface Hooks {
  onEvent?(event: MergeEvent): void
  note?(text: string): void
  readonly clock?: Clock
}

/**
 * Does `work` with hooks that also keep the file at `path`; without a path, with the hooks as they are.
 * @throws OutputError before the work, when the file cannot be written; else what the work throws.
 */
export async function withMetricsFile<H extends Hooks>(
  path: string | undefined,
  hooks: H,
  work: (hooks: H) => Promise<SummaryEvent>,
): Promise<SummaryEvent> {
  if (path === undefined) return work(hooks)
  await checkOutput(path)
  const meter = new Meter(path, hooks)
  try {
    const summary = await work({
      ...hooks,
      onEvent(event: MergeEvent) {
        meter.record(event)
        hooks.onEvent?.(event)
      },
    })
    await meter.end(summary.exitCode)
    return summary
  } catch (error) {
    await meter.end(error instanceof MailmergeError ? error.exitCode : 70)
    throw error
  }
}

class Meter {
  readonly #path: string
  readonly #hooks: Hooks
  readonly #clock: Clock
  #metrics: RunMetrics | undefined
  #writtenAt = Number.NEGATIVE_INFINITY
  #writing: Promise<void> | undefined
  #failed = false

  constructor(path: string, hooks: Hooks) {
    this.#path = path
    this.#hooks = hooks
    this.#clock = hooks.clock ?? systemClock
  }

  record(event: MergeEvent): void {
    if (event.event === 'planned') {
      const { campaign, run, counts, messages } = event
      this.#metrics = { campaign, run, counts, messages, startedAt: this.#clock.now(), deferrals: 0, paused: false }
      this.#soon(true)
      return
    }
    const metrics = this.#metrics
    if (metrics === undefined) return
    switch (event.event) {
      case 'deferred':
        this.#metrics = { ...metrics, deferrals: metrics.deferrals + 1 }
        return
      case 'progress': {
        const { event: _, run: __, counts, messages, ...progress } = event
        // Rows that get through say that a pause is over.
        const paused = metrics.paused && progress.rate === 0
        this.#metrics = { ...metrics, counts, messages, progress, paused }
        this.#soon(false)
        return
      }
      case 'paused':
        this.#metrics = { ...metrics, paused: true }
        this.#soon(false)
        return
      case 'summary':
        this.#metrics = { ...metrics, counts: event.counts, messages: event.messages, paused: false }
    }
  }

  async end(exitCode: number): Promise<void> {
    if (this.#metrics === undefined) return
    this.#metrics = { ...this.#metrics, paused: false, end: { at: this.#clock.now(), exitCode } }
    await this.#writing
    await this.#write()
  }

  #soon(now: boolean): void {
    const at = this.#clock.monotonic()
    if (this.#writing !== undefined || this.#failed || (!now && at - this.#writtenAt < SELDOM_MS)) return
    this.#writtenAt = at
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  async #write(): Promise<void> {
    const metrics = this.#metrics
    if (metrics === undefined) return
    const text = metricsText(metrics)
    try {
      await writeOutput(
        this.#path,
        (async function* () {
          yield text
        })(),
      )
    } catch (error) {
      if (!this.#failed) this.#hooks.note?.(`the metrics are no longer updated: ${(error as Error).message}`)
      this.#failed = true
    }
  }
}
