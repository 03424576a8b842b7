/**
 * The rows of a list seen as a run would see them: the same plan, into a ledger that is thrown away, with advice on
 * addresses and messages beside it. Owns what is looked at on the way; sends nothing and asks no name server.
 */

import { planRows } from '../campaign/plan/plan.ts'
import { recipientRules } from '../campaign/plan/recipient.ts'
import type { CheckedRow, RowRenderer } from '../campaign/plan/render-row.ts'
import { openSelector, readingOf, type Selection } from '../campaign/plan/select.ts'
import type { Split } from '../campaign/plan/variants.ts'
import { usedColumns } from '../campaign/run/content.ts'
import { openGrouping } from '../campaign/run/grouping.ts'
import { addressColumn, openListAgain } from '../campaign/run/list.ts'
import { openExclusion } from '../campaign/run/not-in.ts'
import { type OpenMerge, openMerge } from '../campaign/run/open-merge.ts'
import type { Settings } from '../config/settings.ts'
import { type Problem, problemsOf } from '../errors.ts'
import { given } from '../given.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { PlanCounts } from '../ledger/records.ts'
import { newRunId } from '../ledger/run-id.ts'
import { normalizeAddress } from '../message/address/address.ts'
import type { Row, Source } from '../source/source.ts'
import type { Template } from '../template/template.ts'
import { accountForecast, type PlannedMessages } from './account-forecast.ts'
import { AddressSurvey } from './address-survey.ts'
import { ColumnSurvey } from './column-survey.ts'
import type { Findings } from './findings.ts'
import { cellAdvice, paddedColumns } from './lints/cell-lints.ts'
import { createMessageLints } from './lints/message-lints.ts'
import { columnAdvice } from './lints/template-lints.ts'
import type { CheckReport, SizeEstimate } from './report.ts'
import { SizeSurvey } from './size-survey.ts'
import { spamFilters } from './spam.ts'
import { adviseOn, fits, inAllLanguages } from './template-check.ts'

/** From this number of messages on a campaign is bulk mail, which people must be able to leave. */
const BULK = 100

export type ListFacts = Omit<CheckReport, 'problems' | 'counts' | 'source' | 'template' | 'rules'>

export interface ListCheckOptions extends Selection {
  readonly now?: Date
  /** Rows read so far. */
  readonly onRows?: (rows: number) => void
  readonly signal?: AbortSignal
}

/** One pass over the rows. @throws MailmergeError for what is not about the list or the template. */
export async function checkList(
  settings: Settings,
  options: ListCheckOptions,
  source: Source,
  { template, split }: { readonly template: Template | undefined; readonly split: Split | undefined },
  findings: Findings,
): Promise<ListFacts> {
  const { columns, name } = source
  const templates = split?.variants.map((variant) => variant.template) ?? (template === undefined ? [] : [template])
  const emailColumn = addressColumn(settings, source, templates)
  // Each reports what it lacks, also when another has reported so.
  const isGrouped = settings.groupBy !== undefined
  const isBound = templates.map((one) => fits(one, { columns, isGrouped }, findings)).every(Boolean)
  const content = template !== undefined && isBound ? { template, split } : undefined
  const now = options.now ?? new Date()
  const { key, groupBy } = settings
  const rules = recipientRules(settings, emailColumn)
  await using exclusion =
    options.notIn === undefined ? undefined : await openExclusion(settings, options.notIn, rules, () => {})
  const excluded = exclusion?.find
  const grouping = openGrouping(settings, emailColumn, options)
  using _groups = grouping?.groups
  const selector = await openSelector(
    grouping === undefined ? options : grouping.ofRows,
    columns,
    settings.segments ?? {},
    readingOf(settings, now),
    () => openListAgain(settings),
    excluded,
  )
  const campaign = settings.campaign ?? `${content?.template.name ?? 'check'}-${source.stem}`
  const group = settings.group ?? campaign
  await using merge = await openMerge(
    settings,
    { mode: 'check', content, campaign, again: false, group, emailColumn, ...NO_RUN },
    {},
  )
  const used = new Set(templates.flatMap((one) => one.columns))
  const columnsUsed = usedColumns(templates, emailColumn, key, groupBy)
  const check = new ListCheck({
    ...{ settings, source, emailColumn, key: key ?? rules.key, used, columnsUsed, findings },
    hasTemplate: content !== undefined,
    sendsHidden: options.hiddenRows === 'send',
    tags: adviseOn(templates.flatMap(inAllLanguages), columns, settings, findings),
  })
  if (template !== undefined) check.noteUnused()
  if (content === undefined && emailColumn === undefined) check.noteNoAddressColumn()
  const runId = newRunId(now, Math.random)
  const { ledger, renderer, project } = merge
  await ledger.runs.create({
    ...{ id: runId, campaign: merge.campaign, startedAt: now, source: name, columns },
    ...{ template: campaign, templateHash: '', options: {} },
  })
  // Nothing is reported twice: an error that sums up brings the problems that were reported.
  const reported = new WeakSet<Problem>()
  let counts: PlanCounts | undefined
  try {
    ;({ counts } = await planRows({
      ...{ ledger, runId, source, renderer, selector, excluded, now, key, skipBad: false },
      // Duplicates are looked for in any case; how heavy they are is decided later.
      duplicates: 'error',
      startTimes: undefined,
      waits: false,
      follow: undefined,
      used: columnsUsed,
      leftOut: undefined,
      grouping: grouping && { ...grouping, history: undefined },
      signal: options.signal,
      observer: {
        onChecked: (row, checked) => check.row(row, checked),
        onSkipped: () => check.skipped(),
        onProblem: (problem) => {
          reported.add(problem)
          findings.add(check.weighed(problem))
        },
        async onBatch(rows, read) {
          await check.batch(rows, project, group)
          options.onRows?.(read)
        },
      },
    }))
  } catch (error) {
    for (const problem of problemsOf(error, 'bad-list')) if (!reported.has(problem)) findings.add(problem)
  }
  // Of a list that would stop a run there is nothing to foresee.
  if (counts !== undefined) await noteAccounts(merge, { runId, messages: counts.messages.deferred, now }, findings)
  for (const one of templates.flatMap(inAllLanguages)) check.noteHabits(one)
  return check.finish(renderer, now)
}

