/**
 * Answers unsubscribe links (RFC 8058). Owns what a request may do: only a POST that says so takes anybody off a list, a
 * GET shows a page and never acts, so that programs which follow links unsubscribe nobody. What it answers with 200 is
 * durable before. Never knows sockets.
 */
import { hash } from 'node:crypto'
import { DataError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Suppression } from '../ledger/records.ts'
import { PAGE_HEADERS, type PageState, unsubscribePage } from './page.ts'
import { TokenBuckets } from './rate-limit.ts'
import { readEntry, suppressionOf } from './suppression-list.ts'
import type { UnsubscribeTarget, UnsubscribeTokens } from './token.ts'
import { chooseLanguage } from './translations.ts'

export interface LinkRequest {
  readonly method: string
  /** The token of the link, as it came. */
  readonly token: string
  /** `?lang=` of the link. */
  readonly lang?: string | undefined
  readonly acceptLanguage?: string | undefined
  /** Whose request it is, for limits: an IP address. */
  readonly client: string
}

export interface LinkAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** What was done, for the log; without any address. */
  readonly did?: 'unsubscribed' | 'subscribed'
}

/** Answers the body of a request, bounded by who reads it. */
export type AnswerBody = (body: Uint8Array) => Promise<LinkAnswer>

export interface UnsubscribeEndpointOptions {
  readonly ledger: Ledger
  readonly tokens: UnsubscribeTokens
  /** Names of groups for people. */
  readonly lists: Readonly<Record<string, string>>
  readonly sender?: string | undefined
  readonly now?: () => Date
}

/** Wrong links of one client: a burst, then one every few seconds. Good links are never refused for them. */
const WRONG = { burst: 30, seconds: 2 }
/** Requests of one client for one good link: a link that is requested in a loop. */
const SAME = { burst: 30, seconds: 2 }
/** Times that one recipient may subscribe again. Unsubscribing is never refused for them. */
const RETURNS = { burst: 5, seconds: 600 }

export class UnsubscribeEndpoint {
  readonly #options: UnsubscribeEndpointOptions
  readonly #wrong: TokenBuckets
  readonly #same: TokenBuckets
  readonly #returns: TokenBuckets
  #waiting: { readonly entry: Suppression; readonly done: (error?: unknown) => void }[] = []
  #writing = false

  constructor(options: UnsubscribeEndpointOptions) {
    this.#options = options
    const now = () => this.#now().getTime()
    this.#wrong = new TokenBuckets(WRONG, now)
    this.#same = new TokenBuckets(SAME, now)
    this.#returns = new TokenBuckets(RETURNS, now)
  }

