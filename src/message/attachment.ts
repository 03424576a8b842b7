/**
 * Files that go into messages. Owns the fence around them: a path from a row opens nothing outside the project, no
 * device, no pipe, nothing that changed its nature on the way. Keeps what several rows share.
 */
import { constants } from 'node:fs'
import { glob, open, realpath, stat } from 'node:fs/promises'
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path'
import mime from 'mime'
import { DataError, InputError } from '../errors.ts'
import type { RenderedAttachment, RenderedInline } from '../template/template.ts'
import type { LoadedPart } from './part.ts'

/** What a file was like when the run was planned. */
export interface FileFacts {
  /** Real path. */
  readonly path: string
  readonly size: number
  /** Changes when the file does: device, inode, size and modification time. */
  readonly fingerprint: string
}

export interface AttachmentStore {
  /**
   * The parts of one message, in the template's order. At once when everything is at hand.
   * @throws DataError that names the path, when a file is missing, outside the fence, or no regular file.
   */
  load(
    attachments: readonly RenderedAttachment[],
    inline: readonly RenderedInline[],
  ): readonly LoadedPart[] | Promise<readonly LoadedPart[]>
  /** The same checks without reading content: for planning. Files that are made from the row have no facts. */
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
  /** Octets of content kept for rows to share. Default 64 MB. */
  readonly cacheOctets?: number
  /** Largest file. Default 50 MB, more than any server takes. */
  readonly maxOctets?: number
}

const MEGABYTE = 1024 * 1024
/** Facts of so many paths are kept; a list whose every row has its own file keeps none for long. */
const KEPT_FACTS = 2_000

interface Kept {
  readonly part: LoadedPart
  readonly fingerprint: string
}

