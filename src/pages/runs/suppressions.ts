/** Who is not written to, as the page of runs lists it. Owns the pages of the list and its words; takes nobody off it. */
import { UsageError } from '../../errors.ts'
import type { Suppressions } from '../../ledger/ledger.ts'
import type { Suppression } from '../../ledger/records.ts'
import { shownText } from '../../report/page-text.ts'
import { SUPPRESSION_WORDS } from '../../report/suppression-words.ts'
import { shellWord } from '../../text/shell-word.ts'
import { SUPPRESSION_FILTERS, type SuppressionFilter, type SuppressionItem, type SuppressionsView } from '../wire.ts'

/** Entries of a page. */
const PAGE = 100

export type SuppressionCounts = Readonly<Record<SuppressionFilter, number>>

export class SuppressionReader {
  readonly #suppressions: Suppressions
  #counted: { readonly version: number; readonly counts: SuppressionCounts } | undefined

  constructor(suppressions: Suppressions) {
    this.#suppressions = suppressions
  }

  /** Counted only when they have changed. */
  async counts(): Promise<{ readonly version: number; readonly counts: SuppressionCounts }> {
    const version = await this.#suppressions.version()
    if (this.#counted?.version === version) return this.#counted
    const by = await this.#suppressions.counts()
    const all = [...by.values()].reduce((sum, entries) => sum + entries, 0)
    const counts = Object.fromEntries(
      SUPPRESSION_FILTERS.map((filter) => [filter, filter === 'all' ? all : (by.get(filter) ?? 0)]),
    ) as unknown as SuppressionCounts
    this.#counted = { version, counts }
    return this.#counted
  }

  /** @throws UsageError for a place that no answer named. */
  async page(query: URLSearchParams): Promise<SuppressionsView> {
    const filter = SUPPRESSION_FILTERS.find((one) => one === query.get('filter')) ?? 'all'
    const found = await this.#suppressions.search({
      text: query.get('q') ?? '',
      reason: filter === 'all' ? undefined : filter,
      after: placeOf(query.get('after')),
      limit: PAGE + 1,
    })
    const shown = found.slice(0, PAGE)
    const last = shown.at(-1)
    const { counts } = await this.counts()
    return { counts, entries: shown.map(itemOf), next: found.length > PAGE && last ? placeAfter(last) : undefined }
  }
}

/** `1764300000000 9f86d0... news` */
function placeAfter({ addedAt, hash, group }: Suppression): string {
  return `${addedAt.getTime()} ${hash} ${group}`
}

function placeOf(text: string | null): Pick<Suppression, 'addedAt' | 'hash' | 'group'> | undefined {
  if (text === null) return undefined
  const [, at, hash, group] = /^(\d{1,15}) ([0-9a-f]{64}) (.*)$/s.exec(text) ?? []
  if (at === undefined || hash === undefined || group === undefined) {
    throw new UsageError('this is not a place in the suppression list')
  }
  return { addedAt: new Date(Number(at)), hash, group }
}

function itemOf({ address, hash, group, reason, note, addedAt }: Suppression): SuppressionItem {
  return {
    address: address === undefined ? undefined : shownText(address),
    hash: hash.slice(0, 12),
    reason: SUPPRESSION_WORDS[reason],
    note: note === undefined ? undefined : shownText(note),
    since: addedAt.toISOString(),
    group: shownText(group),
    command: commandFor(address, group),
  }
}

/** Whoever was forgotten can only be taken off by somebody who knows the address. */
function commandFor(address: string | undefined, group: string): string {
  const words = ['mailmerge', 'suppress', 'remove', ...(group === '' ? [] : ['--group', shellWord(group)])]
  if (address === undefined) return [...words, 'ADDRESS'].join(' ')
  return [...words, ...(address.startsWith('-') ? ['--'] : []), shellWord(address)].join(' ')
}
