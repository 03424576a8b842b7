/** Where a template is and what its body is made of. Owns the names of files in `templates/`; compiles nothing. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path'
import { nearest } from '../../did-you-mean.ts'
import { InputError } from '../../errors.ts'
import { failure, type Snippet, snippetOf } from './place.ts'

/** Templates that come with the package are found after the project's own. */
export const SHIPPED = resolve(import.meta.dirname, '../../../templates')
const ENDINGS = ['.md', '.html', '.htm', '.txt', '.mjml', '.hbs']

export interface Found {
  readonly name: string
  readonly folder: string
  readonly fields: Snippet | undefined
  readonly text?: Snippet
  readonly html?: Snippet
  readonly markdown?: Snippet
  readonly mjml?: Snippet
  readonly files: readonly string[]
}

/** A path as the user would write it: from the project, or from `templates/` for files of the package. */
export function shown(path: string, root: string): string {
  const way = relative(root, path)
  return way.startsWith('..') || isAbsolute(way) ? `templates/${relative(SHIPPED, path)}` : way
}

/** @throws InputError when there is none, naming the nearest; DataError when its files contradict each other. */
export function findTemplate(nameOrPath: string, root: string): Found {
  const candidates = [
    ...(/[\\/.]/.test(nameOrPath) ? [resolve(root, nameOrPath), resolve(nameOrPath)] : []),
    join(root, 'templates', nameOrPath),
    ...(/^[\w-]+$/.test(nameOrPath) ? [join(SHIPPED, nameOrPath)] : []),
  ]
  for (const path of candidates) {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found !== undefined) return found.isDirectory() ? folderTemplate(path, root) : fileTemplate(path, root)
    for (const ending of ENDINGS) if (existsSync(path + ending)) return fileTemplate(path + ending, root)
  }
  const names = templateNames(root)
  const guess = nearest(nameOrPath, names)
  const list =
    names.length === 0
      ? 'There is no templates folder here yet; mailmerge init makes one.'
      : `The templates there: ${names.join(', ')}.`
  throw new InputError(`there is no template '${nameOrPath}' in ${shown(join(root, 'templates'), root)}/`, {
    hint: guess === undefined ? list : `Did you mean '${guess}'?`,
  })
}

/** Names of the templates of a project, sorted. */
export function templateNames(root: string): readonly string[] {
  const folder = join(root, 'templates')
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('_') && !entry.name.startsWith('.'))
    .map((entry) => (entry.isDirectory() ? entry.name : basename(entry.name, extname(entry.name))))
    .sort()
}

function folderTemplate(folder: string, root: string): Found {
  const files: string[] = []
  const read = (...names: readonly string[]): Snippet | undefined => {
    // A file that may not be looked at is not a missing one: that is an error of the system here.
    const path = names.map((name) => join(folder, name)).find((one) => statSync(one, { throwIfNoEntry: false }))
    if (path === undefined) return undefined
    files.push(path)
    return snippetOf(path, shown(path, root))
  }
  const fields = read('message.yaml', 'message.yml')
  const text = read('text.hbs', 'text.txt')
  const html = read('html.hbs', 'html.html')
  const markdown = read('body.md')
  const mjml = read('body.mjml')
  const [first, second] = [html, markdown, mjml].filter((body) => body !== undefined)
  if (first !== undefined && second !== undefined) {
    const hint = 'Keep one of html.hbs, body.md and body.mjml.'
    throw failure(first, 'two-bodies', `there are two HTML bodies in ${shown(folder, root)}`, hint)
  }
  if (files.length === 0) {
    throw new InputError(`the template folder ${shown(folder, root)} is empty`, {
      hint: 'It needs message.yaml and a body: text.hbs, html.hbs, body.md or body.mjml.',
    })
  }
  return { name: basename(folder), folder, fields, files, ...defined({ text, html, markdown, mjml }) }
}

const KINDS: Readonly<Record<string, 'markdown' | 'mjml' | 'html'>> = {
  '.md': 'markdown',
  '.mjml': 'mjml',
  '.html': 'html',
  '.htm': 'html',
}

function fileTemplate(path: string, root: string): Found {
  const { fields, body } = splitFrontMatter(snippetOf(path, shown(path, root)))
  const ending = extname(path)
  const kind = KINDS[ending.toLowerCase()] ?? 'text'
  return { name: basename(path, ending), folder: dirname(path), fields, files: [path], [kind]: body }
}

/** YAML between two lines of three hyphens at the very start. */
function splitFrontMatter(whole: Snippet): { readonly fields: Snippet | undefined; readonly body: Snippet } {
  if (!/^---[ \t]*\r?\n/.test(whole.text)) return { fields: undefined, body: whole }
  const match = /^---[ \t]*\r?\n([\s\S]*?)^---[ \t]*(?:\r?\n|$)/m.exec(whole.text)
  if (match === null || match.index !== 0) {
    const hint = 'End it with a line of three hyphens.'
    throw failure(whole, 'front-matter', 'the front matter is not closed', hint, { line: 1, column: 0 })
  }
  const lines = match[0].split('\n').length - 1
  return {
    fields: { file: whole.file, lineOffset: 1, text: match[1] ?? '' },
    body: { file: whole.file, lineOffset: lines, text: whole.text.slice(match[0].length) },
  }
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
