/** Settings from flags, environment, `.env` and config, and what is said of wrong ones. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Flags, loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/settings.ts'
import { ConfigError, InputError, MailmergeError, UsageError } from '../../src/errors.ts'

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-config-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

interface Given {
  readonly yaml?: string
  readonly dotEnv?: string
  readonly env?: NodeJS.Dict<string>
  readonly flags?: Flags
  readonly cwd?: string
  readonly askPassword?: (account: string) => Promise<string>
  readonly note?: (text: string) => void
}

function load({ yaml, dotEnv, env = {}, flags = {}, cwd = dir, ...rest }: Given): Promise<Settings> {
  if (yaml !== undefined) writeFileSync(join(dir, 'mailmerge.yaml'), yaml)
  if (dotEnv !== undefined) writeFileSync(join(dir, '.env'), dotEnv)
  return loadSettings({ cwd, env, flags, ...rest })
}

async function refused(given: Given): Promise<MailmergeError> {
  const error = await load(given).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof MailmergeError)) throw new Error(`no error of ours: ${inspect(error)}`)
  return error
}

/** All that a person reads of an error. */
function words(error: MailmergeError): string {
  return [
    error.message,
    error.hint,
    ...error.problems.map(({ file, line, message, hint }) => `${file}:${line}: ${message} ${hint ?? ''}`),
  ].join('\n')
}

describe('defaults', () => {
  test('a folder without a config goes to localhost, port 25, with five connections', async () => {
    const settings = await load({})
    expect(settings).toMatchObject({
      root: dir,
      smtp: { host: 'localhost', port: 25, security: 'auto', verifyCertificate: true, allowPlainLogin: false },
      delivery: { concurrency: 5, rates: [], retryFor: 4 * 3_600_000, grace: 30_000 },
      duplicates: 'error',
      ledger: join(dir, '.mailmerge/ledger.db'),
    })
    expect(settings.smtp.timeouts.endOfData).toBe(600_000)
  })

  test('the port follows the security', async () => {
    const port = async (yaml: string): Promise<number> => (await load({ yaml })).smtp.port
    expect(await port('smtp: {security: tls}')).toBe(465)
    expect(await port('smtp: {security: starttls}')).toBe(587)
    expect(await port('smtp: {lmtp: true}')).toBe(24)
    expect((await load({ yaml: 'smtp: {port: 465}' })).smtp.security).toBe('tls')
  })

  test('the config is found in a folder above, and its paths start there', async () => {
    mkdirSync(join(dir, 'a/b'), { recursive: true })
    const settings = await load({
      yaml: 'csv: lists/people.csv\nledger: state/l.db\nattachments: {roots: [../files]}',
      cwd: join(dir, 'a/b'),
    })
    expect(settings.root).toBe(dir)
    expect(settings.source.from).toEqual({ kind: 'file', path: join(dir, 'lists/people.csv') })
    expect(settings.ledger).toBe(join(dir, 'state/l.db'))
    expect(settings.attachmentRoots).toEqual([join(dir, '../files')])
  })
})

test('a template by its path starts where the command was given, by its name in the project', async () => {
  mkdirSync(join(dir, 'sub'))
  writeFileSync(join(dir, 'sub/own.md'), '')
  const template = async (flag: string): Promise<string | undefined> =>
    (await load({ yaml: '', cwd: join(dir, 'sub'), flags: { template: flag } })).template
  expect(await template('./own.md')).toBe(join(dir, 'sub/own.md'))
  expect(await template('invite')).toBe('invite')
  expect(await template('templates/invite')).toBe('templates/invite')
})

