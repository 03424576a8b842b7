/**
 * The charts of a report as the numbers that its SVG is drawn with, and the same figures as tables. Owns sizes and scales;
 * chooses no colours, and no words but those of numbers and times.
 */
import { scaleLinear } from 'd3-scale'
import { area, line } from 'd3-shape'
import stringWidth from 'string-width'
import type { RateLimit } from '../config/settings.ts'
import type { StateCounts } from './digest.ts'
import { count, type PageTime } from './page-text.ts'
import type { RowState } from './row-states.ts'
import type { Timeline } from './timeline.ts'

/** `12.4`, `0.35` */
function perSecond(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: value < 10 ? 2 : 3 })
}

// ---- the rate --------------------------------------------------------------------------------------------------------

const RATE = { width: 860, height: 144 }
/** Points of the line at most. */
const POINTS = 140
/** Columns of the table at most, which are also the marks of the axis. */
const COLUMNS = 7
/** Shorter sends have no course to draw. */
const SHORTEST_SECONDS = 5

/** Steps of time that people count in, in seconds. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400]

export interface RateChart {
  readonly line: string
  readonly area: string
  readonly grid: readonly { readonly y: number; readonly label: string }[]
  readonly limit: { readonly y: number; readonly words: string } | undefined
  readonly marks: readonly { readonly x: number; readonly label: string; readonly anchor: 'start' | 'middle' | 'end' }[]
  readonly from: string
  readonly to: string
  readonly most: string
  readonly least: string
  readonly columns: readonly { readonly from: string; readonly sent: string; readonly rate: string }[]
}

interface RateLimitLine {
  readonly perSecond: number
  readonly words: string
}

/** The limit that is reached within a minute: a quota of a day is not a rate. */
function limitLine(limits: readonly RateLimit[]): RateLimitLine | undefined {
  const lines = limits
    .filter(({ seconds, of }) => seconds <= 60 && of !== 'recipients')
    .map(({ count: number, seconds }) => ({
      perSecond: number / seconds,
      words: `limit: ${count(number)} ${seconds === 1 ? 'a second' : seconds === 60 ? 'a minute' : `in ${seconds} seconds`}`,
    }))
  return lines.sort((a, b) => a.perSecond - b.perSecond)[0]
}

/** Undefined where the sending was too short to have a course. `limits` are those that it was held to. */
export function rateChart(timeline: Timeline, time: PageTime, limits: readonly RateLimit[]): RateChart | undefined {
  const limit = limitLine(limits)
  const { span } = timeline
  if (span === undefined || span.last.getTime() - span.first.getTime() < SHORTEST_SECONDS * 1000) return undefined
  const start = new Date(Math.floor(span.first.getTime() / 1000) * 1000)
  const seconds = Math.ceil((span.last.getTime() - start.getTime()) / 1000)
  const step = Math.max(timeline.width, stepFor(seconds / POINTS))
  const rates = ratesOf(timeline.intervals(start, step), step, seconds)
  const highest = Math.max(...rates, limit?.perSecond ?? 0)
  const shown = limit !== undefined && limit.perSecond <= 4 * Math.max(...rates) ? limit : undefined
  const x = scaleLinear([0, Math.max(1, rates.length - 1)], [0, RATE.width])
  const y = scaleLinear([0, (shown === undefined ? Math.max(...rates) : highest) * 1.15], [RATE.height, 0])
  const points = rates.map((rate, at): [number, number] => [round(x(at)), round(y(rate))])
  const limitY = shown === undefined ? undefined : round(y(shown.perSecond))
  const columns = rateColumns(timeline, start, seconds)
  const axis = scaleLinear([0, seconds], [0, RATE.width])
  const name = (at: Date): string => time.short(at, columns.step < 60 ? 'seconds' : 'minutes', seconds >= 86_400)
  return {
    line: line()(points) ?? '',
    area: area().y0(RATE.height)(points) ?? '',
    grid: y
      .ticks(3)
      .map((value) => ({ y: round(y(value)), label: perSecond(value) }))
      .filter((mark) => mark.y > -6 && (limitY === undefined || mark.y > limitY + 14)),
    limit: limitY === undefined || shown === undefined ? undefined : { y: limitY, words: shown.words },
    marks: [
      ...columns.of
        .map(({ from }, at) => ({ x: round(axis((from.getTime() - start.getTime()) / 1000)), from, at }))
        .filter((mark) => mark.at === 0 || (mark.x > 60 && mark.x < RATE.width - 110))
        .map(({ x, from, at }) => ({
          x,
          label: name(from),
          anchor: at === 0 ? ('start' as const) : ('middle' as const),
        })),
      { x: RATE.width, label: name(span.last), anchor: 'end' },
    ],
    from: name(span.first),
    to: name(span.last),
    most: perSecond(Math.max(...rates)),
    least: perSecond(Math.min(...rates)),
    columns: columns.of.map(({ from, sent, rate }) => ({ from: name(from), sent: count(sent), rate: perSecond(rate) })),
  }
}

