/**
 * DKIM signatures (RFC 6376; rsa-sha256 and ed25519-sha256 of RFC 8301 and 8463; relaxed/relaxed). Owns which fields are
 * signed and how; the arithmetic is done on the thread pool, so that the event loop goes on.
 */
import { createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { DkimKey } from '../config/settings.ts'
import { ConfigError } from '../errors.ts'
import type { Message } from './message.ts'

export interface DkimSigner {
  /** The message with one signature a key in front. */
  sign(message: Message): Promise<Message>
  close(): Promise<void>
}

/** Signed once more than they occur, so that nobody can add another (RFC 6376 section 8.15). */
const OVERSIGNED = ['from', 'subject', 'to', 'date', 'message-id', 'list-unsubscribe', 'list-unsubscribe-post']
/** Signed when they are there. */
const SIGNED = [
  'cc',
  'reply-to',
  'sender',
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

interface LoadedKey {
  readonly key: KeyObject
  readonly algorithm: 'rsa-sha256' | 'ed25519-sha256'
  readonly start: string
}

/**
 * Loads the keys and makes a signer.
 * @throws ConfigError when a key cannot be read, is no RSA or Ed25519 key, or is shorter than 1024 bits.
 */
export function createSigner(keys: readonly DkimKey[], root: string): DkimSigner {
  const loaded = keys.map((key) => loadKey(key, root))
  const canonical = new WeakMap<Uint8Array, Buffer>()
  return {
    async sign(message) {
      const [first, ...rest] = message.chunks
      if (first === undefined) return message
      const text = Buffer.from(first.buffer, first.byteOffset, first.byteLength)
      const end = text.indexOf('\r\n\r\n')
      const head = text.toString('utf8', 0, end + 2)
      const bodyHash = hashBody([text.subarray(end + 4), ...rest], canonical)
      const fields = readFields(head)
      const signed = chooseFields(fields)
      const lines = await Promise.all(loaded.map((key) => signatureOf(key, signed, bodyHash)))
      const front = Buffer.from(lines.join(''), 'latin1')
      return { ...message, chunks: [front, ...message.chunks], size: message.size + front.length }
    },
    async close() {},
  }
}

function loadKey({ domain, selector, key: path }: DkimKey, root: string): LoadedKey {
  let key: KeyObject
  try {
    key = createPrivateKey(readFileSync(resolve(root, path)))
  } catch (cause) {
    throw new ConfigError(`the DKIM key ${path} cannot be read`, {
      cause,
      hint: 'It must be an unencrypted private key in PEM form.',
    })
  }
  const type = key.asymmetricKeyType
  if (type !== 'rsa' && type !== 'ed25519') {
    throw new ConfigError(`the DKIM key ${path} is of type ${type}`, { hint: 'DKIM knows RSA and Ed25519 keys.' })
  }
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && bits < 1024) {
    throw new ConfigError(`the DKIM key ${path} has ${bits} bits, which receivers do not trust`, {
      hint: 'Make one of 2048 bits.',
    })
  }
  if (!/^[\w.-]+$/.test(domain) || !/^[\w.-]+$/.test(selector)) {
    throw new ConfigError(`the DKIM domain '${domain}' or selector '${selector}' is not a name`, {
      hint: 'Both are parts of a DNS name.',
    })
  }
  const algorithm = type === 'rsa' ? 'rsa-sha256' : 'ed25519-sha256'
  return { key, algorithm, start: `v=1; a=${algorithm}; c=relaxed/relaxed; d=${domain}; s=${selector};` }
}

/** Relaxed body (RFC 6376 section 3.4.4): runs of white space become one space, none at line ends, no empty lines at the end. */
function hashBody(chunks: readonly Uint8Array[], kept: WeakMap<Uint8Array, Buffer>): string {
  const hash = createHash('sha256')
  const pieces = chunks.map((chunk) => {
    const known = kept.get(chunk)
    if (known !== undefined) return known
    const relaxed = relax(chunk)
    // Large chunks are the shared ones: they come again for every row.
    if (chunk.length > 10_000) kept.set(chunk, relaxed)
    return relaxed
  })
  // A chunk ends with a whole line, so that each can be relaxed alone; only the last can end in empty ones.
  let last = pieces.length - 1
  while (last >= 0 && pieces[last]?.toString('latin1').replace(/(\r\n)+$/, '') === '') last--
  for (const [index, piece] of pieces.entries()) {
    if (index < last) hash.update(piece)
    else if (index === last) {
      let length = piece.length
      while (length >= 4 && piece[length - 3] === 10 && piece[length - 1] === 10) length -= 2
      hash.update(piece.subarray(0, length))
    }
  }
  return hash.digest('base64')
}

function relax(chunk: Uint8Array): Buffer {
  const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  const text = buffer.toString('latin1')
  if (!/[ \t]{2}|\t|[ \t]\r\n/.test(text)) return buffer
  return Buffer.from(text.replace(/[ \t]+/g, ' ').replaceAll(' \r\n', '\r\n'), 'latin1')
}

interface Field {
  readonly name: string
  readonly relaxed: string
}

function readFields(head: string): readonly Field[] {
  const fields: Field[] = []
  for (const field of head.split(/\r\n(?![ \t])/)) {
    const colon = field.indexOf(':')
    if (colon < 1) continue
    const name = field.slice(0, colon).trim().toLowerCase()
    const value = field
      .slice(colon + 1)
      .replaceAll('\r\n', '')
      .replace(/[ \t]+/g, ' ')
      .trim()
    fields.push({ name, relaxed: `${name}:${value}\r\n` })
  }
  return fields
}

/** Names for h= in order, and the text that is signed; a name without a field left signs its absence. */
function chooseFields(fields: readonly Field[]): { readonly names: readonly string[]; readonly text: string } {
  const names: string[] = []
  let text = ''
  const take = (name: string, once: boolean): void => {
    // Several fields of one name are signed from the last upwards (RFC 6376 section 5.4.2).
    const found = fields.filter((field) => field.name === name).reverse()
    for (const field of found) {
      names.push(name)
      text += field.relaxed
    }
    if (once) names.push(name)
  }
  for (const name of OVERSIGNED) take(name, true)
  for (const name of SIGNED) take(name, false)
  return { names, text }
}

function signatureOf(
  loaded: LoadedKey,
  signed: { readonly names: readonly string[]; readonly text: string },
  bodyHash: string,
): Promise<string> {
  const names = signed.names.join(':').replace(/(.{50,70}?):/g, '$1:\r\n  ')
  const value = `${loaded.start}\r\n h=${names};\r\n bh=${bodyHash};\r\n b=`
  // The signature covers its own field with an empty b= and without the final CRLF (RFC 6376 section 3.7).
  const own = `dkim-signature:${value
    .replaceAll('\r\n', '')
    .replace(/[ \t]+/g, ' ')
    .trim()}`
  const data = Buffer.from(signed.text + own, 'utf8')
  const rsa = loaded.algorithm === 'rsa-sha256'
  return new Promise((resolve, reject) => {
    // RFC 8463 section 3: Ed25519 signs the SHA-256 of the data, not the data.
    sign(
      rsa ? 'sha256' : null,
      rsa ? data : createHash('sha256').update(data).digest(),
      loaded.key,
      (error, octets) => {
        if (error !== null) reject(error)
        else
          resolve(
            `DKIM-Signature: ${value}${octets
              .toString('base64')
              .replace(/.{1,72}/g, '$&\r\n ')
              .trimEnd()}\r\n`,
          )
      },
    )
  })
}
