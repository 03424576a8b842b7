/** Tokens over a long run: fresh for each login, renewed once, and never asked for again after a refusal. */
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { oauthProvider, oauthProviders } from '../../src/config/oauth-provider.ts'
import type { OAuthProvider } from '../../src/config/settings.ts'
import { accessTokens } from '../../src/oauth/access-token.ts'
import { oauthClient } from '../../src/oauth/client.ts'
import { signInByLoopback } from '../../src/oauth/loopback.ts'
import { closeTokenFolder, readTokens, type Tokens, tokenPath, writeTokens } from '../../src/oauth/token-file.ts'
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts'

const USER = 'ada@example.com'
let dir: string
let idp: IdentityProvider
let provider: OAuthProvider
let path: string
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-token-'))
  idp = await startIdentityProvider()
  provider = providerOf({})
  path = tokenPath(provider, USER)
})
afterEach(() => idp.close())
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function providerOf(more: Readonly<Record<string, string>>): OAuthProvider {
  const { clientId, authorizationEndpoint, tokenEndpoint } = idp
  const own = { clientId, authorizationEndpoint, tokenEndpoint, scopes: ['mail', 'offline_access'], ...more }
  return oauthProvider('own', oauthProviders({ config: { own }, root: dir, env: { XDG_STATE_HOME: dir } }))
}

async function signIn(): Promise<Tokens> {
  const client = await oauthClient(provider)
  const tokens = await signInByLoopback(client, { user: USER, show: (url) => void idp.visit(url) })
  await closeTokenFolder(provider)
  await writeTokens(path, tokens)
  return tokens
}

/** A clock that many seconds ahead. */
const ahead = (seconds: number) => () => new Date(Date.now() + seconds * 1000)
const renewals = (): number => idp.grants.filter((grant) => grant.startsWith('refresh_token')).length

describe('a token', () => {
  test('that is good is used as it is', async () => {
    const { access } = await signIn()
    const source = accessTokens(provider, USER)
    expect((await source()).reveal()).toBe(access.reveal())
    expect(renewals()).toBe(0)
  })

  test('that is about to end is renewed before it is used, and kept', async () => {
    const before = await signIn()
    const source = accessTokens(provider, USER, { now: ahead(3600 - 60) })
    const token = (await source()).reveal()
    expect(token).not.toBe(before.access.reveal())
    expect(idp.isGood(token)).toBe(true)
    const kept = await readTokens(path)
    expect(kept?.access.reveal()).toBe(token)
    expect(kept?.refresh?.reveal()).toBe(idp.refreshTokens.at(-1))
    expect(kept?.signedInAt).toEqual(before.signedInAt)
  })

  test('is renewed by the client id that it was given to, where the project names none', async () => {
    await signIn()
    const { clientId: _, ...nameless } = provider
    await accessTokens(nameless, USER, { now: ahead(3600) })()
    expect(renewals()).toBe(1)
  })

  test('is renewed once for many lanes, and once for many processes', async () => {
    await signIn()
    // A provider that changes the refresh token each time ends the whole sign-in when an old one comes twice.
    const sources = Array.from({ length: 3 }, () => accessTokens(provider, USER, { now: ahead(3590) }))
    const tokens = await Promise.all(sources.flatMap((source) => [source(), source(), source()]))
    expect(new Set(tokens.map((token) => token.reveal())).size).toBe(1)
    expect(idp.grants.filter((grant) => grant.startsWith('refresh_token'))).toEqual(['refresh_token 200'])
  })

  test('of a sign-in made meanwhile is the one that is used', async () => {
    await signIn()
    const source = accessTokens(provider, USER)
    await source()
    const { access } = await signIn()
    expect((await source()).reveal()).toBe(access.reveal())
  })
})

describe('a renewal that is refused', () => {
  test('is a refused login with what to do, and is not tried again', async () => {
    await signIn()
    await idp.forget()
    const source = accessTokens(provider, USER, { now: ahead(3600) })
    const refused = { exitCode: 77, hint: `Sign in again: mailmerge login own --user ${USER}` }
    await expect(source()).rejects.toMatchObject(refused)
    await expect(source()).rejects.toMatchObject(refused)
    expect(renewals()).toBe(1)
  })

  test('is forgotten when somebody signs in again', async () => {
    await signIn()
    await idp.forget()
    let seconds = 3600
    const source = accessTokens(provider, USER, { now: () => ahead(seconds)() })
    await expect(source()).rejects.toMatchObject({ exitCode: 77 })
    const { access } = await signIn()
    seconds = 0
    expect((await source()).reveal()).toBe(access.reveal())
  })
})

