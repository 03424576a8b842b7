/**
 * From files to a compiled template. Owns where templates, layouts, partials and helpers are looked for, and the order in
 * which markup is transformed; everything that no row changes is done here, once.
 */
import { hash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError, InputError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { checkNames, type NameUse, namesIn } from './bind.ts'
import { Engine, failure, type Helper, type Snippet, snippetOf } from './engine.ts'
import { HELPERS } from './helpers.ts'
import {
  embedImages,
  folderOf,
  htmlToText,
  inlineStyles,
  markdownToHtml,
  markdownToText,
  mjmlToHtml,
} from './markup.ts'
import { checkFields, type MessageFields, readMessageFields } from './message-file.ts'
import { createRenderer, HOLE, markHole } from './render.ts'
import type { RenderedInline, Template } from './template.ts'

export interface LoadOptions {
  /** The project: `templates/` is in it, and nothing outside of it is read. */
  readonly root: string
  /** Fields for templates that do not set them, as in mailmerge.yaml. */
  readonly message?: Readonly<Record<string, unknown>>
  /** Fields that take the place of the template's own, and where they are written: those of a variant. */
  readonly instead?: { readonly fields: Readonly<Record<string, unknown>>; readonly file: string }
  readonly locale?: string
  readonly timeZone?: string
}

/** Templates that come with the package are found after the project's own. */
const SHIPPED = resolve(import.meta.dirname, '../../templates')
const ENDINGS = ['.md', '.html', '.htm', '.txt', '.mjml', '.hbs']

/** Where a template is and what its body is made of. */
interface Found {
  readonly name: string
  readonly folder: string
  readonly fields: Snippet | undefined
  readonly text?: Snippet
  readonly html?: Snippet
  readonly markdown?: Snippet
  readonly mjml?: Snippet
  readonly files: readonly string[]
}

/**
 * Finds and compiles a template by name (`invite`) or path (`templates/invite.md`).
 * @throws InputError when there is none, DataError when it is wrong: with file, line and column.
 */
export async function loadTemplate(nameOrPath: string, options: LoadOptions): Promise<Template> {
  const found = find(nameOrPath, options.root)
  const defaults = checkFields(options.message ?? {}, { file: 'mailmerge.yaml (message)', lineOffset: 0 })
  const own = found.fields === undefined ? {} : readMessageFields(found.fields)
  const { fields: others = {}, file = '' } = options.instead ?? {}
  const instead = checkFields(others, { file, lineOffset: 0 })
  const fields: MessageFields = {
    ...defaults,
    ...own,
    ...instead,
    headers: { ...defaults.headers, ...own.headers },
  }
  const folders = [join(options.root, 'templates'), SHIPPED]
  const files = [...found.files]

  const helpers = await projectHelpers(options.root, files)
  const makeEngine = (): Engine => new Engine({ ...HELPERS, ...helpers, [HOLE]: markHole })
  const textEngine = makeEngine()
  const htmlEngine = makeEngine()
  const partials = partialSnippets(folders, files)
  for (const [name, snippet] of partials) {
    textEngine.partial(name, snippet, { escape: false })
    htmlEngine.partial(name, snippet, { escape: true })
  }

  const uses: NameUse[] = []
  const known = { helpers: htmlEngine.helpers, partials: new Set(partials.keys()) }
  const look = (snippet: Snippet): Snippet => {
    if (snippet.text.includes('{{')) uses.push(...namesIn(htmlEngine.parse(snippet), snippet, known))
    return snippet
  }
  for (const snippet of partials.values()) look(snippet)
  for (const body of [found.text, found.html, found.markdown, found.mjml]) if (body !== undefined) look(body)

  const html = await htmlOf(found, fields, folders, files, look)
  let inline: readonly RenderedInline[] = []
  let htmlText: string | undefined
  if (html !== undefined) {
    const embedded = embedImages(inlineStyles(html.text), html, found.folder, options.root)
    inline = embedded.inline
    htmlText = embedded.html
    for (const image of inline) if (image.kind === 'file') files.push(resolve(options.root, image.path))
  }
  const text = textOf(found, html, partials)
  const renderer = createRenderer({
    name: found.name,
    fields,
    origin: found.fields ??
      found.text ??
      found.html ??
      found.markdown ??
      found.mjml ?? { file: found.name, lineOffset: 0 },
    elsewhere: (field) => {
      if (field in instead) return { file, lineOffset: 0 }
      return field in defaults && !(field in own) ? { file: 'mailmerge.yaml (message)', lineOffset: 0 } : undefined
    },
    textEngine,
    htmlEngine,
    look,
    ...(text === undefined ? {} : { text }),
    ...(htmlText === undefined || html === undefined ? {} : { html: { ...html, text: htmlText } }),
    inline,
    attachmentTemplate: (path) => {
      const full = [resolve(found.folder, path), resolve(options.root, path)].find((candidate) => existsSync(candidate))
      if (full === undefined)
        throw failure(
          found.fields ?? { file: found.name, lineOffset: 0 },
          'missing-file',
          `the attachment template '${path}' does not exist`,
          'Its path starts at the folder of the template, or at the project folder.',
        )
      files.push(full)
      return snippetOf(full, shown(full, options.root))
    },
    locale: options.locale ?? 'en',
    timeZone: options.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
  })
  const columns = [...new Set(uses.map(({ name }) => name))]
  return {
    name: found.name,
    files: [...new Set(files)].map((file) => shown(file, options.root)),
    hash: hashOf(files, options),
    columns,
    bind: (names) => checkNames(uses, names),
    render: renderer,
  }
}

function shown(path: string, root: string): string {
  const way = relative(root, path)
  return way.startsWith('..') || isAbsolute(way) ? `templates/${relative(SHIPPED, path)}` : way
}

function find(nameOrPath: string, root: string): Found {
  const candidates = [
    ...(/[\\/.]/.test(nameOrPath) ? [resolve(root, nameOrPath), resolve(nameOrPath)] : []),
    join(root, 'templates', nameOrPath),
    ...(/^[\w-]+$/.test(nameOrPath) ? [join(SHIPPED, nameOrPath)] : []),
  ]
  for (const path of candidates) {
    if (existsSync(path)) return statSync(path).isDirectory() ? folderTemplate(path, root) : fileTemplate(path, root)
    for (const ending of ENDINGS) if (existsSync(path + ending)) return fileTemplate(path + ending, root)
  }
  const names = templateNames(join(root, 'templates'))
  const guess = nearest(nameOrPath, names)
  const list =
    names.length === 0
      ? 'There is no templates folder here yet; mailmerge init makes one.'
      : `There are ${names.join(', ')}.`
  throw new InputError(`there is no template '${nameOrPath}' in ${shown(join(root, 'templates'), root)}/`, {
    hint: guess === undefined ? list : `Did you mean '${guess}'?`,
  })
}

function templateNames(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('_') && !entry.name.startsWith('.'))
    .map((entry) => (entry.isDirectory() ? entry.name : basename(entry.name, extname(entry.name))))
    .sort()
}