  /**
   * Answers what needs no body: wrong methods, wrong links, and the page. At once, so that a flood of wrong links costs as
   * little as possible. Where the body decides, returns a function that answers it.
   */
  answer(request: LinkRequest): LinkAnswer | AnswerBody {
    if (!METHODS.includes(request.method)) return NOT_ALLOWED
    const leaving = this.#open(request.token)
    if (leaving === undefined) return this.#unknown(request)
    // Of this client alone: nobody can use up another's way out.
    if (!this.#same.tryTake(`${request.client} ${request.token}`)) return TOO_MANY
    if (request.method === 'POST') return (body) => this.#act(request, body, leaving)
    return { status: 200, headers: PAGE_HEADERS, body: this.#page(request, 'ask', leaving.address, leaving.group) }
  }

  async #act(request: LinkRequest, body: Uint8Array, { address, group }: UnsubscribeTarget): Promise<LinkAnswer> {
    const page = (state: PageState, all = false): string => this.#page(request, state, address, all ? '' : group)
    const form = readForm(body)
    const act = actOf(form)
    if (act === undefined) {
      return { status: 400, headers: TEXT_HEADERS, body: 'The body must be List-Unsubscribe=One-Click (RFC 8058).\n' }
    }
    const all = form.get('scope') === 'all'
    try {
      if (act === 'subscribe') {
        if (!this.#returns.tryTake(hash('sha256', `${address}\n${group}`))) {
          return { status: 429, headers: { ...PAGE_HEADERS, 'retry-after': '3600' }, body: page('slow') }
        }
        const state = (await this.#comeBack(address, group)) ? 'back' : 'kept-off'
        return { status: 200, headers: PAGE_HEADERS, body: page(state), did: 'subscribed' }
      }
      const fresh = await this.#leave(address, all ? '' : group)
      return { status: 200, headers: PAGE_HEADERS, body: page('left', all), ...(fresh ? { did: 'unsubscribed' } : {}) }
    } catch {
      // Providers try again later; a person sees that nothing was done.
      return { status: 503, headers: { ...PAGE_HEADERS, 'retry-after': '120' }, body: page('failed') }
    }
  }

  /** A full stop or an underscore of the text around a link may have been taken into it, and an underscore is a letter of tokens. */
  #open(token: string): UnsubscribeTarget | undefined {
    const { tokens } = this.#options
    return tokens.open(token) ?? (/[-_]$/.test(token) ? tokens.open(token.replace(/[-_]{1,3}$/, '')) : undefined)
  }

  #unknown(request: LinkRequest): LinkAnswer {
    if (!this.#wrong.tryTake(request.client)) return TOO_MANY
    return { status: 404, headers: PAGE_HEADERS, body: this.#page(request, 'unknown') }
  }

  #page(request: Pick<LinkRequest, 'lang' | 'acceptLanguage'>, state: PageState, address?: string, group = ''): string {
    const { lists, sender } = this.#options
    return unsubscribePage({
      state,
      language: chooseLanguage(request.lang, request.acceptLanguage),
      address,
      list: group === '' ? undefined : Object.hasOwn(lists, group) ? (lists[group] ?? group) : group,
      sender,
    })
  }

  /** False when the recipient had left already: a link that is tried again and again costs no write. */
  async #leave(address: string, group: string): Promise<boolean> {
    const entry = entryOf(address)
    if ((await this.#own(entry, group)) !== undefined) return false
    await this.#write(suppressionOf(entry, { group, reason: 'unsubscribed', addedAt: this.#now() }))
    return true
  }

  /**
   * Takes back only what the recipient did, for the list and for all: a bounce, a complaint, an entry of the sender's stay.
   * False when one of these still keeps the emails away.
   */
  async #comeBack(address: string, group: string): Promise<boolean> {
    const entry = entryOf(address)
    for (const _ of ['the list', 'all']) {
      const found = await this.#own(entry, group)
      if (found !== undefined) await this.#options.ledger.suppressions.remove([entry], found.group)
    }
    return !(await this.#options.ledger.suppressions.find([entry], group)).has(entry)
  }

  /** The recipient's own wish not to be written to; one for the whole domain is somebody else's. */
  async #own(entry: string, group: string): Promise<Suppression | undefined> {
    const found = (await this.#options.ledger.suppressions.find([entry], group)).get(entry)
    return found?.reason === 'unsubscribed' && found.hash === hash('sha256', entry) ? found : undefined
  }

  /** Many that leave at once are one transaction. */
  #write(entry: Suppression): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, done: (error) => (error === undefined ? resolve() : reject(error)) })
      if (!this.#writing) void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    this.#writing = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      const error = await this.#options.ledger.suppressions.add(batch.map(({ entry }) => entry)).then(
        () => undefined,
        (cause: unknown) => cause ?? new Error('not written'),
      )
      for (const { done } of batch) done(error)
    }
    this.#writing = false
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date()
  }
}

const TEXT_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/plain; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
}

const METHODS: readonly string[] = ['GET', 'HEAD', 'POST']
const NOT_ALLOWED: LinkAnswer = { status: 405, headers: { allow: METHODS.join(', '), ...TEXT_HEADERS }, body: '' }
const TOO_MANY: LinkAnswer = { status: 429, headers: { ...TEXT_HEADERS, 'retry-after': '60' }, body: '' }

/** The form in which the ledger looks an address up. */
function entryOf(address: string): string {
  const judged = readEntry(address)
  if ('fault' in judged) throw new DataError(`a link was sent to something that is not an address: ${judged.fault}`)
  return judged.entry
}

/**
 * The fields of a body, by their lower-cased names: urlencoded or multipart as RFC 8058 section 3.1 allows, or JSON, which some
 * programs send. The content type is not asked: senders set it wrongly, and the sealed link and the POST say enough.
 */
function readForm(body: Uint8Array): ReadonlyMap<string, string> {
  const text = Buffer.from(body).toString('utf8').replace(/\r\n?/g, '\n').trim()
  const fields = text.startsWith('--')
    ? partsOf(text)
    : text.startsWith('{')
      ? jsonFields(text)
      : [...new URLSearchParams(text)]
  return new Map(fields.map(([name, value]) => [name.trim().toLowerCase(), value.trim()]))
}

/** The fields of a multipart body, whose first line is its boundary; bare line feeds are accepted. */
function partsOf(text: string): [name: string, value: string][] {
  const boundary = text.split('\n', 1)[0]?.trimEnd() ?? ''
  return `\n${text}`.split(`\n${boundary}`).flatMap((part): [string, string][] => {
    const end = part.indexOf('\n\n')
    const name = /;[ ]*name="?([^";\n]{1,100})/i.exec(part.slice(0, Math.max(0, end)))?.[1]
    return name === undefined ? [] : [[name, part.slice(end + 2)]]
  })
}

function jsonFields(text: string): [name: string, value: string][] {
  try {
    return Object.entries(JSON.parse(text) as object).map(([name, value]) => [name, String(value)])
  } catch {
    return []
  }
}

function actOf(form: ReadonlyMap<string, string>): 'leave' | 'subscribe' | undefined {
  if (form.get('action') === 'subscribe') return 'subscribe'
  return form.get('list-unsubscribe')?.toLowerCase() === 'one-click' ? 'leave' : undefined
}
