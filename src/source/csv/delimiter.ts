/** Finds out how a CSV text is written: its delimiter, a `sep=` line, old line ends. Reads a sample, never the list. */
import { ConfigError } from '../../errors.ts'
import { type CsvDialect, RecordReader } from './parser.ts'

const CANDIDATES = [',', ';', '\t', '|'] as const
const SAMPLE_SIZE = 64 << 10
const SAMPLE_RECORDS = 50

const NAMES: Readonly<Record<string, string>> = { ',': 'comma', ';': 'semicolon', '\t': 'tab', '|': 'pipe' }
const WORDS: Readonly<Record<string, string>> = {
  comma: ',',
  semicolon: ';',
  tab: '\t',
  '\\t': '\t',
  pipe: '|',
  space: ' ',
}

export interface FoundDialect extends CsvDialect {
  /** Bytes of the `sep=` line to leave out. */
  readonly skip: number
  /** What to report, where the delimiter is not the comma that everybody expects. */
  readonly notes: readonly string[]
}

/** The delimiter that a person asked for: a character, or its name. @throws ConfigError when it is neither. */
function namedDelimiter(wanted: string): string {
  const delimiter = WORDS[wanted.toLowerCase()] ?? wanted
  // A word that is not a name of one is misspelt; signs such as || are used.
  if (!/["\r\n]|^$|^[a-z]{2,}$/i.test(delimiter)) return delimiter
  throw new ConfigError(`'${wanted}' cannot be a delimiter`, {
    hint: 'Give one character, or a word: comma, semicolon, tab, pipe, space.',
  })
}

/** @param head the beginning of the text, `complete` when it is all of it. */
export async function findDialect(head: Buffer, complete: boolean, wanted: string | undefined): Promise<FoundDialect> {
  const start = head.toString('latin1', 0, 64)
  const said = /^"?sep=(.)"?(?:\r\n|\n|\r|$)/i.exec(start)
  const skip = said?.[0].length ?? 0
  const sample = head.subarray(skip, skip + SAMPLE_SIZE)
  const whole = complete && skip + SAMPLE_SIZE >= head.length
  const bareCr = /\r(?!\n)/.test(withoutQuoted(sample)) && !withoutQuoted(sample).includes('\n')
  if (wanted !== undefined) return { delimiter: namedDelimiter(wanted), bareCr, skip, notes: [] }
  if (said?.[1] !== undefined) return { delimiter: said[1], bareCr, skip, notes: [] }
  const delimiter = await bestDelimiter(sample, whole, bareCr)
  const notes = delimiter === ',' ? [] : [`the delimiter is the ${NAMES[delimiter]}`]
  return { delimiter, bareCr, skip, notes }
}

function withoutQuoted(sample: Buffer): string {
  return sample.toString('latin1').replace(/"[^"]*"/g, '')
}

const ADDRESS = /^\s*[^\s@<>"',;|]+@[^\s@<>"',;|]+\s*$/

/**
 * Reads the sample with every candidate, and takes the one whose records have as many cells as the first and show
 * addresses as whole cells.
 */
async function bestDelimiter(sample: Buffer, whole: boolean, bareCr: boolean): Promise<string> {
  let best = ','
  let bestScore = 0
  for (const delimiter of CANDIDATES) {
    if (!sample.includes(delimiter)) continue
    const reader = new RecordReader({ delimiter, bareCr }, 1)
    const { cells: most, broken } = await reader.write(sample)
    const last = whole && broken === undefined ? (await reader.end()).cells : []
    const records = [...most, ...last].slice(0, SAMPLE_RECORDS)
    // A title above the column names has no delimiter.
    const from = records.findIndex(({ length }) => length >= 2)
    const [header, ...rows] = records.slice(from)
    if (from < 0 || header === undefined) continue
    const even = rows.filter((row) => row.length === header.length).length
    const withAddress = rows.filter((row) => row.some((cell) => ADDRESS.test(cell))).length
    const count = Math.max(1, rows.length)
    // More columns win only between equals.
    const score = 1 + even / count + withAddress / count + header.length / 100_000
    if (score > bestScore) {
      best = delimiter
      bestScore = score
    }
  }
  return best
}
