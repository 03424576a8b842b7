/**
 * Addresses and domains that must not be written to. Owns how they are found, by hash, so that a forgotten person stays
 * suppressed; never decides who belongs there.
 */
import { hash } from 'node:crypto'
import { domainToASCII } from 'node:url'
import type { SuppressionQuery, Suppressions } from '../ledger.ts'
import type { Suppression, SuppressionReason } from '../records.ts'
import * as sql from './queries.ts'
import { numberOf, optionalText, type SqliteStore, type SqlRow, textOf } from './store.ts'

/** Entries of one transaction, and of one page of the list. */
const PAGE = 5000

/**
 * The form in which an address, or `@domain`, is looked up: lower case, the domain as it is in DNS. Letter case of the
 * local part is ignored on purpose: no one who unsubscribed is written to for want of a capital.
 */
export function normaliseSuppressed(address: string): string {
  const trimmed = address.trim().normalize('NFC').toLowerCase()
  const at = trimmed.lastIndexOf('@')
  if (at < 0 || !/[^\x00-\x7f]/.test(trimmed.slice(at))) return trimmed
  return `${trimmed.slice(0, at)}@${domainToASCII(trimmed.slice(at + 1)) || trimmed.slice(at + 1)}`
}

/** SHA-256 in hex of the normalised address or `@domain`. */
export function suppressionHash(address: string): string {
  return hash('sha256', normaliseSuppressed(address))
}

export class SuppressionStore implements Suppressions {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  async add(entries: readonly Suppression[]): Promise<number> {
    const store = this.#store
    let added = 0
    for (let from = 0; from < entries.length; from += PAGE) {
      const page = entries.slice(from, from + PAGE)
      added += await store.write(() => {
        let fresh = 0
        for (const { address, hash: given, group, reason, note, addedAt } of page) {
          const normalised = address === undefined ? null : normaliseSuppressed(address)
          const key = normalised === null ? Buffer.from(given, 'hex') : hash('sha256', normalised, 'buffer')
          const at = addedAt.getTime()
          const isNew = store.run(sql.insertSuppression, key, group, normalised, reason, note ?? null, at) > 0
          if (isNew) fresh++
          else store.run(sql.preferPersonsWord, key, group, reason, note ?? null, at)
        }
        if (fresh > 0) store.run(sql.addToMeta, 'suppression_mark', 1)
        return fresh
      })
    }
    return added
  }

  remove(addresses: readonly string[], group: string): Promise<number> {
    const store = this.#store
    return store.write(() => {
      let removed = 0
      for (const address of addresses) {
        removed += store.run(sql.deleteSuppression, Buffer.from(suppressionHash(address), 'hex'), group)
      }
      if (removed > 0) store.run(sql.addToMeta, 'suppression_mark', 1)
      return removed
    })
  }

  async *list(): AsyncGenerator<readonly Suppression[]> {
    const store = this.#store
    let after: SqlRow | undefined
    for (;;) {
      const [key, group] = [(after?.['hash'] ?? Buffer.alloc(0)) as Uint8Array, textOf(after?.['group'] ?? '')]
      const rows = await store.read(() => store.all(sql.listSuppressions, key, group, PAGE))
      if (rows.length > 0) yield rows.map(suppressionOf)
      if (rows.length < PAGE) return
      after = rows.at(-1)
    }
  }

  search({ text, reason, after, limit }: SuppressionQuery): Promise<readonly Suppression[]> {
    const store = this.#store
    const wanted = text.trim().normalize('NFC').toLowerCase()
    // A domain by itself, or the end of an address.
    const wire = normaliseSuppressed(wanted.includes('@') ? wanted : `@${wanted}`).replace(/^@/, '')
    const from = after?.addedAt.getTime() ?? null
    const key = Buffer.from(after?.hash ?? '', 'hex')
    const whole = Buffer.from(suppressionHash(wanted), 'hex')
    return store.read(() =>
      store
        .all(sql.searchSuppressions, wanted, wire, whole, reason ?? null, from, key, after?.group ?? '', limit)
        .map(suppressionOf),
    )
  }

  counts(): Promise<ReadonlyMap<SuppressionReason, number>> {
    const store = this.#store
    return store.read(() => {
      const rows = store.all(sql.countSuppressions)
      return new Map(rows.map(({ reason, entries }) => [textOf(reason) as SuppressionReason, numberOf(entries)]))
    })
  }

  /** By the addresses as given. An entry for the address itself comes before one for its domain. */
  find(addresses: readonly string[], group: string): Promise<ReadonlyMap<string, Suppression>> {
    const store = this.#store
    return store.read(() => {
      const found = new Map<string, Suppression>()
      if (store.get(sql.anySuppression) === undefined) return found
      const domains = new Map<string, SqlRow | undefined>()
      const look = (normalised: string) => store.get(sql.findSuppression, hash('sha256', normalised, 'buffer'), group)
      for (const address of addresses) {
        const normalised = normaliseSuppressed(address)
        const domain = normalised.slice(normalised.lastIndexOf('@'))
        if (!domains.has(domain)) domains.set(domain, look(domain))
        const row = look(normalised) ?? domains.get(domain)
        if (row !== undefined) found.set(address, suppressionOf(row))
      }
      return found
    })
  }

  version(): Promise<number> {
    return this.#store.read(() => numberOf(this.#store.get(sql.getMeta, 'suppression_mark')?.['value']))
  }
}

function suppressionOf(row: SqlRow): Suppression {
  return {
    address: optionalText(row['address']),
    hash: Buffer.from(row['hash'] as Uint8Array).toString('hex'),
    group: textOf(row['group']),
    reason: textOf(row['reason']) as SuppressionReason,
    note: optionalText(row['note']),
    addedAt: new Date(numberOf(row['added_at'])),
  }
}
