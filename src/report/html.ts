/**
 * Results as one page for people that needs nothing else: `pages/report.hbs`. Owns what it says, from the verdict to the rows;
 * every value in it is text.
 */
import { dirname, isAbsolute, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { CopyCounts, ResultRow, StatusCounts } from '../ledger/records.ts'
import { pageTemplate } from '../text/page-template.ts'
import { localZone } from '../time-zone.ts'
import { barChart, rateChart, stackedBar } from './charts.ts'
import { extraWords } from './csv.ts'
import { causeOfRow, codeOf, type Digest, digestOf, type ReasonCount, totalOfStates } from './digest.ts'
import { type ExtraColumn, extraColumns, PAGE_ROWS, type ReportHead } from './head.ts'
import { adviceFor, stepsOf } from './next-steps.ts'
import { count, type PageTime, pageTime, shownText, some } from './page-text.ts'
import { reasonTitle, reasonWords, skipWords } from './reasons.ts'
import { ROW_STATES, type RowState, STATE_LOOKS, STATE_WORDS, STATUS_WORDS } from './row-states.ts'
import { COPY_WORDS, causeTitle, FEEDBACK_WORDS, rowStateOf, titled } from './words.ts'

/** What a page shows at most; the results in CSV have the rest. */
const SHOWN = { rows: PAGE_ROWS, stuck: 20, domains: 8, reasons: 14 }
const EXTRA: Readonly<Record<ExtraColumn, string>> = {
  sent_with: 'Sent with row',
  account: 'Account',
  variant: 'Variant',
  bounce: 'Came back',
}

/** Of the reasons: what needs a person comes first. */
const REASON_ORDER: readonly RowState[] = ['in_doubt', 'failed', 'deferred', 'skipped', 'to_send']

const DONE: Readonly<Record<'send' | NonNullable<ReportHead['rehearsal']>, string>> = {
  send: 'sent',
  'dry-run': 'written to files',
  sandbox: 'delivered to the sandbox',
  test: 'sent to the test address',
}

/** @param path Where the page is going to be, so that it can link to the results. */
export async function htmlReport(
  rows: AsyncIterable<readonly ResultRow[]>,
  head: ReportHead,
  path?: string,
): Promise<string> {
  const { run } = head
  const began = beganAt(run)
  const digest = await digestOf(rows, began, SHOWN)
  const time = pageTime(run.options.timeZone ?? localZone(), began)
  const all = allRows(head, path)
  return pageTemplate('report').render({
    over: head.rehearsal === undefined ? 'Report of a mail merge' : 'Report of a rehearsal',
    campaign: shownText(run.campaign.name),
    about: [
      `template ${shownText(run.template)} with ${listName(run.source)}`,
      ...(run.options.sender === undefined ? [] : [`from ${shownText(run.options.sender)}`]),
      when(head, digest, time),
      `run ${shownText(run.id)}`,
    ],
    verdict: verdictOf(digest, head),
    figures: ROW_STATES.filter((state) => state !== 'to_send' || digest.counts.to_send > 0).map((state) => ({
      state: stateWords(state),
      count: count(digest.counts[state]),
    })),
    bar: stackedBar(digest.counts, ROW_STATES).map(drawn),
    sum: sumWords(digest.rows, run.source),
    steps: stepsOf(digest, head, time).map(({ words, commands }) => ({
      words,
      commands: commands.map((command) => shownText(command).split(' ')),
    })),
    stuck: stuckOf(digest, all),
    rate: rateOf(digest, head, time),
    reasons: reasonsOf(digest),
    domains: domainsOf(digest),
    accounts: countsByName(head.accounts),
    variants: countsByName(head.variants),
    bounces: [...(head.bounces ?? [])].map(([kind, rows]) => ({ words: FEEDBACK_WORDS[kind], rows: count(rows) })),
    copies: copiesOf(head.copies),
    rows: rowsOf(digest, head, time),
    all,
    footer: `Times are those of ${time.zone}. Sent means that the next server accepted the message; whether it was read, nobody can know.`,
  })
}

function stateWords(state: RowState): { readonly kind: string; readonly word: string } {
  return { kind: STATE_LOOKS[state], word: STATE_WORDS[state] }
}

function drawn<Part extends { readonly state: RowState }>({ state, ...part }: Part) {
  return { ...part, kind: STATE_LOOKS[state] }
}

function listName(source: string): string {
  return source === '-' ? 'standard input' : shownText(source)
}

function beganAt({ begunAt, startedAt }: ReportHead['run']): Date {
  return begunAt ?? startedAt
}

function when({ run }: ReportHead, { timeline, counts }: Digest, time: PageTime): string {
  const began = beganAt(run)
  const open = counts.deferred + counts.to_send > 0
  const end = open ? undefined : (run.endedAt ?? timeline.span?.last)
  const start = `${time.day(began)}, ${time.short(began, 'minutes')}`
  if (end === undefined) return `${open ? 'since ' : ''}${start} (${time.zone})`
  if (!time.sameDay(began, end)) return `${start} to ${time.day(end)}, ${time.short(end, 'minutes')} (${time.zone})`
  const last = time.short(end, 'minutes')
  return last === time.short(began, 'minutes') ? `${start} (${time.zone})` : `${start} to ${last} (${time.zone})`
}

function verdictOf({ counts, rows, inDoubt, failed, bad }: Digest, { rehearsal, run, messages }: ReportHead) {
  const done = `${DONE[rehearsal ?? 'send']}${messages === undefined || messages.sent === 0 ? '' : `, in ${some(messages.sent, 'message', 'messages')}`}`
  const { sent, skipped } = counts
  if (rows === 0) return { lead: 'The list has no rows.', rest: '' }
  if (sent === rows)
    return { lead: rows === 1 ? `The row is ${done}.` : `All ${count(rows)} rows are ${done}.`, rest: '' }
  const lead =
    sent === 0
      ? `${rows === 1 ? 'The row is not' : `None of the ${count(rows)} rows is`} ${done}.`
      : `${count(sent)} of ${count(rows)} rows ${sent === 1 ? 'is' : 'are'} ${done}.`
  const person = inDoubt + failed + bad
  const parts = [
    ...(counts.deferred > 0 ? [some(counts.deferred, 'waits', 'wait')] : []),
    ...(counts.to_send > 0 ? [some(counts.to_send, 'is still to send', 'are still to send')] : []),
    ...(person > 0 ? [some(person, 'needs a person', 'need a person')] : []),
  ]
  if (parts.length === 0 && skipped > 0) {
    parts.push(
      sent === 0 ? some(skipped, 'is skipped', 'are skipped') : `The other ${some(skipped, 'is', 'are')} skipped`,
    )
  }
  const cancelled = run.state === 'cancelled' ? ' The run is cancelled.' : ''
  return { lead, rest: `${parts.join('; ')}${parts.length === 0 ? '' : '.'}${cancelled}` }
}

function sumWords(rows: number, source: string): string {
  const list = source === '-' ? 'the list' : shownText(source)
  return rows === 1 ? `1 row in ${list}` : `${count(rows)} rows in ${list}, each in one of these`
}

/** Where all the rows are: a file to link to, and a command that writes it. */
interface AllRows {
  readonly href: string | false
  readonly command: string
}

function allRows({ results, run, rehearsal }: ReportHead, path: string | undefined): AllRows {
  return {
    href: results !== undefined && path !== undefined && linkFrom(path, results),
    // What a rehearsal found is recorded nowhere.
    command:
      rehearsal === undefined
        ? shownText(`mailmerge report ${run.id} --output results.csv`)
        : 'mailmerge run ... --report results.csv',
  }
}

/** A relative address, so that both files can be moved together. */
function linkFrom(page: string, file: string): string {
  const way = relative(dirname(page), file)
  return isAbsolute(way) ? pathToFileURL(file).href : way.split(sep).map(encodeURIComponent).join('/')
}

// ---- rows ------------------------------------------------------------------------------------------------------------

/** An address in the two parts between which a line may break. */
function whoOf(row: ResultRow): { readonly local: string; readonly domain: string } {
  const who = shownText(row.address || row.key)
  const at = who.lastIndexOf('@')
  return at < 0 ? { local: who, domain: '' } : { local: who.slice(0, at), domain: who.slice(at) }
}

function stuckOf({ stuck, inDoubt, failed, bad }: Digest, all: AllRows) {
  const more = inDoubt + failed + bad - stuck.length
  const statuses = [
    ...(inDoubt > 0 ? ['in_doubt'] : []),
    ...(failed > 0 ? ['failed'] : []),
    ...(bad > 0 ? ['skipped'] : []),
  ]
  return (
    stuck.length > 0 && {
      rows: stuck.map((row) => ({
        row: count(row.row),
        state: stateWords(rowStateOf(row)),
        who: whoOf(row),
        why: shownText(whyOf(row)),
        advice: adviceFor(row),
      })),
      more:
        more > 0 &&
        `${count(more)} more ${more === 1 ? 'is' : 'are'} among all rows (${all.href === false ? 'the command below writes them' : 'the link is below'}), with status ${statuses.join(', ')}.`,
    }
  )
}

function whyOf(row: ResultRow): string {
  if (row.skip !== undefined) return titled(row.skip.detail === '' ? skipWords(row.skip) : row.skip.detail)
  if (row.status === 'failed' && row.response !== undefined) return `${codeOf(row)} ${row.response}`
  return titled(row.reason)
}

function rowsOf({ first, rows }: Digest, head: ReportHead, time: PageTime) {
  const extra = extraColumns(head)
  return {
    shown: first.length < rows && `The first ${count(first.length)} of ${count(rows)}.`,
    extra: extra.map((column) => EXTRA[column]),
    list: first.map((row) => ({
      row: count(row.row),
      state: stateWords(rowStateOf(row)),
      who: whoOf(row),
      ...reasonOfRow(row),
      code: shownText(codeOf(row)),
      attempts: count(row.attempts),
      finished: row.finishedAt === undefined ? '' : time.exact(row.finishedAt),
      extra: extra.map((column) => shownText(extraWords(row, column))),
    })),
  }
}

/** Why it is in its state, and what the server said to it. */
function reasonOfRow(row: ResultRow): { readonly reason: string; readonly answer: string } {
  const state = rowStateOf(row)
  if (state === 'to_send') return { reason: '', answer: '' }
  if (state === 'sent' || row.skip !== undefined) return { reason: shownText(titled(reasonWords(row))), answer: '' }
  const cause = causeOfRow(row)
  const reason = cause === undefined ? titled(row.reason) : causeTitle(cause)
  const answer = shownText(row.response ?? '')
  return { reason: shownText(reason), answer: answer === reason ? '' : answer }
}

// ---- charts ----------------------------------------------------------------------------------------------------------

function rateOf({ timeline, sentBefore }: Digest, { rates }: ReportHead, time: PageTime) {
  const { span } = timeline
  if (span === undefined) return false
  const chart = rateChart(timeline, time, rates)
  const seconds = Math.max(1, Math.ceil((span.last.getTime() - span.first.getTime()) / 1000))
  const short = `${timeline.total === 1 ? 'It was' : `All ${count(timeline.total)} were`} sent within ${some(seconds, 'second', 'seconds')}, at ${time.short(span.first, 'seconds')}.`
  return {
    chart: chart ?? false,
    short: chart === undefined && short,
    before:
      sentBefore > 0 &&
      `${some(sentBefore, 'row was', 'rows were')} sent before this run and ${sentBefore === 1 ? 'is' : 'are'} not counted here.`,
  }
}

function reasonsOf({ reasons }: Digest) {
  const most = [...reasons].sort((a, b) => b.rows - a.rows)
  const shown =
    most.length <= SHOWN.reasons
      ? most
      : [...most.slice(0, SHOWN.reasons - 3), ...restOf(most.slice(SHOWN.reasons - 3))]
  const ordered = shown
    .sort((a, b) => REASON_ORDER.indexOf(a.state) - REASON_ORDER.indexOf(b.state) || b.rows - a.rows)
    .map((one) => ({ ...one, words: shownText(reasonTitle(one.reason)) }))
  const chart = barChart(
    ordered.map(({ words, state, rows }) => ({ label: words, counts: { [state]: rows } })),
    REASON_ORDER,
  )
  return (
    ordered.length > 0 && {
      chart: drawnChart(chart),
      rows: ordered.map(({ state, words, code, rows }) => ({
        state: stateWords(state),
        words,
        code: shownText(code),
        rows: count(rows),
      })),
    }
  )
}

/** One line a state for all its other reasons. */
function restOf(reasons: readonly ReasonCount[]): ReasonCount[] {
  return REASON_ORDER.flatMap((state) => {
    const rows = reasons.filter((one) => one.state === state).reduce((sum, one) => sum + one.rows, 0)
    return rows === 0 ? [] : [{ state, reason: { kind: 'rest' } as const, rows, code: '', waits: undefined }]
  })
}

function domainsOf({ domains, otherDomains, counts }: Digest) {
  if (domains.length === 0) return false
  const states: readonly RowState[] = ROW_STATES.filter(
    (state) => state !== 'skipped' && (state !== 'to_send' || counts.to_send > 0),
  )
  const lines = [
    ...domains.map(({ domain, counts }) => ({ label: domain === '' ? 'no address' : shownText(domain), counts })),
    ...(otherDomains === undefined
      ? []
      : [
          {
            label: otherDomains.domains === undefined ? 'all others' : some(otherDomains.domains, 'other', 'others'),
            counts: otherDomains.counts,
          },
        ]),
  ].filter((line) => totalOfStates(line.counts) > 0)
  return {
    chart: drawnChart(barChart(lines, states)),
    states: states.map(stateWords),
    rows: lines.map((line) => ({ domain: line.label, counts: states.map((state) => count(line.counts[state])) })),
  }
}

function drawnChart({ height, bars }: ReturnType<typeof barChart>) {
  return { height, bars: bars.map(({ parts, ...bar }) => ({ ...bar, parts: parts.map(drawn) })) }
}

/** Of variants, or of accounts. */
function countsByName(named: ReadonlyMap<string, StatusCounts> | undefined) {
  const statuses = Object.keys(STATUS_WORDS) as (keyof typeof STATUS_WORDS)[]
  return (
    named !== undefined && {
      states: statuses.map((status) => stateWords(status)),
      rows: [...named].map(([name, counts]) => ({
        name: shownText(name),
        counts: statuses.map((status) => count(counts[status])),
      })),
    }
  )
}

function copiesOf(copies: CopyCounts) {
  const statuses = Object.keys(COPY_WORDS) as (keyof CopyCounts)[]
  return statuses
    .filter((status) => copies[status] > 0)
    .map((status) => ({ words: COPY_WORDS[status], copies: count(copies[status]) }))
}
