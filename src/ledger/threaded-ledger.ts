/**
 * A SQLite ledger that works in a thread of its own, so that whoever renders and sends does not stand still while the disk
 * makes a commit durable. Owns the thread's life; each call means what it means to the ledger itself.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { OutputError } from '../errors.ts'
import type { Claim, Ledger } from './ledger.ts'
import { type ThreadReply, type ThreadRequest, unpackError } from './thread-messages.ts'

type Wanted = ThreadRequest extends infer Request ? (Request extends unknown ? Omit<Request, 'id'> : never) : never

/** Parts of a ledger that are ledgers themselves, and methods that give a list piece by piece. */
const PARTS: {
  readonly [Name in keyof Ledger as Ledger[Name] extends object
    ? Ledger[Name] extends (...args: never[]) => unknown
      ? never
      : Name
    : never]: true
} = {
  copies: true,
  feedback: true,
  schedules: true,
}
const STREAMS: {
  readonly [Name in keyof Ledger as Ledger[Name] extends (...args: never[]) => AsyncIterable<unknown>
    ? Name
    : never]: true
} = {
  results: true,
  suppressions: true,
}

/**
 * Opens the ledger at `path`, making it when there is none.
 * @throws what `openSqliteLedger` throws.
 */
export async function openThreadedLedger(path: string): Promise<Ledger> {
  const thread = new LedgerThread(path)
  try {
    // The first question waits for the opening.
    await thread.ask({ kind: 'call', path: ['suppressionMark'], args: [] })
    return ledgerOf(thread, path)
  } catch (error) {
    await thread.end()
    throw error
  }
}

function ledgerOf(thread: LedgerThread, location: string): Ledger {
  const own: Partial<Ledger> = {
    location,
    async claim(...args): Promise<Claim> {
      const { id, value } = await thread.asked({ kind: 'claim', args })
      return {
        orphans: Number(value),
        release: async () => {
          await thread.ask({ kind: 'release', claim: id })
        },
      }
    },
    async close() {
      if (thread.ended) return
      await thread.ask({ kind: 'call', path: ['close'], args: [] })
      await thread.end()
    },
  }
  return proxied(thread, [], own) as unknown as Ledger
}

/** Every other name is a method of the ledger. */
function proxied(thread: LedgerThread, path: readonly string[], own: object): object {
  const known = new Map<string, unknown>(Object.entries(own))
  return new Proxy(own, {
    get(_target, name) {
      // Whoever awaits a ledger must not take it for a promise.
      if (typeof name !== 'string' || name === 'then') return undefined
      let member = known.get(name)
      if (member === undefined) {
        member = memberOf(thread, [...path, name])
        known.set(name, member)
      }
      return member
    },
    set(_target, name, value) {
      known.set(String(name), value)
      return true
    },
  })
}

function memberOf(thread: LedgerThread, path: readonly string[]): unknown {
  const name = path.join('.')
  if (name in PARTS) return proxied(thread, path, {})
  if (name in STREAMS) return (...args: readonly unknown[]) => thread.stream(path, args)
  return (...args: readonly unknown[]) => thread.ask({ kind: 'call', path, args })
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

class LedgerThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #next = 0
  #gone: Error | undefined

  constructor(path: string) {
    const entry = new URL('./ledger-thread.ts', import.meta.url)
    // Beside this module as it is: a source, or built.
    entry.pathname = entry.pathname.replace(/\.ts$/, extname(import.meta.filename))
    this.#worker = new Worker(entry, { workerData: path, execArgv: ['--disable-warning=ExperimentalWarning'] })
    this.#worker.on('message', (reply: ThreadReply) => this.#answered(reply))
    this.#worker.on('error', (cause) => this.#lost(cause))
    this.#worker.on('exit', () => this.#lost(undefined))
    this.#worker.unref()
  }

  get ended(): boolean {
    return this.#gone !== undefined
  }

  ask(wanted: Wanted): Promise<unknown> {
    return this.asked(wanted).then(({ value }) => value)
  }

  /** The answer, and the number that the question had. */
  asked(wanted: Wanted): Promise<{ readonly id: number; readonly value: unknown }> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone)
    const id = ++this.#next
    return new Promise((resolve, reject) => {
      // The thread keeps the program alive while somebody waits for it, and no longer.
      if (this.#waiting.size === 0) this.#worker.ref()
      this.#waiting.set(id, { resolve: (value) => resolve({ id, value }), reject })
      this.#worker.postMessage({ ...wanted, id } satisfies ThreadRequest)
    })
  }

  async *stream(path: readonly string[], args: readonly unknown[]): AsyncGenerator<unknown> {
    const { id } = await this.asked({ kind: 'stream', path, args })
    let done = false
    try {
      for (;;) {
        const next = (await this.ask({ kind: 'next', stream: id })) as IteratorResult<unknown> | undefined
        done = next === undefined || next.done === true
        if (next === undefined || next.done) return
        yield next.value
      }
    } finally {
      if (!done) await this.ask({ kind: 'leave', stream: id }).catch(() => {})
    }
  }

  async end(): Promise<void> {
    this.#gone ??= new OutputError('The ledger is closed')
    await this.#worker.terminate()
  }

  #answered(reply: ThreadReply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (this.#waiting.size === 0) this.#worker.unref()
    if ('error' in reply) waiting?.reject(unpackError(reply.error))
    else waiting?.resolve(reply.value)
  }

  /** A thread that died leaves every question open: as a disk that failed does. */
  #lost(cause: Error | undefined): void {
    this.#gone ??= new OutputError('The thread of the ledger ended', {
      hint: 'Give the command again: the ledger knows what was sent.',
      ...(cause === undefined ? {} : { cause }),
    })
    for (const { reject } of this.#waiting.values()) reject(this.#gone)
    this.#waiting.clear()
  }
}
