/** Images of documents. Owns the check that the PDF library will not stumble over one: it throws where nobody catches. */
import { inflateSync } from 'node:zlib'
import { pdfError } from './document.ts'

/** @throws DataError for what is neither a whole PNG nor a JPEG. */
export function checkImage(path: string, content: Uint8Array): void {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  if (bytes.subarray(0, 8).toString('latin1') === '\u0089PNG\r\n\u001A\n') {
    const fault = pngFault(bytes)
    if (fault !== undefined) throw pdfError(`the image '${path}' ${fault}`)
    return
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return
  throw pdfError(`the image '${path}' is neither PNG nor JPEG; convert it`)
}

/** More than any printed page needs. */
const MOST_PIXELS = 25_000_000
/** First pixel and step of the seven passes of an interlaced image (PNG, third edition, section 8.2). */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }

/** Every row of pixels has to be there, each with a filter that exists. */
function pngFault(png: Buffer): string | undefined {
  if (png.length < 33 || png.toString('latin1', 12, 16) !== 'IHDR') return 'is broken'
  const width = png.readUInt32BE(16)
  const height = png.readUInt32BE(20)
  const [bits = 0, color = -1, , , interlace] = png.subarray(24, 29)
  const channels = CHANNELS[color]
  if (width === 0 || height === 0 || channels === undefined || ![1, 2, 4, 8, 16].includes(bits)) return 'is broken'
  if (width * height > MOST_PIXELS) return `has ${width} by ${height} pixels, more than a page needs`
  const packed: Buffer[] = []
  let palette = false
  for (let at = 8; at + 12 <= png.length; at += png.readUInt32BE(at) + 12) {
    const type = png.toString('latin1', at + 4, at + 8)
    if (type === 'IDAT') packed.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
    if (type === 'PLTE') palette = true
  }
  if (color === 3 && !palette) return 'is broken'
  const lengths = rowLengths(width, height, bits * channels, interlace === 1)
  try {
    const whole = lengths.reduce((sum, length) => sum + length, 0)
    const pixels = inflateSync(Buffer.concat(packed), { maxOutputLength: whole + 1_024 })
    let at = 0
    for (const length of lengths) {
      // The first byte of a row is its filter.
      if ((pixels[at] ?? 9) > 4) return 'is broken'
      at += length
    }
    return at > pixels.length ? 'is broken' : undefined
  } catch {
    return 'is broken'
  }
}

/** Bytes of each row, with its filter. */
function rowLengths(width: number, height: number, bitsAPixel: number, interlaced: boolean): readonly number[] {
  const lengths: number[] = []
  for (const [x, y, stepX, stepY] of interlaced ? PASSES : ([[0, 0, 1, 1]] as const)) {
    const columns = Math.ceil((width - x) / stepX)
    if (columns <= 0) continue
    for (let row = y; row < height; row += stepY) lengths.push(1 + Math.ceil((columns * bitsAPixel) / 8))
  }
  return lengths
}