/** What each of several accounts would send, and when the last of it can be accepted. */
async function noteAccounts(merge: OpenMerge, planned: PlannedMessages, findings: Findings): Promise<void> {
  for (const { account, messages, pace } of (await accountForecast(merge, planned)) ?? []) {
    const last =
      pace === undefined || pace.lastAt <= planned.now
        ? ''
        : `, the last at ${pace.lastAt.toISOString()} at the earliest`
    const words = `${messages.toLocaleString('en-US')} ${messages === 1 ? 'message' : 'messages'}`
    findings.add({ severity: 'info', code: 'account', message: `the account '${account}' would send ${words}${last}` })
  }
}

/** A check is neither a follow-up, nor a test mail, nor a run of a ledger. */
const NO_RUN = { after: undefined, testTo: undefined, ledger: undefined } as const

interface ListCheckParts {
  readonly settings: Settings
  readonly source: Source
  readonly emailColumn: string | undefined
  /** Column of the recipient key. */
  readonly key: string | undefined
  /** Columns that the templates read. */
  readonly used: ReadonlySet<string>
  /** Those, the key and the address. */
  readonly columnsUsed: ReadonlySet<string>
  readonly sendsHidden: boolean
  /** Placeholders of other programs that were found in the templates. */
  readonly tags: ReadonlySet<string>
  /** Without a template that fits the list only the data is checked. */
  readonly hasTemplate: boolean
  readonly findings: Findings
}

/** Watches the plan of a list being made. */
class ListCheck {
  readonly #parts: ListCheckParts
  readonly #survey: ColumnSurvey
  readonly #lint: ReturnType<typeof createMessageLints>
  readonly #recipients: AddressSurvey
  readonly #sizes: SizeSurvey
  #addresses: string[] = []
  #rows = 0
  #skipped = 0
  #duplicates = 0
  /** Rows of the messages that would be sent, and these messages. */
  #good = 0
  #messages = 0
  #suppressed = 0
  #hidden = 0
  /** Rows in which a column has spaces around its cell. */
  readonly #padded = new Map<string, number>()
  #withoutUnsubscribe = 0

