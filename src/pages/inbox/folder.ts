/**
 * A folder of `.eml` files as the sandbox, a dry run or the catch-all server writes it. Owns what is known of its files beside
 * their bytes: envelopes from its index, rows from the results; sees new files by the time of the folder.
 */
import { existsSync } from 'node:fs'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { INDEX_FILE, type IndexLine } from '../../inbox/store.ts'

export interface FoundFile {
  readonly name: string
  readonly at: Date
  readonly size: number
}

/** A file that changed this lately may not be whole. */
const FRESH_MS = 60
const AT_ONCE = 32

export class MailFolder {
  readonly path: string
  /** What wrote it. */
  readonly kind: 'sandbox' | 'dry-run' | 'inbox' | 'other'
  readonly #seen = new Map<string, number>()
  readonly #envelopes = new Map<string, IndexLine>()
  #indexRead = 0
  #rows: Promise<ReadonlyMap<string, number> | undefined> | undefined
  #rowsSought = -2
  #hasRows = false
  #changed = -1
  #again = false

  constructor(path: string, kind: MailFolder['kind']) {
    this.path = path
    this.kind = kind
  }

  /** Files that came since the last time, and names of those that went or were written again. */
  async changes(): Promise<{ readonly added: readonly FoundFile[]; readonly gone: readonly string[] }> {
    const nothing = { added: [], gone: [] }
    const changed = (await stat(this.path).catch(() => undefined))?.mtimeMs ?? -1
    if (changed === this.#changed && !this.#again) return nothing
    this.#changed = changed
    this.#again = false
    const names = (await readdir(this.path).catch(() => [])).filter((name) => name.endsWith('.eml'))
    await this.#readIndex()
    // A dry run writes its files again under the same names; the sandbox and the server never do.
    const rewrites = this.kind === 'dry-run' || this.kind === 'other'
    const here = new Set(names)
    const gone = [...this.#seen.keys()].filter((name) => !here.has(name))
    const added: FoundFile[] = []
    const looks = names.filter((name) => rewrites || !this.#seen.has(name))
    for (let at = 0; at < looks.length; at += AT_ONCE) {
      const found = await Promise.all(looks.slice(at, at + AT_ONCE).map((name) => this.#look(name)))
      for (const one of found) {
        if (one === undefined) continue
        if (this.#seen.has(one.name)) gone.push(one.name)
        added.push(one)
      }
    }
    for (const name of gone) this.#seen.delete(name)
    for (const { name, at } of added) this.#seen.set(name, at.getTime())
    return { added, gone }
  }

  /** A file that is known to be whole. */
  note(name: string, line: IndexLine): boolean {
    if (this.#seen.has(name)) return false
    this.#seen.set(name, new Date(line.at).getTime())
    this.#envelopes.set(name, line)
    return true
  }

  forget(name: string): void {
    this.#seen.delete(name)
    this.#envelopes.delete(name)
  }

  envelopeOf(name: string): IndexLine | undefined {
    return this.#envelopes.get(name)
  }

  /** The row of the list that a message was made of; undefined where nothing says it. */
  async rowOf(name: string, messageId: string): Promise<number | undefined> {
    if (this.kind === 'dry-run' || this.kind === 'other') {
      const number = /^(\d{4,})-/.exec(name)?.[1]
      return number === undefined ? undefined : Number(number)
    }
    if (this.kind !== 'sandbox' || messageId === '') return undefined
    if (this.#rowsSought !== this.#changed && !this.#hasRows) {
      this.#rowsSought = this.#changed
      this.#rows = this.#readResults()
    }
    const rows = await this.#rows
    this.#hasRows = rows !== undefined
    return rows?.get(messageId)
  }

  /** Undefined for one that is known already, or is still being written. */
  async #look(name: string): Promise<FoundFile | undefined> {
    const found = await stat(join(this.path, name)).catch(() => undefined)
    if (found === undefined) return undefined
    const { mtimeMs, size } = found
    if (this.#seen.get(name) === mtimeMs) return undefined
    if (Date.now() - mtimeMs < FRESH_MS && this.kind !== 'inbox') {
      this.#again = true
      return undefined
    }
    return { name, at: new Date(mtimeMs), size }
  }

  async #readIndex(): Promise<void> {
    const path = join(this.path, INDEX_FILE)
    if (!existsSync(path)) return
    await using file = await open(path)
    const { size } = await file.stat()
    if (size <= this.#indexRead) return
    const bytes = Buffer.allocUnsafe(size - this.#indexRead)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, this.#indexRead)
    const end = bytes.subarray(0, bytesRead).lastIndexOf(10) + 1
    this.#indexRead += end
    for (const text of bytes.toString('utf8', 0, end).split('\n')) {
      if (text === '') continue
      const line = lineOf(text)
      if (line !== undefined) this.#envelopes.set(line.file, line)
    }
  }

  /** The results are written when the run ends. */
  async #readResults(): Promise<ReadonlyMap<string, number> | undefined> {
    const text = await readFile(join(this.path, 'results.csv'), 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    const records = parse(text, { columns: true, relax_column_count: true }) as readonly Record<string, string>[]
    return new Map(records.map(({ message_id: id = '', row }) => [id.replace(/^'/, ''), Number(row)]))
  }
}

function lineOf(text: string): IndexLine | undefined {
  try {
    const line = JSON.parse(text) as IndexLine
    return typeof line.file === 'string' && Array.isArray(line.to) ? line : undefined
  } catch {
    return undefined
  }
}