function folderTemplate(folder: string, root: string): Found {
  const read = (name: string): Snippet | undefined =>
    existsSync(join(folder, name)) ? snippetOf(join(folder, name), shown(join(folder, name), root)) : undefined
  const names = ['message.yaml', 'message.yml', 'text.hbs', 'text.txt', 'html.hbs', 'html.html', 'body.md', 'body.mjml']
  const fields = read('message.yaml') ?? read('message.yml')
  const bodies = {
    text: read('text.hbs') ?? read('text.txt'),
    html: read('html.hbs') ?? read('html.html'),
    markdown: read('body.md'),
    mjml: read('body.mjml'),
  }
  if (bodies.html !== undefined && (bodies.mjml ?? bodies.markdown) !== undefined) {
    throw failure(
      bodies.html,
      'two-bodies',
      `there are two HTML bodies in ${shown(folder, root)}`,
      'Keep one of html.hbs, body.md and body.mjml.',
    )
  }
  const files = names.map((name) => join(folder, name)).filter((path) => existsSync(path))
  if (files.length === 0) {
    throw new InputError(`the template folder ${shown(folder, root)} is empty`, {
      hint: 'It needs message.yaml and a body: text.hbs, html.hbs, body.md or body.mjml.',
    })
  }
  return { name: basename(folder), folder, fields, files, ...defined(bodies) }
}

function fileTemplate(path: string, root: string): Found {
  const whole = snippetOf(path, shown(path, root))
  const { fields, body } = splitFrontMatter(whole)
  const ending = extname(path).toLowerCase()
  const kind =
    ending === '.md'
      ? 'markdown'
      : ending === '.mjml'
        ? 'mjml'
        : ending === '.html' || ending === '.htm'
          ? 'html'
          : 'text'
  return { name: basename(path, extname(path)), folder: folderOf(path), fields, files: [path], [kind]: body }
}

