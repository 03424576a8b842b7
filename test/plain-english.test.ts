/**
 * Comments, messages, pages and the titles of tests are in plain English: no idiom that reads as if translated, no private
 * word where the field has one. Each rule says what to write.
 */
import { expect, test } from 'vitest'
import { commentsOf, filesBelow, read, type SourceText, stringsOf, titlesOf } from './support/source-code.ts'

interface Rule {
  readonly idiom: RegExp
  readonly write: string
  /** Where the word is right: paths. */
  readonly but?: RegExp
}

const RULES: readonly Rule[] = [
  {
    idiom: /(?<!\bthere )\b(is|are|was|were) no (?!longer\b|more\b|less\b|doubt\b|need\b)[a-z]+/i,
    write: 'is not a valid …, is not a …, has no …',
  },
  { idiom: /\banew\b/i, write: 'again' },
  { idiom: /\bso (many|much|long|few|often)\b(?! as\b)/i, write: 'that many, the number itself' },
  { idiom: /\bha(s|ve|d) the (last )?say\b/i, write: 'takes precedence, decides' },
  { idiom: /\bat hand\b/i, write: 'ready, buffered, available' },
  { idiom: /(?<!\.)\bmend(s|ed|ing)?\b/i, write: 'fix, repair' },
  { idiom: /\bnobody was there\b/i, write: 'mailmerge was not running' },
  { idiom: /\boftener\b/i, write: 'more often' },
  { idiom: /\bt(old|ell|ells|elling) apart\b/i, write: 'distinguished' },
  {
    idiom: /\bwhat\b[^.]{0,30}\b(comes?|came) to\b|\b(comes?|came) to (the same|nothing|\d)/i,
    write: 'the result of, is',
  },
  {
    idiom: /\b(tells|(is|are|was|were|be) told(?! (to|who|what|when|why|how|that|about)\b))\b/i,
    write: 'reports, says, is reported',
  },
  { idiom: /\b(heed(s|ed)?|minds)\b/i, write: 'respects, checks' },
  { idiom: /\bstands? for\b/i, write: 'is, means, represents' },
  { idiom: /\boctets?\b(?!-)/i, write: 'bytes', but: /^(src|test)\/transport\// },
  { idiom: /\b(thereof|whence|thither|whither|lest|nought|upon)\b/i, write: 'a word of today' },
  { idiom: /\b(knows?|takes|bears?) no\b(?! longer)/i, write: 'does not …' },
]

/** Each place where an idiom is used, as `path:line: the idiom in its words (what to write)`. */
function idiomsIn(path: string, texts: readonly SourceText[]): string[] {
  return RULES.filter((rule) => rule.but?.test(path) !== true).flatMap((rule) =>
    texts.flatMap(({ text, line }) => {
      const found = rule.idiom.exec(text.replace(/\s+/g, ' '))
      if (found === null) return []
      const at = found.index
      const words = text.replace(/\s+/g, ' ').slice(Math.max(0, at - 30), at + found[0].length + 20)
      return [`${path}:${line}: …${words}… (write: ${rule.write})`]
    }),
  )
}

function linesOf(path: string): SourceText[] {
  return read(path)
    .split('\n')
    .map((text, at) => ({ text, line: at + 1 }))
}

/** The files that hold this list, and those whose words are not ours. */
const NOT_OURS = /^(test\/plain-english\.test\.ts|test\/sentences\.txt|src\/unsubscribe\/translations\.ts)$/

function ours(folder: string, endings: readonly string[]): string[] {
  return filesBelow(folder, endings).filter((path) => !NOT_OURS.test(path))
}

test.each(['src', 'bench', '.ci'])('comments and texts in %s/ are plain English', (folder) => {
  expect(ours(folder, ['.ts']).flatMap((path) => idiomsIn(path, [...commentsOf(path), ...stringsOf(path)]))).toEqual([])
})

test('comments and titles of the tests are plain English', () => {
  expect(ours('test', ['.ts']).flatMap((path) => idiomsIn(path, [...commentsOf(path), ...titlesOf(path)]))).toEqual([])
})

test('the pages, the templates and the examples are plain English', () => {
  const pages = [
    'README.md',
    ...ours('docs', ['.md']),
    ...ours('bench', ['.md']),
    ...ours('schema', ['.json']),
    ...ours('pages', ['.hbs']),
  ]
  const projects = ['templates', 'examples'].flatMap((folder) =>
    ours(folder, ['.md', '.hbs', '.yaml', '.ts', '.html', '.txt']),
  )
  expect([...pages, ...projects].flatMap((path) => idiomsIn(path, linesOf(path)))).toEqual([])
})
