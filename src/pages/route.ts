/** What a page answers: routes and their answers. Owns these shapes, and the headers that every answer has. */

export interface PageRequest {
  /** What the groups of the path matched. */
  readonly match: readonly string[]
  readonly query: URLSearchParams
  /** The JSON of a request that changes something; undefined for others. */
  readonly body: unknown
  /** Aborted when the browser went away. */
  readonly signal: AbortSignal
}

export interface PageAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Matches a whole path. */
  readonly path: RegExp
  /**
   * A path that cannot be guessed, for what a frame of a mail loads: such a frame has no cookie. Answered without one.
   */
  readonly open?: boolean
  /** Undefined when there is nothing of that name. */
  answer(request: PageRequest): PageAnswer | undefined | Promise<PageAnswer | undefined>
}

/** Headers of everything that is answered. */
export const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const

/** For what is data and no document. */
const NO_DOCUMENT = "default-src 'none'; frame-ancestors 'none'; sandbox"

export function json(value: unknown, status = 200): PageAnswer {
  const headers = { 'content-type': 'application/json', 'content-security-policy': NO_DOCUMENT }
  return { status, headers, body: `${JSON.stringify(value)}\n` }
}

export function bytes(body: string | Uint8Array, type: string, headers: PageAnswer['headers'] = {}): PageAnswer {
  return { status: 200, headers: { 'content-type': type, 'content-security-policy': NO_DOCUMENT, ...headers }, body }
}