/** YAML between two lines of three hyphens at the very start. */
function splitFrontMatter(whole: Snippet): { readonly fields: Snippet | undefined; readonly body: Snippet } {
  const match = /^---[ \t]*\r?\n([\s\S]*?)^---[ \t]*(?:\r?\n|$)/m.exec(whole.text)
  if (match === null || match.index !== 0) {
    if (/^---[ \t]*\r?\n/.test(whole.text))
      throw failure(whole, 'front-matter', 'the front matter is not closed', 'End it with a line of three hyphens.', {
        line: 1,
        column: 0,
      })
    return { fields: undefined, body: whole }
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

/** Partials by name: `templates/_partials/footer.hbs` is `footer`. The project's own hide those of the package. */
function partialSnippets(folders: readonly string[], files: string[]): ReadonlyMap<string, Snippet> {
  const partials = new Map<string, Snippet>()
  for (const folder of folders) {
    const home = join(folder, '_partials')
    if (!existsSync(home)) continue
    for (const entry of readdirSync(home, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.startsWith('.')) continue
      const path = join(entry.parentPath, entry.name)
      const name = relative(home, path)
        .slice(0, -extname(entry.name).length || undefined)
        .replaceAll('\\', '/')
      if (partials.has(name)) continue
      partials.set(name, snippetOf(path, relative(dirname(folder), path)))
      files.push(path)
    }
  }
  return partials
}

/** The HTML of the body, in its layout; undefined for a template of text alone. */
async function htmlOf(
  found: Found,
  fields: MessageFields,
  folders: readonly string[],
  files: string[],
  look: (snippet: Snippet) => Snippet,
): Promise<Snippet | undefined> {
  const { html, markdown, mjml } = found
  const body: Snippet | undefined =
    html ??
    (markdown === undefined ? undefined : { ...markdown, text: markdownToHtml(markdown.text) }) ??
    (mjml === undefined ? undefined : { ...mjml, text: await mjmlToHtml(mjml) })
  if (body === undefined) return undefined
  // Markdown is no whole page: it gets the default layout unless told otherwise.
  const name = fields.layout ?? (markdown === undefined ? undefined : 'plain')
  if (name === undefined || name === false) return body
  for (const folder of folders) {
    for (const ending of ['.hbs', '.html']) {
      const path = join(folder, '_layouts', `${name}${ending}`)
      if (!/^[\w-]+$/.test(name) || !existsSync(path)) continue
      files.push(path)
      const layout = snippetOf(path, relative(dirname(folder), path))
      if (!/\{\{\{\s*body\s*\}\}\}/.test(layout.text))
        throw failure(
          layout,
          'layout',
          'the layout has no place for the body',
          'Write {{{body}}} where the body belongs.',
        )
      const parts = layout.text.split(/\{\{\{\s*body\s*\}\}\}/)
      for (const part of parts) look({ ...layout, text: part })
      return { ...body, text: parts.join(body.text) }
    }
  }
  throw new InputError(`there is no layout '${name}'`, {
    hint: `Layouts are files in templates/_layouts, such as templates/_layouts/${name}.hbs.`,
  })
}

/** The text part: its own, or made from Markdown or HTML with partials put in their places. */
function textOf(found: Found, html: Snippet | undefined, partials: ReadonlyMap<string, Snippet>): Snippet | undefined {
  if (found.text !== undefined) return found.text
  if (found.markdown !== undefined) return { ...found.markdown, text: markdownToText(found.markdown.text) }
  if (html === undefined) return undefined
  let text = html.text
  for (let depth = 0; depth < 5 && /\{\{>\s*[\w/-]+\s*\}\}/.test(text); depth++) {
    text = text.replace(/\{\{>\s*([\w/-]+)\s*\}\}/g, (whole, name: string) => partials.get(name)?.text ?? whole)
  }
  return { ...html, text: htmlToText(text) }
}

/** The project's own helpers: each file of `templates/_helpers` exports functions by name, or an object of them. */
async function projectHelpers(root: string, files: string[]): Promise<Readonly<Record<string, Helper>>> {
  const folder = join(root, 'templates', '_helpers')
  const helpers: Record<string, Helper> = {}
  if (!existsSync(folder)) return helpers
  for (const entry of readdirSync(folder).sort()) {
    if (!/\.(js|mjs|ts|mts)$/.test(entry)) continue
    const path = join(folder, entry)
    files.push(path)
    let module: Record<string, unknown>
    try {
      module = (await import(pathToFileURL(path).href)) as Record<string, unknown>
    } catch (cause) {
      throw new ConfigError(
        `the helpers in ${shown(path, root)} cannot be loaded: ${cause instanceof Error ? cause.message : cause}`,
        { cause, hint: 'Such a file is a JavaScript module that exports functions.' },
      )
    }
    const { default: whole, ...named } = module
    for (const [name, helper] of Object.entries({ ...(typeof whole === 'object' ? whole : {}), ...named })) {
      if (typeof helper === 'function') helpers[name] = helper as Helper
    }
  }
  return helpers
}

/** Everything that a row does not change. */
function hashOf(files: readonly string[], options: LoadOptions): string {
  const parts = [...new Set(files)]
    .sort()
    .map((file) => [shown(file, options.root), hash('sha256', readFileSync(file), 'hex')])
  return hash(
    'sha256',
    JSON.stringify([parts, options.message ?? {}, options.locale, options.timeZone, options.instead?.fields]),
    'hex',
  )
}
