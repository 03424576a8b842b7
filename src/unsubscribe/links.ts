/**
 * How a recipient of this project unsubscribes: the links of a campaign, and the secret that they are sealed with. Owns
 * where the secret is kept; answers no request and suppresses nobody.
 */

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Settings } from '../config/settings.ts'
import { ConfigError, InputError, OutputError } from '../errors.ts'
import { writeFileAtomically } from '../fs/atomic.ts'
import { makeFolder } from '../fs/folder.ts'
import { isSystemError, outputWords, systemWords } from '../fs/system-errors.ts'
import { newUnsubscribeSecret, UnsubscribeTokens, unsubscribeLink } from './token.ts'

/** How the recipient of one message can unsubscribe. */
export interface UnsubscribeLinks {
  /** One-click address (RFC 8058). */
  readonly url: string | undefined
  /** `mailto:` without the scheme, with a subject that says who leaves what. */
  readonly mailto: string | undefined
}

/** The first word of the subject of an unsubscribe mail; the token follows. */
export const MAILTO_WORD = 'unsubscribe'

/** A file of this name beside the ledger keeps the secret, where the settings name none. */
const SECRET_FILE = 'unsubscribe.key'

/** A secret shorter than this can be guessed. */
const LEAST_SECRET = 16

/**
 * Tokens under the secret of this project, which is made when there is none yet.
 * @throws ConfigError for a secret that can be guessed, and where machines share a ledger but no secret is set;
 * OutputError when the secret cannot be kept.
 */
export async function openUnsubscribeTokens(settings: Settings): Promise<UnsubscribeTokens> {
  const set = (await settings.unsubscribe?.secret?.())?.reveal()
  if (set !== undefined && set.length < LEAST_SECRET) {
    throw new ConfigError(`unsubscribe.secret is shorter than ${LEAST_SECRET} characters and can be guessed`, {
      hint: 'Make one with: openssl rand -base64 32. Links that were sent under the old one will not work any more.',
    })
  }
  return new UnsubscribeTokens(set ?? keptSecret(settings))
}

/**
 * Makes the unsubscribe links of one campaign group; undefined where the project offers none. The same recipient gets the
 * same links every time.
 */
export async function openUnsubscribeLinks(
  settings: Settings,
  group: string,
): Promise<((address: string) => UnsubscribeLinks) | undefined> {
  const { url, mailto } = settings.unsubscribe ?? {}
  if (url === undefined && mailto === undefined) return undefined
  const tokens = await openUnsubscribeTokens(settings)
  // A row asks twice: for its text and for its headers.
  let last: { readonly address: string; readonly ways: UnsubscribeLinks } | undefined
  return (address) => {
    if (last?.address === address) return last.ways
    const token = tokens.seal({ address, group })
    const ways = {
      url: url === undefined ? undefined : unsubscribeLink(url, token),
      mailto: mailto === undefined ? undefined : withSubject(mailto, token),
    }
    last = { address, ways }
    return ways
  }
}

/** A subject in the settings takes precedence. */
function withSubject(mailto: string, token: string): string {
  return mailto.includes('?') ? mailto : `${mailto}?subject=${MAILTO_WORD}%20${token}`
}

function keptSecret(settings: Settings): string {
  if (/^postgres(ql)?:/.test(settings.ledger)) {
    throw new ConfigError('a ledger on a server needs unsubscribe.secret: all machines must make the same links', {
      hint: 'Set MAILMERGE_UNSUBSCRIBE_SECRET on each of them to the same text, made once with: openssl rand -base64 32.',
    })
  }
  const path = join(dirname(settings.ledger), SECRET_FILE)
  const kept = read(path)
  if (kept !== undefined) return kept
  try {
    // Of two processes that make it at once, both use the first.
    makeFolder(dirname(path), { mode: 0o700 })
    writeFileAtomically(path, `${newUnsubscribeSecret()}\n`, { mode: 0o600, ifAbsent: true })
    return read(path) ?? missing(path)
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OutputError(`the secret of the unsubscribe links cannot be kept in ${path}: ${outputWords(cause)}`, {
      cause,
      hint: 'Make its folder writable, or set MAILMERGE_UNSUBSCRIBE_SECRET.',
    })
  }
}

function read(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim()
    if (text.length >= LEAST_SECRET) return text
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new InputError(`the secret of the unsubscribe links in ${path} cannot be read: ${systemWords(error)}`, {
      cause: error,
      hint: 'Make it readable for this user: links that were sent need it.',
    })
  }
  return missing(path)
}

function missing(path: string): never {
  throw new ConfigError(`${path} holds no secret`, {
    hint: 'Put it back from a backup: links that were sent need it. To start over, delete the file.',
  })
}
