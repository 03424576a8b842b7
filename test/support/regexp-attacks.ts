/**
 * Texts that a regular expression may take long to refuse: repetitions of what it repeats, of what it begins with and of what
 * almost matches it. Owns reading the expression and making the texts; runs nothing.
 */

/** A text: `start`, then `pump` again and again, then `end`. */
export interface Attack {
  readonly start: string
  readonly pump: string
  readonly end: string
}

/** The text of an attack, of about that length. */
export function attackText({ start, pump, end }: Attack, length: number): string {
  return start + pump.repeat(Math.max(1, Math.floor((length - start.length - end.length) / pump.length))) + end
}

/** A part of a sequence, with how often it may come. */
interface Item {
  readonly part: Part
  readonly min: number
  readonly max: number
}

type Sequence = readonly Item[]

type Part =
  /** One character; its source is a letter, an escape, a class or a dot. */
  | { readonly kind: 'set'; readonly source: string }
  /** A look around is tried as if its text were part of the match. */
  | { readonly kind: 'group' | 'look'; readonly alternatives: readonly Sequence[] }
  | { readonly kind: 'edge' }

/** Reads the pattern of a regular expression that JavaScript accepts. */
class PatternReader {
  readonly #source: string
  #at = 0

  constructor(source: string) {
    this.#source = source
  }

  alternatives(): readonly Sequence[] {
    const found: Item[][] = [[]]
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      if (this.#taken('|')) found.push([])
      else found.at(-1)?.push(this.#item())
    }
    return found
  }

  #item(): Item {
    const part = this.#part()
    const [written, sign, least, comma, most] = this.#match(/(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/y) ?? []
    if (written === undefined) return { part, min: 1, max: 1 }
    if (sign !== undefined) return { part, min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : Number.POSITIVE_INFINITY }
    const min = Number(least)
    return { part, min, max: comma === '' ? min : most === '' ? Number.POSITIVE_INFINITY : Number(most) }
  }

  #part(): Part {
    if (this.#taken('^') || this.#taken('$') || this.#taken('\\b') || this.#taken('\\B')) return { kind: 'edge' }
    const opened = this.#match(/\((?:\?(<?[=!]|:|<\w+>|[a-z-]+:))?/y)
    if (opened === undefined) return this.#set()
    const alternatives = this.alternatives()
    this.#at++
    return { kind: /[=!]$/.test(opened[1] ?? '') ? 'look' : 'group', alternatives }
  }

  #set(): Part {
    if (this.#match(/\\(?:k<\w+>|[1-9])/y) !== undefined) return { kind: 'edge' }
    const [source = ''] =
      this.#match(
        /\[(?:\\[\s\S]|[^\]\\])*\]|\\(?:[pP]\{[^}]+\}|u\{[^}]+\}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|c\w|[\s\S])|[\s\S]/uy,
      ) ?? []
    return { kind: 'set', source }
  }

  #taken(text: string): boolean {
    const is = this.#source.startsWith(text, this.#at)
    if (is) this.#at += text.length
    return is
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#source) ?? undefined
    this.#at += found?.[0].length ?? 0
    return found
  }
}

/** Characters that a class may hold, the usual ones first. */
const CHARACTERS = [
  ...'a0 \t\n-._@:<>"\'/\\()[]{}!#$%&*+,;=?^`|~',
  ...'bcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ123456789',
  ...'\r\0\u0001\u001f\u007f\u00a0\u200b\u2028\ufeffßéüİıωяあ不，：＝“’«»',
  '\u{1f642}',
]

/** Characters taken for each class, and those that do not belong to it. */
const FROM_A_CLASS = 3

