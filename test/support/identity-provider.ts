/**
 * An identity provider of the test's own: the real protocol by oidc-provider, and a browser that does what a person would.
 * Whoever opens its pages is signed in and agrees.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Configuration, Provider } from 'oidc-provider'

export interface IdentityProviderOptions {
  /** Seconds that an access token holds. */
  readonly lifetime?: number
  /** Clients have this secret; without it they are public. */
  readonly clientSecret?: string
  /** False: no refresh tokens. */
  readonly refreshTokens?: boolean
}

export interface IdentityProvider {
  readonly issuer: string
  readonly clientId: string
  readonly authorizationEndpoint: string
  readonly deviceEndpoint: string
  readonly tokenEndpoint: string
  readonly revocationEndpoint: string
  /** Every access token that was given, in order. */
  readonly given: readonly string[]
  /** Grants asked for at the token endpoint, in order, with the status that they were answered with. */
  readonly grants: readonly string[]
  /** Every refresh token that was given. */
  readonly refreshTokens: readonly string[]
  /** True while an access token is good. */
  isGood(token: string): boolean
  /** Ends an access token before its time. */
  expire(token: string): void
  /** Whom access tokens speak for. */
  readonly account: string
  /** Answers the next requests for tokens so, instead of properly. */
  answerTokens(status: number, body: string, times?: number): void
  /** From now on no refresh token is worth anything. */
  forget(): Promise<void>
  /** Opens an address as a person with a browser; gives the text of the last page. */
  visit(url: string): Promise<string>
  /** Follows a sign-in up to the address that leads back to the program, and gives that. */
  answerTo(url: string): Promise<string>
  /** Enters a code on the page for devices. */
  enterCode(url: string, code: string, agree?: boolean): Promise<string>
  close(): Promise<void>
}

const CLIENT = 'mailmerge-test'
const SCOPES = ['mail', 'offline_access']
const ACCOUNT = 'ada@example.com'
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

