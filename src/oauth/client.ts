/**
 * A provider as the OAuth library sees it, and its refusals in our words. Owns that no answer of a provider, which may hold
 * a token, becomes part of an error.
 */

import * as oauth from 'oauth4webapi'
import type { OAuthProvider } from '../config/settings.ts'
import { docsPage } from '../docs-page.ts'
import { ConfigError, LoginError, MailmergeError, UnreachableError } from '../errors.ts'
import { systemWords } from '../fs/system-errors.ts'
import { given } from '../given.ts'
import { Secret } from '../secret.ts'
import { oneLine } from '../text/visible.ts'
import { signInHint, type Tokens } from './token-file.ts'

/** A provider whose endpoints are known, and us as its client. */
export interface OAuthClient {
  readonly provider: OAuthProvider
  readonly server: oauth.AuthorizationServer & { readonly token_endpoint: string }
  readonly client: oauth.Client
  readonly authentication: oauth.ClientAuth
}

/** A provider that has not answered by then is away. */
const PATIENCE_MS = 30_000
/** Providers that do not say how long an access token holds mean about this long. */
const UNSAID_SECONDS = 1800

/** Options of every request; `signal` cuts it. */
export function requestOptions({ server }: Pick<OAuthClient, 'server'>, signal?: AbortSignal) {
  const limit = AbortSignal.timeout(PATIENCE_MS)
  return {
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    // The endpoints were checked: only those on this machine may be http.
    [oauth.allowInsecureRequests]: server.token_endpoint.startsWith('http:'),
  }
}

/** @throws ConfigError when a word is missing under `oauth2`; UnreachableError when the endpoints must be asked for. */
export async function oauthClient(provider: OAuthProvider): Promise<OAuthClient> {
  const { name, clientId } = provider
  if (clientId === undefined) {
    throw new ConfigError(`there is no client id for ${name}`, {
      hint: `Register mailmerge as a client there and set oauth2.${name}.clientId. ${docsPage('login')} says how.`,
    })
  }
  const server = await serverOf(provider)
  const secret = (await provider.clientSecret?.())?.reveal()
  return {
    provider,
    server,
    client: { client_id: clientId },
    authentication: secret === undefined ? oauth.None() : oauth.ClientSecretPost(secret),
  }
}

async function serverOf(provider: OAuthProvider): Promise<OAuthClient['server']> {
  const { name, issuer, authorizationEndpoint, deviceEndpoint, tokenEndpoint, revocationEndpoint } = provider
  const found = tokenEndpoint === undefined && issuer !== undefined ? await discovered(provider, issuer) : undefined
  const token = tokenEndpoint ?? found?.token_endpoint
  if (token === undefined) {
    throw new ConfigError(`nothing says where ${name} gives tokens`, {
      hint: `Set oauth2.${name}.tokenEndpoint, or oauth2.${name}.issuer where the provider publishes its endpoints.`,
    })
  }
  const authorization = authorizationEndpoint ?? found?.authorization_endpoint
  const device = deviceEndpoint ?? found?.device_authorization_endpoint
  const revocation = revocationEndpoint ?? found?.revocation_endpoint
  return {
    issuer: issuer ?? new URL(token).origin,
    token_endpoint: token,
    ...given({
      authorization_endpoint: authorization,
      device_authorization_endpoint: device,
      revocation_endpoint: revocation,
    }),
  }
}

async function discovered(provider: OAuthProvider, issuer: string): Promise<oauth.AuthorizationServer> {
  const url = new URL(issuer)
  try {
    const options = { ...requestOptions({ server: { issuer, token_endpoint: issuer } }), algorithm: 'oidc' } as const
    const found = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options))
    const own = (text: string | undefined): boolean =>
      text === undefined || URL.parse(text)?.protocol === 'https:' || url.protocol === 'http:'
    if (own(found.token_endpoint) && own(found.authorization_endpoint) && own(found.device_authorization_endpoint))
      return found
  } catch (error) {
    if (!(error instanceof oauth.OperationProcessingError)) throw oauthError(error, provider)
  }
  throw new ConfigError(`${issuer} does not publish its OAuth2 endpoints`, {
    hint: `Check oauth2.${provider.name}.issuer, or set the endpoints one by one.`,
  })
}