export function createAttachmentStore(options: AttachmentStoreOptions): AttachmentStore {
  const maxOctets = options.maxOctets ?? 50 * MEGABYTE
  const cacheOctets = options.cacheOctets ?? 64 * MEGABYTE
  const facts = new Map<string, Promise<readonly FileFacts[]>>()
  const settledFacts = new Map<string, readonly FileFacts[]>()
  const parts = new Map<string, Kept>()
  const seen = new Set<string>()
  let keptOctets = 0
  let fence: Promise<readonly string[]> | undefined

  function fenceOf(): Promise<readonly string[]> {
    fence ??= Promise.all(
      [options.root, ...(options.roots ?? [])].map((root) => realpath(root).catch(() => resolve(root))),
    )
    return fence
  }

  async function find(path: string): Promise<readonly FileFacts[]> {
    const problem = forbidden(path)
    if (problem !== undefined) throw bad('attachment-outside', `the attachment '${shown(path)}' ${problem}`, path)
    const roots = await fenceOf()
    const [root] = roots
    if (root === undefined) return []
    const full = isAbsolute(path) ? path : join(root, path)
    // A name that exists is that file, whatever its letters mean to a pattern.
    const literal = await stat(full).catch(() => undefined)
    if (literal !== undefined) return [await inspectFile(full, path, roots)]
    if (!/[*?[{]/.test(path) || isAbsolute(path)) throw missing(path)
    const found: string[] = []
    for await (const match of glob(path, { cwd: root })) {
      found.push(match)
      if (found.length > 100)
        throw bad('too-many-attachments', `the pattern '${shown(path)}' fits more than 100 files`, path)
    }
    if (found.length === 0) throw missing(path)
    return Promise.all(found.sort().map((match) => inspectFile(join(root, match), match, roots)))
  }

  async function inspectFile(full: string, path: string, roots: readonly string[]): Promise<FileFacts> {
    const real = await realpath(full)
    if (!roots.some((root) => within(root, real))) {
      throw bad('attachment-outside', `the attachment '${shown(path)}' is outside the project`, path)
    }
    const info = await stat(real)
    if (!info.isFile()) throw bad('attachment-no-file', `the attachment '${shown(path)}' is no regular file`, path)
    if (info.size > maxOctets) {
      throw bad(
        'attachment-too-large',
        `the attachment '${shown(path)}' has ${info.size} octets, more than ${maxOctets}`,
        path,
      )
    }
    return { path: real, size: info.size, fingerprint: `${info.dev}:${info.ino}:${info.size}:${info.mtimeMs}` }
  }

  function factsOf(path: string): Promise<readonly FileFacts[]> {
    let found = facts.get(path)
    if (found === undefined) {
      found = find(path)
      if (facts.size >= KEPT_FACTS) {
        facts.clear()
        settledFacts.clear()
      }
      facts.set(path, found)
      found.then(
        (value) => facts.get(path) === found && settledFacts.set(path, value),
        () => facts.delete(path),
      )
    }
    return found
  }

  async function read(file: FileFacts, name: string, type: string | undefined): Promise<LoadedPart> {
    const key = `${file.path}\n${name}\n${type ?? ''}`
    const kept = parts.get(key)
    if (kept !== undefined && kept.fingerprint === file.fingerprint) return kept.part
    const content = await readFile(file)
    const shared = seen.has(file.path)
    if (seen.size > KEPT_FACTS) seen.clear()
    seen.add(file.path)
    const part: LoadedPart = {
      disposition: 'attachment',
      name,
      type: type ?? typeOf(name, content),
      content,
      shared: true,
    }
    if (!shared && file.size > MEGABYTE * 8) return part
    while (keptOctets + file.size > cacheOctets && parts.size > 0) {
      const [oldest] = parts.keys()
      if (oldest === undefined) break
      keptOctets -= parts.get(oldest)?.part.content.length ?? 0
      parts.delete(oldest)
    }
    if (file.size <= cacheOctets) {
      parts.set(key, { part, fingerprint: file.fingerprint })
      keptOctets += file.size
    }
    return part
  }

  async function loadFile(attachment: Extract<RenderedAttachment, { kind: 'file' }>): Promise<readonly LoadedPart[]> {
    let files: readonly FileFacts[]
    try {
      files = await factsOf(attachment.path)
    } catch (error) {
      if (attachment.optional && isMissing(error)) return []
      throw error
    }
    return Promise.all(
      files.map((file) =>
        read(
          file,
          safeName(files.length === 1 ? (attachment.name ?? basename(file.path)) : basename(file.path)),
          attachment.type,
        ),
      ),
    )
  }

  /** Parts that are at hand; undefined when something has to be read or drawn. */
  function atHand(attachment: RenderedAttachment): readonly LoadedPart[] | undefined {
    if (attachment.kind === 'content') return [contentPart(attachment)]
    if (attachment.kind === 'pdf') return undefined
    const files = settledFacts.get(attachment.path)
    if (files === undefined) return undefined
    const found: LoadedPart[] = []
    for (const file of files) {
      const name = safeName(files.length === 1 ? (attachment.name ?? basename(file.path)) : basename(file.path))
      const kept = parts.get(`${file.path}\n${name}\n${attachment.type ?? ''}`)
      if (kept === undefined || kept.fingerprint !== file.fingerprint) return undefined
      found.push(kept.part)
    }
    return found
  }

  async function loadOne(attachment: RenderedAttachment): Promise<readonly LoadedPart[]> {
    if (attachment.kind === 'content') return [contentPart(attachment)]
    if (attachment.kind === 'file') return loadFile(attachment)
    // Drawing PDF needs a large library: only those who use it load it.
    const { renderPdf } = await import('./pdf.ts')
    const content = await renderPdf(attachment.source, { root: options.root })
    return [
      { disposition: 'attachment', name: safeName(attachment.name), type: 'application/pdf', content, shared: false },
    ]
  }

  const inlineParts = new Map<string, LoadedPart>()

  async function loadInline(inline: RenderedInline): Promise<LoadedPart> {
    if (inline.kind === 'content') {
      return {
        disposition: 'inline',
        name: safeName(inline.name),
        type: inline.type,
        contentId: inline.cid,
        content: inline.content,
        shared: false,
      }
    }
    const key = `${inline.cid}\n${inline.path}`
    let part = inlineParts.get(key)
    if (part === undefined) {
      const [file] = await factsOf(inline.path)
      if (file === undefined) throw missing(inline.path)
      part = {
        ...(await read(file, safeName(basename(file.path)), undefined)),
        disposition: 'inline',
        contentId: inline.cid,
      }
      inlineParts.set(key, part)
    }
    return part
  }

  return {
    load(attachments, inline) {
      const found: LoadedPart[] = []
      let complete = true
      for (const image of inline) {
        const part = image.kind === 'file' ? inlineParts.get(`${image.cid}\n${image.path}`) : undefined
        if (part === undefined) complete = false
        else found.push(part)
      }
      if (complete) {
        for (const attachment of attachments) {
          const some = atHand(attachment)
          if (some === undefined) {
            complete = false
            break
          }
          found.push(...some)
        }
      }
      if (complete) return found
      return Promise.all([...inline.map(async (image) => [await loadInline(image)]), ...attachments.map(loadOne)]).then(
        (lists) => lists.flat(),
      )
    },
    inspect(attachments, inline) {
      const paths: { readonly path: string; readonly optional: boolean }[] = []
      for (const attachment of attachments) {
        if (attachment.kind === 'file') paths.push({ path: attachment.path, optional: attachment.optional ?? false })
      }
      for (const image of inline) if (image.kind === 'file') paths.push({ path: image.path, optional: false })
      const known = paths.map(({ path }) => settledFacts.get(path))
      if (known.every((list) => list !== undefined)) return known.flat()
      return Promise.all(
        paths.map(({ path, optional }) =>
          factsOf(path).catch((error: unknown) => {
            if (optional && isMissing(error)) return []
            throw error
          }),
        ),
      ).then((lists) => lists.flat())
    },
  }
}

/** Reads through one handle: the file that was checked is the file that is read, whatever is put in its place. */
async function readFile(file: FileFacts): Promise<Uint8Array> {
  // O_NONBLOCK: a pipe that took the file's place must not hold us up; O_NOFOLLOW: nor may a link.
  const handle = await open(file.path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch(
    (cause: unknown) => {
      throw new InputError(`the attachment ${file.path} cannot be read`, {
        cause,
        hint: 'Check its permissions, or mend the path.',
      })
    },
  )
  try {
    const info = await handle.stat()
    if (`${info.dev}:${info.ino}:${info.size}:${info.mtimeMs}` !== file.fingerprint) {
      throw new DataError(`the attachment ${file.path} changed after the run was planned`, {
        hint: 'Give the run command again: it plans anew with the file as it is now, and sends what is not yet sent.',
      })
    }
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}

function contentPart(attachment: Extract<RenderedAttachment, { kind: 'content' }>): LoadedPart {
  const content = typeof attachment.content === 'string' ? Buffer.from(attachment.content) : attachment.content
  const name = safeName(attachment.name)
  const type = attachment.type ?? typeOf(name, content)
  const isText = typeof attachment.content === 'string' && type.startsWith('text/') && !type.includes('charset')
  return { disposition: 'attachment', name, type: isText ? `${type}; charset=utf-8` : type, content, shared: false }
}

/** Why a path cannot be an attachment, whatever is there. */
function forbidden(path: string): string | undefined {
  if (path.trim() === '') return 'is empty'
  if (path.includes('\0')) return 'holds a NUL'
  if (/^[a-z][a-z0-9+.-]+:/i.test(path) && !/^[a-z]:[\\/]/i.test(path)) return 'is an address, not a file'
  if (/^[a-z]:/i.test(path) || path.startsWith('\\\\') || path.startsWith('//')) return 'names another machine or drive'
  if (path.startsWith('~')) return "begins with '~', which is not expanded"
  if (path.split(/[\\/]/).includes('..')) return "goes up with '..'"
  if (/:[^\\/]*$/.test(path)) return "holds a ':'"
  return undefined
}

function within(root: string, path: string): boolean {
  const way = relative(root, path)
  return way === '' || (!way.startsWith(`..${sep}`) && way !== '..' && !isAbsolute(way))
}

/** Type by the name's ending; text without an ending is text, all else is octets. */
function typeOf(name: string, content: Uint8Array): string {
  const byName = mime.getType(name)
  if (byName !== null) return byName
  const start = content.subarray(0, 1000)
  return start.includes(0) ? 'application/octet-stream' : 'text/plain'
}

const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

/** A file name without path, control and direction characters, which every system can store. */
export function safeName(name: string): string {
  const base = name
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
    .replace(/[\\/:*?"<>|]/g, '_')
    .trim()
    .replace(/[. ]+$/, '')
  let safe = base === '' || /^\.+$/.test(base) ? 'attachment' : RESERVED.test(base) ? `_${base}` : base
  const ending = /\.[^.]{1,16}$/.exec(safe)?.[0] ?? ''
  while (Buffer.byteLength(safe) > 200) safe = `${safe.slice(0, -ending.length - 1 || undefined).slice(0, -1)}${ending}`
  return safe
}

function isMissing(error: unknown): boolean {
  return error instanceof DataError && error.problems.some(({ code }) => code === 'missing-attachment')
}

function missing(path: string): DataError {
  return bad('missing-attachment', `the attachment '${shown(path)}' does not exist`, path)
}

function bad(code: string, message: string, path: string): DataError {
  return new DataError(message, {
    problems: [
      {
        severity: 'error',
        code,
        message,
        value: shown(path),
        hint: 'Attachment paths start at the project folder and stay in it; attachments.roots in mailmerge.yaml opens another.',
      },
    ],
  })
}

function shown(path: string): string {
  const safe = path.replace(/[\p{Cc}\p{Cf}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
  return safe.length > 120 ? `${safe.slice(0, 117)}...` : safe
}
