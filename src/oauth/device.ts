/**
 * Signing in on another device by a short code (RFC 8628): for machines without a browser. Owns the asking and its pace.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import * as oauth from 'oauth4webapi'
import { ConfigError, LoginError } from '../errors.ts'
import { given } from '../given.ts'
import { type OAuthClient, oauthError, requestOptions, tokensFrom } from './client.ts'
import { signInHint, type Tokens } from './token-file.ts'

/** What a person is to do. */
export interface DeviceCode {
  readonly url: string
  /** The same with the code in it, where the provider has one. */
  readonly urlWithCode: string | undefined
  readonly code: string
  readonly expiresAt: Date
}

export interface DeviceSignIn {
  readonly user: string
  readonly show: (code: DeviceCode) => void
  readonly signal?: AbortSignal
  /** Waits between two questions; for tests that do not. */
  readonly wait?: (milliseconds: number) => Promise<void>
}

/** Seconds between questions where the provider names none, and how many more when it wants fewer. */
const USUAL_SECONDS = 5

/** @throws ConfigError where the provider has no such flow; LoginError when it was declined or the code ran out. */
export async function signInByDevice(client: OAuthClient, options: DeviceSignIn): Promise<Tokens> {
  const { user, show, signal } = options
  const wait = options.wait ?? ((milliseconds) => sleep(milliseconds, undefined, given({ signal })))
  const { provider, server, authentication } = client
  if (server.device_authorization_endpoint === undefined) {
    throw new ConfigError(`${provider.noDevice ?? `${provider.name} has no deviceEndpoint`}`, {
      hint: 'Leave --device out: the address that is printed can be opened on any machine.',
    })
  }
  const parameters = { scope: provider.scopes.join(' ') }
  try {
    const response = await oauth.deviceAuthorizationRequest(
      server,
      client.client,
      authentication,
      parameters,
      requestOptions(client, signal),
    )
    const device = await oauth.processDeviceAuthorizationResponse(server, client.client, response)
    const started = Date.now()
    const expiresAt = new Date(started + device.expires_in * 1000)
    const { verification_uri_complete: complete } = device
    show({
      url: device.verification_uri,
      urlWithCode: complete,
      code: device.user_code,
      expiresAt,
    })
    let seconds = device.interval ?? USUAL_SECONDS
    while (Date.now() < expiresAt.getTime()) {
      await wait(seconds * 1000)
      const answer = await ask(client, device.device_code, signal)
      if (typeof answer !== 'string') {
        const now = new Date()
        return tokensFrom(answer, client, { user, signedInAt: now, refresh: undefined }, now)
      }
      if (answer === 'slow_down') seconds += USUAL_SECONDS
      else if (answer === 'away') seconds *= 2
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw oauthError(error, provider, user)
  }
  throw new LoginError(`the code for ${provider.name} ran out before anybody entered it`, {
    hint: signInHint(provider.name, user),
  })
}

/** `pending` and `slow_down` are the provider's; a provider that does not answer is asked more slowly. */
async function ask(
  client: OAuthClient,
  code: string,
  signal: AbortSignal | undefined,
): Promise<oauth.TokenEndpointResponse | 'pending' | 'slow_down' | 'away'> {
  const { server, authentication } = client
  try {
    const options = requestOptions(client, signal)
    const response = await oauth.deviceCodeGrantRequest(server, client.client, authentication, code, options)
    if (response.status >= 500) return 'away'
    return await oauth.processDeviceCodeResponse(server, client.client, response)
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError) {
      if (error.error === 'authorization_pending') return 'pending'
      if (error.error === 'slow_down') return 'slow_down'
      throw error
    }
    signal?.throwIfAborted()
    // No answer at all; an answer that is not OAuth2 stays an error.
    if (error instanceof TypeError || (error as Error).name === 'TimeoutError') return 'away'
    throw error
  }
}
