/**
 * Where a template is and what its body is made of, in each language that it has. Owns the names of files in `templates/`; compiles
 * nothing.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path'
import { nearest } from '../../did-you-mean.ts'
import { InputError } from '../../errors.ts'
import { knownLanguage } from '../../language-tag.ts'
import { failure, type Snippet, snippetOf } from './place.ts'

/** Templates that come with the package are found after the project's own. */
export const SHIPPED = resolve(import.meta.dirname, '../../../templates')
const ENDINGS = ['.md', '.html', '.htm', '.txt', '.mjml', '.hbs', '.eml']
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
  /** Fields of a version in another language: they take the place of `fields`, one by one. */
  readonly ownFields?: Snippet | undefined
  /** Languages that there are versions in, as their files are named: `de`, `pt-BR`. */
  readonly languages: readonly string[]
  readonly text?: Snippet
  readonly html?: Snippet
  readonly markdown?: Snippet
  readonly mjml?: Snippet
  /** A mail that is the template, whole. */
  readonly mail?: string
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

/**
 * @param language one of its `languages`: the version in that language. Its body is what has that language in the name
 *   (`html.de.hbs`, `invite.de.md`), and the usual one where no file has.
 * @throws InputError when there is none, naming the nearest; DataError when its files contradict each other.
 */
export function findTemplate(nameOrPath: string, root: string, language?: string): Found {
  const candidates = [
    ...(/[\\/.]/.test(nameOrPath) ? [resolve(root, nameOrPath), resolve(nameOrPath)] : []),
    join(root, 'templates', nameOrPath),
    ...(/^[\w-]+$/.test(nameOrPath) ? [join(SHIPPED, nameOrPath)] : []),
  ]
  for (const path of candidates) {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found !== undefined)
      return found.isDirectory() ? folderTemplate(path, root, language) : fileTemplate(path, root, language)
    for (const ending of ENDINGS) if (existsSync(path + ending)) return fileTemplate(path + ending, root, language)
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
  const all = entries.filter((entry) => entry.isFile() && isTemplateFile(entry.name)).map(({ name }) => name)
  const files = all.filter((name) => {
    const { base } = versionOf(basename(name, extname(name)))
    return base === undefined || !all.some((other) => basename(other, extname(other)) === base)
  })
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

/** `invite` and `de` for `invite.de`; nothing for a name without a language. */
function versionOf(stem: string): { readonly base?: string; readonly language?: string } {
  const [, base, language = ''] = /^(.+)\.([a-z]{2,3}(?:[-_][a-z0-9]{2,8}){0,3})$/i.exec(stem) ?? []
  return base === undefined || knownLanguage(language) === undefined ? {} : { base, language }
}

/** Languages in the names of files that have one of these names apart from the language. */
function languagesOf(folder: string, names: readonly string[]): readonly string[] {
  const known = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const ending = extname(entry.name)
    const { base, language } = versionOf(basename(entry.name, ending))
    return entry.isFile() && language !== undefined && names.includes(`${base}${ending}`) ? [language] : []
  })
  return [...new Set(known)].sort()
}

/** `html.de.hbs` for `html.hbs`. */
function inLanguage(name: string, language: string): string {
  const ending = extname(name)
  return `${name.slice(0, -ending.length)}.${language}${ending}`
}

function folderTemplate(folder: string, root: string, language: string | undefined): Found {
  const files: string[] = []
  const read = (names: readonly string[]): Snippet | undefined => {
    // A file that may not be looked at is not a missing one: that is an error of the system here.
    const path = names.map((name) => join(folder, name)).find((one) => statSync(one, { throwIfNoEntry: false }))
    if (path === undefined) return undefined
    files.push(path)
    return snippetOf(path, shown(path, root))
  }
  const bodyOf = (named: (name: string) => string) => ({
    text: read(PARTS.text.map(named)),
    html: read(PARTS.html.map(named)),
    markdown: read(PARTS.markdown.map(named)),
    mjml: read(PARTS.mjml.map(named)),
  })
  const fields = read(PARTS.fields)
  const ownFields = language === undefined ? undefined : read(PARTS.fields.map((name) => inLanguage(name, language)))
  const own = language === undefined ? undefined : bodyOf((name) => inLanguage(name, language))
  // A body of one language is never put together with one of another.
  const hasOwn = own !== undefined && Object.values(own).some((part) => part !== undefined)
  const { text, html, markdown, mjml } = hasOwn ? own : bodyOf((name) => name)
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
  const languages = languagesOf(folder, FOLDER_FILES)
  const bodies = defined({ text, html, markdown, mjml })
  return { name: basename(folder), folder, fields, ownFields, languages, files, unread, ...bodies }
}

const KINDS: Readonly<Record<string, 'markdown' | 'mjml' | 'html'>> = {
  '.md': 'markdown',
  '.mjml': 'mjml',
  '.html': 'html',
  '.htm': 'html',
}

function fileTemplate(path: string, root: string, language: string | undefined): Found {
  if (!isTemplateFile(path)) {
    const hint = `A template is a text file that ends in ${endings()}, or a folder with message.yaml and a body.`
    throw new InputError(`${shown(path, root)} is not a template`, { hint })
  }
  const folder = dirname(path)
  const name = basename(path, extname(path))
  const languages = languagesOf(
    folder,
    isMail(path) ? [`${name}.eml`] : ENDINGS.filter((ending) => !isMail(ending)).map((ending) => name + ending),
  )
  if (isMail(path)) {
    const version = language === undefined ? path : join(folder, `${name}.${language}.eml`)
    return { name, folder, fields: undefined, languages, unread: [], mail: version, files: [version] }
  }
  const { fields, body } = splitFrontMatter(snippetOf(path, shown(path, root)))
  const found = { name, folder, fields, languages, unread: [] }
  if (language === undefined) return { ...found, files: [path], [kindOf(path)]: body }
  const own =
    ENDINGS.map((ending) => join(folder, `${name}.${language}${ending}`)).find((one) => existsSync(one)) ?? path
  const version = splitFrontMatter(snippetOf(own, shown(own, root)))
  return { ...found, ownFields: version.fields, files: [path, own], [kindOf(own)]: version.body }
}

function isMail(path: string): boolean {
  return /\.eml$/i.test(path)
}

function kindOf(path: string): 'markdown' | 'mjml' | 'html' | 'text' {
  return KINDS[extname(path).toLowerCase()] ?? 'text'
}

/** Texts of templates in a folder, under names that nothing reads. */
function unreadIn(folder: string, root: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !/^[_.]/.test(entry.name) && !isFolderFile(entry.name))
    .filter(({ name }) => isTemplateFile(name) || /\.ya?ml$/i.test(name))
    .map(({ name }) => shown(join(folder, name), root))
    .sort()
}

function isFolderFile(name: string): boolean {
  const { base } = versionOf(basename(name, extname(name)))
  return FOLDER_FILES.includes(base === undefined ? name : `${base}${extname(name)}`)
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
