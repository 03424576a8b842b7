/**
 * Finds the encoding of a list by its bytes. Owns the judgement and its wording; converts nothing.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import { encodingExists } from 'iconv-lite'
import { ConfigError } from '../../errors.ts'
import { guessLegacy, isLikelyWritten } from './legacy-encodings.ts'

export interface Encoding {
  /** Name for iconv-lite; `utf-8` is read without conversion. */
  readonly name: string
  /** Bytes of the byte-order mark to leave out. */
  readonly mark: number
  /** True when only ASCII was seen, so that the first other byte may still decide. */
  readonly open: boolean
  /** What to report, where it is not plain UTF-8. */
  readonly note?: string
}

const MARKS: readonly (readonly [mark: readonly number[], name: string])[] = [
  [[0xff, 0xfe, 0, 0], 'utf-32le'],
  [[0, 0, 0xfe, 0xff], 'utf-32be'],
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
]

const LABELS: Readonly<Record<string, string>> = {
  'utf-16le': 'UTF-16 LE',
  'utf-16be': 'UTF-16 BE',
  'utf-32le': 'UTF-32 LE',
  'utf-32be': 'UTF-32 BE',
}

function label(name: string): string {
  return (
    LABELS[name] ??
    name
      .replace(/^windows/i, 'Windows')
      .replace(/^iso/, 'ISO')
      .replace(/^utf/, 'UTF')
  )
}

/** The encoding a person asked for. @throws ConfigError when there is no such encoding. */
export function namedEncoding(name: string, head: Uint8Array): Encoding {
  const wanted = name.trim().toLowerCase()
  if (!encodingExists(wanted)) {
    throw new ConfigError(`there is no encoding '${name}'`, {
      hint: 'Examples: utf-8, utf-16le, windows-1252, iso-8859-15, macintosh, shift_jis, gb18030.',
    })
  }
  const found = markOf(head)
  const family = wanted.replace(/^utf-?(8|16|32).*$/, 'utf-$1')
  const marked = found?.name.startsWith(family) === true ? found : undefined
  if (family === 'utf-8') return { name: 'utf-8', mark: marked?.mark ?? 0, open: false }
  if (wanted === 'utf-16' || wanted === 'utf16' || wanted === 'utf-32' || wanted === 'utf32') {
    return { name: marked?.name ?? `${family}le`, mark: marked?.mark ?? 0, open: false }
  }
  return { name: wanted, mark: marked?.mark ?? 0, open: false }
}

function markOf(head: Uint8Array): { readonly name: string; readonly mark: number } | undefined {
  const found = MARKS.find(([mark]) => mark.every((byte, i) => head[i] === byte))
  return found === undefined ? undefined : { name: found[1], mark: found[0].length }
}

/** The encoding of a list by its beginning. */
export function detectEncoding(head: Uint8Array, complete: boolean): Encoding {
  const marked = markOf(head)
  const body = marked === undefined ? head : head.subarray(marked.mark)
  if (marked === undefined) {
    const wide = wideWithoutMark(head)
    if (wide !== undefined) return { name: wide, mark: 0, open: false, note: `read as ${label(wide)}` }
    return detectNarrow(body, complete, 0)
  }
  const { name, mark } = marked
  if (name !== 'utf-8') {
    // Text in UTF-16 and UTF-32 always has NUL bytes: those of its line ends and delimiters.
    if (body.length > 2 && !body.subarray(0, 4096).includes(0)) return detectNarrow(body, complete, mark)
    return { name, mark, open: false, note: `read as ${label(name)}` }
  }
  const narrow = detectNarrow(body, complete, mark)
  if (narrow.name === 'utf-8') return { name: 'utf-8', mark, open: false }
  return { ...narrow, note: `${narrow.note ?? ''} (its mark says UTF-8, its text is not)`.trim() }
}

/** UTF-16 without a mark, known by the NUL that every second byte of Western text is. */
function wideWithoutMark(head: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const sample = head.subarray(0, 4096 & ~1)
  if (sample.length < 4) return undefined
  const nuls: [number, number] = [0, 0]
  for (let i = 0; i < sample.length; i++) if (sample[i] === 0) nuls[(i & 1) as 0 | 1]++
  const [even, odd] = nuls
  const pairs = sample.length / 2
  // Delimiters, digits and line ends alone make some share in any script.
  if (odd > pairs * 0.1 && even < odd * 0.05) return 'utf-16le'
  if (even > pairs * 0.1 && odd < even * 0.05) return 'utf-16be'
  return undefined
}

/** Bytes at the end that begin a UTF-8 character and do not finish it. */
export function unfinishedTail(chunk: Uint8Array): number {
  const { length } = chunk
  for (let back = 1; back <= Math.min(3, length); back++) {
    const byte = chunk[length - back] ?? 0
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0
  }
  return 0
}

/** UTF-8 or one of the legacy encodings that hold ASCII. */
export function detectNarrow(body: Uint8Array, complete: boolean, mark: number): Encoding {
  const whole = complete ? body : body.subarray(0, body.length - unfinishedTail(body))
  if (isUtf8(whole)) return { name: 'utf-8', mark, open: isAscii(whole) }
  const { right, written, wrong } = countSequences(whole)
  // Text that is mostly valid UTF-8 has been damaged; its rows are named one by one.
  if ((written > 0 && written * 2 >= wrong) || right >= wrong * 10) return { name: 'utf-8', mark, open: false }
  const name = guessLegacy(whole)
  return { name, mark, open: false, note: `read as ${label(name)}` }
}

interface Sequences {
  /** Characters beyond ASCII that are valid UTF-8. */
  readonly right: number
  /** Those of them that people write. */
  readonly written: number
  /** Bytes that are not UTF-8. */
  readonly wrong: number
}

function countSequences(bytes: Uint8Array): Sequences {
  let right = 0
  let written = 0
  let wrong = 0
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i] ?? 0
    const size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
    const sequence = bytes.subarray(i, i + size)
    if (size === 1) i++
    else if (size > 0 && isUtf8(sequence)) {
      right++
      if (isLikelyWritten(Buffer.from(sequence).toString('utf8'))) written++
      i += size
    } else {
      wrong++
      i++
    }
  }
  return { right, written, wrong }
}
