/**
 * The files and images of a message. Owns the parts that rows share: a file gives all of them the very same part. What is
 * remembered of files is the library's.
 */
import { basename, extname } from 'node:path'
import { DataError, type Problem } from '../../errors.ts'
import { given } from '../../given.ts'
import { all, andThen, isPending, type MaybePromise } from '../../maybe-promise.ts'
import { type MarkedText, markValue } from '../../template/marked-text.ts'
import type { RenderedAttachment, RenderedInline } from '../../template/template.ts'
import { safeName } from '../files/file-name.ts'
import { type FileFacts, FileLibrary, type LibraryFile } from '../files/library.ts'
import type { ProjectFile } from '../files/project-file.ts'
import type { LoadedPart } from '../mime.ts'
import { endingOf, typeOfContent, typeOfFile, withCharset } from './media-type.ts'

export interface AttachmentStore {
  /**
   * The parts of one message: images first, then attachments in the template's order. At once when no file has to be read.
   *
   * @param planned Fingerprints that `inspect` gave for the same attachments and images when the run was planned.
   * @throws DataError whose problems say what is wrong with each path: missing, outside the project, not a regular file,
   *   hidden, too large, changed since it was planned.
   */
  load(
    attachments: readonly RenderedAttachment[],
    inline: readonly RenderedInline[],
    planned?: readonly string[],
  ): MaybePromise<readonly LoadedPart[]>
  /**
   * The same checks for planning: facts of the files of attachments, then of images that the row named (those of the
   * template are part of its hash). What is made from the row has no facts, but a PDF is known to be drawable.
   */
  inspect(
    attachments: readonly RenderedAttachment[],
    inline: readonly RenderedInline[],
  ): MaybePromise<readonly FileFacts[]>
}

export interface AttachmentStoreOptions {
  /** The project: relative paths start here, and real paths must stay within. */
  readonly root: string
  /** Further folders that files may come from, absolute. */
  readonly roots?: readonly string[]
  /** Files of the project that no row may have: configuration, keys, the list. */
  readonly never?: readonly string[]
  /** Bytes of content kept for rows to share. */
  readonly keptBytes?: number
  /** Largest file. Default 50 MB, more than any server takes. */
  readonly maxBytes?: number
}

/** A file that a message wants, as an attachment or as an image. */
interface Wanted {
  readonly path: MarkedText
  readonly optional?: boolean
  readonly name?: string
  readonly type?: string
  readonly contentId?: string
  /** One picture that the row named. */
  readonly isPicture?: boolean
  /** Column of the list that named it. */
  readonly column?: string
}

const MEGABYTE = 1024 * 1024
/** A file whose every row names it differently makes a part for each; that many are kept. */
const KEPT_PARTS = 50

