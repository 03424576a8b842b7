/**
 * A copy of a run's list with what became of each row: `report --list`, and `report --failed` for the rows that failed. Owns which row
 * of the list is which row of the run; the form of the copy is the source's.
 */

import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import type { Settings } from '../../config/settings.ts'
import { DataError, InputError, UsageError } from '../../errors.ts'
import { checkOutput, writeOutput } from '../../fs/output-file.ts'
import { given } from '../../given.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { Campaign, ResultRow, RunRecord } from '../../ledger/records.ts'
import { answeredWords, bounceWords, reasonWords } from '../../report/reasons.ts'
import { type CopyFormat, extendList } from '../../source/extend/extend.ts'
import { type ExtendedRow, type Extension, freeName } from '../../source/extend/extension.ts'
import type { Row } from '../../source/source.ts'
import { identify, type RecipientRules, recipientRules } from '../plan/recipient.ts'
import { openList } from './list.ts'

export interface ListCopy {
  /** Rows of the list. */
  readonly rows: number
  /** Rows of the copy. */
  readonly written: number
  /** Rows of the list that the campaign does not know: added later, or with another address. */
  readonly unknown: number
}

/** Columns of a copy, by what it is for. */
const COLUMNS = { list: ['status', 'sent_at', 'reason'], failed: ['reason'] } as const

export interface CopyRequest {
  readonly what: keyof typeof COLUMNS
  /** File to write, ending in .csv or .xlsx. */
  readonly out: string
}

/** The format of a copy by its name. @throws UsageError for an ending that is not one of a copy. */
export function copyFormat({ what, out }: CopyRequest): CopyFormat {
  const ending = /\.([a-z]+)$/i.exec(out)?.[1]?.toLowerCase()
  if (ending === 'csv') return 'csv'
  if (ending === 'xlsx' && what === 'list') return 'xlsx'
  throw new UsageError(`--${what} cannot write ${basename(out)}`, {
    hint: what === 'list' ? 'Name a file that ends in .csv or .xlsx.' : 'Name a file that ends in .csv.',
  })
}

/**
 * Settings whose list is that of the run: the one that the command names, else the one that the run was given.
 * @throws InputError where that is not a file that can be read again.
 */
export function withListOf(settings: Settings, run: RunRecord, isNamed: boolean): Settings {
  const { from } = settings.source
  if (from !== undefined && from.kind !== 'stdin') {
    const name = from.kind === 'file' ? basename(from.path) : undefined
    if (isNamed || name === undefined || name === basename(run.source)) return settings
  }
  const path = resolve(settings.root, run.source)
  if (existsSync(path)) return { ...settings, source: { ...settings.source, from: { kind: 'file', path: run.source } } }
  throw new InputError(`the list of ${run.id}, ${run.source}, cannot be read again`, {
    hint: 'Name it with --csv FILE.',
  })
}

/**
 * Writes the copy. A row of the list is the row of the run with its number, if it has the same recipient key; else what the campaign
 * knows of this key, so that a list may be sorted or added to after the run.
 * @throws DataError for a list that has nobody of the campaign; OutputError where the copy cannot be written, which then is not there.
 */
export async function copyList(
  settings: Settings,
  ledger: Ledger,
  run: RunRecord,
  request: CopyRequest,
): Promise<ListCopy> {
  const format = copyFormat(request)
  const { what, out } = request
  await checkOutput(out)
  const source = await openList(settings)
  const { key, foldGmail, root, locale, timeZone } = settings
  const { emailColumn = settings.emailColumn, groupBy, addressByTemplate = false } = run.options
  const count = { rows: 0, written: 0, unknown: 0 }
  const states = new RowStates(ledger, run, {
    rules: recipientRules({ foldGmail, ...given({ key, groupBy }) }, emailColumn),
    byNumber: addressByTemplate && key === undefined && groupBy === undefined,
    isGrouped: groupBy !== undefined,
  })
  async function* rows(): AsyncGenerator<readonly ExtendedRow[]> {
    for await (const batch of source.rows()) {
      const found = await states.of(batch)
      count.rows += batch.length
      count.unknown += found.filter((result) => result === undefined).length
      const wanted = batch.flatMap((row, i) => {
        const result = found[i]
        return what === 'failed' && result?.status !== 'failed' ? [] : [extended(row, result, what)]
      })
      count.written += wanted.length
      yield wanted
    }
  }
  const columns = COLUMNS[what].map((name) => freeName(name, source.columns))
  const extension: Extension = { columns, rows: rows(), only: what === 'failed' }
  const options = { cwd: root, stdin: process.stdin, locale, timeZone }
  const copy = await extendList(settings.source, format, extension, options)
  await writeOutput(
    out,
    endedBy(copy, () => {
      if (count.rows === 0 || count.unknown < count.rows) return
      throw new DataError(`nobody in ${source.name} is a recipient of the campaign ${run.campaign.name}`, {
        hint: `Is it the list of ${run.id}, ${run.source}? --csv names another; --key names the column of the key, if the run had one.`,
      })
    }),
  )
  return count
}

