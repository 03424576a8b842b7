/**
 * An access token that is good now, for each login. Owns the refreshing: in time, once for all lanes and all processes, and
 * never a second time after a provider refused it.
 */
import * as oauth from 'oauth4webapi'
import type { OAuthProvider, SignIn } from '../config/settings.ts'
import { LoginError, UnreachableError } from '../errors.ts'
import { withLockFile } from '../fs/lock-file.ts'
import type { Secret } from '../secret.ts'
import { type OAuthClient, oauthClient, oauthError, requestOptions, tokensFrom } from './client.ts'
import {
  checkOwner,
  nobodySignedIn,
  readTokens,
  signInHint,
  type Tokens,
  tokenPath,
  writeTokens,
} from './token-file.ts'

/** A token that ends within this time is refreshed before it is used; of short ones within a tenth of their life. */
const MARGIN_MS = 120_000
/** A refresh takes half a minute at most. */
const LOCK = { stale: 60_000, patience: 90_000 }

export interface AccessTokenOptions {
  readonly now?: () => Date
}

/**
 * A source of access tokens for one mailbox. It reads the file each time, so that a sign-in made meanwhile counts.
 *
 * @example
 * const accessToken = accessTokens(providers.microsoft, 'ada@example.com')
 * const token = await accessToken()
 *
 * The source throws LoginError when nobody signed in or the provider refuses to go on; UnreachableError when it does not
 * answer and the current token has expired; ConfigError, OutputError for the token file.
 */
export function accessTokens(
  provider: OAuthProvider,
  user: string,
  { now = () => new Date() }: AccessTokenOptions = {},
): () => Promise<Secret> {
  const path = tokenPath(provider, user)
  let refreshing: Promise<Tokens> | undefined
  let refused: { readonly refresh: string | undefined; readonly error: LoginError } | undefined
  /** Newer than the file where that could not be written. */
  let latest: Tokens | undefined

  async function current(): Promise<Tokens> {
    const kept = await readTokens(path)
    const tokens = latest !== undefined && (kept === undefined || kept.issuedAt < latest.issuedAt) ? latest : kept
    if (tokens === undefined) throw nobodySignedIn(provider.name, user)
    checkOwner(tokens, provider, user, provider.tokenEndpoint ?? tokens.tokenEndpoint)
    return tokens
  }

  async function refresh(): Promise<Tokens> {
    const work = async (): Promise<Tokens> => {
      // Another process may have done it while we waited for the lock.
      const tokens = await current()
      if (isFresh(tokens, now())) return tokens
      const renewed = await renew(await oauthClient({ clientId: tokens.clientId, ...provider }), tokens, now)
      await keep(path, renewed, tokens)
      latest = renewed
      return renewed
    }
    try {
      return await withLockFile(`${path}.lock`, LOCK, work)
    } catch (error) {
      // Where no lock can be made nobody else can make one either, or write the file.
      if (isReadOnly(error)) return work()
      throw error
    }
  }

  return async () => {
    const tokens = await current()
    if (isFresh(tokens, now())) return tokens.access
    // Asking again with what was refused helps nobody; a new sign-in does.
    if (refused !== undefined && refused.refresh === tokens.refresh?.reveal()) throw refused.error
    try {
      refreshing ??= refresh().finally(() => {
        refreshing = undefined
      })
      return (await refreshing).access
    } catch (error) {
      if (error instanceof LoginError) refused = { refresh: tokens.refresh?.reveal(), error }
      // The provider is away for a moment, and the token is good for another one.
      if (error instanceof UnreachableError && tokens.expiresAt > now()) return tokens.access
      throw error
    }
  }
}

const sources = new WeakMap<SignIn, () => Promise<Secret>>()

/** A token of a sign-in that is good now. All logins of the same settings share one source. */
export function signInToken(signIn: SignIn): Promise<Secret> {
  let source = sources.get(signIn)
  if (source === undefined) {
    source = accessTokens(signIn.provider, signIn.user)
    sources.set(signIn, source)
  }
  return source()
}

/** True while a token can be used without refreshing it. */
export function isFresh({ issuedAt, expiresAt }: Tokens, now: Date): boolean {
  const margin = Math.min(MARGIN_MS, (expiresAt.getTime() - issuedAt.getTime()) / 10)
  return now.getTime() < expiresAt.getTime() - margin
}

async function renew(client: OAuthClient, tokens: Tokens, now: () => Date): Promise<Tokens> {
  const { provider, server, authentication } = client
  checkOwner(tokens, provider, tokens.user, server.token_endpoint)
  if (tokens.refresh === undefined) {
    throw new LoginError(`the sign-in at ${provider.name} has ended, and it gave no refresh token`, {
      hint: `${signInHint(provider.name, tokens.user)}. Where it has one, add the scope offline_access.`,
    })
  }
  const asked = now()
  try {
    const refresh = tokens.refresh.reveal()
    const options = requestOptions(client)
    const response = await oauth.refreshTokenGrantRequest(server, client.client, authentication, refresh, options)
    if (response.status >= 500)
      throw new UnreachableError(`${provider.name} cannot refresh the sign-in now (HTTP ${response.status})`, {
        hint: 'Try again later.',
      })
    const answer = await oauth.processRefreshTokenResponse(server, client.client, response)
    return tokensFrom(answer, client, tokens, asked)
  } catch (error) {
    throw oauthError(error, provider, tokens.user)
  }
}

/** A disk that cannot be written does not stop the run while the refresh token in the file stays valid. */
async function keep(path: string, renewed: Tokens, before: Tokens): Promise<void> {
  try {
    await writeTokens(path, renewed)
  } catch (error) {
    if (renewed.refresh?.reveal() !== before.refresh?.reveal()) throw error
  }
}

function isReadOnly(error: unknown): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  return code === 'EROFS' || code === 'EACCES' || code === 'EPERM'
}
