/**
 * Signing in by the browser of this machine (RFC 8252), with PKCE (RFC 7636). Owns the little server that the browser comes
 * back to: on loopback, for one answer, deaf to whoever does not know the state.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oauth from 'oauth4webapi'
import { ConfigError, LoginError } from '../errors.ts'
import { systemWords } from '../fs/system-errors.ts'
import { type OAuthClient, oauthError, requestOptions, tokensFrom } from './client.ts'
import { signInHint, type Tokens } from './token-file.ts'

export interface LoopbackSignIn {
  readonly user: string
  /** Gets the address that a person is to open. */
  readonly show: (url: string) => void
  /** Where the browser runs elsewhere: the address that it could not open, typed in. Undefined gives up asking. */
  readonly paste?: (signal: AbortSignal) => Promise<string | undefined>
  readonly signal?: AbortSignal
  /** Milliseconds that a person has; default ten minutes. */
  readonly patience?: number
}

const PATIENCE_MS = 600_000

/** @throws ConfigError where the provider has no such flow or the port is taken; LoginError when it was declined. */
export async function signInByLoopback(client: OAuthClient, options: LoopbackSignIn): Promise<Tokens> {
  const { provider, server } = client
  const { user, signal } = options
  if (server.authorization_endpoint === undefined) {
    throw new ConfigError(`${provider.name} has no authorizationEndpoint`, {
      hint: `Set oauth2.${provider.name}.authorizationEndpoint, or use --device.`,
    })
  }
  const state = oauth.generateRandomState()
  const verifier = oauth.generateRandomCodeVerifier()
  const answers = Promise.withResolvers<Answer>()
  const { uri: redirectUri, close } = await listen(provider.redirectUri, state, answers.resolve)
  const ended = new AbortController()
  const stop = (): void => ended.abort(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted) stop()
  const timer = setTimeout(() => ended.abort(), options.patience ?? PATIENCE_MS)
  try {
    const challenge = await oauth.calculatePKCECodeChallenge(verifier)
    const url = authorizationUrl(server.authorization_endpoint, {
      ...provider.parameters,
      login_hint: user,
      client_id: client.client.client_id,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: provider.scopes.join(' '),
      code_challenge: challenge,
      code_challenge_method: 'S256',
      state,
    })
    options.show(url)
    void pasted(options.paste, state, ended.signal, answers.resolve)
    const answer = await Promise.race([answers.promise, aborted(ended.signal)])
    if (answer === undefined) {
      signal?.throwIfAborted()
      throw new LoginError(`nobody signed in at ${provider.name}`, { hint: signInHint(provider.name, user) })
    }
    try {
      const tokens = await exchange(client, answer.parameters, state, redirectUri, verifier, options)
      answer.respond?.(true)
      return tokens
    } catch (error) {
      answer.respond?.(false)
      throw error
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw oauthError(error, provider, user)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
    ended.abort()
    close()
  }
}

/** What came back, and how to answer the browser. */
interface Answer {
  readonly parameters: URLSearchParams
  readonly respond?: (good: boolean) => void
}

async function exchange(
  client: OAuthClient,
  parameters: URLSearchParams,
  state: string,
  redirectUri: string,
  verifier: string,
  { user, signal }: LoopbackSignIn,
): Promise<Tokens> {
  const { provider, server, authentication } = client
  // Only an issuer that we know can be compared; one sign-in has one provider, so there is none to mix it up with.
  if (provider.issuer === undefined) parameters.delete('iss')
  const checked = oauth.validateAuthResponse(server, client.client, parameters, state)
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client.client,
    authentication,
    checked,
    redirectUri,
    verifier,
    requestOptions(client, signal),
  )
  const answer = await oauth.processAuthorizationCodeResponse(server, client.client, response)
  const now = new Date()
  return tokensFrom(answer, client, { user, signedInAt: now, refresh: undefined }, now)
}

function authorizationUrl(endpoint: string, parameters: Readonly<Record<string, string>>): string {
  const url = new URL(endpoint)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}

/** Takes addresses that are typed in until one is the answer. */
async function pasted(
  paste: LoopbackSignIn['paste'],
  state: string,
  signal: AbortSignal,
  onAnswer: (answer: Answer) => void,
): Promise<void> {
  while (paste !== undefined && !signal.aborted) {
    const text = await paste(signal)
    if (text === undefined) return
    const parameters = URL.parse(text.trim())?.searchParams
    if (parameters?.get('state') === state) return onAnswer({ parameters })
  }
}

/** Listens where the browser comes back to; `localhost` may mean either family, so both are listened on. */
async function listen(
  redirectUri: string,
  state: string,
  onAnswer: (answer: Answer) => void,
): Promise<{ readonly uri: string; close(): void }> {
  const wanted = new URL(redirectUri)
  const handler = (request: IncomingMessage, response: ServerResponse): void =>
    receive(request, response, wanted.pathname, state, onAnswer)
  const hosts = wanted.hostname === 'localhost' ? ['127.0.0.1', '::1'] : [wanted.hostname.replace(/^\[(.*)\]$/, '$1')]
  const servers: Server[] = []
  let port = Number(wanted.port)
  for (const host of hosts) {
    const server = createServer({ maxHeaderSize: 32_768 }, handler)
    try {
      port = await bound(server, host, port)
      servers.push(server)
    } catch (cause) {
      // A machine without IPv6 has one family only.
      if (servers.length > 0) break
      throw new ConfigError(`the browser cannot come back to ${redirectUri}: ${systemWords(cause)}`, {
        cause,
        hint: 'Free the port, or name another in redirectUri and at the provider.',
      })
    }
  }
  const path = wanted.pathname === '/' ? '' : wanted.pathname
  return {
    uri: `http://${wanted.hostname}:${port}${path}`,
    close() {
      for (const server of servers) {
        server.close()
        // The last page is still on its way.
        setTimeout(() => server.closeAllConnections(), 500).unref()
      }
    },
  }
}

function bound(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port))
  })
}

function receive(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  state: string,
  onAnswer: (answer: Answer) => void,
): void {
  const url = URL.parse(`http://loopback${request.url ?? ''}`)
  const parameters = url?.searchParams
  if (request.method !== 'GET' || url?.pathname !== path || parameters === undefined)
    return page(response, 404, 'There is nothing here.')
  // Any page in the browser can send it here; only the provider's answer knows the state.
  if (parameters.get('state') !== state) return page(response, 400, 'This is not the answer that was waited for.')
  onAnswer({
    parameters,
    respond: (good) =>
      page(
        response,
        good ? 200 : 400,
        good ? 'You are signed in. Close this window.' : 'It did not work: see the terminal.',
      ),
  })
}

function page(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'",
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    connection: 'close',
  })
  response.end(`<!doctype html><html lang="en"><title>mailmerge</title><p>${words}</p></html>\n`)
}
