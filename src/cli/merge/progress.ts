/**
 * How far a run is, for people. On a terminal one line that is redrawn and fits its width; in a pipe a plain line at the
 * start, now and then, and at the end. Owns the rhythm and the words; gets its numbers from the run's events.
 */

import type { PlannedEvent, ProgressEvent } from '../../campaign/events.ts'
import { limitWords } from '../../config/units.ts'
import type { StatusCounts } from '../../ledger/records.ts'
import { type PauseReason, pauseWords } from '../../report/reasons.ts'
import { escapeInvisible } from '../../text/visible.ts'
import { count, duration, plural, rate, untilWords } from '../terminal/format.ts'
import type { Output } from '../terminal/output.ts'
import { cut, widthOf } from '../terminal/table.ts'
import { leftOutParts } from './confirm.ts'

/** At least this long between two redraws on a terminal, and between two lines in a pipe. */
const REDRAW_MS = 100
const PLAIN_MS = 10_000
/** In a run longer than this, one line a minute is enough. */
const LONG_RUN_MS = 120_000
const LONG_PLAIN_MS = 60_000
/** In a pipe, a line each time another tenth of the rows is done, at least this long after the one before. */
const TENTH_MS = 1000

export class Progress {
  readonly #out: Output
  readonly #now: () => number
  readonly #timeZone: string | undefined
  #toSend = 0
  #failedBefore = 0
  #skippedBefore = 0
  #inDoubtBefore = 0
  #lastShown: number
  #startedAt: number
  #lastTenth = 0
  #pause: string | undefined

  /** @param timeZone in which times are shown; without it that of this machine. */
  constructor(out: Output, now: () => number = () => performance.now(), timeZone?: string) {
    this.#out = out
    this.#timeZone = timeZone
    this.#now = now
    this.#startedAt = now()
    this.#lastShown = this.#startedAt
  }

  /** Rows read so far while planning. */
  reading(rows: number): void {
    if (!this.#due(REDRAW_MS, PLAIN_MS)) return
    this.#show(`checking  ${plural(rows, 'row')} so far`)
  }

  /** `what` was done to the rows: `checked` where they were read now. */
  planned({ rows, toSend, counts, messages, skipped, copies }: PlannedEvent, what: string): void {
    this.#out.endLive()
    const before = messages ?? counts
    this.#toSend = messages?.deferred ?? toSend
    this.#failedBefore = before.failed
    this.#skippedBefore = before.skipped
    this.#inDoubtBefore = before.in_doubt
    this.#startedAt = this.#now()
    // The line of a run that is over at once would only flash.
    this.#lastShown = this.#startedAt
    const leftOut = leftOutParts(counts, skipped)
    const waiting =
      copies.deferred === 0 ? '' : `, and ${plural(copies.deferred, 'copy', 'copies')} of earlier messages`
    this.#out.info(
      `${plural(rows, 'row')} ${what}, ${count(toSend)} to send${inMessages(messages?.deferred)}${leftOut.length === 0 ? '' : ` (${leftOut.join(', ')})`}${waiting}`,
    )
  }

  update(event: ProgressEvent): void {
    const done = this.#toSend - (event.messages ?? event.counts).deferred
    const tenth = this.#toSend === 0 ? 0 : Math.floor((done * 10) / this.#toSend)
    const due = this.#out.live
      ? this.#due(REDRAW_MS, REDRAW_MS)
      : this.#due(0, tenth > this.#lastTenth ? TENTH_MS : this.#plainGap())
    if (!due) return
    this.#lastTenth = tenth
    if (event.lanes > 0) this.#pause = undefined
    this.#show(...this.#parts(event, done))
  }

  /** `account`: the one that waits, where there are several. */
  paused(reason: PauseReason, until?: Date, account?: string): void {
    const words = `${account === undefined ? '' : `${account}: `}${escapeInvisible(pauseWords(reason))}`
    const text = `${reason.kind === 'deferred' ? '' : 'waiting: '}${words}${until === undefined ? '' : `, until ${untilWords(until, new Date(), this.#timeZone)}`}`
    if (text === this.#pause) return
    this.#pause = text
    this.#lastShown = this.#now()
    if (this.#out.live) this.#show(text)
    else this.#out.info(text)
  }

  end(): void {
    this.#out.endLive()
  }

  #plainGap(): number {
    return this.#now() - this.#startedAt > LONG_RUN_MS ? LONG_PLAIN_MS : PLAIN_MS
  }

  #due(live: number, plain: number): boolean {
    const now = this.#now()
    if (now - this.#lastShown < (this.#out.live ? live : plain)) return false
    this.#lastShown = now
    return true
  }

  /** The parts that matter most first; what does not cut is left out from the end. */
  #parts(
    { rate: perSecond, lanes, retrying, quota, secondsLeft, counts, messages }: ProgressEvent,
    done: number,
  ): readonly string[] {
    const newly = (status: keyof StatusCounts, before: number): number => (messages ?? counts)[status] - before
    const problems: readonly (readonly [number, string])[] = [
      [newly('failed', this.#failedBefore), 'failed'],
      [newly('in_doubt', this.#inDoubtBefore), 'in doubt'],
      [retrying, messages === undefined ? 'to try again' : retrying === 1 ? 'row to try again' : 'rows to try again'],
      [newly('skipped', this.#skippedBefore), 'skipped'],
    ]
    return [
      `${this.#bar(done)}${count(done)} of ${messages === undefined ? count(this.#toSend) : plural(this.#toSend, 'message')}`,
      // While no lane is at work, why is what matters.
      ...(this.#pause === undefined ? [] : [this.#pause]),
      ...problems.filter(([number]) => number > 0).map(([number, word]) => `${count(number)} ${word}`),
      ...(perSecond > 0 ? [rate(perSecond)] : []),
      ...(secondsLeft === undefined ? [] : [`${duration(secondsLeft)} left`]),
      ...(quota === undefined ? [] : [`${count(quota.left)} left of ${limitWords(quota)}`]),
      plural(lanes, 'lane'),
    ]
  }

  #bar(done: number): string {
    if (!this.#out.live || this.#out.columns < 70) return ''
    const width = 20
    const full = this.#toSend === 0 ? width : Math.min(width, Math.floor((done / this.#toSend) * width))
    return `${'█'.repeat(full)}${'░'.repeat(width - full)}  `
  }

  #show(...parts: readonly string[]): void {
    if (!this.#out.live) {
      this.#out.info(parts.join(', '))
      return
    }
    const columns = this.#out.columns - 1
    let line = ''
    for (const part of parts) {
      const longer = line === '' ? part : `${line}  ${part}`
      if (line !== '' && widthOf(longer) > columns) break
      line = longer
    }
    this.#out.redraw(cut(line, columns))
  }
}

/** Where rows are grouped. */
export function inMessages(messages: number | undefined): string {
  return messages === undefined ? '' : ` in ${plural(messages, 'message')}`
}
