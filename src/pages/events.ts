/**
 * What happens, pushed to the pages as server-sent events. Owns the ids, what is kept for a page that comes back, and the
 * bounds: few events a second, and no queue for a page that does not read.
 */
import type { ServerResponse } from 'node:http'
import { COMMON_HEADERS } from './route.ts'

/** Events that a page which lost its connection gets again. */
const KEPT = 256
const HEARTBEAT_MS = 15_000
/** Events of one name are at least this far apart. */
const GAP_MS = 250
/** Bytes that wait for a page before it is sent nothing more until it has read them. */
const WAITING_BYTES = 1_000_000

interface Kept {
  readonly id: number
  readonly text: string
}

/** Joins what two events of one name say. */
export type Merge = (before: unknown, after: unknown) => unknown

interface Reader {
  readonly response: ServerResponse
  /** Fell behind: it is told to ask for everything again, once it reads. */
  behind: boolean
}

export class EventHub {
  readonly #merge: Readonly<Record<string, Merge>>
  readonly #readers = new Set<Reader>()
  readonly #kept: Kept[] = []
  readonly #pending = new Map<string, unknown>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #heartbeat: NodeJS.Timeout
  /** Ids of another life of the server are not ours. */
  readonly #life = Date.now().toString(36)
  #last = 0

  /** `merge` joins events that come faster than they are sent; without one the later takes the place of the earlier. */
  constructor(merge: Readonly<Record<string, Merge>> = {}) {
    this.#merge = merge
    this.#heartbeat = setInterval(() => this.#write(': \n\n'), HEARTBEAT_MS)
    this.#heartbeat.unref()
  }

  /** Whether a page listens now. */
  get isHeard(): boolean {
    return this.#readers.size > 0
  }

  /** Says it to every page; events of one name that follow each other at once are one. */
  publish(name: string, data: unknown): void {
    if (this.#timers.has(name)) {
      const before = this.#pending.get(name)
      const joined = this.#pending.has(name) ? (this.#merge[name]?.(before, data) ?? data) : data
      this.#pending.set(name, joined)
      return
    }
    this.#send(name, data)
    this.#wait(name)
  }

  #wait(name: string): void {
    const timer = setTimeout(() => {
      this.#timers.delete(name)
      if (!this.#pending.has(name)) return
      const data = this.#pending.get(name)
      this.#pending.delete(name)
      this.#send(name, data)
      this.#wait(name)
    }, GAP_MS)
    timer.unref()
    this.#timers.set(name, timer)
  }

  /** Answers a page that asks for events. `lastId` is that of the last one which it got. */
  subscribe(response: ServerResponse, lastId: string | undefined): void {
    response.writeHead(200, {
      ...COMMON_HEADERS,
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      connection: 'keep-alive',
    })
    response.write('retry: 1000\n\n')
    const reader: Reader = { response, behind: false }
    if (lastId !== undefined && lastId !== '') this.#catchUp(response, lastId)
    else response.write(`id: ${this.#life}-${this.#last}\nevent: hello\ndata: null\n\n`)
    this.#readers.add(reader)
    response.on('close', () => this.#readers.delete(reader))
  }

  #catchUp(response: ServerResponse, lastId: string): void {
    const [life, number] = lastId.split('-')
    const last = Number(number)
    const missed = this.#kept.filter(({ id }) => id > last)
    const isWhole = life === this.#life && last <= this.#last && missed.length === this.#last - last
    response.write(isWhole ? missed.map(({ text }) => text).join('') || ': \n\n' : this.#resync())
  }

  #resync(): string {
    return `id: ${this.#life}-${this.#last}\nevent: resync\ndata: null\n\n`
  }

  #send(name: string, data: unknown): void {
    const id = ++this.#last
    const text = `id: ${this.#life}-${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`
    this.#kept.push({ id, text })
    if (this.#kept.length > KEPT) this.#kept.shift()
    this.#write(text)
  }

  #write(text: string): void {
    for (const reader of this.#readers) {
      const { response } = reader
      if (response.writableLength > WAITING_BYTES) {
        if (!reader.behind) response.once('drain', () => this.#caughtUp(reader))
        reader.behind = true
      }
      if (!reader.behind) response.write(text)
    }
  }

  #caughtUp(reader: Reader): void {
    reader.behind = false
    reader.response.write(this.#resync())
  }

  close(): void {
    clearInterval(this.#heartbeat)
    for (const timer of this.#timers.values()) clearTimeout(timer)
    for (const { response } of this.#readers) response.end()
  }
}
