/**
 * Runs, schedules and suppressions as the page of `mailmerge serve` shows them, read from the ledger alone, so that runs of other
 * processes are seen too. Owns what is counted how often; changes nothing.
 */
import { basename } from 'node:path'
import type { Settings } from '../../config/settings.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { type RunRecord, totalOf } from '../../ledger/records.ts'
import { rateChart } from '../../report/charts.ts'
import { type Digest, digestOf, MOST_PLACES, type ReasonCount } from '../../report/digest.ts'
import { type RunStanding, standingOf } from '../../report/head.ts'
import { count, pageTime, shownText } from '../../report/page-text.ts'
import { pauseWords, reasonTitle, reasonWords } from '../../report/reasons.ts'
import { type RunProgress, readProgress } from '../../report/run-progress.ts'
import { conditionWords, type RunCondition, runCondition } from '../../report/words.ts'
import { recurrenceOf } from '../../schedule/schedule.ts'
import { localZone } from '../../time-zone.ts'
import type { Lane } from '../../transport/transport.ts'
import type {
  ReasonItem,
  RowCounts,
  RunItem,
  RunSign,
  RunsView,
  RunView,
  ScheduleItem,
  SuppressionsView,
  WaitingItem,
} from '../wire.ts'
import { SuppressionReader } from './suppressions.ts'

/** Runs in the list; older ones are in `mailmerge status`. */
const LISTED = 100
/** Reasons why rows wait, and why they failed, that are shown. */
const REASONS = 12
const LIMITS = { rows: 0, stuck: 100, domains: 8 }
/** Every row of a run is read for its figures: again after this many times as long as that took. */
const REST = 10
const SHORTEST_REST_MS = 1_000

interface Known {
  readonly digest: Digest
  /** Of a run that was sending then. */
  readonly changes: boolean
  /** By the monotonic clock. */
  readonly until: number
}

export class RunReader {
  readonly #ledger: Ledger
  readonly #settings: Settings
  readonly #digests = new Map<string, Known>()
  readonly #suppressions: SuppressionReader
  readonly #reading = new Map<string, Promise<Digest>>()

  constructor(ledger: Ledger, settings: Settings) {
    this.#ledger = ledger
    this.#settings = settings
    this.#suppressions = new SuppressionReader(ledger.suppressions)
  }