export function createAttachmentStore(options: AttachmentStoreOptions): AttachmentStore {
  const { keptBytes, ...fence } = options
  const library = new FileLibrary<LoadedPart>({ maxBytes: 50 * MEGABYTE, ...fence }, keptBytes)

  /** The files that are wanted; of those that are optional, the ones that are there. */
  function findWanted({ path, optional, isPicture, column }: Wanted): MaybePromise<readonly ProjectFile[]> {
    return andThen(
      isPicture ? library.findPicture(path) : optional ? library.findOptional(path) : library.find(path),
      (found) => found,
      (error) => {
        throw column === undefined ? error : withColumn(error, column)
      },
    )
  }

  function fileParts(wanted: Wanted): MaybePromise<readonly LoadedPart[]> {
    return andThen(findWanted(wanted), (found) => {
      const isOnly = found.length === 1
      return all(
        found.map((file) => {
          const name = safeName((isOnly && wanted.name?.trim()) || basename(file.path))
          return andThen(library.read(file), (read) => partOf(read, wanted, name, isOnly))
        }),
      )
    })
  }

  /** What is wanted of files, in the order of their facts. */
  function findAll(wanted: readonly Wanted[]): MaybePromise<readonly ProjectFile[]> {
    return andThen(together(wanted.map((one) => findWanted(one))), (lists) => lists.flat())
  }

  /** @throws DataError when the files are not those that were planned: one changed, went, or came. */
  function compare(found: readonly ProjectFile[], planned: readonly string[]): MaybePromise<void> {
    const same = found.map((file, at) => {
      const fingerprint = planned[at]
      return fingerprint !== undefined && library.isSame(file, fingerprint)
    })
    return andThen(all(same), (results) => {
      const at = results.indexOf(false)
      if (at >= 0 || found.length !== planned.length) throw changedSince(found[at])
    })
  }

  function partsOf(one: RenderedAttachment | RenderedInline): MaybePromise<readonly LoadedPart[]> {
    if (one.kind === 'content') return [contentPart(one)]
    return one.kind === 'pdf' ? drawPdf(one.source, one.name) : fileParts(wantedOf(one))
  }

  async function drawPdf(source: MarkedText, name: string): Promise<readonly LoadedPart[]> {
    // Drawing needs a large library: only those who use it load it.
    const { renderPdf } = await import('../pdf/pdf.ts')
    const content = await renderPdf(source, options)
    const part = { name: safeName(name, 'document.pdf'), type: 'application/pdf', content }
    return [{ disposition: 'attachment', ...part, shared: false }]
  }

  /** What cannot be drawn is known before anything is sent. */
  async function checkDrawing(source: MarkedText): Promise<void> {
    const { checkPdf } = await import('../pdf/pdf.ts')
    await checkPdf(source, options)
  }

  return {
    load(attachments, inline, planned) {
      const parts = (): MaybePromise<readonly LoadedPart[]> =>
        andThen(all([...inline, ...attachments].map(partsOf)), (lists) => lists.flat())
      if (planned === undefined) return parts()
      return andThen(
        findAll(wantedFiles(attachments, inline)),
        (found) => andThen(compare(found, planned), parts),
        (error) => {
          throw isMissing(error) ? goneSince(error) : error
        },
      )
    },
    inspect(attachments, inline) {
      const facts = andThen(findAll(wantedFiles(attachments, inline)), (found) =>
        all(found.map((file) => library.facts(file))),
      )
      const drawings = attachments.flatMap((one) => (one.kind === 'pdf' ? [checkDrawing(one.source)] : []))
      if (drawings.length === 0) return facts
      return andThen(together<unknown>([facts, ...drawings]), () => facts)
    },
  }
}

/**
 * Attachments of several rows, their names all different: a reader who saves them saves each. What one row attaches keeps the
 * names that the template gives.
 */
export function withOwnNames(parts: readonly LoadedPart[]): readonly LoadedPart[] {
  const taken = new Set<string>()
  return parts.map((part) => {
    if (part.disposition !== 'attachment') return part
    let { name } = part
    for (let number = 2; taken.has(name.toLowerCase()); number++) name = numbered(part.name, number)
    taken.add(name.toLowerCase())
    return name === part.name ? part : { ...part, name }
  })
}

/** `label (2).pdf` */
function numbered(name: string, number: number): string {
  const ending = extname(name)
  return `${name.slice(0, name.length - ending.length)} (${number})${ending}`
}

/** The part of a file: the same one for all rows that ask for it in the same way. */
function partOf(
  { content, made }: LibraryFile<LoadedPart>,
  wanted: Wanted,
  name: string,
  isOnly: boolean,
): MaybePromise<LoadedPart> {
  const key = partKey(wanted, isOnly)
  const known = made.get(key)
  if (known !== undefined) return known
  return andThen(wanted.type ?? typeOfFile(name, content), (type) => {
    // Another row may have made it in the meantime: all of them get the same.
    const other = made.get(key)
    if (other !== undefined) return other
    if (made.size >= KEPT_PARTS) made.clear()
    const part = filePart(wanted, name, withCharset(type, content), content)
    made.set(key, part)
    return part
  })
}

function wantedOf(one: Extract<RenderedAttachment | RenderedInline, { kind: 'file' }>): Wanted {
  if (!('cid' in one)) return one
  const { path, cid, column, ofRow = false } = one
  return { path: markValue(path), contentId: cid, isPicture: ofRow, ...given({ column }) }
}

