/**
 * What happens on the server, as events. Owns the one connection that all tabs of a page share (a browser has six for a
 * host, and a seventh tab would hang), and what a page knows of its state.
 */

export type LiveState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** No answer since then. */
  | { readonly kind: 'lost'; readonly since: Date }
  /** The server said that it goes, and is not asked any more. */
  | { readonly kind: 'ended' }

/** Between tabs. */
type Word =
  | { readonly kind: 'event'; readonly name: string; readonly data: unknown; readonly id: string }
  | { readonly kind: 'state'; readonly live: boolean }
  | { readonly kind: 'ask' }

const NAME = 'mailmerge-events'
/** A tab that nobody looks at for this long lets another one hold the connection. */
const HIDDEN_MS = 60_000

export class Live {
  readonly #names: readonly string[]
  readonly #onEvent: (name: string, data: unknown) => void
  readonly #onState: (state: LiveState) => void
  readonly #channel = new BroadcastChannel(NAME)
  #source: EventSource | undefined
  #state: LiveState = { kind: 'connecting' }
  #lastId = ''
  #release: (() => void) | undefined
  #hiding: number | undefined

  /** `names` are those of the events; `resync` and `hello` come too: then all that is known may be old. */
  constructor(
    names: readonly string[],
    onEvent: (name: string, data: unknown) => void,
    onState: (state: LiveState) => void,
  ) {
    this.#names = [...names, 'resync', 'hello']
    this.#onEvent = onEvent
    this.#onState = onState
    this.#channel.onmessage = ({ data }: MessageEvent<Word>) => this.#hear(data)
    document.addEventListener('visibilitychange', () => this.#seen())
    this.#queue()
    this.#channel.postMessage({ kind: 'ask' } satisfies Word)
  }

  get state(): LiveState {
    return this.#state
  }

  /** Waits for its turn to hold the connection; where there are no locks each tab has its own. */
  #queue(): void {
    const locks = (navigator as { readonly locks?: LockManager }).locks
    if (locks === undefined) return this.#connect()
    void locks.request(NAME, () => {
      if (document.hidden && this.#lastId !== '') return undefined
      this.#connect()
      return new Promise<void>((resolve) => {
        this.#release = resolve
      })
    })
  }

  #connect(): void {
    const from = this.#lastId === '' ? '' : `?last=${encodeURIComponent(this.#lastId)}`
    const source = new EventSource(`/api/events${from}`)
    this.#source = source
    source.onopen = () => this.#share({ kind: 'state', live: true })
    source.onerror = () => this.#share({ kind: 'state', live: false })
    for (const name of this.#names) {
      source.addEventListener(name, ({ data, lastEventId }: MessageEvent<string>) => {
        this.#share({ kind: 'event', name, data: JSON.parse(data), id: lastEventId })
      })
    }
  }

  #share(word: Word): void {
    this.#channel.postMessage(word)
    this.#hear(word)
  }

  #hear(word: Word): void {
    switch (word.kind) {
      case 'ask':
        if (this.#source !== undefined) this.#channel.postMessage({ kind: 'state', live: this.#state.kind === 'live' })
        break
      case 'state':
        this.#become(word.live)
        break
      case 'event':
        this.#lastId = word.id
        this.#become(true)
        this.#onEvent(word.name, word.data)
    }
  }

  /** The server is gone for good, as it said. */
  end(): void {
    this.#rest()
    this.#state = { kind: 'ended' }
    this.#onState(this.#state)
  }

  #become(live: boolean): void {
    if (this.#state.kind === 'ended') return
    if (live ? this.#state.kind === 'live' : this.#state.kind === 'lost') return
    this.#state = live ? { kind: 'live' } : { kind: 'lost', since: new Date() }
    this.#onState(this.#state)
  }

  #seen(): void {
    clearTimeout(this.#hiding)
    if (this.#state.kind === 'ended') return
    if (document.hidden) {
      this.#hiding = setTimeout(() => this.#rest(), HIDDEN_MS)
    } else if (this.#source === undefined) {
      this.#queue()
      this.#channel.postMessage({ kind: 'ask' } satisfies Word)
    }
  }

  #rest(): void {
    this.#source?.close()
    this.#source = undefined
    this.#release?.()
    this.#release = undefined
  }
}