/** The attacks on a regular expression, each once. */
export function attacksOn({ source, flags }: { readonly source: string; readonly flags: string }): readonly Attack[] {
  const whole = new PatternReader(source).alternatives()
  const members = new Map<string, readonly string[]>()
  const strangers = new Map<string, string>()
  collectSets(whole, flags.replace(/[gy]/g, ''), members, strangers)

  const found = new Map<string, Attack>()
  const add = (start: string, pump: string, ends: readonly string[]): void => {
    if (pump === '' || pump.length > 200) return
    for (const end of new Set(ends)) found.set(`${start}\u0000${pump}\u0000${end}`, { start, pump, end })
  }

  /** One text of a part, the shortest or with everything that may be left out; `turn` chooses among characters. */
  function textOf(part: Part, full: boolean, turn: number): string {
    if (part.kind === 'edge') return ''
    if (part.kind === 'set') {
      const letters = members.get(part.source) ?? []
      return letters[turn % Math.max(1, letters.length)] ?? ''
    }
    return sequenceText(part.alternatives[turn % part.alternatives.length] ?? [], full, turn)
  }

  function sequenceText(sequence: Sequence, full: boolean, turn: number): string {
    return sequence.map(({ part, min }) => textOf(part, full, turn).repeat(Math.max(full ? 1 : 0, min))).join('')
  }

  function visit(alternatives: readonly Sequence[], before: string): void {
    for (const sequence of alternatives) {
      for (const [at, { part, max }] of sequence.entries()) {
        const start = before + sequenceText(sequence.slice(0, at), false, 0)
        const ends = ['\u0000', '\n', part.kind === 'set' ? (strangers.get(part.source) ?? '\u0000') : '\u0000']
        if (max > 1) {
          for (let turn = 0; turn < FROM_A_CLASS; turn++) {
            for (const full of [false, true]) {
              add(start, textOf(part, full, turn), ends)
              add('', textOf(part, full, turn), ends)
            }
          }
        }
        // Within a word there is nothing to choose.
        if (isLetter(sequence[at]) && isLetter(sequence[at + 1])) continue
        // What begins like a match, again and again; what goes on from here; and, after a repetition, all but the last of the rest.
        const beginning = before + sequenceText(sequence.slice(0, at + 1), true, 0)
        for (const between of ['', ' ', '\n']) add('', beginning + between, ends)
        add(start, sequenceText(sequence.slice(at, at + 2), true, 0), ends)
        if (max > 1) add(start, sequenceText(sequence.slice(at + 1, -1), true, 0), ends)
        if (part.kind === 'group' || part.kind === 'look') visit(part.alternatives, start)
      }
      add('', before + sequenceText(sequence, false, 0), ['\u0000', '\n'])
    }
  }
  visit(whole, '')
  return [...found.values()]
}

function isLetter(item: Item | undefined): boolean {
  return item?.part.kind === 'set' && item.max === 1 && /^[\p{L} -]$/u.test(item.part.source)
}

/** Characters of each class, those first that most other classes hold too, where two repetitions can take each other's. */
function collectSets(
  alternatives: readonly Sequence[],
  flags: string,
  members: Map<string, readonly string[]>,
  strangers: Map<string, string>,
): void {
  const sources = new Set<string>()
  const visit = (sequences: readonly Sequence[]): void => {
    for (const { part } of sequences.flat()) {
      if (part.kind === 'set') sources.add(part.source)
      else if (part.kind !== 'edge') visit(part.alternatives)
    }
  }
  visit(alternatives)
  const shared = new Map<string, number>()
  for (const source of sources) {
    const one = new RegExp(`^(?:${source})$`, flags)
    const [inside, outside] = [CHARACTERS.filter((letter) => one.test(letter)), CHARACTERS.filter((l) => !one.test(l))]
    members.set(source, inside)
    strangers.set(source, outside[0] ?? '')
    if (inside.length > 1) for (const letter of inside) shared.set(letter, (shared.get(letter) ?? 0) + 1)
  }
  for (const [source, inside] of members) {
    const best = inside.toSorted((a, b) => (shared.get(b) ?? 0) - (shared.get(a) ?? 0)).slice(0, FROM_A_CLASS)
    members.set(source, best.length > 0 ? best : literally(source))
  }
}

/** A character that is not among the usual ones, as itself. */
function literally(source: string): readonly string[] {
  const code = /^\\u\{?([\da-fA-F]+)\}?$/.exec(source)?.[1]
  return [code === undefined ? source : String.fromCodePoint(Number.parseInt(code, 16))]
}