describe('a provider that is away', () => {
  test('stops nobody whose token is still good', async () => {
    const { access } = await signIn()
    idp.answerTokens(503, 'away')
    const source = accessTokens(provider, USER, { now: ahead(3600 - 60) })
    expect((await source()).reveal()).toBe(access.reveal())
    expect((await source()).reveal()).not.toBe(access.reveal())
  })

  test('with a token that has ended -> exit 69, and the next try asks again', async () => {
    await signIn()
    idp.answerTokens(503, 'away')
    const source = accessTokens(provider, USER, { now: ahead(3600) })
    await expect(source()).rejects.toMatchObject({ exitCode: 69 })
    expect(idp.isGood((await source()).reveal())).toBe(true)
  })
})

describe('the token file', () => {
  test('and its folder are for the user alone, also after a renewal', async () => {
    await signIn()
    await accessTokens(provider, USER, { now: ahead(3600) })()
    expect([statSync(path).mode & 0o777, statSync(dirname(path)).mode & 0o777]).toEqual([0o600, 0o700])
    expect(await readdir(dirname(path))).toEqual(['own-ada@example.com.json'])
  })

  test('that others can read is refused', async () => {
    await signIn()
    chmodSync(path, 0o640)
    await expect(accessTokens(provider, USER)()).rejects.toMatchObject({
      exitCode: 78,
      hint: expect.stringContaining('chmod 600'),
    })
  })

  test('that is missing -> exit 77 with the command to give', async () => {
    await expect(accessTokens(provider, USER)()).rejects.toMatchObject({
      exitCode: 77,
      message: `nobody signed in at own for ${USER}`,
      hint: `Sign in: mailmerge login own --user ${USER}`,
    })
  })

  test('that holds something else is refused without being shown', async () => {
    await signIn()
    await writeFile(path, '{"access":"canary"')
    const error = await accessTokens(provider, USER)().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ exitCode: 78 })
    expect(String(error)).not.toContain('canary')
  })

  test.each([
    ['another client', { clientId: 'another' }, 'another client id'],
    ['another endpoint', { tokenEndpoint: 'https://evil.example.net/token' }, 'at another address'],
  ])('of %s gives its tokens to nobody', async (_what, more, says) => {
    await signIn()
    const changed = providerOf(more)
    await expect(accessTokens(changed, USER, { now: ahead(3600) })()).rejects.toMatchObject({
      exitCode: 77,
      message: expect.stringContaining(says),
    })
    expect(renewals()).toBe(0)
  })

  test('can be named by the project, and is for one mailbox', async () => {
    await signIn()
    const named = providerOf({ tokenFile: 'secret/token.json' })
    const place = tokenPath(named, USER)
    expect(place).toBe(join(dir, 'secret', 'token.json'))
    await writeTokens(place, (await readTokens(path)) as Tokens)
    await accessTokens(named, 'Ada@Example.com')()
    await expect(accessTokens(named, 'bob@example.com')()).rejects.toMatchObject({ exitCode: 77 })
  })

  test('is found under a name that every file system takes', () => {
    const name = tokenPath(provider, '../..\\nul:"\n@example.com')
    expect(dirname(name)).toBe(dirname(path))
    expect(name.slice(dirname(path).length + 1)).toMatch(/^[\w.@+~-]+\.json$/)
  })

  test('is whole at every moment, and its lock is taken over from a process that died', async () => {
    await signIn()
    await writeFile(`${path}.lock`, '999999\n')
    const { utimesSync } = await import('node:fs')
    const long = new Date(Date.now() - 600_000)
    utimesSync(`${path}.lock`, long, long)
    await accessTokens(provider, USER, { now: ahead(3600) })()
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ user: USER })
    expect(await readdir(dirname(path))).toEqual(['own-ada@example.com.json'])
  })
})
