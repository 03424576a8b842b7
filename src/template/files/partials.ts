/**
 * The partials of a project, each in the forms that bodies need: HTML, Markdown, plain text. Owns their names and the
 * places where they can be put in before any row is rendered, so that styles and images reach them.
 */
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { htmlToText, markdownToHtml, markdownToText } from '../markup.ts'
import { type Snippet, snippetOf } from './place.ts'

/** `html` is what an HTML body gets, `text` what a text part gets, `source` the file as it is. */
export interface Partial {
  readonly kind: 'html' | 'markdown' | 'mjml' | 'text'
  readonly path: string
  readonly source: Snippet
  readonly html: Snippet
  readonly text: Snippet
}

export type Partials = ReadonlyMap<string, Partial>

const KINDS = { '.md': 'markdown', '.mjml': 'mjml', '.txt': 'text', '.html': 'html', '.htm': 'html' } as const
/** What a text grows to at most by putting partials in. */
const MAX_EXPANDED = 2_000_000
const MAX_DEPTH = 10

/**
 * Partials by name: `templates/_partials/footer.hbs` is `footer`, and so are `footer.md` and `footer.txt`, the last of
 * which is the text of an HTML one. The project's own hide those of the package.
 */
export function readPartials(folders: readonly string[]): Partials {
  const partials = new Map<string, Partial>()
  for (const folder of folders) {
    const home = join(folder, '_partials')
    if (!existsSync(home)) continue
    const own = new Map<string, Partial>()
    for (const entry of readdirSync(home, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.startsWith('.')) continue
      const path = join(entry.parentPath, entry.name)
      const [, name = '', ending = ''] =
        /^(.*?)(\.(?:md|mjml|txt|html?))?(?:\.(?:hbs|handlebars))?$/i.exec(
          relative(home, path).replaceAll('\\', '/'),
        ) ?? []
      const kind = KINDS[ending.toLowerCase() as keyof typeof KINDS] ?? 'html'
      const made = partialOf(kind, path, snippetOf(path, relative(dirname(folder), path)))
      const other = own.get(name)
      if (other === undefined) own.set(name, made)
      else if (made.kind === 'text') own.set(name, { ...other, text: made.text })
      else own.set(name, other.kind === 'text' ? { ...made, text: other.text } : made)
    }
    for (const [name, partial] of own) if (!partials.has(name)) partials.set(name, partial)
  }
  return partials
}

function partialOf(kind: Partial['kind'], path: string, source: Snippet): Partial {
  const made = (text: string): Snippet => ({ ...source, text, madeOf: [source] })
  // A whole line of a template that calls a partial ends where the partial ends.
  const ended = (text: string): string => text.trimEnd() + (source.text.endsWith('\n') ? '\n' : '')
  switch (kind) {
    case 'markdown':
      return {
        kind,
        path,
        source,
        html: made(markdownToHtml(source.text)),
        text: made(ended(markdownToText(source.text))),
      }
    case 'text':
      return { kind, path, source, html: source, text: source }
    default: {
      const isMarkup = /<[a-z!/]|&[a-z#]/i.test(source.text)
      return { kind, path, source, html: source, text: isMarkup ? made(ended(htmlToText(source.text))) : source }
    }
  }
}

const PLAIN_CALL = /\{\{~?>\s*(?:\[([^\]{}]+)\]|"([^"{}]+)"|([\w/.-]+))\s*~?\}\}/g

/**
 * Puts partials that take no values into a text, where the engine would put them for each row.
 * @param form which form of the partial belongs there, or undefined for one that is left to the engine.
 */
export function expand(snippet: Snippet, partials: Partials, form: (partial: Partial) => Snippet | undefined): Snippet {
  let { text } = snippet
  const madeOf = [...(snippet.madeOf ?? [snippet])]
  for (let depth = 0; depth < MAX_DEPTH && text.length < MAX_EXPANDED; depth++) {
    let changed = false
    text = text.replace(PLAIN_CALL, (whole, bracketed?: string, quoted?: string, bare?: string) => {
      const partial = partials.get(bracketed ?? quoted ?? bare ?? '')
      const put = partial === undefined ? undefined : form(partial)
      if (put === undefined || partial === undefined) return whole
      changed = true
      if (!madeOf.includes(partial.source)) madeOf.push(partial.source)
      return put.text
    })
    if (!changed) break
  }
  return madeOf.length === 1 && text === snippet.text ? snippet : { ...snippet, text, madeOf }
}
