/**
 * From files to a compiled template. Owns the order in which markup is transformed; everything that no row changes is done
 * here, once.
 */
import { hash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { InputError } from '../errors.ts'
import { isSystemError } from '../fs/system-errors.ts'
import { given } from '../given.ts'
import { knownLanguage } from '../language-tag.ts'
import { checkNames, namesIn, type Parsed } from './bind.ts'
import type { BranchTrace } from './engine/branches.ts'
import { Engine } from './engine/engine.ts'
import { type Found, findTemplate, isBuiltIn, portablePath, SHIPPED, shown } from './files/find.ts'
import { readMailTemplate } from './files/mail-file.ts'
import { checkFields, type MessageFields, readMessageFields } from './files/message-file.ts'
import { expand, type Partials, readPartials } from './files/partials.ts'
import { failure, type Snippet, snippetOf, unreadable } from './files/place.ts'
import { HELPERS, STRICT } from './helpers/helpers.ts'
import { projectHelpers } from './helpers/project-helpers.ts'
import { createPictures } from './images.ts'
import { type CompiledTemplate, withLanguages } from './languages.ts'
import { guardLinks, LINK_HELPERS, markupGuard, takesMarkup } from './links.ts'
import { markValue } from './marked-text.ts'
import {
  htmlToText,
  inlineStyles,
  inlineStylesOf,
  isWithin,
  markdownToHtml,
  markdownToText,
  mjmlToHtml,
  plainOf,
} from './markup.ts'
import { mustachesOf } from './mustaches.ts'
import { createRenderer, type Engines, type RendererOptions } from './render.ts'
import type { NameUse, Template } from './template.ts'
import { TABLE_HELPERS } from './text-tables.ts'

export interface LoadOptions {
  /** The project: `templates/` is in it, and nothing outside of it is read. */
  readonly root: string
  /** Fields for templates that do not set them, as in mailmerge.yaml. */
  readonly message?: Readonly<Record<string, unknown>> | undefined
  /** Fields that take the place of the template's own, and where they are written: those of a variant. */
  readonly instead?: { readonly fields: Readonly<Record<string, unknown>>; readonly file: string } | undefined
  readonly locale?: string | undefined
  readonly timeZone?: string | undefined
  /** A message may say nothing: one without a body, or whose body comes out empty. */
  readonly allowEmpty?: boolean | undefined
  /** Sees which branches each row takes. */
  readonly branches?: BranchTrace | undefined
}

/** Names of the helpers that mark values in address fields, and that take markup off values in a text part. */
const MARKED = '__marked'
const PLAIN = '__plain'

/**
 * Finds and compiles a template by name (`invite`) or path (`templates/invite.md`).
 * @throws InputError when there is none, DataError when it is wrong: with file, line and column.
 */
export async function loadTemplate(nameOrPath: string, options: LoadOptions): Promise<Template> {
  try {
    return await load(nameOrPath, options)
  } catch (error) {
    if (isSystemError(error)) throw unreadable(shown(error.path ?? nameOrPath, options.root), error)
    throw error
  }
}

/** A template in all its languages. */
async function load(nameOrPath: string, options: LoadOptions): Promise<Template> {
  const found = findTemplate(nameOrPath, options.root)
  const usual = await compile(found, options)
  const versions = new Map<string, Template>()
  for (const language of found.languages) {
    const version = findTemplate(nameOrPath, options.root, language)
    versions.set(knownLanguage(language) ?? language, await compile(version, options))
  }
  return versions.size === 0 ? usual : withLanguages(usual, versions)
}

async function compile(file: Found, options: LoadOptions): Promise<CompiledTemplate> {
  const { root } = options
  const mail = file.mail === undefined ? undefined : await readMailTemplate(file.mail, shown(file.mail, root))
  const found = mail === undefined ? file : { ...file, ...given({ text: mail.text, html: mail.html }) }
  const { fields, written, setsFrom } = fieldsOf(found, mail?.fields, options)
  const folders = [join(root, 'templates'), SHIPPED]
  if (!options.allowEmpty) checkBody(found, fields)
  const files = [...found.files]

  const own = await projectHelpers(root)
  files.push(...own.files)
  const engines = enginesWith(own.helpers, options.branches)
  const partials = readPartials(folders)
  files.push(...[...partials.values()].map(({ path }) => path))

  const uses: NameUse[] = []
  const parsed = (snippet: Snippet): Parsed => ({ snippet, program: engines.html.parse(snippet) })
  const bodies = [found.text, found.html, found.markdown, found.mjml].filter((body) => body !== undefined)
  const known = {
    helpers: engines.html.helpers,
    partials: new Map([...partials].map(([name, { source }]) => [name, parsed(source)])),
    inline: inlineNames([...bodies, ...[...partials.values()].map(({ source }) => source)]),
  }
  const columnsOf = (snippet: Snippet): readonly string[] =>
    snippet.text.includes('{{')
      ? [
          ...new Set(
            namesIn(parsed(snippet), known)
              .filter(({ isCall, ofRows }) => !isCall && !ofRows)
              .map(({ name }) => name),
          ),
        ]
      : []
  const texts: Snippet[] = []
  const look = (snippet: Snippet): Snippet => {
    texts.push(snippet)
    if (snippet.text.includes('{{')) uses.push(...namesIn(parsed(snippet), known))
    return snippet
  }
  for (const body of bodies) look(body)

  const htmlTexts = new Set([found.html, found.markdown, found.mjml].filter((body) => body !== undefined))
  const layout = layoutOf(found, fields, folders)
  if (layout !== undefined) {
    files.push(layout.path)
    const around = layout.snippet.text.replace(BODY, (place) => ' '.repeat(place.length))
    htmlTexts.add(look({ ...layout.snippet, text: around }))
  }
  const sources = [...bodies, layout?.snippet, ...[...partials.values()].map(({ source }) => source)]
  for (const [name, { source, kind }] of partials) {
    if (!sources.some((one) => one !== undefined && calls(one.text, name))) continue
    texts.push(source)
    if (kind !== 'text') htmlTexts.add(source)
  }
  const { page: unlinked, parts } = await pageOf(found, layout?.snippet, partials, root)
  const page = unlinked === undefined ? undefined : withStylesheets(unlinked, found.folder, root, files)
  const text = textOf(found, page, layout?.snippet, partials)
  const pictures = createPictures(root)
  for (const picture of mail?.inline ?? []) pictures.keep(picture)
  const styled = page === undefined || found.mjml !== undefined ? page?.text : inlineStyles(page.text)
  const guarded = page === undefined || styled === undefined ? undefined : guardLinks({ ...page, text: styled })
  const html = guarded === undefined ? undefined : pictures.embed(guarded, found.folder)
  for (const [name, partial] of partials) {
    const piece = page === undefined ? partial.html.text : inlineStylesOf(page.text, partial.html.text)
    const madeOf = partial.html.madeOf ?? [partial.source]
    // Only a page needs the images of its partials.
    const isInPage = page !== undefined && calls(page.text, name)
    const inPage = guardLinks(isInPage ? { ...partial.html, text: piece, madeOf } : partial.html)
    engines.html.partial(name, isInPage ? pictures.embed(inPage, dirname(partial.path)) : inPage)
    engines.text.partial(name, partial.text)
    engines.textOfHtml.partial(name, partial.text)
    engines.marked.partial(name, partial.source)
  }
  for (const image of pictures.fixed) if (image.kind === 'file') files.push(resolve(root, image.path))
  const { render, check, localeOf } = createRenderer({
    fields,
    written,
    setsFrom,
    engines,
    look,
    columnsOf,
    ...(text === undefined ? {} : { text }),
    ...(html === undefined ? {} : { html }),
    pictures,
    markup: page !== undefined && mayTakeMarkup(page, own, partials) ? markupGuard(page) : undefined,
    allowEmpty: options.allowEmpty ?? false,
    kept: mail?.attachments ?? [],
    attachmentTemplate: (path) => {
      const file = attachmentFile(path, found, root)
      files.push(file)
      return snippetOf(file, shown(file, root))
    },
    foreignCode: own.files.map((file) => shown(file, root)),
    locale: options.locale,
    timeZone: options.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
  })
  return {
    name: found.name,
    builtIn: isBuiltIn(found.folder, root),
    lacks: (['from', 'subject'] as const).filter((field) => (fields[field] ?? '').trim() === ''),
    files: [...new Set(files)].map((file) => shown(file, root)),
    unread: found.unread.filter((file) => !files.some((one) => shown(one, root) === file)),
    hash: hashOf(files, options),
    columns: [...new Set(uses.filter(({ isCall }) => !isCall).map(({ name }) => name))],
    sender: fields.from?.includes('{{') ? undefined : fields.from,
    written: { uses, texts, htmlTexts, page, parts, isMjml: found.mjml !== undefined },
    setsFrom,
    setsTo: fields.to !== undefined,
    notes: mail?.notes ?? [],
    versions: new Map(),
    languageFrom: localeOf && 'locale',
    bind: (names, isGrouped = false) => checkNames(uses, { columns: names, isGrouped }, known.helpers),
    render,
    check,
    localeOf,
  }
}

/** Values may hold markup where the page puts them out as they are, and where helpers of the project give markup. */
function mayTakeMarkup(page: Snippet, own: Awaited<ReturnType<typeof projectHelpers>>, partials: Partials): boolean {
  if (Object.keys(own.helpers).length > 0 || takesMarkup(page.text)) return true
  return /\{\{~?#?>/.test(page.text) && [...partials.values()].some(({ html }) => takesMarkup(html.text))
}

/** @throws DataError for a template that can only make messages without a body. */
function checkBody(found: Found, fields: MessageFields): void {
  if ([found.text, found.html, found.markdown, found.mjml, fields.calendar].some((part) => part !== undefined)) return
  const message = 'the template has no body'
  const hint = 'Write text.hbs, html.hbs, body.md or body.mjml beside it, or set allowEmpty: true in mailmerge.yaml.'
  throw failure({ file: found.fields?.file ?? found.name, lineOffset: 0 }, 'no-body', message, hint)
}

/** Fields, and where they are written. */
interface FieldLayer {
  readonly fields: MessageFields
  readonly has: (path: readonly (string | number)[]) => boolean
  readonly written: RendererOptions['written']
}

/** The fields that hold, and where each of them is written: in the config, the template, its version of a language, a variant. */
function fieldsOf(
  found: Found,
  ofMail: MessageFields | undefined,
  options: LoadOptions,
): Pick<RendererOptions, 'fields' | 'written' | 'setsFrom'> {
  const config = layerOf(options.message ?? {}, 'mailmerge.yaml (message)')
  const { fields: others = {}, file = '' } = options.instead ?? {}
  const layers = [
    config,
    ...(ofMail === undefined ? [] : [layerOf(ofMail, found.files.map((file) => shown(file, options.root)).join())]),
    ...[found.fields, found.ownFields].flatMap((own) => (own === undefined ? [] : [layerOfFile(own)])),
    layerOf(others, file),
  ]
  const fields = Object.assign({}, ...layers.map((layer) => layer.fields), {
    headers: Object.assign({}, ...layers.map(({ fields: { headers } }) => headers)),
  }) as MessageFields
  const written: RendererOptions['written'] = (path, text) =>
    (layers.findLast(({ has }) => has(path)) ?? config).written(path, text)
  const setsFrom = layers.some((layer) => layer !== config && layer.fields.from !== undefined)
  return { fields, written, setsFrom }
}

function layerOf(data: Readonly<Record<string, unknown>>, file: string): FieldLayer {
  const fields = checkFields(data, { file, lineOffset: 0 })
  return { fields, has: hasIn(fields), written: (_, text) => ({ file, lineOffset: 0, text, madeOf: [] }) }
}

function layerOfFile(snippet: Snippet): FieldLayer {
  const { fields, offsetOf } = readMessageFields(snippet)
  const written: FieldLayer['written'] = (path, text) => {
    const from = offsetOf(path) ?? offsetOf(path.slice(0, 1)) ?? 0
    return { ...snippet, text, madeOf: [{ ...snippet, from }] }
  }
  return { fields, has: hasIn(fields), written }
}

function hasIn(fields: MessageFields): FieldLayer['has'] {
  return ([field = '', name = '']) =>
    field === 'headers' ? Object.hasOwn(fields.headers ?? {}, name) : Object.hasOwn(fields, field)
}

/** One engine for each way in which values are written; `textOfHtml` for a text part that nobody wrote. */
function enginesWith(own: Engines['helpers'], branches: BranchTrace | undefined): Engines {
  const helpers = {
    ...HELPERS,
    ...LINK_HELPERS,
    ...TABLE_HELPERS,
    ...own,
    [MARKED]: (value: unknown) => markValue(value),
    [PLAIN]: (value: unknown) => plainOf(value),
  }
  const ours = (names: Iterable<string>): ReadonlySet<string> =>
    new Set([...names].filter((name) => !Object.hasOwn(own, name)))
  const common = { helpers, needValue: ours(Object.keys(HELPERS)), strict: ours(STRICT), branches }
  return {
    helpers: own,
    html: new Engine({ ...common, escape: true }),
    text: new Engine({ ...common, escape: false }),
    textOfHtml: new Engine({ ...common, escape: false, throughRaw: PLAIN }),
    marked: new Engine({ ...common, escape: false, through: MARKED }),
  }
}

function inlineNames(snippets: readonly Snippet[]): ReadonlySet<string> {
  const names = snippets.flatMap(({ text }) => [...text.matchAll(/\{\{~?#\*\s*inline\s+["']([^"'}]+)["']/g)])
  return new Set(names.map(([, name = '']) => name))
}

function calls(text: string, partial: string): boolean {
  return mustachesOf(text).some(({ 0: tag }) => /^\{\{~?#?>/.test(tag) && tag.includes(partial))
}

const BODY = /\{\{\{\s*body\s*\}\}\}/g

interface Layout {
  readonly path: string
  readonly snippet: Snippet
}

function layoutOf(found: Found, fields: MessageFields, folders: readonly string[]): Layout | undefined {
  if ((found.html ?? found.markdown ?? found.mjml) === undefined) return undefined
  // Markdown is not a whole page: it gets the default layout unless another is set.
  const name = fields.layout ?? (found.markdown === undefined ? undefined : 'plain')
  if (name === undefined || name === false) return undefined
  const paths = folders.flatMap((folder) =>
    ['.hbs', '.html', '.mjml'].map((ending) => join(folder, '_layouts', name + ending)),
  )
  const path = /^[\w-]+$/.test(name) ? paths.find((candidate) => existsSync(candidate)) : undefined
  if (path === undefined) {
    throw new InputError(`there is no layout '${name}'`, {
      hint: `Layouts are files in templates/_layouts, such as templates/_layouts/${name}.hbs.`,
    })
  }
  const snippet = snippetOf(path, relative(dirname(dirname(dirname(path))), path))
  if (snippet.text.search(BODY) < 0) {
    const hint = 'Write {{{body}}} where the body belongs.'
    throw failure(snippet, 'layout', 'the layout has no place for the body', hint)
  }
  return { path, snippet }
}

function within(layout: Snippet, body: Snippet, text: string): Snippet {
  const madeOf = [...(body.madeOf ?? [body]), layout]
  return { ...body, text: layout.text.replaceAll(BODY, () => text), madeOf }
}

/** The HTML of the body, in its layout, with partials in their places; no page for a template of text alone. */
async function pageOf(
  found: Found,
  layout: Snippet | undefined,
  partials: Partials,
  root: string,
): Promise<{ readonly page: Snippet | undefined; readonly parts: readonly Snippet[] }> {
  const { html, markdown, mjml } = found
  if (mjml !== undefined) {
    const whole = expand(
      layout === undefined ? mjml : within(layout, mjml, mjml.text),
      partials,
      ({ kind, source, html }) => (kind === 'mjml' ? source : html),
    )
    const page = { ...whole, text: await mjmlToHtml(whole, root), madeOf: whole.madeOf ?? [whole] }
    return { page, parts: [page] }
  }
  let body = html
  if (markdown !== undefined) {
    const whole = expand(markdown, partials, ({ kind, source }) => (kind === 'markdown' ? source : undefined))
    body = { ...whole, text: markdownToHtml(whole.text), madeOf: whole.madeOf ?? [whole] }
  }
  if (body === undefined) return { page: undefined, parts: [] }
  const expanded = (snippet: Snippet): Snippet => expand(snippet, partials, (partial) => partial.html)
  if (layout === undefined) return { page: expanded(body), parts: [expanded(body)] }
  const around = { ...layout, text: layout.text.replaceAll(BODY, (place) => ' '.repeat(place.length)) }
  return { page: expanded(within(layout, body, body.text)), parts: [expanded(body), expanded(around)] }
}

const LINK = /<link\b[^<>]*>/gi

/** Stylesheets of the project in the place of the links to them: a mail program loads none. `files` gets their paths. */
function withStylesheets(page: Snippet, folder: string, root: string, files: string[]): Snippet {
  const text = page.text.replace(LINK, (link) => {
    const name = /\bhref\s*=\s*["']?([^"'\s>]+)/i.exec(link)?.[1] ?? ''
    if (!/\brel\s*=\s*["']?stylesheet\b/i.test(link) || name === '' || /^(?:[a-z][a-z0-9+.-]*:|\/\/|\{\{)/i.test(name))
      return link
    const path = [resolve(folder, name), resolve(root, name)].find((one) => existsSync(one) && isWithin(root, one))
    if (path === undefined) {
      const hint = 'Paths of stylesheets start at the folder of the template, or at the project folder, and stay in it.'
      throw failure(page, 'missing-stylesheet', `the stylesheet '${name}' does not exist in the project`, hint)
    }
    files.push(path)
    return `<style>${snippetOf(path, shown(path, root)).text.replace(/<\/style/gi, '<\\/style')}</style>`
  })
  return text === page.text ? page : { ...page, text, madeOf: page.madeOf ?? [page] }
}

/** Where the body's text goes among the words of a layout. */
const PLACE = 'zqmbodyqz'

/** The text part: its own, or made from Markdown or HTML with partials put in their places. */
function textOf(
  found: Found,
  page: Snippet | undefined,
  layout: Snippet | undefined,
  partials: Partials,
): RendererOptions['text'] {
  if (found.text !== undefined) return { engine: 'text', snippet: found.text }
  if (page === undefined) return undefined
  const made = (of: Snippet, text: string): RendererOptions['text'] => ({
    engine: 'textOfHtml',
    snippet: { ...of, text, madeOf: of.madeOf ?? [of] },
  })
  if (found.markdown === undefined) return made(page, htmlToText(page.text))
  const whole = expand(found.markdown, partials, ({ kind, source }) => (kind === 'markdown' ? source : undefined))
  const words = markdownToText(whole.text)
  if (layout === undefined) return made(whole, words)
  const around = htmlToText(
    expand(layout, partials, (partial) => partial.html).text.replaceAll(BODY, `<p>${PLACE}</p>`),
  )
  return made(
    page,
    around.replace(PLACE, () => words.trim()),
  )
}

function attachmentFile(path: string, found: Found, root: string): string {
  const candidates = [resolve(found.folder, path), resolve(root, path)]
  const file = candidates.find((candidate) => existsSync(candidate))
  const home = [root, found.folder, SHIPPED].some((folder) => file !== undefined && isWithin(folder, file))
  if (file !== undefined && home) return file
  const why = file === undefined ? 'does not exist' : 'is outside the project'
  const hint = 'Its path starts at the folder of the template, or at the project folder.'
  const origin = found.fields ?? { file: found.name, lineOffset: 0 }
  throw failure(origin, 'missing-file', `the attachment template '${path}' ${why}`, hint)
}

/** Everything that a row does not change. */
function hashOf(files: readonly string[], options: LoadOptions): string {
  const parts = [...new Set(files)]
    .sort()
    .map((file) => [portablePath(file, options.root), hash('sha256', readFileSync(file), 'hex')])
  return hash(
    'sha256',
    JSON.stringify([parts, options.message ?? {}, options.locale, options.timeZone, options.instead?.fields]),
    'hex',
  )
}
