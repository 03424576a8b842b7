/**
 * What a person means by an entry of the suppression list, one at a time or a file of them. Owns the reading of entries;
 * how they are kept and found is the ledger's, and who is sent to is the run's.
 */
import { hash } from 'node:crypto'
import { SUPPRESSION_REASONS } from '../config/words.ts'
import { DataError, type Problem } from '../errors.ts'
import { given } from '../given.ts'
import type { Suppressions } from '../ledger/ledger.ts'
import type { Suppression, SuppressionReason } from '../ledger/records.ts'
import { normalizeAddress, parseRecipient } from '../message/address/address.ts'
import { findEmailColumn } from '../source/address-column.ts'
import { cellText } from '../source/cells/cell.ts'
import type { Row, Source } from '../source/source.ts'

/** What is said of entries that say nothing of themselves. */
export interface EntryDefaults {
  /** Campaign group; empty for all. */
  readonly group: string
  readonly reason: SuppressionReason
  readonly note?: string | undefined
  readonly addedAt: Date
}

/** An address or `@domain` in the form that it is looked up by, or why it is neither. */
export function readEntry(text: string): { readonly entry: string } | { readonly fault: string } {
  const typed = text.trim()
  // A domain is judged as one that somebody has a mailbox at.
  const whole = typed.startsWith('@')
  const judged = parseRecipient(whole ? `x${typed}` : typed)
  if ('fault' in judged) return judged
  const entry = normalizeAddress(judged.mailbox.wire)
  return { entry: whole ? entry.slice(1) : entry }
}

/** A whole suppression. `entry` comes from `readEntry`. */
export function suppressionOf(entry: string, { group, reason, note, addedAt }: EntryDefaults): Suppression {
  return {
    address: entry,
    hash: hash('sha256', entry),
    group,
    reason,
    ...given({ note: note === '' ? undefined : note }),
    addedAt,
  }
}

/** What came of a file. */
export interface Imported {
  /** Entries read, wrong ones left out. */
  readonly read: number
  readonly added: number
  /** Lines that are neither an address nor a domain. */
  readonly bad: number
  /** The first of them. */
  readonly problems: readonly Problem[]
}

const BATCH = 2_000
const LISTED = 1_000

/**
 * Takes a list into the suppressions: a table with an address column (and `group`, `reason`, `note`, a date or `hash`,
 * where it has them). What the file says goes before `defaults`.
 * @throws DataError when no column holds addresses.
 */
export async function importSuppressions(
  suppressions: Pick<Suppressions, 'add'>,
  source: Source,
  defaults: EntryDefaults,
): Promise<Imported> {
  const columns = columnsOf(source)
  const problems: Problem[] = []
  let batch: Suppression[] = []
  let read = 0
  let added = 0
  let bad = 0
  const flush = async (): Promise<void> => {
    added += await suppressions.add(batch)
    batch = []
  }
  const take = (cells: Cells, place: Pick<Problem, 'row' | 'line'>): void => {
    const made = entryOf(cells, defaults)
    if (made === undefined) return
    if ('fault' in made) {
      bad++
      if (problems.length < LISTED) problems.push({ ...badEntry(made, source), ...place })
      return
    }
    read++
    batch.push(made.suppression)
  }
  for await (const rows of source.rows()) {
    for (const row of rows) {
      take(cellsOf(row, columns), { row: row.number, ...given({ line: row.line }) })
      if (batch.length >= BATCH) await flush()
    }
  }
  await flush()
  return { read, added, bad, problems }
}

/** Texts of one line, by what they mean. */
type Cells = Partial<Record<'address' | 'hash' | 'group' | 'reason' | 'note' | 'date', string>>

interface EntryColumns {
  readonly address: string
  readonly others: readonly (readonly [keyof Cells, string])[]
}

const MEANINGS: ReadonlyMap<string, keyof Cells> = new Map([
  ['hash', 'hash'],
  ['sha256', 'hash'],
  ['group', 'group'],
  ['list', 'group'],
  ['reason', 'reason'],
  ['status', 'reason'],
  ['note', 'note'],
  ['comment', 'note'],
  ['added_at', 'date'],
  ['created_at', 'date'],
  ['created', 'date'],
  ['date', 'date'],
  ['unsub_time', 'date'],
  ['unsubscribed_at', 'date'],
])

function columnsOf({ columns, name }: Source): EntryColumns {
  const address = findEmailColumn(columns) ?? columns.find((column) => /^(domain|entry)$/i.test(column.trim()))
  if (address === undefined) {
    throw new DataError(`no column of ${name} holds addresses`, {
      hint: `Name it 'address', or give a file with one address or @domain a line. Its columns are ${columns.join(', ')}.`,
    })
  }
  const others = columns.flatMap((column) => {
    const meaning = MEANINGS.get(
      column
        .trim()
        .toLowerCase()
        .replace(/[\s-]+/g, '_'),
    )
    return meaning === undefined ? [] : [[meaning, column] as const]
  })
  return { address, others }
}

function cellsOf({ data }: Row, { address, others }: EntryColumns): Cells {
  const cells: Cells = { address: undefused(data[address]) }
  for (const [meaning, column] of others) cells[meaning] ??= undefused(data[column])
  return cells
}

/** What an export defused for spreadsheets, as it was. */
function undefused(cell: unknown): string {
  return cellText(cell)
    .trim()
    .replace(/^'(?=[=+\-@%|])/, '')
}

type Made = { readonly suppression: Suppression } | { readonly fault: string; readonly value: string }

/** Undefined for a line that names nobody. */
function entryOf(cells: Cells, defaults: EntryDefaults): Made | undefined {
  const said = saidOf(cells, defaults)
  const { address = '' } = cells
  if (address === '' && /^[0-9a-f]{64}$/i.test(cells.hash ?? '')) {
    const { reason, group, note, addedAt } = said
    const hash = (cells.hash ?? '').toLowerCase()
    return { suppression: { hash, group, reason, addedAt, ...given({ note }) } }
  }
  if (address === '') return undefined
  const judged = readEntry(address)
  return 'fault' in judged
    ? { fault: judged.fault, value: address }
    : { suppression: suppressionOf(judged.entry, said) }
}

/** The defaults with what the line says of itself in their place. */
function saidOf(cells: Cells, defaults: EntryDefaults): EntryDefaults {
  const word = (cells.reason ?? '').toLowerCase().replace(/[\s-]+/g, '_')
  const reason = SUPPRESSION_REASONS.find((known) => known === word)
  const date = /^\d{4}-\d\d-\d\d/.test(cells.date ?? '') ? new Date(cells.date ?? '') : undefined
  // A reason in other words is worth keeping, as a note.
  const note = cells.note || (reason === undefined ? cells.reason : undefined) || defaults.note
  return {
    group: cells.group || defaults.group,
    reason: reason ?? defaults.reason,
    note,
    addedAt: date === undefined || Number.isNaN(date.getTime()) ? defaults.addedAt : date,
  }
}

function badEntry({ fault, value }: { readonly fault: string; readonly value: string }, { name }: Source): Problem {
  return {
    severity: 'error',
    code: 'bad-address',
    message: `no address and no @domain: ${fault}`,
    hint: 'Write one address, or @domain for everybody there.',
    file: name,
    value: value.slice(0, 80),
  }
}
