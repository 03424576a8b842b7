/**
 * Every sentence that a person can read (errors, hints, help, notes, pages) stands in one file, so that a change of wording
 * is seen as a change of wording: `npx vitest run test/sentences.test.ts -u` writes it again.
 */
import { expect, test } from 'vitest'
import { filesBelow, read, stringsOf } from './support/source-code.ts'

const SQL =
  /^\s*(--|SAVEPOINT|RELEASE|\{\} (WHERE|ORDER BY)|SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|WITH|PRAGMA|BEGIN|COMMIT|ROLLBACK|EXPLAIN|VACUUM|FROM|WHERE|AND|ORDER BY)(?!\w)/
const STYLE = /<style>.*?<\/style>/gs
/** Two words with a space between; what is in braces is a hole, or the style of a page. */
const SENTENCE = /\p{L}[\p{L}'’-]*[,.:;]? \(?['"‘“]?(\p{L}|\{\}.*\p{L} )/u

/** The sentences of each folder below src/ and of the HTML pages, by its name, sorted, each once. */
function sentences(): Map<string, string[]> {
  const found = new Map<string, Set<string>>()
  for (const path of [...filesBelow('src', ['.ts']), ...filesBelow('pages', ['.hbs'])]) {
    const [top = '', folder, rest] = path.split('/')
    const name = rest === undefined ? top : `${top}/${folder}`
    const texts = found.get(name) ?? new Set<string>()
    found.set(name, texts)
    for (const text of textsOf(path)) {
      const line = text
        .replace(/[\s\p{Cc}]+/gu, ' ')
        .replace(STYLE, '')
        .trim()
      if (SENTENCE.test(line) && !SQL.test(line)) texts.add(line)
    }
  }
  return new Map([...found].map(([name, texts]) => [name, [...texts].sort()]))
}

/** The strings of a module; the texts between the tags of a page, with its holes as `{}`. */
function textsOf(path: string): readonly string[] {
  const texts = path.endsWith('.ts') ? stringsOf(path).map(({ text }) => text) : []
  // The scripts of the local pages hold markup; between its tags are their words.
  if (path.startsWith('src/pages/client/')) return texts.flatMap((text) => text.split(/<[^>]*>|=>/))
  if (path.endsWith('.ts')) return texts
  return read(path)
    .replace(STYLE, '')
    .replace(/\{\{[^}]*\}\}+/g, '{}')
    .split(/<[^>]*>/)
}

test('every sentence for people is the one on record', async () => {
  const page = [...sentences()]
    .filter(([, texts]) => texts.length > 0)
    .map(([folder, texts]) => `${folder}\n${texts.map((text) => `  ${text}`).join('\n')}\n`)
    .join('\n')
  await expect(page).toMatchFileSnapshot('sentences.txt')
})
