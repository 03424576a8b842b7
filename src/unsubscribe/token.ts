/**
 * Links that let one recipient leave one list. Owns the token: sealed, so that it shows no address and nobody can make or
 * change one. It needs no server and no ledger.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'

/** Who leaves what. */
export interface UnsubscribeTarget {
  readonly address: string
  /** Campaign group; empty for everything. */
  readonly group: string
}

const VERSION = 1
const TAG_BYTES = 16
const MAX_TOKEN = 600
/** Characters of a link that are looked at: a token whose every character was encoded twice. */
const MAX_LINK = 4000

/** Seals and opens tokens under one secret; a token of another secret, or a changed one, opens as nothing. */
export class UnsubscribeTokens {
  readonly #key: KeyObject
  readonly #nonceKey: Buffer

  /** `secret` is any text of enough chance; the keys are derived from it (RFC 5869). */
  constructor(secret: string) {
    const derived = (use: string): Buffer =>
      Buffer.from(hkdfSync('sha256', secret, '', `mailmerge unsubscribe ${use}`, 32))
    this.#key = createSecretKey(derived('link'))
    this.#nonceKey = derived('nonce')
  }

  /** The same recipient has the same token every time, so that messages stay the same over retries. */
  seal({ address, group }: UnsubscribeTarget): string {
    const plain = Buffer.from(JSON.stringify([address, group]))
    const nonce = this.#nonceOf(plain)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce)
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()])
    return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), sealed]).toString('base64url')
  }

  open(token: string): UnsubscribeTarget | undefined {
    if (token.length > MAX_TOKEN || !/^[\w-]+$/.test(token)) return undefined
    const bytes = Buffer.from(token, 'base64url')
    if (bytes[0] !== VERSION || bytes.length <= 13 + TAG_BYTES) return undefined
    // The last letter has bits to spare: a token that differs only in them has the same bytes, and is not the one we made.
    if (bytes.toString('base64url') !== token) return undefined
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(1, 13), { authTagLength: TAG_BYTES })
      decipher.setAuthTag(bytes.subarray(13, 13 + TAG_BYTES))
      const plain = decipher.update(bytes.subarray(13 + TAG_BYTES))
      // A made-up token fails here already, at a tenth of the price of the error that the next line would make of it.
      if (!timingSafeEqual(this.#nonceOf(plain), bytes.subarray(1, 13))) return undefined
      decipher.final()
      const [address, group] = JSON.parse(plain.toString('utf8')) as unknown[]
      return typeof address === 'string' && typeof group === 'string' ? { address, group } : undefined
    } catch {
      return undefined
    }
  }

  /** Made from what is sealed: equal tokens for equal content, and never one nonce for two contents. */
  #nonceOf(plain: Uint8Array): Buffer {
    return hash('sha256', Buffer.concat([this.#nonceKey, plain]), 'buffer').subarray(0, 12)
  }
}

/** A fresh secret for a project that has none yet. */
export function newUnsubscribeSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** The one-click address of a token's recipient: `https://news.example.com/u/TOKEN`. */
export function unsubscribeLink(base: string, token: string): string {
  return `${base.replace(/(?<!\/)\/+$/, '')}/u/${token}`
}

/**
 * The token in what follows `/u/` in a requested address, as mail programs and gateways bend it: percent-encoded, broken by a
 * line end, with a full stop or a bracket caught at its end, with `&utm_source=...` added. Empty when there is none.
 */
export function tokenInLink(rest: string): string {
  let text = rest.slice(0, MAX_LINK)
  // A gateway that rewrites links may encode one that was encoded already.
  for (let i = 0; i < 2 && text.includes('%'); i++) text = text.replace(/(?:%[0-9a-f]{2})+/gi, decoded)
  const joined = text.replace(/^\/+/, '').replace(/=?[\r\n][ \t\r\n]*|[\s\u00AD\u200B-\u200D\u2060\uFEFF]+/g, '')
  return /^[\w-]*/.exec(joined)?.[0] ?? ''
}

function decoded(escapes: string): string {
  return Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8')
}
