/**
 * Language tags (BCP 47) and whether dates and numbers can be written in them. Owns what counts as a known language, and which column of
 * a list says one.
 */
import { BoundedMap } from './bounded-map.ts'
import { nearest } from './did-you-mean.ts'

/** Languages that people name by a word instead of by their tag. */
const NAMED =
  'ar bg ca cs cy da de el en es et eu fa fi fr ga gl he hi hr hu id is it ja ko lt lv mk ms nb nl pl pt ro ru sk sl sq sr sv th tr uk vi zh'.split(
    ' ',
  )

/** Rows may each name their own. */
const known = new BoundedMap<string, string | undefined>(1_000)

/** The tag in its usual form; undefined where it is not a tag, or one that there are no dates and numbers in. */
export function knownLanguage(tag: string): string | undefined {
  return known.getOrMake(tag, usualForm)
}

function usualForm(tag: string): string | undefined {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(tag.replaceAll('_', '-'))[0]
  } catch {
    return undefined
  }
}

/** What is wrong with a tag that is not known, and what to write. */
export function unknownLanguage(tag: string): { readonly message: string; readonly hint: string } {
  const meant = tagOf(tag)
  return {
    message: `'${tag.slice(0, 40)}' is not a language tag`,
    hint: meant === undefined ? 'Write en, de-AT, pt-BR ...' : `Write ${meant}.`,
  }
}

/** `de` for `German`, `deutsch` and `germna`. */
function tagOf(word: string): string | undefined {
  const tags = new Map<string, string>()
  for (const tag of NAMED) {
    for (const language of ['en', tag]) {
      const name = new Intl.DisplayNames([language], { type: 'language' }).of(tag)
      if (name !== undefined) tags.set(name.toLowerCase(), tag)
    }
  }
  const wanted = word.trim().toLowerCase()
  return tags.get(wanted) ?? tags.get(nearest(wanted, tags.keys()) ?? '')
}

const COLUMN = /^(?:lang(?:uage)?|locale|sprache|langue|idioma|taal)$/i

/** The column that says the language of each row, by its name. */
export function languageColumn(columns: readonly string[]): string | undefined {
  return columns.find((column) => COLUMN.test(column.trim()))
}
