/**
 * The messages of an inbox, newest first: those of every folder that is looked into, as they come. Owns their numbers, the
 * search and the wait for one that is to come; shows nothing.
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BoundedMap } from '../../bounded-map.ts'
import { DataError } from '../../errors.ts'
import type { MessageFault } from '../../inbox/faults.ts'
import type { IndexLine } from '../../inbox/store.ts'
import type { EventHub } from '../events.ts'
import { type ReadMessage, readMessage } from '../message/read.ts'
import type { MailCounts, MailFilter, MailRow } from '../wire.ts'
import { MailFolder } from './folder.ts'
import { preheaderIn } from './head.ts'
import { type Headed, Heads } from './heads.ts'
import { folded, readSearch, type Searchable } from './search.ts'

export interface MailboxOptions {
  /** The `.mailmerge` folder of the project; what is below it may be deleted from the page. */
  readonly home: string
  /** A folder of the user's own to show instead. */
  readonly folder?: string | undefined
  /** Gets `added` and `removed`. */
  readonly events: EventHub
}

interface Entry extends Headed {
  /** Rises with the time at which messages came. */
  readonly id: number
  readonly at: Date
  readonly size: number
  isNew: boolean
}

const POLL_MS = 300
/** Heads that are read before a person notices. */
const SOON_READ = 500

export class Mailbox {
  readonly #options: MailboxOptions
  readonly #folders = new Map<string, MailFolder>()
  /** In the order of their numbers. */
  #entries: Entry[] = []
  readonly #byId = new Map<number, Entry>()
  readonly #preheaders = new BoundedMap<number, string>(5000)
  readonly #read = new BoundedMap<number, ReadMessage>(32)
  #waiting: (() => void)[] = []
  #last = 0
  #isFirst = true
  #looking: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  readonly #heads = new Heads()
  #closed = false
  #isCounting = false

  constructor(options: MailboxOptions) {
    this.#options = options
  }

  /** Reads what is there, and looks for more from then on. */
  async open(): Promise<void> {
    await this.look()
    this.#isFirst = false
    // While nobody asks yet: the first search need not wait for all of them.
    void this.#heads.readAll(this.#newestFirst())
    this.#again()
  }

