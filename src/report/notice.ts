/**
 * A notice of how the work on a run ended, for people who do not watch it. Owns when there is one, its JSON and its words; knows
 * nobody's address, and sends nothing.
 */
import type { NOTICE_KINDS } from '../config/words.ts'
import type { MailmergeError } from '../errors.ts'
import type { NewNotice, StatusCounts } from '../ledger/records.ts'
import { type StopReason, stopHint, stopWords } from './reasons.ts'

export type NoticeKind = (typeof NOTICE_KINDS)[number]

/** What is posted, beside its id. Names are those of `--json`. */
export interface NoticeFacts {
  readonly kind: NoticeKind | 'test'
  /** ISO 8601. */
  readonly at: string
  /** Null where nothing was planned. */
  readonly run: string | null
  readonly campaign: string
  readonly counts: StatusCounts | null
  /** Copies (cc, bcc) that are still to come. */
  readonly copies_deferred: number
  /** The kind of a stop, or the code of an error. */
  readonly reason: string | null
  /** When it can go on, where that is known. ISO 8601. */
  readonly until: string | null
  /** One sentence for people. */
  readonly text: string
  /** What to do. */
  readonly hint: string | null
}

/** How the work on a run ended. */
export interface RunEnd {
  readonly run: string
  readonly campaign: string
  readonly at: Date
  readonly counts: StatusCounts
  readonly copiesDeferred: number
  readonly stopped: StopReason | undefined
  /** Every row and copy is done with. */
  readonly isDone: boolean
}

/** Stops that a person asked for, or that pass. */
const STOPS: ReadonlySet<StopReason['kind']> = new Set(['interrupted', 'paused', 'cancelled', 'deferred'])
/** Ends without a notice: what is left waits for its time, as it was planned. */
const WAITS: ReadonlySet<StopReason['kind']> = new Set(['not-confirmed', 'not-begun', 'waiting'])

function kindOf({ counts, stopped, isDone }: RunEnd): NoticeKind | undefined {
  if (counts.in_doubt > 0) return 'needs_you'
  if (stopped === undefined) return isDone ? 'ended' : 'stopped'
  if (WAITS.has(stopped.kind)) return undefined
  return STOPS.has(stopped.kind) ? 'stopped' : 'needs_you'
}

/** Undefined where there is nothing to give notice of. */
export function noticeOfEnd(end: RunEnd): NoticeFacts | undefined {
  const kind = kindOf(end)
  if (kind === undefined) return undefined
  const { run, campaign, at, counts, copiesDeferred, stopped } = end
  const until = stopped?.kind === 'quota' ? stopped.until : undefined
  return {
    kind,
    at: at.toISOString(),
    run,
    campaign,
    counts,
    copies_deferred: copiesDeferred,
    reason: stopped?.kind ?? (counts.in_doubt > 0 ? 'in-doubt' : null),
    until: until?.toISOString() ?? null,
    text: [stateWords(kind, counts), stopped && withoutAddresses(stopWords(stopped))]
      .filter((part) => part !== undefined)
      .join('; '),
    hint: hintOf(end),
  }
}

/** Of a run that was left at work by a process that is gone. */
export function noticeOfAbandoned(end: Omit<RunEnd, 'stopped'>): NoticeFacts | undefined {
  if (end.isDone) return noticeOfEnd({ ...end, stopped: undefined })
  const said = 'the program ended before the run did'
  const facts = noticeOfEnd({ ...end, stopped: { kind: 'error', said } })
  return facts && { ...facts, reason: 'broken-off' }
}

/** Of work that could not begin: an occurrence of a schedule, or a run that could not be resumed. */
export function noticeOfFailure(failure: {
  readonly at: Date
  readonly run: string | undefined
  readonly campaign: string
  readonly error: MailmergeError
}): NoticeFacts {
  const { message, hint, code } = failure.error
  return {
    kind: 'needs_you',
    at: failure.at.toISOString(),
    run: failure.run ?? null,
    campaign: failure.campaign,
    counts: null,
    copies_deferred: 0,
    reason: code,
    until: null,
    text: withoutAddresses(message),
    hint: hint === undefined ? null : withoutAddresses(hint),
  }
}