/** What a token endpoint answered, as tokens to keep; a provider that sends no new refresh token means the old one. */
export function tokensFrom(
  answer: oauth.TokenEndpointResponse,
  { provider, server, client }: OAuthClient,
  before: Pick<Tokens, 'user' | 'refresh' | 'signedInAt'>,
  now: Date,
): Tokens {
  const refresh = answer.refresh_token === undefined ? before.refresh : new Secret(answer.refresh_token)
  return {
    provider: provider.name,
    user: before.user,
    clientId: client.client_id,
    tokenEndpoint: server.token_endpoint,
    scopes: answer.scope === undefined ? provider.scopes : answer.scope.split(' ').filter((word) => word !== ''),
    access: new Secret(answer.access_token),
    expiresAt: new Date(now.getTime() + (answer.expires_in ?? UNSAID_SECONDS) * 1000),
    issuedAt: now,
    refresh,
    signedInAt: before.signedInAt,
  }
}

/**
 * Takes a sign-in back at the provider (RFC 7009), so that its tokens are worth nothing to whoever has them. False where the
 * provider cannot do it or does not answer: the tokens then end by themselves.
 */
export async function revoke(client: OAuthClient, tokens: Tokens): Promise<boolean> {
  const { server, authentication } = client
  if (server.revocation_endpoint === undefined) return false
  const token = (tokens.refresh ?? tokens.access).reveal()
  try {
    const response = await oauth.revocationRequest(server, client.client, authentication, token, requestOptions(client))
    await oauth.processRevocationResponse(response)
    return true
  } catch {
    return false
  }
}

/** Codes of RFC 6749 section 5.2 and RFC 8628 section 3.5 that speak of how the client is registered. */
const REGISTRATION: Readonly<Record<string, string>> = {
  invalid_client: 'it does not know the client id, or the client secret is wrong or missing',
  unauthorized_client: 'the client is not registered for this way of signing in',
  invalid_scope: 'the client may not request these scopes',
  unsupported_grant_type: 'it does not know this way of signing in',
  invalid_request: 'it does not understand the request',
}

const NETWORK: Readonly<Record<string, string>> = {
  ECONNRESET: 'it closed the connection',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
}

/** A refusal or a failure of a provider, in words. The errors of the library hold answers and are not passed on. */
export function oauthError(error: unknown, provider: OAuthProvider, user?: string): MailmergeError {
  if (error instanceof MailmergeError) return error
  const { name } = provider
  const again = user === undefined ? `Sign in again: mailmerge login ${name}` : signInHint(name, user)
  if (error instanceof oauth.ResponseBodyError || error instanceof oauth.AuthorizationResponseError) {
    const code = plain(error.error)
    const why = plain(error.error_description ?? '')
    const said = why === '' ? code : `${code}: ${why}`
    const status = error instanceof oauth.ResponseBodyError ? error.status : 400
    if (status >= 500 || status === 429 || code === 'server_error' || code === 'temporarily_unavailable')
      return new UnreachableError(`${name} cannot sign us in now (${said})`, { hint: 'Try again later.' })
    const registration = Object.hasOwn(REGISTRATION, code) ? REGISTRATION[code] : undefined
    if (registration !== undefined) {
      return new ConfigError(`${name} refused: ${registration} (${said})`, {
        hint: `Compare oauth2.${name} in mailmerge.yaml with what is registered there. ${docsPage('login')} says how.`,
      })
    }
    if (code === 'access_denied')
      return new LoginError(`the sign-in at ${name} was declined (${said})`, { hint: again })
    return new LoginError(`${name} refused the sign-in (${said})`, { hint: again })
  }
  if (error instanceof oauth.WWWAuthenticateChallengeError) {
    return new ConfigError(`${name} refused: ${REGISTRATION['invalid_client']}`, {
      hint: `Compare oauth2.${name} in mailmerge.yaml with what is registered there. ${docsPage('login')} says how.`,
    })
  }
  const { code, cause, message = '' } = (error ?? {}) as { code?: string; cause?: unknown; message?: string }
  if (typeof code === 'string' && code.startsWith('OAUTH_')) {
    return new UnreachableError(`${name} did not answer with OAuth2 (${plain(message)})`, {
      hint: `Check the endpoints under oauth2.${name}; if they are right, try again later.`,
    })
  }
  const why = NETWORK[(cause as { code?: string } | undefined)?.code ?? ''] ?? plain(systemWords(cause ?? error))
  return new UnreachableError(`${name} cannot be reached: ${why}`, {
    hint: 'Check the network; behind a proxy set NODE_USE_ENV_PROXY=1 and HTTPS_PROXY.',
  })
}

/** A provider's words in one line, short, without control characters. */
function plain(text: string): string {
  return oneLine(text).slice(0, 200)
}
