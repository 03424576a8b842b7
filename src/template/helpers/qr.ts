/** QR codes, and a small PNG of two colours of one. Owns the drawing; the code itself is a library's. */
import { createRequire } from 'node:module'
import { crc32, deflateSync } from 'node:zlib'

/** Loaded by those templates that draw one. */
const load = createRequire(import.meta.url)

const QUIET = 4

/** Rows of modules, true for a dark one, without the quiet zone. Level M: a code is read with an eighth of it damaged. */
export type QrCode = readonly (readonly boolean[])[]

/** @throws Error in words for people, for no text and for more than a code can hold. */
export function qrCode(text: string): QrCode {
  if (text === '') throw new Error('a QR code has no text')
  const { encode } = load('uqr') as typeof import('uqr')
  try {
    return encode(text, { ecc: 'M', border: 0 }).data
  } catch (cause) {
    throw new Error(`a QR code cannot hold ${text.length} characters`, { cause })
  }
}

/** PNG of a QR code for `text`, `scale` pixels a module, with the quiet zone that readers need. */
export function qrPng(text: string, scale: number): Uint8Array {
  const modules = qrCode(text)
  const side = (modules.length + 2 * QUIET) * scale
  const stride = Math.ceil(side / 8)
  const rows: Buffer[] = []
  for (let y = 0; y < side; y++) {
    // A row is a filter byte and one bit a pixel, 1 for white.
    const row = Buffer.alloc(stride + 1, 0xff)
    row[0] = 0
    const line = Math.floor(y / scale) - QUIET
    for (let x = 0; x < side; x++) {
      const column = Math.floor(x / scale) - QUIET
      if (modules[line]?.[column]) row[1 + (x >> 3)] = (row[1 + (x >> 3)] ?? 0) & ~(0x80 >> (x & 7))
    }
    rows.push(row)
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header[8] = 1
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const out = Buffer.alloc(body.length + 8)
  out.writeUInt32BE(data.length, 0)
  body.copy(out, 4)
  out.writeUInt32BE(crc32(body), body.length + 4)
  return out
}
