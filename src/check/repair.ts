/**
 * A copy of a list with everything fixed that can be fixed without asking: cells trimmed, empty rows and later rows of one key left out.
 * Owns the copy; the original is never opened for writing.
 */

import { stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Settings } from '../config/settings.ts'
import { UsageError } from '../errors.ts'
import { writeOutput } from '../fs/output-file.ts'
import { gmailKey, normalizeAddress, parseRecipient } from '../message/address/address.ts'
import { findEmailColumn } from '../source/address-column.ts'
import { cellText } from '../source/cells/cell.ts'
import { openSource } from '../source/open.ts'
import type { RowData } from '../source/source.ts'
import { copiedCell } from '../text/csv-cells.ts'
import { trimUnseen } from '../text/visible.ts'

export interface Repaired {
  readonly path: string
  readonly rows: number
  /** Cells that changed. */
  readonly trimmed: number
  /** Rows left out because an earlier one has the same key. */
  readonly duplicates: number
  readonly empty: number
  /** Rows that were broken, copied as far as they could be read. */
  readonly broken: number
}

/** Where the copy goes when nobody says: beside the list. @throws UsageError for a list that is not a file. */
export function fixedName({ source: { from } }: Settings): string {
  if (from?.kind !== 'file')
    throw new UsageError('--fix needs the name of the file to write', { hint: 'For example: --fix list.csv' })
  const { path } = from
  return join(dirname(path), `${basename(path).replace(/(\.[a-z]+)?(\.gz)?$/i, '')}.fixed.csv`)
}

/**
 * Writes the repaired copy as CSV in UTF-8, with the columns as they are in the list. `out` appears whole or not at all.
 * @throws UsageError when `out` is the list itself, or the list is standard input; OutputError when it cannot be written.
 */
export async function repairList(settings: Settings, out: string): Promise<Repaired> {
  const { rename: renamed = {}, computed: _computed, types: _types, ...asItIs } = settings.source
  const { from } = asItIs
  if (from?.kind === 'stdin') {
    throw new UsageError('--fix must read the list twice, which standard input does not allow', {
      hint: 'Write the list to a file first.',
    })
  }
  const path = resolve(out)
  if (from?.kind === 'file' && (await isSameFile(path, from.path))) {
    throw new UsageError('--fix would overwrite the list itself', { hint: 'Name another file for the repaired copy.' })
  }
  const source = await openSource(asItIs)
  const before = new Map(Object.entries(renamed).map(([old, name]) => [name, old]))
  const original = (column: string | undefined): string | undefined =>
    column === undefined ? undefined : (before.get(column) ?? column)
  const names = source.columns.map((column) => (Object.hasOwn(renamed, column) ? (renamed[column] ?? column) : column))
  const address = original(settings.emailColumn ?? findEmailColumn(names))
  const personOf = settings.foldGmail ? gmailKey : normalizeAddress
  const key = original(settings.key)
  // `all` means that rows of one key are wanted.
  const seen = settings.duplicates === 'all' ? undefined : new Set<string>()
  const count = { rows: 0, trimmed: 0, duplicates: 0, empty: 0, broken: 0 }

  async function* copy(): AsyncGenerator<string> {
    yield csvLine(source.columns)
    for await (const rows of source.rows()) {
      let text = ''
      for (const { data, problems } of rows) {
        const cells = source.columns.map((column) => {
          const cell = cellText(data[column])
          const tidy = trimUnseen(cell)
          if (tidy !== cell) count.trimmed++
          return tidy
        })
        if (cells.every((cell) => cell === '')) {
          count.empty++
          continue
        }
        const same = seen === undefined ? undefined : keyOf(data, key, address, personOf)
        if (same !== undefined && seen?.has(same)) {
          count.duplicates++
          continue
        }
        if (same !== undefined) seen?.add(same)
        count.rows++
        if (problems !== undefined && problems.length > 0) count.broken++
        text += csvLine(cells)
      }
      yield text
    }
  }
  await writeOutput(path, copy())
  return { path: out, ...count }
}

function keyOf(
  data: RowData,
  key: string | undefined,
  address: string | undefined,
  personOf: (address: string) => string,
): string | undefined {
  if (key !== undefined) return trimUnseen(cellText(data[key])) || undefined
  const cell = address === undefined ? '' : trimUnseen(cellText(data[address]))
  if (cell === '') return undefined
  const judged = parseRecipient(cell)
  // A row whose address is wrong stays: only a person can tell what it should be.
  return 'mailbox' in judged ? personOf(judged.mailbox.wire) : undefined
}

function csvLine(cells: readonly string[]): string {
  return `${cells.map(copiedCell).join(',')}\r\n`
}

async function isSameFile(path: string, list: string): Promise<boolean> {
  try {
    const [one, other] = await Promise.all([stat(path), stat(resolve(list))])
    return one.dev === other.dev && one.ino === other.ino
  } catch {
    return path === resolve(list)
  }
}
