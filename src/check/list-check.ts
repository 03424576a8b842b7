/**
 * The rows of a list seen as a run would see them: the same plan, into a ledger that is thrown away, with advice on
 * addresses and messages beside it. Owns what is looked at on the way; sends nothing and asks no name server.
 */

import { planRows } from '../campaign/plan/plan.ts'
import { createPreparer, type Prepared, type Preparer } from '../campaign/plan/render-row.ts'
import { openSelector } from '../campaign/plan/select.ts'
import type { Split } from '../campaign/plan/variants.ts'
import { addressColumn, listAgain } from '../campaign/run/material.ts'
import { openLedger, openScratchLedger } from '../campaign/run/open-ledger.ts'
import type { Settings } from '../config/settings.ts'
import type { Problem } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { newRunId } from '../ledger/run-id.ts'
import { domainOf } from '../message/address/domain.ts'
import { gmailKey, normalizeAddress } from '../message/address/key.ts'
import { parseAddress } from '../message/address/parse.ts'
import { addressDoubts } from '../message/address/typos.ts'
import type { Row, Source } from '../source/source.ts'
import { ownText } from '../template/marked-text.ts'
import type { Rendered, Template } from '../template/template.ts'
import { openUnsubscribeLinks } from '../unsubscribe/links.ts'
import type { CheckOptions, CheckReport, SizeEstimate } from './check.ts'
import { ColumnSurvey } from './column-survey.ts'
import { type Findings, problemsOf } from './findings.ts'
import { createMessageLints } from './lints/message-lints.ts'

/** From so many messages on a campaign is bulk mail, which people must be able to leave. */
const BULK = 100
/** Messages composed whole, to know their size. */
const COMPOSED = 5
/** Largest message that most servers take. */
const LARGE = 10 * 1024 * 1024
/** Bounds on what is remembered of a list of any length. */
const REMEMBERED_DOMAINS = 5_000
const REMEMBERED_GMAIL = 200_000

export type ListFacts = Omit<CheckReport, 'problems' | 'counts' | 'source' | 'template' | 'rules'>

/** One pass over the rows. @throws MailmergeError for what is no matter of the list or the template. */
export class ListCheck {
  readonly #settings: Settings
  readonly #options: CheckOptions
  readonly #source: Source
  readonly #findings: Findings
  /** Undefined where there is none, or none that fits the list: then only the data is checked. */
  readonly #template: Template | undefined
  readonly #split: Split | undefined
  readonly #emailColumn: string | undefined
  readonly #survey: ColumnSurvey
  readonly #lint: ReturnType<typeof createMessageLints>
  readonly #domains = new Map<string, { row: number; address: string; rows: number }>()
  readonly #gmail = new Map<string, { readonly row: number; readonly address: string }>()
  readonly #samples: (Prepared & { readonly row: number })[] = []
  #addresses: string[] = []
  #rows = 0
  #good = 0
  #suppressed = 0
  #withoutUnsubscribe = 0