describe('flags beat environment, environment beats config', () => {
  const yaml = 'campaign: file\ntemplate: file\nkey: file\nconcurrency: 1\n'

  test('for plain keys', async () => {
    const settings = await load({
      yaml,
      dotEnv: 'MAILMERGE_KEY=dotenv\nMAILMERGE_TEMPLATE=dotenv\n',
      env: { MAILMERGE_TEMPLATE: 'environment', MAILMERGE_CAMPAIGN: 'environment', MAILMERGE_CONCURRENCY: '3' },
      flags: { campaign: 'flag' },
    })
    expect(settings).toMatchObject({ campaign: 'flag', template: 'environment', key: 'dotenv' })
    expect(settings.delivery.concurrency).toBe(3)
  })

  test('a password in the environment leaves the server of the config as it is', async () => {
    const settings = await load({
      yaml: 'smtp: {host: mail.example.com, port: 2525, user: ada}',
      env: { MAILMERGE_SMTP_PASSWORD: '007' },
    })
    expect(settings.smtp).toMatchObject({ host: 'mail.example.com', port: 2525, user: 'ada' })
    expect((await settings.smtp.password?.())?.reveal()).toBe('007')
  })

  test('groups are put together key by key', async () => {
    const settings = await load({
      yaml: 'unsubscribe: {url: https://example.org/u, mailto: a@example.org}\nperDomain: {concurrency: 2}',
      env: { MAILMERGE_UNSUBSCRIBE_MAILTO: 'b@example.org', MAILMERGE_PER_DOMAIN_RATE: '[5/min, 50/h]' },
    })
    expect(settings.unsubscribe).toMatchObject({ url: 'https://example.org/u', mailto: 'b@example.org' })
    expect(settings.delivery.perDomain).toEqual({
      concurrency: 2,
      rates: [
        { count: 5, seconds: 60 },
        { count: 50, seconds: 3600 },
      ],
    })
  })

  test('a list given by a flag is not read in the way set for the list of the config', async () => {
    const yaml = 'data: {path: old.csv, encoding: utf-16le, headerRow: 3}'
    expect((await load({ yaml })).source).toMatchObject({ encoding: 'utf-16le', headerRow: 3 })
    const { source } = await load({ yaml, flags: { csv: 'new.csv' } })
    expect(source.encoding).toBeUndefined()
    expect(source.from).toEqual({ kind: 'file', path: join(dir, 'new.csv') })
  })

  test('the list of the environment beats that of the config, whatever key names it', async () => {
    const { source } = await load({ yaml: 'data: file.csv', env: { MAILMERGE_CSV: 'environment.csv' } })
    expect(source.from).toEqual({ kind: 'file', path: join(dir, 'environment.csv') })
  })

  test('the secret of a client may be in the environment, and the rest in the file', async () => {
    const yaml = 'oauth2: { google: { clientId: id, scopes: mail } }'
    const { oauth2 } = await load({ yaml, env: { MAILMERGE_OAUTH2: '{google: {clientSecret: canary}}' } })
    expect(oauth2.providers['google']).toMatchObject({ clientId: 'id', scopes: ['mail'] })
    expect((await oauth2.providers['google']?.clientSecret?.())?.reveal()).toBe('canary')
    expect(inspect(oauth2, { depth: 9, showHidden: true })).not.toContain('canary')
    const error = await refused({ yaml, env: { MAILMERGE_OAUTH2: 'canary' } })
    expect(inspect(error, { depth: 9 })).not.toContain('canary')
  })

  test('limits of a provider hold for its server, and not for another way to send', async () => {
    const yaml = 'smtp: { service: microsoft365, user: ada }\ntransport: maildir:mails'
    expect((await load({ yaml })).delivery).toMatchObject({ rates: [], concurrency: 5 })
    expect((await load({ yaml, flags: { smtp: 'smtp://smtp.office365.com' } })).delivery.concurrency).toBe(3)
  })

  test('an empty variable sets nothing', async () => {
    expect((await load({ yaml, env: { MAILMERGE_CAMPAIGN: '', MAILMERGE_SMTP_URL: '' } })).campaign).toBe('file')
  })

  test('a ledger can be an address', async () => {
    expect((await load({ env: { MAILMERGE_LEDGER: 'postgres://h/d' } })).ledger).toBe('postgres://h/d')
    expect(words(await refused({ yaml: 'ledger: mysql://ada:hunter2@h/d' }))).not.toContain('hunter2')
    expect((await load({ flags: { ledger: 'l.db' }, env: { MAILMERGE_LEDGER: 'e.db' } })).ledger).toBe(
      join(dir, 'l.db'),
    )
  })

  test('a variable that is nearly a setting is reported, one of somebody else is not', async () => {
    const notes: string[] = []
    const env = { MAILMERGE_SMTP_PASSWRD: 'x', MAILMERGE_HARNESS_RUN_NUMBER: '7' }
    await load({ env, note: (text) => notes.push(text) })
    expect(notes).toHaveLength(1)
    expect(notes[0]).toContain('MAILMERGE_SMTP_PASSWORD')
  })
})

