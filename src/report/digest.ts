/**
 * The rows of a report in numbers: states, reasons, domains, moments. Owns the counting, in one pass and in memory that does
 * not grow with the rows; chooses no words.
 */
import { BoundedMap } from '../bounded-map.ts'
import type { ResultRow, SkipKind, SkipReason } from '../ledger/records.ts'
import { domainOf } from '../message/address/address.ts'
import { causeOf, type ReplyCause, withoutAddresses } from '../replies/cause.ts'
import type { RowState } from './row-states.ts'
import { Timeline } from './timeline.ts'
import { rowStateOf } from './words.ts'

export type StateCounts = Readonly<Record<RowState, number>>

/** Why rows are not sent, as a value. `rest`: reasons beyond those that are counted one by one. */
export type RowReason =
  | { readonly kind: 'cause'; readonly cause: ReplyCause }
  | { readonly kind: 'skip'; readonly skip: SkipReason }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'untried' | 'unanswered' | 'rest' }

export interface ReasonCount {
  readonly state: RowState
  readonly reason: RowReason
  readonly rows: number
  /** The code that most of them have: `550 5.1.1`; empty where there is none. */
  readonly code: string
  /** Of rows that are tried again. */
  readonly waits: Waits | undefined
}

/** Where and for how long rows wait that a server deferred. */
export interface Waits {
  /** Of the addresses, empty for one that was forgotten; at most `MOST_PLACES` of them. */
  readonly domains: ReadonlySet<string>
  /** When the first of them is tried again. */
  readonly nextAt: Date | undefined
  /** What a server said to one of them, without addresses; empty where there is nothing. */
  readonly said: string
}

export interface DomainCount {
  /** Empty for rows whose address was forgotten. */
  readonly domain: string
  readonly counts: StateCounts
}

/** What a report shows of its rows. */
export interface Digest {
  readonly rows: number
  readonly counts: StateCounts
  /** The first rows of the list. */
  readonly first: readonly ResultRow[]
  /** Rows that do not get any further by themselves: in doubt, failed, then those with a problem in the list. */
  readonly stuck: readonly ResultRow[]
  readonly inDoubt: number
  readonly failed: number
  readonly bad: number
  /** Of all rows that are not sent. */
  readonly reasons: readonly ReasonCount[]
  /** Of all rows that are not skipped, most rows first. */
  readonly domains: readonly DomainCount[]
  /** The rows of all other domains, with their number where it is known. */
  readonly otherDomains: { readonly domains: number | undefined; readonly counts: StateCounts } | undefined
  /** Rows sent since the run began, by their moment. */
  readonly timeline: Timeline
  /** Rows sent before the run began. */
  readonly sentBefore: number
}

export interface DigestLimits {
  readonly rows: number
  readonly stuck: number
  readonly domains: number
}

/** Different reasons, and different domains, that are counted one by one. */
const MOST_REASONS = 500
const MOST_DOMAINS = 100_000
/** Domains that are counted for one reason. */
export const MOST_PLACES = 1_000

type Counts = Record<RowState, number>

const NONE: StateCounts = { sent: 0, deferred: 0, failed: 0, in_doubt: 0, skipped: 0, to_send: 0 }

