/**
 * What the system says of a file, a folder or a connection, in plain words: `ENOENT` and its like, and the sentences that
 * Node.js makes of them, are for `--verbose`. Owns the words; which file it was and what to do is said by who tried.
 */

const NO_FOLDER = 'a part of its path is not a folder'

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: NO_FOLDER,
  EISDIR: 'it is a folder',
  EEXIST: 'something else of that name is there',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'no larger file is allowed here',
  EIO: 'the disk or its connection failed',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'its links form a loop',
  EBUSY: 'another program uses it',
  ETXTBSY: 'another program uses it',
  EMFILE: 'too many files are open; ulimit -n says how many may be',
  ENFILE: 'too many files are open on this machine',
  ENOMEM: 'there is not enough memory',
  ENOEXEC: 'it is not a program',
  EPIPE: 'its reader has gone',
  EADDRINUSE: 'another program has it',
  EADDRNOTAVAIL: 'this machine has no such address',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the other side closed the connection',
  ECONNABORTED: 'the other side closed the connection',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'it cannot be reached from this network',
  ENETUNREACH: 'it cannot be reached from this network',
  ENETDOWN: 'the network is down',
  ESERVFAIL: 'it failed',
  EREFUSED: 'it refused',
  ETIMEOUT: 'it does not answer',
  EBADRESP: 'its answer makes no sense',
  ENOTFOUND: 'its host is not known',
  EAI_AGAIN: 'its host is not known',
}

type Failure = Partial<Pick<NodeJS.ErrnoException, 'code' | 'message' | 'syscall'>>

/** Whether Node.js made this error of what the system said. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

/** `permission denied`; an error that the system did not make says what it says. */
export function systemWords(error: unknown): string {
  const { code = '', message = '' } = (
    typeof error === 'object' && error !== null ? error : { message: String(error) }
  ) as Failure
  // `connect ECONNREFUSED 127.0.0.1:25`, under a code of a library's own
  const inner = /^\w+ (E[A-Z_]+)\b/.exec(message)?.[1] ?? ''
  // `EXDEV: cross-device link not permitted, rename 'a' -> 'b'`
  const said = message.startsWith(`${code}: `) ? message.slice(code.length + 2).split(',', 1)[0] : message
  return WORDS[code] ?? WORDS[inner] ?? (said || code)
}

/** What lies behind an error: `fetch` throws one that says only that it failed. */
export function underlyingError(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error
}

/** The same of a file that was to be written, perhaps in a folder that was to be made: what was missing is the folder. */
export function outputWords(error: unknown): string {
  const { code, syscall } = error as Failure
  if (code === 'ENOENT') return 'its folder does not exist'
  return code === 'EEXIST' && syscall === 'mkdir' ? NO_FOLDER : systemWords(error)
}

/** The same of a folder that was to be made, or to be there. */
export function folderWords(error: unknown): string {
  const { code, syscall } = error as Failure
  return code === 'EEXIST' || (code === 'ENOTDIR' && syscall === 'scandir') ? 'it is not a folder' : outputWords(error)
}

/** The same of code that is not ours, which may have wanted any file: `/etc/key.pem: permission denied`. */
export function foreignWords(error: unknown): string {
  const path = isSystemError(error) ? error.path : undefined
  return path === undefined ? systemWords(error) : `${path}: ${systemWords(error)}`
}