export function testNotice(at: Date, campaign: string): NoticeFacts {
  return {
    ...{ kind: 'test', at: at.toISOString(), run: null, campaign, counts: null, copies_deferred: 0 },
    ...{ reason: null, until: null, text: 'This is a test: notices arrive here.', hint: null },
  }
}

/** As the ledger keeps it. What went on meanwhile makes it another notice; the moment alone does not. */
export function storedNotice(facts: NoticeFacts): NewNotice {
  const { kind, reason, until, counts, copies_deferred, text } = facts
  const about = JSON.stringify([kind, reason, until, counts, copies_deferred, counts === null ? text : ''])
  return { about, facts: JSON.stringify(facts) }
}

function stateWords(kind: NoticeKind, counts: StatusCounts): string {
  const state = kind === 'ended' ? (counts.failed > 0 ? 'finished with failures' : 'finished') : STATES[kind]
  const parts = COUNTED.flatMap(([status, words]) =>
    counts[status] === 0 ? [] : [`${counts[status].toLocaleString('en')} ${words}`],
  )
  return [state, parts.join(', ')].filter((part) => part !== '').join(': ')
}

const STATES = { stopped: 'stopped', needs_you: 'needs you' } as const
const COUNTED = [
  ['sent', 'sent'],
  ['failed', 'failed'],
  ['in_doubt', 'in doubt'],
  ['deferred', 'still to be sent'],
  ['skipped', 'skipped'],
] as const

function hintOf({ run, counts, stopped, isDone }: RunEnd): string | null {
  if (counts.in_doubt > 0) return `Decide about the rows in doubt: mailmerge resume ${run} --in-doubt resend|keep`
  if (isDone) return counts.failed > 0 ? `To try the failed messages again: mailmerge retry ${run}` : null
  if (stopped?.kind === 'cancelled') return null
  const hint = stopped && stopHint(stopped)
  return hint === undefined ? `To continue: mailmerge resume ${run}` : withoutAddresses(hint)
}

/** A word as servers put them into sentences: with a local part in quotes, or a domain in brackets. */
const WORD = /(?:"[^"]{0,200}"(?=@|%40))?[^\s<>"'(),;:[\]]+(?:\[[^\]\s]{0,100}\])?/gi

/** Words of a server may name a recipient, also as a return path writes it. */
export function withoutAddresses(text: string): string {
  return text.replace(WORD, (word) => (/@|%40/i.test(word) ? '(address)' : word))
}

/** Subject and text of its mail. */
export function noticeMail({ kind, at, run, campaign, counts, copies_deferred, text, hint }: NoticeFacts): {
  readonly subject: string
  readonly text: string
} {
  const title = { ended: 'finished', stopped: 'stopped', needs_you: 'needs you', test: 'test' }[kind]
  const facts: readonly (readonly [string, string | number | null])[] = [
    ['Campaign', campaign],
    ['Run', run],
    ['At', at],
    ...COUNTED.map(([status, words]) => [capital(words), counts?.[status] ?? null] as const),
    ['Copies still to be sent', copies_deferred === 0 ? null : copies_deferred],
  ]
  const lines = facts.flatMap(([name, value]) =>
    value === null ? [] : [`${name}: ${typeof value === 'number' ? value.toLocaleString('en') : value}`],
  )
  return {
    subject: `mailmerge: ${campaign}: ${title}`.replaceAll(/\p{C}+/gu, ' '),
    text: [`${capital(text)}.`.replace(/([.!?])\.$/, '$1'), ...(hint === null ? [] : [hint]), '', ...lines, ''].join(
      '\n',
    ),
  }
}

function capital(words: string): string {
  return words.slice(0, 1).toUpperCase() + words.slice(1)
}
