/**
 * Guesses the legacy encoding of a list. Lists hold names rather than prose: a few accented letters among much ASCII, which
 * detectors that count frequencies judge badly. So every candidate is decoded and read as a person would: do the letters
 * make words of one alphabet, in a case that words have?
 */
import { decode } from 'iconv-lite'
import data from './legacy-encodings.json' with { type: 'json' }

/**
 * The letters beyond ASCII that the languages of an encoding write with (of those with thousands, the ones that are common
 * in names of people, places and firms), and how much it is trusted beforehand.
 */
interface Candidate {
  readonly encoding: string
  readonly prior: number
  readonly alphabets: readonly string[]
}

const CANDIDATES: readonly Candidate[] = data.encodings.map(({ encoding, prior, letters }) => ({
  encoding,
  prior,
  alphabets: (data.letters as Readonly<Record<string, readonly string[]>>)[letters] ?? [],
}))

const SAMPLE_SIZE = 8 << 10
const LETTER = /\p{L}|\p{M}/u
const LOWER = /\p{Ll}/u
const UPPER = /\p{Lu}/u
const ASCII_LETTER = /[a-z]/i
const SCRIPT_OF_ITS_OWN =
  /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Thai}\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}]/u
/** Scripts of thousands of signs, of which a wrong encoding gives the rare ones. */
const VAST = /[\p{Script=Han}\p{Script=Hangul}]/u
const IDEOGRAPH = /\p{Script=Han}/u
const KANA = /[\p{Script=Hiragana}\p{Script=Katakana}]/u
const HALF_WIDTH = /[\u{FF61}-\u{FFDC}]/u
const PUNCTUATION = /[–—“”‘’„«»€°…§©®™、。・「」（）：]/u
const BROKEN = /[\u{FFFD}\u{80}-\u{9F}\p{Co}]/u

/** @param bytes text that is not UTF-8, or its beginning. */
export function guessLegacy(bytes: Uint8Array): string {
  const sample = linesBeyondAscii(bytes)
  let best = 'windows-1252'
  let bestScore = Number.NEGATIVE_INFINITY
  for (const candidate of CANDIDATES) {
    const score = scoreOf(decode(sample, candidate.encoding), candidate.alphabets) * candidate.prior
    if (score > bestScore) {
      best = candidate.encoding
      bestScore = score
    }
  }
  return best
}

/** Only lines with a byte beyond ASCII, and whole ones, because the second byte of a character may be ASCII. */
function linesBeyondAscii(bytes: Uint8Array): Buffer {
  const lines: Uint8Array[] = []
  let size = 0
  let from = 0
  while (from < bytes.length && size < SAMPLE_SIZE) {
    const next = bytes.indexOf(0x0a, from)
    const end = next === -1 ? bytes.length : next + 1
    const line = bytes.subarray(from, Math.min(end, from + SAMPLE_SIZE))
    if (line.some((byte) => byte > 0x7f)) {
      lines.push(line)
      size += line.length
    }
    from = end
  }
  return Buffer.concat(lines)
}

/** How much the text reads like words, from about 2.5 (all of it) to below 0 (none). */
function scoreOf(text: string, alphabets: readonly string[]): number {
  const characters = [...text]
  const letters: string[] = []
  let sum = 0
  let count = 0
  for (const [i, character] of characters.entries()) {
    if (character <= '\u{7F}') continue
    count++
    // The dotted capital of Turkish has no lower case of one character.
    const letter = character === 'İ' ? 'ı' : character.toLowerCase()
    const known = alphabets.some((alphabet) => isOf(alphabet, letter))
    if (!PUNCTUATION.test(character)) letters.push(letter)
    sum += plausibility(character, characters[i - 1] ?? ' ', characters[i + 1] ?? ' ', known)
  }
  if (count === 0) return 0
  const share = (alphabet: (letter: string) => boolean) =>
    letters.length === 0 ? 1 : letters.filter(alphabet).length / letters.length
  const best = Math.max(...alphabets.map((alphabet) => share((letter) => isOf(alphabet, letter))))
  const all = share((letter) => alphabets.some((alphabet) => isOf(alphabet, letter)))
  return sum / count + best + all / 2
}

function isOf(alphabet: string, letter: string): boolean {
  return alphabet.includes(letter) || (KANA.test(letter) && !HALF_WIDTH.test(letter))
}

function plausibility(character: string, before: string, after: string, known: boolean): number {
  if (BROKEN.test(character)) return -2
  if (HALF_WIDTH.test(character)) return 0.2
  if (LETTER.test(character)) {
    if (SCRIPT_OF_ITS_OWN.test(character) && (ASCII_LETTER.test(before) || ASCII_LETTER.test(after))) return -0.5
    if (VAST.test(character)) return known ? 1 : 0.45
    if (UPPER.test(character) && LOWER.test(before)) return -0.5
    if (UPPER.test(character) && UPPER.test(before) && LOWER.test(after)) return 0.2
    if (LOWER.test(character) && UPPER.test(before) && UPPER.test(after)) return -0.5
    return LOWER.test(character) && !LETTER.test(before) ? 0.8 : 1
  }
  if (PUNCTUATION.test(character)) return LETTER.test(before) && LETTER.test(after) && character !== '’' ? -0.5 : 0.9
  return LETTER.test(before) || LETTER.test(after) ? -0.5 : 0.2
}

const EVERY_ALPHABET = CANDIDATES.flatMap(({ alphabets }) => alphabets).join('')

/**
 * True for a character that people write, beyond ASCII: to find it in what may be UTF-8 is more than chance, because the
 * legacy bytes that read as valid UTF-8 mostly give characters that nobody uses.
 */
export function isLikelyWritten(character: string): boolean {
  if (isOf(EVERY_ALPHABET, character.toLowerCase()) || PUNCTUATION.test(character)) return true
  const code = character.codePointAt(0) ?? 0
  return code > 0xffff || (code > 0x7ff && LETTER.test(character) && !IDEOGRAPH.test(character))
}
