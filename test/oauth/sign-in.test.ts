/** Signing in, by browser and by device, at a provider that speaks the real protocol. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { oauthProvider, oauthProviders } from '../../src/config/oauth-provider.ts'
import type { OAuthConfig } from '../../src/config/schema.ts'
import { type OAuthClient, oauthClient, revoke } from '../../src/oauth/client.ts'
import { type DeviceCode, signInByDevice } from '../../src/oauth/device.ts'
import { type LoopbackSignIn, signInByLoopback } from '../../src/oauth/loopback.ts'
import {
  type IdentityProvider,
  type IdentityProviderOptions,
  startIdentityProvider,
} from '../support/identity-provider.ts'

const USER = 'ada@example.com'
const dir = mkdtempSync(join(tmpdir(), 'mailmerge-oauth-'))
let idp: IdentityProvider
afterEach(() => idp?.close())
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function clientFor(options: IdentityProviderOptions = {}, more: OAuthConfig = {}): Promise<OAuthClient> {
  idp = await startIdentityProvider(options)
  const { clientId, authorizationEndpoint, deviceEndpoint, tokenEndpoint, revocationEndpoint } = idp
  const scopes = ['mail', 'offline_access']
  const config = { clientId, authorizationEndpoint, deviceEndpoint, tokenEndpoint, revocationEndpoint, scopes, ...more }
  const providers = oauthProviders({ config: { own: config }, root: dir, env: { XDG_STATE_HOME: dir } })
  return oauthClient(oauthProvider('own', providers))
}

const byBrowser = (client: OAuthClient, more: Partial<LoopbackSignIn> = {}) =>
  signInByLoopback(client, { user: USER, show: (url) => void idp.visit(url), patience: 10_000, ...more })

const byDevice = (client: OAuthClient, show: (code: DeviceCode) => void, wait = () => Promise.resolve()) =>
  signInByDevice(client, { user: USER, show, wait })

/** Waits until a person has done something; questions in between are asked as fast as the provider answers. */
function pace(done: Promise<unknown>): () => Promise<void> {
  return async () => void (await done)
}

describe('by the browser', () => {
  test('gives an access token and one to renew it, with PKCE', async () => {
    const client = await clientFor()
    let opened = new URL('http://nowhere')
    const tokens = await byBrowser(client, {
      show(url) {
        opened = new URL(url)
        void idp.visit(url)
      },
    })
    expect(idp.given).toEqual([tokens.access.reveal()])
    expect(idp.refreshTokens).toEqual([tokens.refresh?.reveal()])
    expect(Object.fromEntries(opened.searchParams)).toMatchObject({
      client_id: idp.clientId,
      code_challenge_method: 'S256',
      login_hint: USER,
      redirect_uri: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      response_type: 'code',
      scope: 'mail offline_access',
    })
  })

  test('works where the provider takes localhost only, and with a path', async () => {
    await byBrowser(await clientFor({}, { redirectUri: 'http://localhost' }))
    await idp.close()
    await byBrowser(await clientFor({}, { redirectUri: 'http://127.0.0.1/callback' }))
  })

  test('works with a client secret', async () => {
    await byBrowser(await clientFor({ clientSecret: 'canary-secret' }, { clientSecret: 'canary-secret' }))
    expect(idp.given).toHaveLength(1)
  })

  test('works by the address that a browser elsewhere could not open', async () => {
    const client = await clientFor()
    const typed = ['not this', 'http://127.0.0.1/?code=x&state=wrong']
    let last = ''
    const tokens = await byBrowser(client, {
      show(url) {
        // The browser of another machine follows every redirect but the last one.
        last = url
      },
      paste: async () => typed.shift() ?? (await idp.answerTo(last)),
    })
    expect(idp.given).toEqual([tokens.access.reveal()])
  })

  test('is deaf to pages that send an answer of their own', async () => {
    const client = await clientFor()
    const seen: number[] = []
    await byBrowser(client, {
      async show(url) {
        const back = new URL(url).searchParams.get('redirect_uri') ?? ''
        for (const path of ['/?code=forged&state=guessed', '/?error=access_denied', '/other', '/favicon.ico'])
          seen.push((await fetch(`${back}${path}`)).status)
        await idp.visit(url)
      },
    })
    expect(seen).toEqual([400, 400, 404, 404])
  })

  test('informs the person in the browser and in the terminal when it does not work', async () => {
    const client = await clientFor()
    let page = Promise.resolve('')
    const failed = byBrowser(client, {
      show(url) {
        idp.answerTokens(400, '{"error":"invalid_grant","error_description":"canary\\u001b[2J no"}')
        page = idp.visit(url)
      },
    })
    await expect(failed).rejects.toMatchObject({
      exitCode: 77,
      message: 'own refused the sign-in (invalid_grant: canary [2J no)',
    })
    expect(await page).toContain('see the terminal')
  })

  test.each([
    ['declined', 'error=access_denied', 77, 'declined'],
    ['wrong scopes', 'error=invalid_scope&error_description=nope', 78, 'scopes (invalid_scope: nope)'],
    ['provider away', 'error=temporarily_unavailable', 69, 'cannot sign us in now'],
  ])('%s -> said in words', async (_what, answer, exitCode, says) => {
    const client = await clientFor()
    const failed = byBrowser(client, {
      show(url) {
        const { searchParams } = new URL(url)
        void fetch(`${searchParams.get('redirect_uri')}/?${answer}&state=${searchParams.get('state')}`)
      },
    })
    await expect(failed).rejects.toMatchObject({ exitCode, message: expect.stringContaining(says) })
  })

  test('ends when nobody comes', async () => {
    await expect(byBrowser(await clientFor(), { show: () => {}, patience: 50 })).rejects.toMatchObject({
      exitCode: 77,
      message: 'nobody signed in at own',
      hint: expect.stringContaining('mailmerge login own --user ada@example.com'),
    })
  })
})