export async function startIdentityProvider(options: IdentityProviderOptions = {}): Promise<IdentityProvider> {
  const given: string[] = []
  const grants: string[] = []
  const refreshTokens: string[] = []
  let wrong: { status: number; body: string; times: number } | undefined
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = quietly(() => new Provider(issuer, configuration(options)))
  const good = new Map<string, number>()
  provider.on('grant.success', (ctx) => {
    const { access_token, refresh_token, expires_in } = ctx.body as Record<string, unknown>
    grants.push(`${String(ctx.oidc.params?.['grant_type']).split(':').at(-1)} 200`)
    given.push(String(access_token))
    if (refresh_token !== undefined) refreshTokens.push(String(refresh_token))
    good.set(String(access_token), Date.now() + Number(expires_in) * 1000)
  })
  provider.on('grant.error', (ctx, error) => {
    const { error: code } = error as { error?: string }
    grants.push(`${String(ctx.oidc.params?.['grant_type']).split(':').at(-1)} ${code}`)
  })
  const callback = provider.callback()
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/interaction/')) {
      void interact(provider, request, response)
      return
    }
    if (request.url === '/token' && wrong !== undefined) {
      const { status, body } = wrong
      wrong = --wrong.times > 0 ? wrong : undefined
      grants.push(`answered ${status}`)
      request.resume()
      response.writeHead(status, { 'content-type': 'application/json' }).end(body)
      return
    }
    void callback(request, response)
  })
  const identity: IdentityProvider = {
    issuer,
    clientId: CLIENT,
    authorizationEndpoint: `${issuer}/auth`,
    deviceEndpoint: `${issuer}/device/auth`,
    tokenEndpoint: `${issuer}/token`,
    revocationEndpoint: `${issuer}/token/revocation`,
    given,
    grants,
    account: ACCOUNT,
    refreshTokens,
    isGood: (token) => (good.get(token) ?? 0) > Date.now(),
    expire(token) {
      good.delete(token)
    },
    answerTokens(status, body, times = 1) {
      wrong = { status, body, times }
    },
    async forget() {
      for (const value of refreshTokens) await (await provider.RefreshToken.find(value))?.destroy()
    },
    visit: (url) => browse(new Browser(), url),
    answerTo: (url) => browse(new Browser(), url, undefined, issuer),
    async enterCode(url, code, agree = true) {
      const browser = new Browser()
      const page = await browse(browser, url)
      const form = { ...fieldsOf(page), user_code: code }
      const confirmation = await browse(browser, url, form)
      if (!/name="xsrf"/.test(confirmation)) return confirmation
      const decision = agree ? { confirm: 'yes' } : { abort: 'yes' }
      return browse(browser, url, { ...fieldsOf(confirmation), user_code: code, ...decision })
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return identity
}

function configuration({
  lifetime = 3600,
  clientSecret,
  refreshTokens = true,
}: IdentityProviderOptions): Configuration {
  return {
    clients: [
      {
        client_id: CLIENT,
        application_type: 'native',
        grant_types: ['authorization_code', 'refresh_token', DEVICE_GRANT],
        response_types: ['code'],
        redirect_uris: ['http://127.0.0.1', 'http://localhost', 'http://127.0.0.1/callback'],
        token_endpoint_auth_method: clientSecret === undefined ? 'none' : 'client_secret_post',
        ...(clientSecret === undefined ? {} : { client_secret: clientSecret }),
      },
    ],
    scopes: [...SCOPES],
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (ctx, form) => page(ctx, form),
        userCodeConfirmSource: (ctx, form) => page(ctx, form),
        successSource: (ctx) => page(ctx, 'the device is signed in'),
      },
      revocation: { enabled: true, allowedPolicy: () => true },
    },
    ttl: {
      AccessToken: lifetime,
      RefreshToken: 86_400,
      Grant: 86_400,
      Session: 3600,
      Interaction: 600,
      DeviceCode: 60,
    },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    issueRefreshToken: () => refreshTokens,
    rotateRefreshToken: true,
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    cookies: { keys: ['test'] },
  }
}

function page(ctx: { body: unknown }, html: string): void {
  ctx.body = `<!doctype html>${html}`
}

/** Signs in whoever comes, and agrees to what is asked. */
async function interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: ACCOUNT } })
    return
  }
  const grant = new provider.Grant({ clientId: String(params['client_id']), accountId: session?.accountId ?? ACCOUNT })
  grant.addOIDCScope(SCOPES.join(' '))
  const result = { consent: { grantId: await grant.save() } }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true })
}

/** The library warns of keys that only production needs. */
function quietly<T>(work: () => T): T {
  const { warn, info } = console
  console.warn = () => {}
  console.info = () => {}
  try {
    return work()
  } finally {
    console.warn = warn
    console.info = info
  }
}

/** Cookies by name; one host is all there is. */
class Browser {
  readonly cookies = new Map<string, string>()
}

/** The text of the page that an address leads to; with `within`, the first address that leads out of it. */
async function browse(
  browser: Browser,
  url: string,
  form?: Readonly<Record<string, string>>,
  within?: string,
): Promise<string> {
  let next = url
  let body = form === undefined ? undefined : new URLSearchParams(form)
  for (let step = 0; step < 15; step++) {
    const response = await fetch(next, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers: {
        cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        connection: 'close',
      },
      ...(body === undefined ? {} : { body }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') browser.cookies.delete(name)
      else browser.cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location === null) return await response.text()
    next = new URL(location, next).href
    if (within !== undefined && !next.startsWith(within)) return next
    body = undefined
  }
  throw new Error('too many redirects')
}

function fieldsOf(page: string): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [tag] of page.matchAll(/<input[^>]*type="hidden"[^>]*>/g)) {
    const name = /name="([^"]*)"/.exec(tag)?.[1]
    if (name !== undefined) fields[name] = /value="([^"]*)"/.exec(tag)?.[1] ?? ''
  }
  return fields
}
