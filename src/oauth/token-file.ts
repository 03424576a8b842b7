/**
 * Where the tokens of one mailbox are kept. Owns that only the user can read the file, that it is replaced whole or not at
 * all, and that tokens go back only to the client and endpoint that they came from.
 */

import { hash } from 'node:crypto'
import { chmod, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { OAuthProvider } from '../config/settings.ts'
import { ConfigError, LoginError, OutputError } from '../errors.ts'
import { writeFileAtomically } from '../fs/atomic.ts'
import { makeFolder } from '../fs/folder.ts'
import { outputWords, systemWords } from '../fs/system-errors.ts'
import { Secret } from '../secret.ts'

/** What a sign-in gave. */
export interface Tokens {
  readonly provider: string
  readonly user: string
  readonly clientId: string
  readonly tokenEndpoint: string
  readonly scopes: readonly string[]
  readonly access: Secret
  /** When the access token ends. */
  readonly expiresAt: Date
  /** When it was given. */
  readonly issuedAt: Date
  readonly refresh: Secret | undefined
  readonly signedInAt: Date
}

const moment = z.iso.datetime().transform((text) => new Date(text))
const secret = z
  .string()
  .min(1)
  .transform((text) => new Secret(text))

const stored = z.object({
  provider: z.string(),
  user: z.string(),
  clientId: z.string(),
  tokenEndpoint: z.string(),
  scopes: z.array(z.string()),
  access: secret,
  expiresAt: moment,
  issuedAt: moment,
  refresh: secret.optional(),
  signedInAt: moment,
})

/** The file for one mailbox at one provider. */
export function tokenPath({ name, tokenFile, tokenFolder }: OAuthProvider, user: string): string {
  return tokenFile ?? join(tokenFolder, `${fileWord(name)}-${fileWord(user.toLowerCase())}.json`)
}

/** A name that every file system takes; a short hash keeps those apart that would come out the same. */
function fileWord(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9._@+-]/g, '_').slice(0, 100)
  return plain === text && !plain.startsWith('.') ? plain : `_${plain}~${hash('sha256', text, 'hex').slice(0, 8)}`
}

/**
 * The tokens in a file, or nothing where there is none.
 * @throws ConfigError when others can read it or it holds something else.
 */
export async function readTokens(path: string): Promise<Tokens | undefined> {
  let text: string
  try {
    const { mode } = await stat(path)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new ConfigError(`the token file ${path} can be read by others`, {
        hint: `Others may have its tokens: sign in again, or close it with chmod 600 '${path}'.`,
      })
    }
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ConfigError(`the token file ${path} cannot be read: ${systemWords(cause)}`, {
      cause,
      hint: 'Check its permissions.',
    })
  }
  const tokens = stored.safeParse(jsonOf(text))
  // What is in it is not shown, whatever it is.
  if (!tokens.success) {
    throw new ConfigError(`${path} is not a token file`, { hint: 'Remove it and give mailmerge login again.' })
  }
  const { refresh, ...rest } = tokens.data
  return { ...rest, refresh }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** @throws OutputError naming the file. */
export async function writeTokens(path: string, tokens: Tokens): Promise<void> {
  const { access, refresh, ...plain } = tokens
  const text = JSON.stringify({ ...plain, access: access.reveal(), refresh: refresh?.reveal() }, null, 2)
  try {
    makeFolder(dirname(path), { mode: 0o700 })
    writeFileAtomically(path, `${text}\n`, { mode: 0o600, ifAbsent: false })
  } catch (cause) {
    throw new OutputError(`the token file ${path} cannot be written: ${outputWords(cause)}`, {
      cause,
      hint: 'Name another with tokenFile under oauth2, or make its folder yours to write to.',
    })
  }
}

/** Makes the folder that is ours alone be so. */
export async function closeTokenFolder({ tokenFile, tokenFolder }: OAuthProvider): Promise<void> {
  if (tokenFile !== undefined) return
  try {
    makeFolder(tokenFolder, { mode: 0o700 })
  } catch {
    // Told by what is written there.
  }
  await chmod(tokenFolder, 0o700).catch(() => undefined)
}

/** @throws OutputError naming the file. */
export async function removeTokens(path: string): Promise<void> {
  try {
    await rm(path, { force: true })
  } catch (cause) {
    throw new OutputError(`the token file ${path} cannot be removed: ${systemWords(cause)}`, {
      cause,
      hint: 'Remove it by hand.',
    })
  }
}

/** @throws LoginError for tokens of another mailbox, client or endpoint than those that are set now. */
export function checkOwner(tokens: Tokens, provider: OAuthProvider, user: string, tokenEndpoint: string): void {
  const differs =
    tokens.user.toLowerCase() !== user.toLowerCase()
      ? `for ${tokens.user}`
      : provider.clientId !== undefined && tokens.clientId !== provider.clientId
        ? 'with another client id'
        : tokens.tokenEndpoint !== tokenEndpoint
          ? 'at another address'
          : undefined
  if (differs === undefined) return
  throw new LoginError(`the sign-in at ${provider.name} was made ${differs}`, { hint: signInHint(provider.name, user) })
}

export function nobodySignedIn(name: string, user: string): LoginError {
  return new LoginError(`nobody signed in at ${name} for ${user}`, {
    hint: `Sign in: mailmerge login ${name} --user ${user}`,
  })
}

export function signInHint(name: string, user: string): string {
  return `Sign in again: mailmerge login ${name} --user ${user}`
}
