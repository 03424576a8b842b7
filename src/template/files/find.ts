/** Where a template is and what its body is made of. Owns the names of files in `templates/`; compiles nothing. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path'
import { nearest } from '../../did-you-mean.ts'
import { InputError } from '../../errors.ts'
import { failure, type Snippet, snippetOf } from './place.ts'

/** Templates that come with the package are found after the project's own. */
export const SHIPPED = resolve(import.meta.dirname, '../../../templates')
const ENDINGS = ['.md', '.html', '.htm', '.txt', '.mjml', '.hbs']
/** What a template folder is made of; for each part one of several names. */
const PARTS = {
  fields: ['message.yaml', 'message.yml'],
  text: ['text.hbs', 'text.txt'],
  html: ['html.hbs', 'html.html'],
  markdown: ['body.md'],
  mjml: ['body.mjml'],
} as const
const FOLDER_FILES: readonly string[] = Object.values(PARTS).flat()

export interface Found {
  readonly name: string
  readonly folder: string
  readonly fields: Snippet | undefined
  readonly text?: Snippet
  readonly html?: Snippet
  readonly markdown?: Snippet
  readonly mjml?: Snippet
  readonly files: readonly string[]
  /** Files of a template folder that look like a part of it and are none, as `htlm.hbs`. */
  readonly unread: readonly string[]
}

/** Whether a file comes with the package, and not from the project. */
export function isBuiltIn(path: string, root: string): boolean {
  return isOutside(path, root) && !isOutside(path, SHIPPED)
}

function isOutside(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way.startsWith('..') || isAbsolute(way)
}

/** A path from the project, or from `templates/` for files of the package: the same wherever either of them is. */
export function portablePath(path: string, root: string): string {
  return isOutside(path, root) ? `templates/${relative(SHIPPED, path)}` : relative(root, path)
}

/** A path for people: one of the package is not to be looked for in the project. */
export function shown(path: string, root: string): string {
  return `${isBuiltIn(path, root) ? '(built in) ' : ''}${portablePath(path, root)}`
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
  throw notFound(nameOrPath, root)
}

/** Says which file was probably meant: one of another ending, one that lies elsewhere, one of a near name. */
function notFound(name: string, root: string): InputError {
  const home = join(root, 'templates')
  const there = `there is no template '${name}' in ${shown(home, root)}/`
  const other = filesNamed(name, home).find((file) => !isTemplateFile(file))
  if (other !== undefined) {
    const hint = `A template is a text file that ends in ${endings()}; save its text as one.`
    return new InputError(`${shown(join(home, other), root)} is not a template`, { hint })
  }
  const beside = filesNamed(name, root).find(isTemplateFile)
  if (beside !== undefined) {
    return new InputError(there, { hint: `There is ${beside}: move it into templates/, or give its path: ./${beside}` })
  }
  const names = templateNames(root)
  const guess = nearest(name, names)
  const list =
    names.length === 0
      ? 'There is no templates folder here yet; mailmerge init makes one.'
      : `The templates there: ${names.join(', ')}.`
  return new InputError(there, { hint: guess === undefined ? list : `Did you mean '${guess}'?` })
}

/** Files of a folder that have this name, without their ending. */
function filesNamed(name: string, folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && basename(entry.name, extname(entry.name)) === name)
    .map((entry) => entry.name)
}

function isTemplateFile(name: string): boolean {
  return ENDINGS.includes(extname(name).toLowerCase())
}

function endings(): string {
  return `${ENDINGS.slice(0, -1).join(', ')} or ${ENDINGS.at(-1)}`
}

/** Names of the templates of a project, sorted. */
export function templateNames(root: string): readonly string[] {
  const folder = join(root, 'templates')
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !/^[_.]/.test(name))
  const files = entries.filter((entry) => entry.isFile() && isTemplateFile(entry.name)).map(({ name }) => name)
  const attached = attachedBy(files, folder)
  const folders = entries.filter(
    (entry) => entry.isDirectory() && FOLDER_FILES.some((name) => existsSync(join(folder, entry.name, name))),
  )
  return [
    ...folders.map(({ name }) => name),
    ...files.filter((name) => !attached.has(name)).map((name) => basename(name, extname(name))),
  ].sort()
}

/** Files that are content of an attachment: named by a template, and none themselves. */
function attachedBy(files: readonly string[], folder: string): ReadonlySet<string> {
  const texts = files.map((name) => readFileSync(join(folder, name), 'latin1'))
  return new Set(
    texts.flatMap((text) =>
      [...text.matchAll(/\b(?:template|pdf):[ \t]*["']?([\w./-]+)/g)].map(([, name = '']) => name),
    ),
  )
}

function folderTemplate(folder: string, root: string): Found {
  const files: string[] = []
  const read = (names: readonly string[]): Snippet | undefined => {
    // A file that may not be looked at is not a missing one: that is an error of the system here.
    const path = names.map((name) => join(folder, name)).find((one) => statSync(one, { throwIfNoEntry: false }))
    if (path === undefined) return undefined
    files.push(path)
    return snippetOf(path, shown(path, root))
  }
  const fields = read(PARTS.fields)
  const text = read(PARTS.text)
  const html = read(PARTS.html)
  const markdown = read(PARTS.markdown)
  const mjml = read(PARTS.mjml)
  const [first, second] = [html, markdown, mjml].filter((body) => body !== undefined)
  if (first !== undefined && second !== undefined) {
    const hint = 'Keep one of html.hbs, body.md and body.mjml.'
    throw failure(first, 'two-bodies', `there are two HTML bodies in ${shown(folder, root)}`, hint)
  }
  if (files.length === 0) {
    const [unread] = unreadIn(folder, root)
    throw new InputError(`the template folder ${shown(folder, root)} is empty`, {
      hint: `It needs message.yaml and a body: text.hbs, html.hbs, body.md or body.mjml.${unread === undefined ? '' : ` ${unread} is none of them.`}`,
    })
  }
  const unread = unreadIn(folder, root)
  return { name: basename(folder), folder, fields, files, unread, ...defined({ text, html, markdown, mjml }) }
}

const KINDS: Readonly<Record<string, 'markdown' | 'mjml' | 'html'>> = {
  '.md': 'markdown',
  '.mjml': 'mjml',
  '.html': 'html',
  '.htm': 'html',
}

function fileTemplate(path: string, root: string): Found {
  if (!isTemplateFile(path)) {
    const hint = `A template is a text file that ends in ${endings()}, or a folder with message.yaml and a body.`
    throw new InputError(`${shown(path, root)} is not a template`, { hint })
  }
  const { fields, body } = splitFrontMatter(snippetOf(path, shown(path, root)))
  const ending = extname(path)
  const kind = KINDS[ending.toLowerCase()] ?? 'text'
  return { name: basename(path, ending), folder: dirname(path), fields, files: [path], unread: [], [kind]: body }
}

/** Texts of templates in a folder, under names that nothing reads. */
function unreadIn(folder: string, root: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !/^[_.]/.test(entry.name) && !FOLDER_FILES.includes(entry.name))
    .filter(({ name }) => isTemplateFile(name) || /\.ya?ml$/i.test(name))
    .map(({ name }) => shown(join(folder, name), root))
    .sort()
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