export function totalOfStates(counts: StateCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

/** Reads every row once. @param since when the run began. */
export async function digestOf(
  rows: AsyncIterable<readonly ResultRow[]>,
  since: Date,
  limits: DigestLimits,
): Promise<Digest> {
  const counts: Counts = { ...NONE }
  const first: ResultRow[] = []
  const stuck = { in_doubt: new Head(limits.stuck), failed: new Head(limits.stuck), bad: new Head(limits.stuck) }
  const reasons = new Reasons()
  const domains = new Domains()
  const timeline = new Timeline()
  let sentBefore = 0
  for await (const batch of rows) {
    for (const row of batch) {
      const state = rowStateOf(row)
      counts[state] += 1
      if (first.length < limits.rows) first.push(row)
      if (state === 'in_doubt' || state === 'failed') stuck[state].add(row)
      if (row.skip?.kind === 'bad') stuck.bad.add(row)
      const domain = row.address.includes('@') ? domainOf(row.address) : ''
      if (state !== 'skipped') domains.add(domain, state)
      if (state !== 'sent') reasons.add(row, state, domain)
      else if (row.finishedAt === undefined || row.finishedAt < since) sentBefore += 1
      else timeline.add(row.finishedAt)
    }
  }
  const { most, others } = domains.most(limits.domains)
  return {
    rows: totalOfStates(counts),
    counts,
    first,
    stuck: [...stuck.in_doubt.kept, ...stuck.failed.kept, ...stuck.bad.kept].slice(0, limits.stuck),
    inDoubt: stuck.in_doubt.seen,
    failed: stuck.failed.seen,
    bad: stuck.bad.seen,
    reasons: reasons.all(),
    domains: most,
    otherDomains: others,
    timeline,
    sentBefore,
  }
}

/** The first of many, and how many there were. */
class Head {
  readonly kept: ResultRow[] = []
  readonly #most: number
  seen = 0

  constructor(most: number) {
    this.#most = most
  }

  add(row: ResultRow): void {
    this.seen += 1
    if (this.kept.length < this.#most) this.kept.push(row)
  }
}

/** What a server's answer says of a row that is not sent; undefined where it says nothing. */
export function causeOfRow({ enhancedCode, response }: ResultRow): ReplyCause | undefined {
  if (response === undefined || response === '') return undefined
  const text = withoutAddresses(response)
  return CAUSES.getOrMake(`${enhancedCode ?? ''} ${text}`, () => ({
    cause: causeOf({ enhanced: enhancedCode, text })?.cause,
  })).cause
}

/** Servers say few different things. */
const CAUSES = new BoundedMap<string, { readonly cause: ReplyCause | undefined }>(5000)

/** `550 5.1.1` */
export function codeOf({ smtpCode, enhancedCode }: ResultRow): string {
  return [smtpCode, enhancedCode].filter((part) => part !== undefined).join(' ')
}

function reasonOf(row: ResultRow, state: RowState): RowReason {
  if (state === 'to_send') return { kind: 'untried' }
  if (state === 'in_doubt') return { kind: 'unanswered' }
  if (row.skip !== undefined) return { kind: 'skip', skip: sharedPart(row.skip) }
  const cause = causeOfRow(row)
  return cause === undefined ? { kind: 'text', text: row.reason } : { kind: 'cause', cause }
}

/** Reasons whose details are those of one row. */
const OF_ONE_ROW: ReadonlySet<SkipKind> = new Set(['bad', 'duplicate', 'held-back'])

/** A reason without what belongs to one row alone. */
function sharedPart({ kind, detail }: SkipReason): SkipReason {
  return { kind, detail: OF_ONE_ROW.has(kind) ? '' : detail }
}

class Reasons {
  readonly #counts = new Map<
    string,
    {
      readonly state: RowState
      readonly reason: RowReason
      rows: number
      readonly codes: Map<string, number>
      readonly waits: WaitCount | undefined
    }
  >()

  add(row: ResultRow, state: RowState, domain: string): void {
    let reason = reasonOf(row, state)
    let key = `${state} ${JSON.stringify(reason)}`
    if (!this.#counts.has(key) && this.#counts.size >= MOST_REASONS) {
      reason = { kind: 'rest' }
      key = state
    }
    let count = this.#counts.get(key)
    if (count === undefined) {
      const waits = state === 'deferred' ? new WaitCount(row) : undefined
      count = { state, reason, rows: 0, codes: new Map(), waits }
      this.#counts.set(key, count)
    }
    count.rows += 1
    const code = codeOf(row)
    if (count.codes.has(code) || count.codes.size < 20) count.codes.set(code, (count.codes.get(code) ?? 0) + 1)
    count.waits?.add(row, domain)
  }

  all(): readonly ReasonCount[] {
    return [...this.#counts.values()].map(({ codes, ...count }) => {
      const [[code = ''] = []] = [...codes].sort(([, a], [, b]) => b - a)
      return { ...count, code }
    })
  }
}

class WaitCount implements Waits {
  readonly domains = new Set<string>()
  nextAt: Date | undefined
  readonly said: string

  constructor({ response = '' }: ResultRow) {
    this.said = withoutAddresses(response)
  }

  add({ dueAt }: ResultRow, domain: string): void {
    if (this.domains.size < MOST_PLACES) this.domains.add(domain)
    if (dueAt !== undefined && (this.nextAt === undefined || dueAt < this.nextAt)) this.nextAt = dueAt
  }
}

/** Counts by domain. Beyond `MOST_DOMAINS` different ones the half with the fewest rows is counted as one. */
class Domains {
  #domains = new Map<string, Counts>()
  readonly #others: Counts = { ...NONE }
  #dropped = false

  add(domain: string, state: RowState): void {
    let counts = this.#domains.get(domain)
    if (counts === undefined) {
      if (this.#domains.size >= MOST_DOMAINS) this.#drop()
      counts = { ...NONE }
      this.#domains.set(domain, counts)
    }
    counts[state] += 1
  }

  most(limit: number): { readonly most: readonly DomainCount[]; readonly others: Digest['otherDomains'] } {
    const sorted = this.#sorted()
    const rest = sorted.slice(limit)
    for (const { counts } of rest) this.#count(counts)
    const others = {
      domains: this.#dropped ? undefined : rest.length,
      counts: this.#others,
    }
    return { most: sorted.slice(0, limit), others: rest.length === 0 && !this.#dropped ? undefined : others }
  }

  #drop(): void {
    const sorted = this.#sorted()
    const kept = sorted.slice(0, MOST_DOMAINS / 2)
    for (const { counts } of sorted.slice(MOST_DOMAINS / 2)) this.#count(counts)
    this.#domains = new Map(kept.map(({ domain, counts }) => [domain, counts]))
    this.#dropped = true
  }

  #count(counts: StateCounts): void {
    for (const state of Object.keys(counts) as RowState[]) this.#others[state] += counts[state]
  }

  #sorted(): { readonly domain: string; readonly counts: Counts }[] {
    return [...this.#domains]
      .map(([domain, counts]) => ({ domain, counts, total: totalOfStates(counts) }))
      .sort((a, b) => b.total - a.total || (a.domain < b.domain ? -1 : 1))
  }
}