  constructor(parts: ListCheckParts) {
    const { settings, source, emailColumn, used, findings } = parts
    this.#parts = parts
    this.#survey = new ColumnSurvey({
      reading: { locale: settings.locale },
      columns: source.columns,
      types: settings.source.types ?? {},
      used,
      emailColumn,
      key: parts.key,
    })
    this.#recipients = new AddressSurvey({ file: source.name, emailColumn, foldGmail: settings.foldGmail, findings })
    this.#sizes = new SizeSurvey(findings, spamFilters(settings).length > 0)
    this.#lint = createMessageLints(source.columns, parts.tags)
  }

  /** A batch of rows was read and its good rows were seen. */
  async batch(rows: readonly Row[], project: Ledger | undefined, group: string): Promise<void> {
    this.#rows += rows.length
    for (const row of rows) this.#see(row)
    const addresses = this.#addresses
    this.#addresses = []
    if (project === undefined || addresses.length === 0) return
    this.#suppressed += (await project.suppressions.find(addresses, group)).size
  }

  #see(row: Row): void {
    this.#survey.see(row.data)
    if (row.hidden) this.#hidden++
    for (const advice of cellAdvice(row.data)) {
      this.#parts.findings.add({ severity: 'warning', file: this.#parts.source.name, row: row.number, ...advice })
    }
    for (const column of paddedColumns(row.data)) this.#padded.set(column, (this.#padded.get(column) ?? 0) + 1)
    for (const problem of row.unreadable ?? []) {
      if (this.#parts.columnsUsed.has(problem.column ?? '')) continue
      this.#parts.findings.add({
        ...problem,
        severity: 'warning',
        hint: 'Nothing uses this column, so it stops no row.',
      })
    }
  }

  /** A row that is not chosen, or hidden. */
  skipped(): void {
    this.#skipped++
  }

  /** A row that would be sent, or the message of several by its first row. */
  row(row: Row, checked: CheckedRow): void {
    this.#good += checked.rows
    this.#messages++
    this.#addresses.push(normalizeAddress(checked.address))
    this.#recipients.see(row.number, checked.address)
    this.#sizes.see(row, checked)
    if (checked.rendered === undefined) return
    const { advice, unsubscribe } = this.#lint(checked.rendered)
    if (!unsubscribe) this.#withoutUnsubscribe++
    for (const one of advice) this.#parts.findings.addAlike({ ...one, row: row.number })
  }

  /** Duplicates are as heavy as the settings make them. */
  weighed(problem: Problem): Problem {
    if (problem.code !== 'duplicate') return problem
    if (this.#parts.settings.duplicates !== 'all') this.#duplicates++
    const placed = { ...problem, column: problem.column ?? this.#parts.emailColumn }
    if (this.#parts.settings.duplicates === 'error') return placed
    const { hint: _, ...rest } = placed
    return this.#parts.settings.duplicates === 'skip'
      ? { ...rest, severity: 'warning', hint: 'It is skipped: the first row counts.' }
      : { ...rest, severity: 'info', hint: 'Both are sent, as --duplicates all says.' }
  }

  /** What the cells ask of the template. */
  noteHabits({ written }: Template): void {
    for (const problem of columnAdvice(written, this.#survey.habits())) this.#parts.findings.add(problem)
  }

  noteNoAddressColumn(): void {
    this.#parts.findings.add({
      severity: 'error',
      code: 'no-address-column',
      message: 'the list has no address column',
      hint: `Name it with emailColumn in mailmerge.yaml. The columns are ${this.#parts.source.columns.join(', ')}.`,
      file: this.#parts.source.name,
    })
  }

  noteUnused(): void {
    const { used } = this.#parts
    for (const column of this.#parts.source.columns) {
      if (used.has(column) || column === this.#parts.emailColumn || column === this.#parts.key) continue
      this.#parts.findings.add({
        severity: 'info',
        code: 'unused-column',
        message: `the template does not use the column '${column}'`,
        column,
        file: this.#parts.source.name,
      })
    }
  }

  /** What only the whole list shows, and the facts about it. */
  async finish(renderer: RowRenderer, now: Date): Promise<ListFacts> {
    const messages = this.#messages - this.#duplicates
    const size = this.#parts.hasTemplate ? await this.#sizes.estimate(renderer, now, messages) : undefined
    this.#sumUp(size)
    return {
      rows: this.#rows,
      chosen: this.#rows - this.#skipped,
      good: this.#good - this.#duplicates,
      ...given({ messages: this.#parts.settings.groupBy === undefined ? undefined : this.#messages }),
      columns: this.#survey.facts(),
      mail: {
        domains: this.#recipients.domains,
        unsubscribe: this.#good > 0 && this.#withoutUnsubscribe === 0,
        samples: this.#sizes.samples,
        message: this.#sizes.message,
      },
      size,
    }
  }

  #sumUp(size: SizeEstimate | undefined): void {
    const { unsubscribe } = this.#parts.settings
    const offered = unsubscribe?.url !== undefined || unsubscribe?.mailto !== undefined
    if (this.#parts.hasTemplate && this.#withoutUnsubscribe >= BULK && !offered) {
      this.#parts.findings.add({
        severity: 'warning',
        code: 'no-unsubscribe',
        message: `${this.#withoutUnsubscribe.toLocaleString('en-US')} messages do not say how to unsubscribe`,
        hint: 'Set unsubscribe: in mailmerge.yaml. Large providers, and the law in many countries, want it in bulk mail.',
      })
    }
    if (this.#suppressed > 0) {
      this.#parts.findings.add({
        severity: 'info',
        code: 'suppressed',
        message: `${this.#suppressed.toLocaleString('en-US')} of the ${this.#parts.settings.groupBy === undefined ? 'rows' : 'messages'} are suppressed and would be skipped`,
        hint: 'mailmerge suppress list shows who is.',
      })
    }
    for (const [column, rows] of this.#padded) {
      this.#parts.findings.add({
        severity: 'warning',
        code: 'spaces-around',
        message: `${rows.toLocaleString('en-US')} cell${rows === 1 ? ' has' : 's have'} spaces around the text`,
        hint: 'mailmerge check --fix writes a copy of the list without them.',
        file: this.#parts.source.name,
        column,
      })
    }
    if (this.#hidden > 0) {
      const rows = this.#hidden === 1 ? '1 row is' : `${this.#hidden.toLocaleString('en-US')} rows are`
      this.#parts.findings.add({
        severity: 'info',
        code: 'hidden-rows',
        message: `${rows} hidden in the workbook and ${this.#parts.sendsHidden ? 'sent all the same' : 'would be skipped'}`,
        hint: this.#parts.sendsHidden ? undefined : '--hidden-rows send sends them too.',
      })
    }
    this.#sizes.report(size)
  }
}
