/**
 * What a run would do, before it is started: who gets it, who does not and why, until when, how large. Owns putting together
 * what the plan and the settings say; counts nothing by itself.
 */
import { paceOf } from '../../campaign/plan/pace.ts'
import { MailmergeError } from '../../errors.ts'
import type { ForecastView, LeftOutWhy, PaceView, SizesView } from '../wire.ts'
import type { PlannedList, Project } from './project.ts'

/** In the order in which people read them. */
const ORDER: readonly LeftOutWhy[] = [
  'sent-before',
  'suppressed',
  'hidden',
  'duplicate',
  'unselected',
  'follow-up',
  'bad',
  'other',
]
/** Messages that are made to know their size, and milliseconds that this may take. */
const MEASURED = 3_000
const MEASURING_MS = 4_000

export interface ForecastOptions {
  readonly server: string
  readonly command: string
  readonly now: Date
  readonly sizes: SizesView | undefined
}

export function forecastOf(
  { settings }: Project,
  { counts, skipped, suppressed }: PlannedList,
  { server, command, now, sizes }: ForecastOptions,
): ForecastView {
  const of = (kind: LeftOutWhy): number => skipped.get(kind) ?? 0
  const duplicates = settings.duplicates === 'error' ? of('duplicate') : 0
  const leftOut = ORDER.filter((kind) => of(kind) > 0).map((why) => ({
    why,
    rows: of(why),
    detail: why === 'suppressed' ? suppressedWords(suppressed) : undefined,
  }))
  const pace = paceOf(counts.deferred, settings.delivery.rates, now, settings.timeZone)
  return {
    rows: counts.rows,
    toSend: counts.deferred,
    stopping: of('bad') + duplicates,
    leftOut,
    sizes,
    pace: pace && ({ lastAt: pace.lastAt.toISOString(), limit: pace.limit, days: pace.days } satisfies PaceView),
    connections: settings.delivery.concurrency,
    server,
    command,
  }
}

const REASONS: Readonly<Record<string, string>> = {
  unsubscribed: 'unsubscribed',
  hard_bounce: 'bounced for good',
  soft_bounces: 'bounced again and again',
  complaint: 'complained',
  manual: 'added by hand',
  imported: 'imported',
}

/** `31 unsubscribed, 5 bounced for good` */
function suppressedWords(suppressed: ReadonlyMap<string, number>): string {
  const sorted = [...suppressed].sort(([, one], [, other]) => other - one)
  return sorted.map(([reason, rows]) => `${rows.toLocaleString('en-US')} ${REASONS[reason] ?? reason}`).join(', ')
}

/** Makes the messages of rows all over the list, and gives the smallest and the largest of them. */
export async function measure(project: Project, signal: AbortSignal): Promise<SizesView | undefined> {
  const { rows } = project
  const numbers = rows.spread(MEASURED)
  const until = performance.now() + MEASURING_MS
  let sizes: SizesView | undefined
  for (const number of numbers) {
    if (signal.aborted || performance.now() > until) break
    const row = await rows.row(number)
    if (row === undefined || row.problems !== undefined) continue
    try {
      const { size } = (await project.message(row)).message
      const one = { row: number, bytes: size }
      const { measured, smallest, largest } = sizes ?? { measured: 0, smallest: one, largest: one }
      sizes = {
        measured: measured + 1,
        smallest: size < smallest.bytes ? one : smallest,
        largest: size > largest.bytes ? one : largest,
      }
    } catch (error) {
      if (!(error instanceof MailmergeError)) throw error
    }
  }
  return sizes
}
