/** Accounts of a config: what they take over from the settings around them, and what they never do. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Flags, loadSettings } from '../../src/config/load.ts'
import type { AccountSettings, Environment, Settings } from '../../src/config/settings.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-accounts-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function load(yaml: string, env: Environment = {}, flags: Flags = {}): Promise<Settings> {
  writeFileSync(join(dir, 'mailmerge.yaml'), yaml)
  return loadSettings({ cwd: dir, env, flags })
}

async function account(yaml: string, env: Environment = {}, name = 'a'): Promise<AccountSettings> {
  const found = (await load(yaml, env)).accounts?.[name]
  if (found === undefined) throw new Error('there is no such account')
  return found
}

async function passwordOf({ smtp }: AccountSettings): Promise<string | undefined> {
  return (await smtp.password?.())?.reveal()
}

describe('what an account takes over', () => {
  test('the server around it, with a user of its own and never the password of the other', async () => {
    const yaml =
      'smtp: { host: mail.example.com, port: 587, user: x, password: secret }\naccounts: { a: { smtp: { user: y } } }'
    const own = await account(yaml)
    expect(own.smtp).toMatchObject({ host: 'mail.example.com', port: 587, user: 'y' })
    await expect(passwordOf(own)).rejects.toThrow('there is no password for y')
    expect(await passwordOf(await account(yaml, { MAILMERGE_ACCOUNTS_A_SMTP_PASSWORD: 'own' }))).toBe('own')
  })

  test('the server of an address, without its login', async () => {
    const own = await account(
      'smtp: { url: "smtp://x:secret@mail.example.com:2525" }\naccounts: { a: { smtp: { user: y } } }',
    )
    expect(own.smtp).toMatchObject({ host: 'mail.example.com', port: 2525, user: 'y' })
    await expect(passwordOf(own)).rejects.toThrow('there is no password for y')
  })

  test('of another server neither login nor what was relaxed for the first', async () => {
    const yaml =
      'smtp: { host: mail.example.com, user: x, password: secret, verifyCertificate: false, name: me.example.com }\naccounts: { a: { smtp: { host: other.example.com } } }'
    const { smtp } = await account(yaml)
    expect(smtp).toMatchObject({ host: 'other.example.com', verifyCertificate: true, name: 'me.example.com' })
    expect(smtp.user).toBeUndefined()
  })

  test('everything, where it says nothing of a server', async () => {
    const own = await account(
      'smtp: { host: mail.example.com, user: x, password: secret }\nrate: 5/s\naccounts: { a: {} }',
    )
    expect(own.smtp).toMatchObject({ host: 'mail.example.com', user: 'x' })
    expect(await passwordOf(own)).toBe('secret')
    expect(own.delivery.rates).toEqual([{ count: 5, seconds: 1 }])
  })

  test('limits of its own take the place of those around it', async () => {
    const own = await account('rate: 5/s\nconcurrency: 7\naccounts: { a: { rate: [2/s, 100/day] } }')
    expect(own.delivery).toMatchObject({
      concurrency: 7,
      rates: [
        { count: 2, seconds: 1 },
        { count: 100, seconds: 86_400 },
      ],
    })
  })
})

test('the variable of an account has its name in capitals, hyphens as underscores', async () => {
  const own = await account('accounts: { my-Team: {} }', { MAILMERGE_ACCOUNTS_MY_TEAM_RATE: '3/s' }, 'my-Team')
  expect(own.delivery.rates).toEqual([{ count: 3, seconds: 1 }])
})

describe('what is refused', () => {
  test.each([
    ['accounts: { share: {} }', 'accounts.share: the name must be a word'],
    ['accounts: { "a b": {} }', 'must be a word of letters, digits and hyphens'],
    ['accounts: { a: {}, A: {} }', 'two names that differ only in capitals'],
    ['accounts: {}', 'needs at least one account'],
    ['accounts: { a: { from: "{{x}}@example.com" } }', 'the same for every row'],
    [
      'accounts: { a: { smtp: { url: "smtp://h", host: h } } }',
      'accounts.a.smtp.url and accounts.a.smtp.host are both set',
    ],
    ['accounts: { a: {}, b: {} }\naccount: c', "there is no account 'c'"],
    ['account: a', 'account chooses an account, and none is set'],
  ])('%s', async (yaml, words) => {
    await expect(load(yaml)).rejects.toThrow(words)
  })

  test('--smtp beside --account', async () => {
    await expect(load('accounts: { a: {} }', {}, { smtp: 'smtp://localhost', account: 'a' })).rejects.toThrow(
      '--smtp names a server',
    )
  })
})

test('one account is chosen by itself, and of several none is', async () => {
  expect((await load('accounts: { a: {} }')).account).toEqual({ by: 'name', name: 'a' })
  expect((await load('accounts: { a: {}, b: {} }')).account).toBeUndefined()
})