  async list(): Promise<Omit<RunsView, 'resumes'>> {
    const all = await this.#ledger.runs.list()
    const newest = newestOf(all)
    const runs: RunItem[] = []
    for (const run of all) {
      if (runs.length === LISTED) break
      const item = await this.#item(run, newest)
      // A run that another one took the place of before it sent anything says nothing.
      if (item.hidden) continue
      runs.push(item.shown)
    }
    const { version: suppressionVersion, counts } = await this.#suppressions.counts()
    const project = basename(this.#settings.root)
    const schedules = await this.#schedules()
    return { project, runs, all: all.length, schedules, suppressed: counts.all, suppressionVersion }
  }

  /** @throws UsageError for a place that no answer named. */
  suppressions(query: URLSearchParams): Promise<SuppressionsView> {
    return this.#suppressions.page(query)
  }

  /** Undefined where there is no such run. */
  async run(id: string): Promise<RunView | undefined> {
    const run = await this.#ledger.runs.find(id)
    if (run === undefined) return undefined
    const newest = newestOf(await this.#ledger.runs.list())
    const { shown, condition, atWork, progress, standing } = await this.#item(run, newest)
    const digest = await this.#digestOf(run, condition, standing)
    const zone = run.options.timeZone ?? this.#settings.timeZone ?? localZone()
    const time = pageTime(zone, new Date())
    const rate = rateChart(digest.timeline, time, progress?.limits ?? [])
    return {
      ...shown,
      counts: countsOf(standing, digest, progress),
      template: run.template,
      source: run.source,
      endedAt: run.endedAt?.toISOString(),
      atWork,
      progress: progress === undefined ? undefined : progressView(progress),
      inDoubt: digest.stuck
        .filter(({ status }) => status === 'in_doubt')
        .map((row) => ({
          row: row.row,
          address: row.address || row.key,
          at: row.finishedAt?.toISOString(),
          why: reasonWords(row),
        })),
      waiting: reasonsOf(digest, 'deferred').map((one) => waitingItem(one, progress)),
      failed: reasonsOf(digest, 'failed').map(reasonItem),
      domains: digest.domains.map(({ domain, counts }) => ({ domain, counts })),
      otherDomains: digest.otherDomains?.domains ?? 0,
      rate,
      zone,
    }
  }

  async #item(run: RunRecord, newest: ReadonlySet<string>) {
    const standing = await standingOf(this.#ledger, run)
    const isNewest = newest.has(run.id)
    const atWork = isNewest && run.endedAt === undefined && (await this.#ledger.campaigns.isClaimed(run.campaign))
    const condition = runCondition(run, standing, { atWork, newest: isNewest })
    const progress = atWork ? await readProgress(this.#ledger.runs, run.id) : undefined
    const { counts } = standing
    const rows = totalOf(counts)
    const wanted = rows - counts.skipped
    const zone = run.options.timeZone ?? this.#settings.timeZone ?? localZone()
    const time = pageTime(zone, new Date())
    const at = (moment: Date): string => time.short(moment, 'minutes', !time.sameDay(moment, new Date()))
    const until = progress?.lanes === 0 ? progress.pause?.until : undefined
    const isWaiting = until !== undefined && condition.kind === 'sending'
    const shown: RunItem = {
      run: run.id,
      campaign: run.campaign.name,
      sign: isWaiting ? 'waiting' : signOf(condition),
      words: isWaiting ? `Goes on at ${at(until)}` : conditionWords(condition, at),
      startedAt: run.startedAt.toISOString(),
      rows,
      percent: wanted === 0 ? 100 : Math.floor((counts.sent / wanted) * 100),
      counts: { ...counts, to_send: 0 },
    }
    const hidden = condition.kind === 'replaced' && counts.sent + counts.failed + counts.in_doubt === 0
    return { shown, hidden, condition, atWork, progress, standing }
  }

  /** The figures of a run. Those of one that changes are at most some seconds old; rows in doubt are always those of now. */
  async #digestOf(run: RunRecord, { kind }: RunCondition, { counts }: RunStanding): Promise<Digest> {
    const isCurrent = ({ inDoubt }: Digest): boolean => inDoubt === counts.in_doubt
    const known = this.#digests.get(run.id)
    const sends = kind === 'sending'
    // The last figures are those of the end.
    const isFresh = known !== undefined && performance.now() < known.until && known.changes === sends
    if (isFresh && isCurrent(known.digest)) return known.digest
    const begun = this.#reading.get(run.id)
    const digest = begun === undefined ? undefined : await begun
    if (digest !== undefined && isCurrent(digest)) return digest
    const reading = this.#read(run, sends)
    this.#reading.set(run.id, reading)
    try {
      return await reading
    } finally {
      if (this.#reading.get(run.id) === reading) this.#reading.delete(run.id)
    }
  }

  async #read(run: RunRecord, changes: boolean): Promise<Digest> {
    const began = performance.now()
    const digest = await digestOf(this.#ledger.results.rows(run.id), run.begunAt ?? run.startedAt, LIMITS)
    const took = performance.now() - began
    const rest = Math.max(SHORTEST_REST_MS, changes ? took * REST : 0)
    if (this.#digests.size > 20) this.#digests.clear()
    this.#digests.set(run.id, { digest, changes, until: performance.now() + rest })
    return digest
  }

  async #schedules(): Promise<readonly ScheduleItem[]> {
    const items: ScheduleItem[] = []
    for (const schedule of await this.#ledger.schedules.list()) {
      const { name, timing, zone } = schedule
      const [next] = recurrenceOf(schedule).after(new Date(), 1)
      const [last] = await this.#ledger.schedules.occurrences(name, 1)
      items.push({
        name,
        timing:
          timing.kind === 'cron'
            ? timing.expression
            : timing.kind === 'every'
              ? `every ${timing.interval}`
              : timing.wall,
        zone,
        nextAt: next?.at.toISOString(),
        last: last === undefined ? undefined : { at: last.at.toISOString(), state: last.state, run: last.run },
      })
    }
    return items.sort((a, b) => (a.nextAt ?? '9').localeCompare(b.nextAt ?? '9'))
  }
}

/** The newest run of each campaign and generation. `runs` are the newest first. */
function newestOf(runs: readonly RunRecord[]): ReadonlySet<string> {
  return new Set(new Map(runs.toReversed().map(({ id, campaign }) => [campaign.id, id])).values())
}

const SIGNS: Readonly<Record<RunCondition['kind'], RunSign>> = {
  planning: 'sending',
  'not-started': 'waiting',
  sending: 'sending',
  paused: 'paused',
  stopped: 'paused',
  waiting: 'waiting',
  finished: 'sent',
  failures: 'failed',
  'in-doubt': 'doubt',
  cancelled: 'cancelled',
  replaced: 'cancelled',
}

function signOf({ kind }: RunCondition): RunSign {
  return SIGNS[kind]
}

/** All six add up to the rows of the list: the process at work knows best which of them wait. */
function countsOf({ counts }: RunStanding, digest: Digest, progress: RunProgress | undefined): RowCounts {
  const waiting = Math.min(counts.deferred, progress?.retrying ?? digest.counts.deferred)
  return { ...counts, deferred: waiting, to_send: counts.deferred - waiting }
}

function progressView(progress: RunProgress): NonNullable<RunView['progress']> {
  const { server, lanes, connections, rate, secondsLeft, pause, at } = progress
  const done =
    secondsLeft === undefined || (lanes === 0 && pause !== undefined)
      ? undefined
      : new Date(at.getTime() + secondsLeft * 1000)
  return {
    server,
    connections: lanes,
    lanes: connections?.lanes.map(({ rate: perSecond, encryption, ...lane }) => ({
      ...{ ...lane, perSecond },
      encryption: encryptionWords(encryption),
    })),
    most: connections?.most,
    isHeldBack: connections?.isHeldBack ?? false,
    perSecond: rate,
    doneAt: done?.toISOString(),
    pause: pause === undefined ? undefined : { words: pauseWords(pause.reason), until: pause.until?.toISOString() },
  }
}

/** `TLSv1.3` is what OpenSSL calls TLS 1.3. */
function encryptionWords(encryption: Lane['encryption']): string | undefined {
  if (encryption === undefined || encryption === 'none') return encryption && 'not encrypted'
  return `${encryption.protocol.replace(/^TLSv/, 'TLS ')}, ${encryption.cipher}`
}

function reasonsOf({ reasons }: Digest, state: 'deferred' | 'failed'): readonly ReasonCount[] {
  return reasons
    .filter((one) => one.state === state)
    .sort((a, b) => b.rows - a.rows)
    .slice(0, REASONS)
}

function reasonItem({ reason, code, rows }: ReasonCount): ReasonItem {
  return { words: shownText(reasonTitle(reason)), code, rows }
}

/** A row whose time has come waits all the same while the whole run does. */
function waitingItem(one: ReasonCount, progress: RunProgress | undefined): WaitingItem {
  const { said = '', domains = new Set<string>(), nextAt } = one.waits ?? {}
  const [first = ''] = domains
  const many = `${domains.size < MOST_PLACES ? '' : 'at least '}${count(domains.size)} domains`
  const until = progress?.lanes === 0 ? progress.pause?.until : undefined
  const next = until !== undefined && nextAt !== undefined && until > nextAt ? until : nextAt
  return {
    ...reasonItem(one),
    where: domains.size > 1 ? many : first === '' ? 'forgotten' : first,
    nextAt: progress === undefined ? undefined : next?.toISOString(),
    said: shownText(said),
  }
}