/** A second each: the last interval is as long as what is left of the time. */
function ratesOf(intervals: readonly number[], step: number, seconds: number): number[] {
  return intervals.map((sent, at) => sent / Math.max(1, Math.min(step, seconds - at * step)))
}

interface RateColumn {
  readonly from: Date
  readonly sent: number
  readonly rate: number
}

function rateColumns(
  timeline: Timeline,
  start: Date,
  seconds: number,
): { readonly step: number; readonly of: readonly RateColumn[] } {
  const step = Math.max(timeline.width, stepFor(seconds / COLUMNS))
  const intervals = timeline.intervals(start, step)
  const rates = ratesOf(intervals, step, seconds)
  return {
    step,
    of: intervals.map((sent, at) => ({
      from: new Date(start.getTime() + at * step * 1000),
      sent,
      rate: rates[at] ?? 0,
    })),
  }
}

/** The step that is at least that long; beyond a day, whole days. */
function stepFor(seconds: number): number {
  return STEPS.find((step) => step >= seconds) ?? Math.ceil(seconds / 86_400) * 86_400
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

// ---- bars ------------------------------------------------------------------------------------------------------------

const BAR = { width: 424, row: 26, gap: 10, narrowest: 3, between: 1.5 }
/** Of a letter at 13 px, in a wide face. */
const LETTER = 7.6
const LONGEST_LABEL = 24

export interface BarChart {
  readonly height: number
  readonly bars: readonly {
    readonly y: number
    readonly textY: number
    readonly label: string
    readonly labelX: number
    readonly parts: readonly { readonly state: RowState; readonly x: number; readonly width: number }[]
    readonly totalX: number
    readonly total: string
  }[]
}

/** One line a label: its parts beside each other in the order of `states`, each wide enough to be seen, and their sum. */
export function barChart(
  lines: readonly { readonly label: string; readonly counts: Partial<StateCounts> }[],
  states: readonly RowState[],
): BarChart {
  const labels = lines.map(({ label }) => cut(label))
  const totals = lines.map(({ counts }) => Object.values(counts).reduce((sum, value) => sum + value, 0))
  const left = Math.ceil(Math.max(...labels.map((label) => stringWidth(label)), 4) * LETTER)
  const right = Math.max(...totals.map((total) => count(total).length), 1) * LETTER + 14
  const most = Math.max(...totals, 1)
  const room = BAR.width - left - BAR.gap - right - states.length * (BAR.narrowest + BAR.between)
  const width = scaleLinear([0, most], [0, room])
  return {
    height: lines.length * BAR.row + 4,
    bars: lines.map(({ counts }, at) => {
      let x = left + BAR.gap
      const parts = states.flatMap((state) => {
        const value = counts[state] ?? 0
        if (value === 0) return []
        const part = { state, x: round(x), width: round(Math.max(BAR.narrowest, width(value))) }
        x = part.x + part.width + BAR.between
        return [part]
      })
      return {
        y: at * BAR.row + 5,
        textY: at * BAR.row + 17,
        label: labels[at] ?? '',
        labelX: left,
        parts,
        totalX: round(x + 5),
        total: count(totals[at] ?? 0),
      }
    }),
  }
}

/** The parts of one whole, in a width of 1000: gaps of 2, and each part wide enough to be seen. */
export function stackedBar(
  counts: StateCounts,
  states: readonly RowState[],
): readonly { readonly state: RowState; readonly x: number; readonly width: number }[] {
  const shown = states.filter((state) => counts[state] > 0)
  const total = shown.reduce((sum, state) => sum + counts[state], 0)
  const room = 1000 - (shown.length - 1) * 2
  const small = shown.filter((state) => (counts[state] / total) * room < BAR.narrowest)
  const rest = shown.filter((state) => !small.includes(state)).reduce((sum, state) => sum + counts[state], 0)
  let x = 0
  return shown.map((state) => {
    const share = ((room - small.length * BAR.narrowest) * counts[state]) / rest
    const part = { state, x: round(x), width: round(small.includes(state) ? BAR.narrowest : share) }
    x += part.width + 2
    return part
  })
}

function cut(label: string): string {
  if (stringWidth(label) <= LONGEST_LABEL) return label
  let kept = ''
  for (const { segment } of new Intl.Segmenter('en').segment(label)) {
    if (stringWidth(kept + segment) > LONGEST_LABEL - 1) break
    kept += segment
  }
  return `${kept.trimEnd()}…`
}