/** The files whose content a row decides. */
function wantedFiles(attachments: readonly RenderedAttachment[], inline: readonly RenderedInline[]): readonly Wanted[] {
  const images = inline.filter((one) => one.kind === 'file' && one.ofRow)
  return [...attachments, ...images].flatMap((one) => (one.kind === 'file' ? [wantedOf(one)] : []))
}

/** What a part of a file depends on beside the file. A name is for one file, not for all that a pattern fits. */
function partKey({ name, type, contentId }: Wanted, isOnly: boolean): string {
  if (name === undefined && type === undefined && contentId === undefined) return ''
  return `${isOnly ? (name ?? '') : ''}\n${type ?? ''}\n${contentId ?? ''}`
}

function filePart({ contentId }: Wanted, name: string, type: string, content: Uint8Array): LoadedPart {
  const part = { name, type, content, shared: true }
  return contentId === undefined
    ? { disposition: 'attachment', ...part }
    : { disposition: 'inline', ...part, contentId }
}

/** Content that the template itself holds comes as the same object for each row, and so does its part. */
const made = new WeakMap<object, LoadedPart>()

function contentPart(one: Extract<RenderedAttachment | RenderedInline, { kind: 'content' }>): LoadedPart {
  let part = made.get(one)
  if (part === undefined) {
    const content = typeof one.content === 'string' ? Buffer.from(one.content) : one.content
    const name = safeName(one.name, `${'cid' in one ? 'image' : 'attachment'}${endingOf(one.type ?? 'text/plain')}`)
    const type = one.type ?? typeOfContent(name, content)
    const isText = typeof one.content === 'string' && type.startsWith('text/') && !type.includes('charset')
    part = {
      disposition: 'cid' in one ? 'inline' : 'attachment',
      name,
      type: isText ? `${type}; charset=utf-8` : type,
      ...('cid' in one ? { contentId: one.cid } : {}),
      content,
      shared: 'cid' in one,
    }
    made.set(one, part)
  }
  return part
}

/** The error for files that are not those of the plan; `file` is the first that differs, where one is there. */
function changedSince(file: ProjectFile | undefined): DataError {
  const message =
    file === undefined
      ? 'an attachment is gone that was there when the run was planned'
      : `the attachment ${file.path} changed after the run was planned`
  const hint =
    'Give the run command again: it plans again with the files as they are now, and sends what is not yet sent.'
  return new DataError(message, { hint, problems: [{ severity: 'error', code: 'attachment-changed', message, hint }] })
}

/** The same error, with the column that its files come from. */
function withColumn(error: unknown, column: string): unknown {
  if (!(error instanceof DataError)) return error
  const problems = error.problems.map((problem) => ({ ...problem, column: problem.column ?? column }))
  return new DataError(error.message, { problems, cause: error, ...given({ hint: error.hint }) })
}

/** A file that was there when the run was planned, and is not any more. */
function goneSince(error: unknown): DataError {
  const message = `${error instanceof Error ? error.message : ''}, and it was there when the run was planned`
  const hint =
    'Put the file back and resume, or give the run command again: it plans again with the files as they are now.'
  return new DataError(message, {
    hint,
    cause: error,
    problems: [{ severity: 'error', code: 'attachment-changed', message, hint }],
  })
}

function isMissing(error: unknown): boolean {
  return error instanceof DataError && error.problems.some(({ code }) => code === 'missing-attachment')
}

/** All values in their order. @throws one error that lists the problems of all that failed. */
function together<T>(values: readonly MaybePromise<T>[]): MaybePromise<readonly T[]> {
  if (!values.some(isPending)) return all(values)
  return Promise.allSettled(values).then((results) => {
    const failures = results.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
    if (failures.length > 0) throw oneError(failures)
    return results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  })
}

function oneError(failures: readonly unknown[]): unknown {
  const [first] = failures
  if (failures.length === 1 || !failures.every((failure) => failure instanceof DataError)) return first
  const problems: readonly Problem[] = failures.flatMap((failure) => failure.problems)
  return new DataError(`${failures.length} attachments are not available`, { problems })
}