describe('by a device', () => {
  test('gives tokens once the code was entered elsewhere', async () => {
    const client = await clientFor()
    let shown: DeviceCode | undefined
    const entered = Promise.withResolvers<unknown>()
    const tokens = await byDevice(
      client,
      (code) => {
        shown = code
        idp.enterCode(code.url, code.code).then(entered.resolve, entered.reject)
      },
      pace(entered.promise),
    )
    expect(shown).toMatchObject({ url: `${idp.issuer}/device`, code: expect.stringMatching(/^[A-Z]{4}-[A-Z]{4}$/) })
    expect(idp.given).toEqual([tokens.access.reveal()])
    expect(idp.grants.at(-1)).toBe('device_code 200')
  })

  test('asks again while nobody has entered it, and more slowly when told so or not answered', async () => {
    const client = await clientFor()
    const waits: number[] = []
    const entered = Promise.withResolvers<unknown>()
    let code: DeviceCode | undefined
    const tokens = await signInByDevice(client, {
      user: USER,
      show(shown) {
        code = shown
      },
      async wait(milliseconds) {
        waits.push(milliseconds)
        if (waits.length === 2) idp.answerTokens(400, '{"error":"slow_down"}')
        if (waits.length === 3) idp.answerTokens(503, 'away')
        if (waits.length === 4 && code !== undefined) entered.resolve(await idp.enterCode(code.url, code.code))
      },
    })
    expect(waits).toEqual([5000, 5000, 10_000, 20_000])
    expect(idp.grants[0]).toBe('device_code authorization_pending')
    expect(tokens.refresh).toBeDefined()
  })

  test('that is declined -> exit 77', async () => {
    const client = await clientFor()
    const done = Promise.withResolvers<unknown>()
    const show = ({ url, code }: DeviceCode): void =>
      void idp.enterCode(url, code, false).then(done.resolve, done.reject)
    await expect(byDevice(client, show, pace(done.promise))).rejects.toMatchObject({
      exitCode: 77,
      message: expect.stringContaining('declined'),
    })
  })

  test('of a provider that has none -> says what to do instead', async () => {
    idp = await startIdentityProvider()
    const providers = oauthProviders({ config: { google: { clientId: 'x' } }, root: dir, env: {} })
    const client = await oauthClient(oauthProvider('google', providers))
    await expect(byDevice(client, () => {})).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining('Google gives no access to mail by a code'),
      hint: expect.stringContaining('any machine'),
    })
  })
})

describe('the client', () => {
  test('without an id -> says where to get one', async () => {
    idp = await startIdentityProvider()
    const providers = oauthProviders({ config: {}, root: dir, env: {} })
    await expect(oauthClient(oauthProvider('microsoft', providers))).rejects.toMatchObject({
      exitCode: 78,
      hint: expect.stringContaining('oauth2.microsoft.clientId'),
    })
    expect(() => oauthProvider('gogle', providers)).toThrow("there is no OAuth2 provider 'gogle'")
  })

  test('finds the endpoints of an issuer that publishes them', async () => {
    idp = await startIdentityProvider()
    const own = { clientId: idp.clientId, issuer: idp.issuer, scopes: ['mail', 'offline_access'] }
    const providers = oauthProviders({ config: { own }, root: dir, env: {} })
    const client = await oauthClient(oauthProvider('own', providers))
    expect(client.server).toMatchObject({ token_endpoint: idp.tokenEndpoint })
    await byBrowser(client)
    expect(idp.given).toHaveLength(1)
  })

  test('with a wrong secret -> wrong configuration, and the secret is not shown', async () => {
    const client = await clientFor({ clientSecret: 'right' }, { clientSecret: 'canary-wrong' })
    const error = await byBrowser(client).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ exitCode: 78, message: expect.stringContaining('client secret') })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary')
  })

  test('of an answer that is not OAuth2 shows nothing of it', async () => {
    const client = await clientFor()
    const error = await byBrowser(client, {
      show(url) {
        idp.answerTokens(200, '{"access_token":"canary-token"}')
        void idp.visit(url)
      },
    }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ exitCode: 69, message: expect.stringContaining('did not answer with OAuth2') })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary')
  })

  test('of a provider that is away -> exit 69', async () => {
    const client = await clientFor()
    await idp.close()
    await expect(byDevice(client, () => {})).rejects.toMatchObject({
      exitCode: 69,
      message: expect.stringContaining('own cannot be reached: connection refused'),
    })
  })

  test('takes tokens back', async () => {
    const client = await clientFor()
    const tokens = await byBrowser(client)
    expect(await revoke(client, tokens)).toBe(true)
    await idp.close()
    expect(await revoke(client, tokens)).toBe(false)
  })
})

test('Microsoft is asked by the tenant that the project names, for SMTP, IMAP and a token to renew', () => {
  const { microsoft } = oauthProviders({ config: { microsoft: { tenant: 'example.org' } }, root: dir, env: {} })
  expect(microsoft).toMatchObject({
    tokenEndpoint: 'https://login.microsoftonline.com/example.org/oauth2/v2.0/token',
    redirectUri: 'http://localhost',
    scopes: [
      'https://outlook.office.com/SMTP.Send',
      'https://outlook.office.com/IMAP.AccessAsUser.All',
      'offline_access',
    ],
  })
})
