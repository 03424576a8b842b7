/**
 * A list that a web server has: `--csv https://...`. Owns fetching it within limits of time, size and redirects, and keeping the last
 * copy with its ETag, so that a list that has not changed is not fetched again. What was fetched is a file like any other.
 */
import { hash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { z } from 'zod'
import type { ListOrigin } from '../../config/settings.ts'
import { InputError } from '../../errors.ts'
import { draftPath, writeFileAtomically } from '../../fs/atomic.ts'
import { systemWords, underlyingError } from '../../fs/system-errors.ts'
import { type Input, openInput } from '../input/input.ts'
import { csvAddressOf } from './google-sheet.ts'

export type WebOrigin = Extract<ListOrigin, { kind: 'web' }>

export interface WebLimits {
  /** Milliseconds until the whole list is here. */
  readonly whole: number
  /** Milliseconds in which something must come. */
  readonly silence: number
  /** Bytes, unpacked. */
  readonly size: number
  readonly redirects: number
}

export const WEB_LIMITS: WebLimits = { whole: 10 * 60_000, silence: 30_000, size: 2 ** 30, redirects: 5 }

/** Copies that no command reads any more are older than this. */
const OLD_MS = 24 * 3_600_000

/** What is remembered of a copy. */
const copySchema = z.object({
  file: z.string(),
  etag: z.string().optional(),
  modified: z.string().optional(),
  extension: z.string(),
})
type Copy = z.output<typeof copySchema>

/** The copy that each list was last read from. */
const lastRead = new WeakMap<WebOrigin, Promise<Copy>>()

/**
 * Fetches the list, unless the server says that it is the one of last time.
 * @param again read what this origin was last read from, for a second look at the same rows.
 * @throws InputError when the server cannot be reached, refuses, or gives too much or too slowly.
 */
export async function openWebList(origin: WebOrigin, again = false, limits = WEB_LIMITS): Promise<Input> {
  const known = again ? lastRead.get(origin) : undefined
  const fetching = known ?? fetchList(origin, limits)
  lastRead.set(origin, fetching)
  const { file, extension } = await fetching
  const folder = webCopies(origin.root)
  const input = await openInput(join(folder, file), folder, Readable.from([]))
  const { name, stem } = namesOf(origin.url)
  return { ...input, name, stem, extension: input.extension === '.list' ? extension : input.extension }
}

/** The folder of a project for copies of lists: they name people. */
export function webCopies(root: string): string {
  return join(root, '.mailmerge', 'lists')
}

/** The address for people, without what may be secret, and the name for the campaign. */
export function namesOf(address: string): { readonly name: string; readonly stem: string } {
  const { protocol, host, pathname } = new URL(address)
  const sheet = /^\/spreadsheets\/d\/(?:e\/)?([\w-]{8})/.exec(pathname)?.[1]
  const last = decodeURIComponent(pathname.split('/').findLast((part) => part !== '') ?? '')
  const stem = sheet === undefined ? last.replace(/(\.gz)?$/i, '').replace(/\.[a-z0-9]{1,6}$/i, '') : `sheet-${sheet}`
  return { name: `${protocol}//${host}${pathname}`, stem: stem || host }
}

async function fetchList(origin: WebOrigin, limits: WebLimits): Promise<Copy> {
  const { name } = namesOf(origin.url)
  const folder = webCopies(origin.root)
  const key = hash('sha256', JSON.stringify([origin.url, origin.headers])).slice(0, 16)
  const index = join(folder, `${key}.json`)
  const before = readCopy(index, folder)
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), limits.silence)
  try {
    const signal = AbortSignal.any([silence.signal, AbortSignal.timeout(limits.whole)])
    const response = await request(origin, before, signal, limits)
    if (response.status === 304 && before !== undefined) return before
    if (!response.ok || response.body === null) throw refusal(name, response.status)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const file = `${key}-${randomBytes(6).toString('hex')}.list`
    await save(response.body, join(folder, file), name, limits, () => timer.refresh())
    const { headers } = response
    const copy: Copy = {
      file,
      etag: headers.get('etag') ?? undefined,
      modified: headers.get('last-modified') ?? undefined,
      extension: EXTENSIONS[(headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? ''] ?? '',
    }
    writeFileAtomically(index, JSON.stringify(copy), { mode: 0o600, ifAbsent: false })
    await removeOld(folder, key, file)
    return copy
  } catch (error) {
    throw error instanceof InputError ? error : unreachable(name, error, limits)
  } finally {
    clearTimeout(timer)
  }
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  'text/csv': '.csv',
  'application/json': '.json',
  'application/x-ndjson': '.ndjson',
  'application/jsonl': '.jsonl',
}

