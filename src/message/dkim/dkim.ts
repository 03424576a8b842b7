/**
 * DKIM signatures (RFC 6376; rsa-sha256 and ed25519-sha256 of RFC 8301 and 8463; relaxed/relaxed). Owns which fields are
 * signed and how; the arithmetic is done on the thread pool, so that the event loop goes on.
 */

import { hash, sign } from 'node:crypto'
import { BoundedMap } from '../../bounded-map.ts'
import type { DkimKey } from '../../config/settings.ts'
import { createBodyHash } from './body.ts'
import { type LoadedKey, loadDkimKey } from './key.ts'

export interface DkimSigner {
  /**
   * One signature a key, as whole header fields that go in front of the message.
   *
   * @param fields All fields of the message, each with its CRLF, without the empty line.
   * @param body What follows the empty line; each chunk ends with a whole line.
   */
  sign(fields: string, body: readonly Uint8Array[]): Promise<Buffer>
}

/** Signed once more than they occur, so that nobody can add another (RFC 6376 section 8.15). */
const OVERSIGNED = [
  'from',
  'sender',
  'reply-to',
  'subject',
  'date',
  'message-id',
  'to',
  'cc',
  'list-unsubscribe',
  'list-unsubscribe-post',
]
/** Signed when they are there. */
const SIGNED = [
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'in-reply-to',
  'references',
  'list-id',
  'list-help',
  'list-owner',
  'list-archive',
  'list-subscribe',
  'list-post',
  'feedback-id',
  'auto-submitted',
]

/** What of a signature is the same for all messages with the same fields. */
interface Front {
  /** The field up to the hash of the body, folded. */
  readonly written: string
  readonly relaxed: string
}

/**
 * Loads the keys and makes a signer.
 * @throws ConfigError when a key cannot be read or used; it names the file.
 */
export function createSigner(keys: readonly DkimKey[], root: string): DkimSigner {
  const loaded = keys.map((key) => ({ key: loadDkimKey(key, root), fronts: new BoundedMap<string, Front>(50) }))
  const hashBody = createBodyHash()
  return {
    async sign(fields, body) {
      const bodyHash = hashBody(body)
      const { names, text } = chooseFields(readFields(fields))
      const lines = loaded.map(({ key, fronts }) => {
        const front = fronts.getOrMake(names, () => frontOf(key, names))
        return signatureOf(key, front, text, bodyHash)
      })
      return Buffer.from((await Promise.all(lines)).join(''), 'latin1')
    },
  }
}

/** Fields by name in relaxed form (RFC 6376 section 3.4.2), in the order of the message. */
function readFields(text: string): ReadonlyMap<string, readonly string[]> {
  const fields = new Map<string, string[]>()
  let start = 0
  while (start < text.length) {
    let end = text.indexOf('\r\n', start)
    while (isFold(text, end)) end = text.indexOf('\r\n', end + 2)
    const colon = text.indexOf(':', start)
    const name = text.slice(start, colon).toLowerCase()
    const relaxed = `${name}:${relaxedValue(text.slice(colon + 1, end))}\r\n`
    const known = fields.get(name)
    if (known === undefined) fields.set(name, [relaxed])
    else known.push(relaxed)
    start = end + 2
  }
  return fields
}

/** True when the line goes on after the line end at `end`. */
function isFold(text: string, end: number): boolean {
  const next = text.charCodeAt(end + 2)
  return next === 32 || next === 9
}

function relaxedValue(value: string): string {
  const whole = value.includes('\r\n') ? value.replaceAll('\r\n', '') : value
  const trimmed = whole.trim()
  return trimmed.includes('  ') || trimmed.includes('\t') ? trimmed.replace(/[ \t]+/g, ' ') : trimmed
}

/** Names for h= in order, and the text that is signed; a name without a field left signs its absence. */
function chooseFields(fields: ReadonlyMap<string, readonly string[]>): {
  readonly names: string
  readonly text: string
} {
  let names = ''
  let text = ''
  const take = (name: string, more: boolean): void => {
    const found = fields.get(name)
    // Several fields of one name are signed from the last upwards (RFC 6376 section 5.4.2).
    for (let at = (found?.length ?? 0) - 1; at >= 0; at--) {
      names += `${name}:`
      text += found?.[at] ?? ''
    }
    if (more) names += `${name}:`
  }
  for (const name of OVERSIGNED) take(name, true)
  for (const name of SIGNED) take(name, false)
  return { names: names.slice(0, -1), text }
}

function frontOf({ algorithm, domain, selector }: LoadedKey, names: string): Front {
  const folded = names.replace(/(.{50,70}?):/g, '$1:\r\n  ')
  const written = `v=1; a=${algorithm}; c=relaxed/relaxed;\r\n d=${domain}; s=${selector};\r\n h=${folded};\r\n bh=`
  return { written: `DKIM-Signature: ${written}`, relaxed: `dkim-signature:${relaxedValue(written)}` }
}

function signatureOf({ key, algorithm }: LoadedKey, front: Front, text: string, bodyHash: string): Promise<string> {
  // The signature covers its own field with an empty b= and without the final CRLF (RFC 6376 section 3.7).
  const data = Buffer.from(`${text}${front.relaxed}${bodyHash}; b=`, 'utf8')
  const rsa = algorithm === 'rsa-sha256'
  return new Promise((resolve, reject) => {
    // RFC 8463 section 3: Ed25519 signs the SHA-256 of the data, not the data.
    sign(rsa ? 'sha256' : null, rsa ? data : hash('sha256', data, 'buffer'), key, (error, octets) => {
      if (error !== null) reject(error)
      else resolve(`${front.written}${bodyHash};\r\n b=${foldedBase64(octets)}\r\n`)
    })
  })
}

function foldedBase64(octets: Buffer): string {
  const text = octets.toString('base64')
  const lines: string[] = []
  for (let at = 0; at < text.length; at += 72) lines.push(text.slice(at, at + 72))
  return lines.join('\r\n ')
}