  close(): void {
    this.#closed = true
    this.#heads.close()
    clearTimeout(this.#timer)
    this.#wake()
  }

  /** Looks at once for what is new. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look())
    return this.#looking
  }

  /** A message that the server of this inbox just kept. */
  async kept(path: string, line: IndexLine): Promise<void> {
    this.#looking = this.#looking.then(() => {
      const folder = this.#folder(path, 'inbox')
      if (!folder.note(line.file, line)) return
      this.#add([{ folder, file: line.file, at: new Date(line.at), size: line.size }])
    })
    await this.#looking
  }

  /** A page of the list, newest first: from a position, after the message of a number, or from that message on. */
  async page(
    query: { readonly search: string; readonly filter: MailFilter },
    where: { readonly from: number } | { readonly after: number } | { readonly near: number },
    limit: number,
  ): Promise<{ readonly total: number; readonly from: number; readonly rows: readonly MailRow[] }> {
    const found = await this.#matching(query)
    const next =
      'from' in where
        ? where.from
        : 'after' in where
          ? found.findIndex(({ id }) => id < where.after)
          : found.findIndex(({ id }) => id <= where.near)
    const from = next < 0 ? found.length : next
    const rows = await Promise.all(found.slice(from, from + limit).map((entry) => this.#row(entry)))
    return { total: found.length, from, rows }
  }

  /** Attachments are counted as far as the messages are read; `added` is published once more when all are. */
  async counts(): Promise<MailCounts> {
    const unread = this.#entries.filter(({ head }) => head === undefined).length
    const reading = this.#readHeads(this.#entries)
    if (unread <= SOON_READ) await reading
    else if (!this.#isCounting) {
      this.#isCounting = true
      void reading.finally(() => {
        this.#isCounting = false
        this.#options.events.publish('added', { count: 0, first: this.#last + 1, last: this.#last })
      })
    }
    const of = (test: (entry: Entry) => boolean): number => this.#entries.filter(test).length
    return {
      all: this.#entries.length,
      new: of(({ isNew }) => isNew),
      attachments: of(({ head }) => head?.hasAttachment === true),
      refused: of((entry) => faultOf(entry) !== undefined),
    }
  }

  /**
   * The newest message that fits, and came after the one of number `after`; waits for one that is to come. Undefined when none
   * came in time.
   */
  async latest(
    search: string,
    { after = 0, waitMs, signal }: { readonly after?: number; readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<MailRow | undefined> {
    const end = Date.now() + waitMs
    for (;;) {
      await this.look()
      const [newest] = await this.#matching({ search, filter: 'all' })
      if (newest !== undefined && newest.id > after) return this.#row(newest)
      const left = end - Date.now()
      if (left <= 0 || signal.aborted || this.#closed) return undefined
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
  }

  /** What the list shows of one message. */
  async row(id: number): Promise<MailRow | undefined> {
    const entry = this.#byId.get(id)
    return entry === undefined ? undefined : this.#row(entry)
  }

  /** The message itself; undefined when it is not there any more. */
  async message(id: number): Promise<ReadMessage | undefined> {
    const entry = this.#byId.get(id)
    if (entry === undefined) return undefined
    const known = this.#read.get(id)
    if (known !== undefined) return known
    const bytes = await readFile(join(entry.folder.path, entry.file)).catch(() => undefined)
    if (bytes === undefined) return undefined
    const read = await readMessage(bytes)
    this.#read.set(id, read)
    return read
  }

  envelopeOf(id: number): { readonly from: string; readonly to: readonly string[] } | undefined {
    const entry = this.#byId.get(id)
    return entry?.folder.envelopeOf(entry.file)
  }

  /** A person has looked at it. */
  markSeen(id: number): void {
    const entry = this.#byId.get(id)
    if (entry !== undefined) entry.isNew = false
  }

  /**
   * Deletes the messages that match, or one.
   * @throws DataError for messages in a folder of the user's own.
   */
  async remove(which: { readonly search: string } | { readonly id: number }): Promise<number> {
    const found =
      'id' in which
        ? [this.#byId.get(which.id)].filter((entry) => entry !== undefined)
        : await this.#matching({ search: which.search, filter: 'all' })
    if (this.#options.folder !== undefined) {
      throw new DataError(`the messages in ${this.#options.folder} are not deleted from here`, {
        hint: 'That folder is your own: delete its files where they are.',
      })
    }
    for (const { folder, file } of found) {
      await rm(join(folder.path, file), { force: true })
      folder.forget(file)
    }
    this.#drop(new Set(found))
    return found.length
  }

  #again(): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => {
      void this.look().finally(() => this.#again())
    }, POLL_MS)
  }

  async #look(): Promise<void> {
    if (this.#closed) return
    await this.#findFolders()
    const added: Pick<Entry, 'folder' | 'file' | 'at' | 'size'>[] = []
    const gone = new Set<Entry>()
    for (const folder of this.#folders.values()) {
      const changes = await folder.changes()
      const names = new Set(changes.gone)
      if (names.size > 0)
        for (const entry of this.#entries) if (entry.folder === folder && names.has(entry.file)) gone.add(entry)
      for (const { name, at, size } of changes.added) {
        const line = folder.envelopeOf(name)
        added.push({ folder, file: name, at: line === undefined ? at : new Date(line.at), size })
      }
    }
    if (gone.size > 0) this.#drop(gone)
    if (added.length > 0) this.#add(added)
  }

  async #findFolders(): Promise<void> {
    const { home, folder } = this.#options
    if (folder !== undefined) {
      this.#folder(folder, 'other')
      return
    }
    this.#folder(join(home, 'inbox'), 'inbox')
    this.#folder(join(home, 'dry-run'), 'dry-run')
    const runs = await readdir(join(home, 'sandbox')).catch(() => [])
    for (const run of runs) this.#folder(join(home, 'sandbox', run), 'sandbox')
  }

  #folder(path: string, kind: MailFolder['kind']): MailFolder {
    let folder = this.#folders.get(path)
    if (folder === undefined) {
      folder = new MailFolder(path, kind)
      this.#folders.set(path, folder)
    }
    return folder
  }

  #add(found: readonly Pick<Entry, 'folder' | 'file' | 'at' | 'size'>[]): void {
    const first = this.#last + 1
    const inOrder = [...found].sort((a, b) => a.at.getTime() - b.at.getTime() || (a.file < b.file ? -1 : 1))
    for (const one of inOrder) {
      const entry: Entry = { ...one, id: ++this.#last, isNew: !this.#isFirst }
      this.#entries.push(entry)
      this.#byId.set(entry.id, entry)
    }
    this.#options.events.publish('added', { count: found.length, first, last: this.#last })
    this.#wake()
  }

  #drop(gone: ReadonlySet<Entry>): void {
    this.#entries = this.#entries.filter((entry) => !gone.has(entry))
    for (const { id } of gone) {
      this.#byId.delete(id)
      this.#read.delete(id)
    }
    if (gone.size > 0) this.#options.events.publish('removed', { count: gone.size })
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  async #matching({ search, filter }: { readonly search: string; readonly filter: MailFilter }): Promise<Entry[]> {
    const test = readSearch(search)
    const newest = this.#newestFirst()
    if (test === undefined && filter === 'all') return newest
    await this.#readHeads(newest)
    return newest.filter((entry) => passes(entry, filter) && (test === undefined || test(searchable(entry))))
  }

  #newestFirst(): Entry[] {
    return this.#entries.toReversed()
  }

  #readHeads(entries: readonly Entry[]): Promise<void> {
    return this.#heads.readAll(
      entries.filter(({ head, row, folder }) => head === undefined || (row === undefined && folder.kind === 'sandbox')),
    )
  }

  async #row(entry: Entry): Promise<MailRow> {
    await this.#heads.read(entry)
    const { id, at, size, isNew, folder, row } = entry
    const { who = '', from = '', to = '', subject = '', hasAttachment = false } = entry.head ?? {}
    let preheader = this.#preheaders.get(id)
    if (preheader === undefined) {
      preheader = await preheaderIn(Buffer.from(this.#heads.firstBytes(entry)))
      this.#preheaders.set(id, preheader)
    }
    const fault = faultOf(entry)
    return {
      id,
      at: at.toISOString(),
      who,
      from,
      to,
      subject,
      preheader,
      size,
      row,
      hasAttachment,
      isNew,
      fault,
      source: folder.kind,
    }
  }
}

function passes(entry: Entry, filter: MailFilter): boolean {
  switch (filter) {
    case 'all':
      return true
    case 'new':
      return entry.isNew
    case 'attachments':
      return entry.head?.hasAttachment === true
    case 'refused':
      return faultOf(entry) !== undefined
  }
}

function faultOf({ folder, file }: Entry): MessageFault | undefined {
  return folder.envelopeOf(file)?.fault
}

function searchable(entry: Entry): Searchable {
  const { head, row, at, isNew, folder, file } = entry
  const envelope = folder.envelopeOf(file)
  return {
    from: [head?.words.from ?? '', folded(envelope?.from ?? '')],
    to: [head?.words.to ?? '', ...(envelope?.to ?? []).map(folded)],
    subject: head?.words.subject ?? '',
    row,
    at,
    hasAttachment: head?.hasAttachment === true,
    isNew,
    fault: faultOf(entry),
  }
}