function readCopy(index: string, folder: string): Copy | undefined {
  try {
    const copy = copySchema.parse(JSON.parse(readFileSync(index, 'utf8')))
    return existsSync(join(folder, copy.file)) ? copy : undefined
  } catch {
    // No copy yet, or one that nobody can read: the list is fetched.
    return undefined
  }
}

/** Follows redirects by hand: headers that may be secret go to no other server, and nothing goes from https to http. */
async function request(
  origin: WebOrigin,
  before: Copy | undefined,
  signal: AbortSignal,
  { redirects }: WebLimits,
): Promise<Response> {
  const first = new URL(csvAddressOf(origin.url))
  const { name } = namesOf(origin.url)
  const known = before === undefined ? {} : conditions(before)
  let url = first
  for (let step = 0; step <= redirects; step++) {
    const own = url.origin === first.origin ? origin.headers : {}
    const headers = { 'user-agent': 'mailmerge', accept: '*/*', ...known, ...own }
    const response = await fetch(url, { headers, redirect: 'manual', signal })
    const location = response.headers.get('location')
    if (response.status < 300 || response.status > 399 || response.status === 304 || location === null) return response
    await response.body?.cancel()
    if (!URL.canParse(location, url.href)) throw new InputError(`${name} leads to an address that is not valid`)
    const next = new URL(location, url)
    if (next.protocol !== 'https:' && !(next.protocol === 'http:' && url.protocol === 'http:')) {
      throw new InputError(`${name} leads to ${next.protocol}//${next.host}, which is not encrypted`, {
        hint: 'Name the address of the list itself.',
      })
    }
    url = next
  }
  throw new InputError(`${name} leads to another address more than ${redirects} times`, {
    hint: 'Open it in a browser, and name the address that it ends at.',
  })
}

function conditions({ etag, modified }: Copy): Readonly<Record<string, string>> {
  if (etag !== undefined) return { 'if-none-match': etag }
  return modified === undefined ? {} : { 'if-modified-since': modified }
}

async function save(
  body: ReadableStream<Uint8Array>,
  path: string,
  name: string,
  { size: most }: WebLimits,
  onChunk: () => void,
): Promise<void> {
  const draft = draftPath(path)
  const file = await open(draft, 'wx', 0o600)
  try {
    let size = 0
    for await (const chunk of body) {
      onChunk()
      size += chunk.length
      if (size > most) {
        throw new InputError(`${name} has more than ${Math.round(most / 2 ** 20)} MiB, which is too much for a list`, {
          hint: 'Download it and name the file.',
        })
      }
      await file.writeFile(chunk)
    }
    await file.close()
    await rename(draft, path)
  } catch (error) {
    await file.close().catch(() => {})
    await rm(draft, { force: true })
    throw error
  }
}

/** Another command may still read the copy of a while ago. */
async function removeOld(folder: string, key: string, kept: string): Promise<void> {
  for (const file of await readdir(folder)) {
    if (!file.startsWith(`${key}-`) || file === kept) continue
    const path = join(folder, file)
    const age = Date.now() - (await stat(path).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs
    if (age > OLD_MS) await rm(path, { force: true })
  }
}

function refusal(name: string, status: number): InputError {
  return new InputError(`${name} cannot be read: the server answers ${status}`, { hint: statusHint(name, status) })
}

function statusHint(name: string, status: number): string {
  if (/^https:\/\/docs\.google\.com\//.test(name) && status < 500) {
    return 'Share the sheet with everybody who has the link, or publish it: File, Share, Publish to web.'
  }
  if (status === 401 || status === 403) return 'Give what it asks for under data: headers: in mailmerge.yaml.'
  if (status === 404 || status === 410) return 'Check the address.'
  return 'Try again later, or download the list and name the file.'
}

function unreachable(name: string, error: unknown, limits: WebLimits): InputError {
  const hint = 'Check the address and the network, or download the list and name the file.'
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')) {
    const seconds = Math.round((error.name === 'TimeoutError' ? limits.whole : limits.silence) / 1000)
    const what = error.name === 'TimeoutError' ? 'was not read whole within' : 'gave nothing for'
    return new InputError(`${name} ${what} ${seconds} seconds`, { hint, cause: error })
  }
  return new InputError(`${name} cannot be read: ${systemWords(underlyingError(error))}`, { hint, cause: error })
}
