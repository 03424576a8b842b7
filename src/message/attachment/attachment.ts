/**
 * The files and images of a message. Owns what rows share: a file is found, checked and read once for all of them, and
 * gives them the very same part. The fence around the project is `project-file`'s.
 */
import { basename } from 'node:path'
import { DataError, type Problem } from '../../errors.ts'
import type { RenderedAttachment, RenderedInline } from '../../template/template.ts'
import { safeName } from '../files/file-name.ts'
import { createProjectFiles, type FileFacts, type ProjectFile } from '../files/project-file.ts'
import type { LoadedPart } from '../part.ts'
import { type CachedFile, createAttachmentCache } from './cache.ts'
import { endingOf, typeOfContent, typeOfFile } from './media-type.ts'

export type { FileFacts } from '../files/project-file.ts'

export interface AttachmentStore {
  /**
   * The parts of one message: images first, then attachments in the template's order. At once when everything is at hand.
   *
   * @param expected Fingerprints that `inspect` gave for the same attachments and images when the run was planned.
   * @throws DataError whose problems say what is wrong with each path: missing, outside the project, no regular file,
   *   hidden, too large, changed since it was planned.
   */
  load(
    attachments: readonly RenderedAttachment[],
    inline: readonly RenderedInline[],
    expected?: readonly string[],
  ): readonly LoadedPart[] | Promise<readonly LoadedPart[]>
  /**
   * The same checks without reading content, for planning: facts of the files of attachments, then of images. What is
   * made from the row has no facts, but a PDF is known to be drawable.
   */
  inspect(
    attachments: readonly RenderedAttachment[],
    inline: readonly RenderedInline[],
  ): readonly FileFacts[] | Promise<readonly FileFacts[]>
}

export interface AttachmentStoreOptions {
  /** The project: relative paths start here, and real paths must stay within. */
  readonly root: string
  /** Further folders that files may come from, absolute. */
  readonly roots?: readonly string[]
  /** Files of the project that no row may have: configuration, keys, the list. */
  readonly never?: readonly string[]
  /** Octets of content kept for rows to share. Default 64 MB. */
  readonly cacheOctets?: number
  /** Largest file. Default 50 MB, more than any server takes. */
  readonly maxOctets?: number
}

/** A file that a message wants, as an attachment or as an image. */
interface Wanted {
  readonly path: string
  readonly optional?: boolean
  readonly name?: string
  readonly type?: string
  readonly contentId?: string
}

const MEGABYTE = 1024 * 1024
/** Facts of so many paths are kept; a list whose every row has its own file keeps none for long. */
const KEPT_FACTS = 2_000
/** A file whose every row names it differently makes a part for each; so many are kept. */
const KEPT_PARTS = 50