/** All of `parts`, then `check`, which may still throw: a copy that is refused is not there. */
async function* endedBy<T>(parts: AsyncIterable<T>, check: () => void): AsyncGenerator<T> {
  yield* parts
  check()
}

function extended({ number, line }: Row, result: ResultRow | undefined, what: CopyRequest['what']): ExtendedRow {
  if (result === undefined) return { number, line, cells: COLUMNS[what].map(() => '') }
  const { status, finishedAt, bounce } = result
  const own = status === 'sent' ? reasonWords(result) : answeredWords(result)
  const reason = [own, bounce === undefined ? '' : bounceWords(bounce)].filter(Boolean).join('; ')
  const sentAt = status === 'sent' ? (finishedAt?.toISOString() ?? '') : ''
  return { number, line, cells: what === 'failed' ? [reason] : [status, sentAt, reason] }
}

/** What became of rows, asked for by the rows of a list in their order. */
class RowStates {
  readonly #ledger: Ledger
  readonly #campaign: Campaign
  readonly #rules: RecipientRules
  /** The template says the addresses, so that a row of the list has no key of its own. */
  readonly #byNumber: boolean
  /** A key is a message of several rows: of a row that moved it is not known whether it is one of them. */
  readonly #isGrouped: boolean
  readonly #results: AsyncIterator<readonly ResultRow[]>
  #batch: readonly ResultRow[] = []

  constructor(
    ledger: Ledger,
    run: RunRecord,
    {
      rules,
      byNumber,
      isGrouped,
    }: { readonly rules: RecipientRules; readonly byNumber: boolean; readonly isGrouped: boolean },
  ) {
    this.#ledger = ledger
    this.#campaign = run.campaign
    this.#rules = rules
    this.#byNumber = byNumber
    this.#isGrouped = isGrouped
    this.#results = ledger.results.rows(run.id)[Symbol.asyncIterator]()
  }

  /** What became of each of these rows; undefined for a row that nothing is known of. */
  async of(rows: readonly Row[]): Promise<readonly (ResultRow | undefined)[]> {
    const numbered = await this.#upTo(rows.at(-1)?.number ?? 0)
    const keys = rows.map(({ data }) => identify(data, this.#rules).key)
    const same = rows.map(({ number }, i) => {
      const result = numbered.get(number)
      return result !== undefined && (this.#byNumber || result.key === keys[i]) ? result : undefined
    })
    const moved = keys.filter((key, i) => same[i] === undefined && key !== '')
    if (moved.length === 0 || this.#byNumber || this.#isGrouped) return same
    const byKey = await this.#ledger.results.ofKeys(this.#campaign, moved)
    return same.map((result, i) => result ?? byKey.get(keys[i] ?? ''))
  }

  /** Results up to a row, which are not asked for again. */
  async #upTo(last: number): Promise<ReadonlyMap<number, ResultRow>> {
    const found = new Map<number, ResultRow>()
    for (;;) {
      const [next] = this.#batch
      if (next === undefined) {
        const { done, value } = await this.#results.next()
        if (done === true) return found
        this.#batch = value
        continue
      }
      const end = this.#batch.findIndex(({ row }) => row > last)
      const taken = end === -1 ? this.#batch : this.#batch.slice(0, end)
      for (const result of taken) found.set(result.row, result)
      this.#batch = end === -1 ? [] : this.#batch.slice(end)
      if (end !== -1) return found
    }
  }
}