describe('wrong settings', () => {
  const cases: readonly (readonly [what: string, yaml: string, says: readonly string[]])[] = [
    ['a key misspelt', 'csv: a.csv\ncampain: x\n', ['mailmerge.yaml:2', "'campain'", "'campaign'"]],
    ['a key within a group', 'smtp:\n  host: a\n  prot: 25\n', ['mailmerge.yaml:3', "'smtp.prot'", "'port'"]],
    ['a word of another tool', 'smtp:\n  auth: {user: a}\n', ['mailmerge.yaml:2', 'smtp.user']],
    ['a text for a number', '\nconcurrency: many\n', ['mailmerge.yaml:2', 'concurrency must be a number', "'many'"]],
    ['a number out of range', 'smtp: {port: 70000}', ['mailmerge.yaml:1', 'smtp.port', '65535 or less', '70000']],
    ['a word not allowed', 'duplicates: skp', ['error, skip or all', "'skp'", 'Did you mean skip?']],
    ['a duration without unit', 'retryFor: 4', ['retryFor must be a duration', '4h']],
    ['a rate that is none', 'rate: [10/s, 500]', ['rate', 'must be a text']],
    ['a rate misspelt', 'rate: 10/fortnight', ['rate must be a rate', "'10/fortnight'"]],
    ['a rate of something else', 'rate: 10 persons/day', ['rate must be a rate', '500 recipients/day']],
    [
      'recipients to one domain',
      'perDomain: {rate: [10/s, 100 recipients/hour]}',
      ['perDomain.rate.1 counts messages', "'100 recipients/hour'", 'without recipients'],
    ],
    ['a share of nothing', 'variants: {a: {share: 0}}', ['variants.a.share must be more than 0', '0']],
    [
      'a time zone',
      'timeZone: Europe/Pariss',
      ["timeZone must be a time zone, and is 'Europe/Pariss'", 'Europe/Paris'],
    ],
    ['a name of a language', 'locale: german', ["locale must be a language, and is 'german'", 'en-GB']],
    ['a language', 'locale: de_DE', ["locale must be a language, and is 'de_DE'", 'en-GB']],
    ['a mailbox for those who leave', 'unsubscribe: {mailto: nobody}', ['unsubscribe.mailto must be an address']],
    ['a database of another kind', 'ledger: mysql://h/d', ['mysql://', 'SQLite']],
    ['pipelining', 'smtp: {pipelining: yes}', ['smtp.pipelining must be auto, 0, 1 or 2', "'yes'"]],
    ['a list for a group', 'smtp: [a, b]', ['smtp must be a group of settings, and is a list']],
    ['an empty group', 'smtp:\n', ['smtp must be a group of settings, and is empty']],
    ['a list as config', '- a\n- b\n', ['the config must be a group of settings']],
    ['a template without quotes', 'message:\n  subject: {{name}}\n', ['mailmerge.yaml:2', '"{{name}}"']],
    ['an indentation that is wrong', 'smtp:\n  host: a\n port: 3\n', ['mailmerge.yaml:3']],
    ['a key given twice', 'csv: a\ncsv: b\n', ['mailmerge.yaml:2']],
    ['a tag', 'csv: !!js/function x\n', ['mailmerge.yaml:1']],
    ['__proto__', '__proto__: {polluted: true}\n', ["'__proto__'"]],
    ['constructor', 'smtp:\n  constructor: {prototype: 1}\n', ["'smtp.constructor'"]],
    ['a host with a line break', 'smtp: {host: "a\\r\\nRCPT"}', ['smtp.host must be one word']],
    ['an EHLO name with a space', 'smtp: {name: "a b"}', ['smtp.name must be one word']],
    ['url and host', 'smtp: {url: smtp://a, host: b}', ['smtp.url and smtp.host are both set']],
    ['csv and data', 'csv: a\ndata: b', ['csv and data are both set']],
    ['a service misspelt', 'smtp: {service: gmial}', ["'gmail'"]],
    [
      'an attachment root that is not a list',
      'attachments: {roots: files}',
      ['attachments.roots must be a list', "'files'"],
    ],
  ]

  test.each(cases)('%s', async (_what, yaml, says) => {
    const error = await refused({ yaml })
    expect(error).toBeInstanceOf(ConfigError)
    for (const part of says) expect(words(error)).toContain(part)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test('all of them are listed together, each with its line', async () => {
    const error = await refused({ yaml: 'campain: x\nsmtp:\n  port: a\n  hots: b\nretryFor: soon\n' })
    expect(error.message).toContain('4 wrong settings')
    expect(error.problems.map(({ line }) => line).sort()).toEqual([1, 3, 4, 5])
  })

  test('aliases that multiply are refused at once', async () => {
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 10; i++)
      lines.push(
        `${String.fromCharCode(97 + i)}: &${String.fromCharCode(97 + i)} [${`*${String.fromCharCode(96 + i)}, `.repeat(9)}x]`,
      )
    expect(words(await refused({ yaml: lines.join('\n') }))).toContain('aliases')
  })

  test('a variable that is wrong is named', async () => {
    const error = await refused({ env: { MAILMERGE_SMTP_PORT: 'smtp' } })
    expect(error).toBeInstanceOf(ConfigError)
    expect(error.message).toContain('MAILMERGE_SMTP_PORT')
  })

  test('a flag that is wrong is wrong usage', async () => {
    expect(await refused({ flags: { rate: ['10/q'] } })).toBeInstanceOf(UsageError)
    expect(await refused({ flags: { retryFor: 'soon' } })).toBeInstanceOf(UsageError)
    expect(await refused({ flags: { concurrency: 0 } })).toBeInstanceOf(UsageError)
    expect(await refused({ flags: { csv: 'a', data: 'b' } })).toBeInstanceOf(UsageError)
  })

  test('a config that is not there, or is a folder, is an input that cannot be read', async () => {
    expect(await refused({ flags: { config: 'no.yaml' } })).toBeInstanceOf(InputError)
    mkdirSync(join(dir, 'mailmerge.yaml'))
    expect(await refused({})).toBeInstanceOf(InputError)
  })
})