export function createAttachmentStore(options: AttachmentStoreOptions): AttachmentStore {
  const files = createProjectFiles({ maxOctets: 50 * MEGABYTE, ...options, purpose: 'attachment' })
  const cache = createAttachmentCache(options.cacheOctets ?? 64 * MEGABYTE)
  const asked = new Map<string, Promise<readonly ProjectFile[]>>()
  const known = new Map<string, readonly ProjectFile[]>()
  const reading = new Map<string, Promise<CachedFile>>()

  function find(path: string): Promise<readonly ProjectFile[]> {
    let found = asked.get(path)
    if (found === undefined) {
      if (asked.size >= KEPT_FACTS) {
        asked.clear()
        known.clear()
      }
      found = files.find(path)
      asked.set(path, found)
      found.then(
        (some) => asked.get(path) === found && known.set(path, some),
        () => asked.get(path) === found && asked.delete(path),
      )
    }
    return found
  }

  /** The files that are wanted; none for an optional one that is not there. */
  async function findWanted({ path, optional }: Wanted): Promise<readonly ProjectFile[]> {
    try {
      return await find(path)
    } catch (error) {
      if (optional && isMissing(error)) return []
      throw error
    }
  }

  /** The content of a file, if it is at hand and the same that was found. */
  function readyFile(file: ProjectFile): CachedFile | undefined {
    const kept = cache.get(file.path)
    return kept?.fingerprint === file.fingerprint ? kept : undefined
  }

  /** Parts that are at hand; undefined when a file has to be found or read. */
  function readyParts(wanted: Wanted): readonly LoadedPart[] | undefined {
    const found = known.get(wanted.path)
    if (found === undefined) return undefined
    const key = partKey(wanted, found)
    const parts: LoadedPart[] = []
    for (const file of found) {
      const part = readyFile(file)?.parts.get(key)
      if (part === undefined) return undefined
      parts.push(part)
    }
    return parts
  }

  async function loadParts(wanted: Wanted): Promise<readonly LoadedPart[]> {
    const found = await findWanted(wanted)
    const key = partKey(wanted, found)
    return Promise.all(
      found.map(async (file) => {
        const kept = readyFile(file) ?? (await readOnce(file))
        const name = safeName((found.length === 1 && wanted.name?.trim()) || basename(file.path))
        const type = wanted.type ?? (await typeOfFile(name, kept.content))
        // Another row may have made it in the meantime: all of them get the same.
        let part = kept.parts.get(key)
        if (part === undefined) {
          if (kept.parts.size >= KEPT_PARTS) kept.parts.clear()
          part = filePart(wanted, name, type, kept.content)
          kept.parts.set(key, part)
        }
        return part
      }),
    )
  }

  /** Lanes that want a file at the same moment read it once. */
  function readOnce(file: ProjectFile): Promise<CachedFile> {
    const key = `${file.fingerprint} ${file.path}`
    let content = reading.get(key)
    if (content === undefined) {
      content = files
        .read(file)
        .then((octets) => {
          const kept = { content: octets, fingerprint: file.fingerprint, parts: new Map() }
          cache.put(file.path, kept)
          return kept
        })
        .finally(() => reading.delete(key))
      reading.set(key, content)
    }
    return content
  }

  async function drawPdf(source: string, name: string): Promise<LoadedPart> {
    // Drawing needs a large library: only those who use it load it.
    const { renderPdf } = await import('../pdf/pdf.ts')
    const content = await renderPdf(source, options)
    return {
      disposition: 'attachment',
      name: safeName(name, 'document.pdf'),
      type: 'application/pdf',
      content,
      shared: false,
    }
  }

  /** What cannot be drawn is known before anything is sent. */
  async function checkDrawing(source: string): Promise<void> {
    const { checkPdf } = await import('../pdf/pdf.ts')
    await checkPdf(source, options)
  }

  /** The facts at hand of all files that are wanted; undefined when one has to be looked at. */
  function readyFacts(wanted: readonly Wanted[]): readonly ProjectFile[] | undefined {
    const lists = wanted.map(({ path }) => known.get(path))
    return lists.every((list) => list !== undefined) ? lists.flat() : undefined
  }

  async function findFacts(wanted: readonly Wanted[]): Promise<readonly ProjectFile[]> {
    const lists = await Promise.allSettled(wanted.map(findWanted))
    const failures = lists.flatMap((list) => (list.status === 'rejected' ? [list.reason as unknown] : []))
    if (failures.length === 0) return lists.flatMap((list) => (list.status === 'fulfilled' ? list.value : []))
    throw together(failures)
  }

  function loadReady(
    attachments: readonly RenderedAttachment[],
    inline: readonly RenderedInline[],
  ): LoadedPart[] | undefined {
    const parts: LoadedPart[] = []
    for (const one of [...inline, ...attachments]) {
      if (one.kind === 'pdf') return undefined
      const some = one.kind === 'content' ? [contentPart(one)] : readyParts(wantedOf(one))
      if (some === undefined) return undefined
      parts.push(...some)
    }
    return parts
  }

  async function loadAll(
    attachments: readonly RenderedAttachment[],
    inline: readonly RenderedInline[],
  ): Promise<readonly LoadedPart[]> {
    const lists = await Promise.all(
      [...inline, ...attachments].map(async (one) => {
        if (one.kind === 'content') return [contentPart(one)]
        return one.kind === 'pdf' ? [await drawPdf(one.source, one.name)] : loadParts(wantedOf(one))
      }),
    )
    return lists.flat()
  }

  return {
    load(attachments, inline, expected) {
      if (expected !== undefined) {
        const wanted = wantedFiles(attachments, inline)
        const facts = readyFacts(wanted)
        if (facts === undefined)
          return findFacts(wanted).then((found) => {
            compare(found, expected)
            return loadAll(attachments, inline)
          })
        compare(facts, expected)
      }
      return loadReady(attachments, inline) ?? loadAll(attachments, inline)
    },
    inspect(attachments, inline) {
      const wanted = wantedFiles(attachments, inline)
      const documents = attachments.filter((one) => one.kind === 'pdf')
      if (documents.length === 0) return readyFacts(wanted) ?? findFacts(wanted)
      return Promise.allSettled([findFacts(wanted), ...documents.map(({ source }) => checkDrawing(source))]).then(
        ([facts, ...drawings]) => {
          const failures = [facts, ...drawings].flatMap((one) =>
            one.status === 'rejected' ? [one.reason as unknown] : [],
          )
          if (facts.status === 'rejected' || failures.length > 0) throw together(failures)
          return facts.value
        },
      )
    },
  }
}

function wantedOf(one: Extract<RenderedAttachment | RenderedInline, { kind: 'file' }>): Wanted {
  return 'cid' in one ? { path: one.path, contentId: one.cid } : one
}

function wantedFiles(attachments: readonly RenderedAttachment[], inline: readonly RenderedInline[]): readonly Wanted[] {
  return [...attachments, ...inline].flatMap((one) => (one.kind === 'file' ? [wantedOf(one)] : []))
}

/** What a part of a file depends on beside the file. A name is for one file, not for all that a pattern fits. */
function partKey({ name, type, contentId }: Wanted, found: readonly ProjectFile[]): string {
  if (name === undefined && type === undefined && contentId === undefined) return ''
  return `${found.length === 1 ? (name ?? '') : ''}\n${type ?? ''}\n${contentId ?? ''}`
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

/** @throws DataError when a file is not what it was when the run was planned. */
function compare(found: readonly ProjectFile[], expected: readonly string[]): void {
  const index = found.findIndex(({ fingerprint }, at) => fingerprint !== expected[at])
  const file = found[index]
  if (file === undefined && found.length === expected.length) return
  const message =
    file === undefined
      ? 'an attachment is not there any more that was there when the run was planned'
      : `the attachment ${file.path} changed after the run was planned`
  const hint =
    'Give the run command again: it plans anew with the files as they are now, and sends what is not yet sent.'
  throw new DataError(message, { hint, problems: [{ severity: 'error', code: 'attachment-changed', message, hint }] })
}

function isMissing(error: unknown): boolean {
  return error instanceof DataError && error.problems.some(({ code }) => code === 'missing-attachment')
}

/** One error that lists the problems of all. */
function together(failures: readonly unknown[]): unknown {
  const [first] = failures
  if (failures.length === 1 || !failures.every((failure) => failure instanceof DataError)) return first
  const problems: readonly Problem[] = failures.flatMap((failure) => failure.problems)
  return new DataError(`${failures.length} attachments cannot be had`, { problems })
}