  constructor(
    settings: Settings,
    options: CheckOptions,
    source: Source,
    { template, split }: { readonly template: Template | undefined; readonly split: Split | undefined },
    findings: Findings,
  ) {
    this.#settings = settings
    this.#options = options
    this.#source = source
    this.#findings = findings
    this.#emailColumn = addressColumn(settings, source)
    const templates = split?.variants.map((variant) => variant.template) ?? (template === undefined ? [] : [template])
    // Each says what it lacks, also when another has said so.
    const isBound = templates.map((one) => bound(one, source.columns, findings)).every(Boolean)
    const used = new Set(templates.flatMap(({ columns }) => columns))
    this.#template = isBound ? template : undefined
    this.#split = isBound ? split : undefined
    this.#survey = new ColumnSurvey({
      columns: source.columns,
      types: settings.source.types ?? {},
      used,
      ...(this.#emailColumn === undefined ? {} : { emailColumn: this.#emailColumn }),
      ...(settings.key === undefined ? {} : { key: settings.key }),
    })
    this.#lint = createMessageLints(source.columns)
    if (template !== undefined) this.#noteUnused(used)
  }

  async run(): Promise<ListFacts> {
    const selector = await openSelector(this.#options, this.#source.columns, this.#settings.segments ?? {}, () =>
      listAgain(this.#settings),
    )
    const now = this.#options.now ?? new Date()
    const name = this.#settings.campaign ?? `${this.#template?.name ?? 'check'}-${this.#source.stem}`
    const known = await openLedger(this.#settings, { existing: true })
    const scratch = await openScratchLedger()
    try {
      const campaign = await scratch.campaigns.open(name)
      const unsubscribeLinks = await openUnsubscribeLinks(this.#settings, this.#settings.group ?? name)
      const preparer = createPreparer({
        settings: this.#template === undefined ? { ...this.#settings, dkim: [] } : this.#settings,
        template: this.#template ?? DATA_ALONE,
        bodies: true,
        ...(this.#split === undefined ? {} : { split: this.#split }),
        campaign,
        ...(unsubscribeLinks === undefined ? {} : { unsubscribeLinks }),
        ...(this.#emailColumn === undefined ? {} : { emailColumn: this.#emailColumn }),
      })
      if (this.#template === undefined && this.#emailColumn === undefined) this.#noAddressColumn()
      const runId = newRunId(now, Math.random)
      await scratch.runs.create({
        id: runId,
        campaign,
        startedAt: now,
        source: this.#source.name,
        template: name,
        templateHash: '',
        columns: this.#source.columns,
        options: {},
      })
      // Nothing is told twice: an error that sums up brings the problems that were told.
      const told = new WeakSet<Problem>()
      try {
        await planRows({
          ledger: scratch,
          runId,
          source: this.#watchedSource(known),
          preparer: this.#watchedPreparer(preparer),
          selector,
          // Duplicates are looked for in any case; how heavy they are is said below.
          settings: { ...this.#settings, duplicates: 'error' },
          skipBad: false,
          now,
          onProblem: (problem) => {
            told.add(problem)
            this.#findings.add(this.#weighed(problem))
          },
          ...(this.#options.onRows === undefined ? {} : { onRows: this.#options.onRows }),
          ...(this.#options.signal === undefined ? {} : { signal: this.#options.signal }),
        })
      } catch (error) {
        for (const problem of problemsOf(error, 'bad-list')) if (!told.has(problem)) this.#findings.add(problem)
      }
      const size = await this.#sizes(preparer, now)
      this.#afterAll(size)
      return {
        rows: this.#rows,
        good: this.#good,
        columns: this.#survey.facts(),
        mail: {
          domains: this.#domains,
          unsubscribe: this.#good > 0 && this.#withoutUnsubscribe === 0,
          ...(this.#template === undefined || this.#samples[0] === undefined
            ? {}
            : { first: this.#samples[0].rendered }),
        },
        ...(size === undefined ? {} : { size }),
      }
    } finally {
      await scratch.close()
      await known?.close()
    }
  }

  /** The source, with each batch looked at on its way, and its addresses looked up among the suppressions. */
  #watchedSource(known: Ledger | undefined): Source {
    const source = this.#source
    const check = this
    return {
      name: source.name,
      stem: source.stem,
      columns: source.columns,
      get notes() {
        return source.notes
      },
      async *rows() {
        for await (const rows of source.rows()) {
          check.#rows += rows.length
          for (const row of rows) check.#survey.see(row.data)
          yield rows
          await check.#lookUpSuppressed(known)
        }
      },
    }
  }

  async #lookUpSuppressed(known: Ledger | undefined): Promise<void> {
    const addresses = this.#addresses
    this.#addresses = []
    if (known === undefined || addresses.length === 0) return
    const group = this.#settings.group ?? this.#settings.campaign ?? `${this.#template?.name}-${this.#source.stem}`
    this.#suppressed += (await known.suppressions.find(addresses, group)).size
  }

  #watchedPreparer(preparer: Preparer): Preparer {
    return {
      ...preparer,
      check: (row, now) => {
        const prepared = preparer.check(row, now)
        if (prepared instanceof Promise) return prepared.then((done) => this.#see(row, done))
        return this.#see(row, prepared)
      },
    }
  }

  /** A row that would be sent. */
  #see(row: Row, prepared: Prepared): Prepared {
    this.#good++
    this.#seeAddress(row, prepared.address)
    if (this.#samples.length < COMPOSED) this.#samples.push({ ...prepared, row: row.number })
    if (this.#template === undefined) return prepared
    const { advice, unsubscribe } = this.#lint(prepared.rendered)
    if (!unsubscribe) this.#withoutUnsubscribe++
    for (const one of advice) this.#findings.addAlike({ ...one, row: row.number })
    return prepared
  }

  #seeAddress(row: Row, address: string): void {
    this.#addresses.push(normalizeAddress(address))
    const place = {
      severity: 'warning' as const,
      file: this.#source.name,
      row: row.number,
      value: address,
      ...(this.#emailColumn === undefined ? {} : { column: this.#emailColumn }),
    }
    const judged = parseAddress(address)
    if (judged.kind === 'unlikely') {
      const hint = 'It is allowed, but hardly any server takes it. Ask the person for another.'
      this.#findings.add({ ...place, code: 'unlikely-address', message: `a strange address: ${judged.why}`, hint })
    }
    if (judged.kind !== 'invalid') {
      for (const { code, text, hint } of addressDoubts(judged.mailbox))
        this.#findings.add({ ...place, code, message: text, hint })
    }
    if (!this.#settings.foldGmail) this.#seeGmail(row, address, place)
    const domain = domainOf(address)
    const known = this.#domains.get(domain)
    if (known !== undefined) known.rows++
    else if (this.#domains.size < REMEMBERED_DOMAINS) this.#domains.set(domain, { row: row.number, address, rows: 1 })
  }

  /** Two ways to write one Gmail mailbox; rows that are the same letter by letter are the plan's to find. */
  #seeGmail(row: Row, address: string, place: Omit<Problem, 'code' | 'message'>): void {
    const key = gmailKey(address)
    if (!key.endsWith('@gmail.com')) return
    const known = this.#gmail.get(key)
    if (known === undefined) {
      if (this.#gmail.size < REMEMBERED_GMAIL)
        this.#gmail.set(key, { row: row.number, address: normalizeAddress(address) })
    } else if (known.address !== normalizeAddress(address)) {
      const message = `the same Gmail mailbox as row ${known.row}, written otherwise`
      const hint = 'Gmail ignores dots and what follows a plus. Remove one of them if it is one person.'
      this.#findings.add({ ...place, code: 'same-mailbox', message, hint })
    }
  }

  /** Duplicates are as heavy as the settings make them. */
  #weighed(problem: Problem): Problem {
    if (problem.code !== 'duplicate') return problem
    const placed = this.#emailColumn === undefined ? problem : { column: this.#emailColumn, ...problem }
    if (this.#settings.duplicates === 'error') return placed
    const { hint: _, ...rest } = placed
    return this.#settings.duplicates === 'skip'
      ? { ...rest, severity: 'warning', hint: 'It is skipped: the first row counts.' }
      : { ...rest, severity: 'info', hint: 'Both are sent, as --duplicates all says.' }
  }

  #noAddressColumn(): void {
    this.#findings.add({
      severity: 'error',
      code: 'no-address-column',
      message: 'the list has no address column',
      hint: `Name it with emailColumn in mailmerge.yaml. The columns are ${this.#source.columns.join(', ')}.`,
      file: this.#source.name,
    })
  }

  #noteUnused(used: ReadonlySet<string>): void {
    for (const column of this.#source.columns) {
      if (used.has(column) || column === this.#emailColumn || column === this.#settings.key) continue
      this.#findings.add({
        severity: 'info',
        code: 'unused-column',
        message: `the template does not use the column '${column}'`,
        column,
        file: this.#source.name,
      })
    }
  }

  /** Composes the first messages whole, with all that is attached. */
  async #sizes(preparer: Preparer, now: Date): Promise<SizeEstimate | undefined> {
    if (this.#template === undefined || this.#samples.length === 0) return undefined
    const sizes: number[] = []
    for (const { row, key, address, data, variant } of this.#samples) {
      try {
        const split = variant === undefined ? {} : { variant }
        const due = { recipient: 0, row, key, occurrence: 1, address, data, attempts: 0, ...split }
        const { size } = await preparer.message(due, now)
        sizes.push(size)
        if (size <= LARGE) continue
        this.#findings.addAlike({
          severity: 'warning',
          code: 'large-message',
          message: 'a message is larger than 10 MB, which many servers refuse',
          hint: 'Put large files on a server and link to them.',
          row,
        })
      } catch (error) {
        for (const problem of problemsOf(error, 'bad-message')) this.#findings.add({ ...problem, row })
      }
    }
    if (sizes.length === 0) return undefined
    const each = Math.round(sizes.reduce((sum, size) => sum + size, 0) / sizes.length)
    return { messages: this.#good, each, total: each * this.#good }
  }

  #afterAll(size: SizeEstimate | undefined): void {
    const { unsubscribe } = this.#settings
    const offered = unsubscribe?.url !== undefined || unsubscribe?.mailto !== undefined
    if (this.#template !== undefined && this.#withoutUnsubscribe >= BULK && !offered) {
      this.#findings.add({
        severity: 'warning',
        code: 'no-unsubscribe',
        message: `${this.#withoutUnsubscribe.toLocaleString('en-US')} messages do not say how to leave the list`,
        hint: 'Set unsubscribe: in mailmerge.yaml. Large providers, and the law in many countries, want it in bulk mail.',
      })
    }
    if (this.#suppressed > 0) {
      this.#findings.add({
        severity: 'info',
        code: 'suppressed',
        message: `${this.#suppressed.toLocaleString('en-US')} of the rows are suppressed and would be skipped`,
        hint: 'mailmerge suppress list shows who is.',
      })
    }
    if (size !== undefined) {
      this.#findings.add({
        severity: 'info',
        code: 'run-size',
        message: `${size.messages.toLocaleString('en-US')} messages of about ${octetsText(size.each)}, ${octetsText(size.total)} in all`,
      })
    }
  }
}

/** Tells every column that the template reads and the list has not. True when there is none. */
function bound(template: Template, columns: readonly string[], findings: Findings): boolean {
  try {
    template.bind(columns)
    return true
  } catch (error) {
    for (const problem of problemsOf(error, 'unknown-column')) findings.add(problem)
    return false
  }
}

const NO_MESSAGE: Rendered = {
  from: ownText('check@check.invalid'),
  subject: 'check',
  headers: [],
  text: '',
  attachments: [],
  inline: [],
}
/** Stands in for a template where only the data is checked. */
const DATA_ALONE: Template = {
  name: 'check',
  files: [],
  hash: '',
  columns: [],
  bind: () => {},
  render: () => NO_MESSAGE,
  check: () => NO_MESSAGE,
}

/** `3.2 KB`, `1.4 MB`, by thousands. */
function octetsText(count: number): string {
  if (count < 1000) return `${count} B`
  const power = Math.min(3, Math.floor(Math.log10(count) / 3))
  const value = count / 1000 ** power
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${['B', 'KB', 'MB', 'GB'][power]}`
}
