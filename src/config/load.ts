/**
 * Puts flags, environment, `.env` and mailmerge.yaml together: flags beat environment, environment beats config. Owns the
 * defaults; opens no connection and reads no list.
 */
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { ConfigError, UsageError } from '../errors.ts'
import { given } from '../given.ts'
import { Secret } from '../secret.ts'
import { accountChoice, accountSettings } from './accounts.ts'
import { callback, checkOptions, type SchemaOf } from './check-options.ts'
import { configFromEnvironment } from './environment.ts'
import { findConfig, readConfig, readDotEnv } from './file.ts'
import { bounceSettings, imapSettings } from './imap.ts'
import { mailApiLimits, mailApiSignIn } from './mail-api.ts'
import { notifySettings } from './notify.ts'
import { oauthProviders } from './oauth-provider.ts'
import type { Config } from './schema.ts'
import { PAUSE_HINT, readPause, readRampUp } from './sending-hours.ts'
import type {
  DeliverySettings,
  Environment,
  ListOrigin,
  Pause,
  RampUp,
  RateLimit,
  Settings,
  SourceSettings,
} from './settings.ts'
import type { Provider } from './smtp/providers.ts'
import { smtpSettings } from './smtp/smtp.ts'
import { DURATION_HINT, RATE_HINT, readDuration, readRate } from './units.ts'
import { windowSettings } from './window.ts'

/** Flags of the command line that settings can hold too. */
export interface Flags {
  readonly config?: string
  readonly csv?: string
  readonly data?: string
  readonly template?: string
  readonly smtp?: string
  /** Name of the account that sends, or `share`. */
  readonly account?: string
  /** Column that names the account of each row. */
  readonly accountColumn?: string
  readonly concurrency?: number
  readonly rate?: readonly string[]
  /** Sending hours, such as `Mon-Fri 09:00-17:00`; `always` for none. */
  readonly window?: readonly string[]
  /** Between two messages: `5-12 s`. */
  readonly pause?: string
  readonly campaign?: string
  readonly key?: string
  readonly groupBy?: string
  readonly foldGmail?: boolean
  readonly duplicates?: Settings['duplicates']
  readonly ledger?: string
  readonly metrics?: string
  readonly retryFor?: string
  readonly grace?: string
  readonly late?: string
  readonly tz?: string
  readonly encoding?: string
  readonly delimiter?: string
  readonly sheet?: string
}

export interface LoadSettingsOptions {
  /** Where the search for mailmerge.yaml begins, and where paths of flags start. */
  readonly cwd: string
  readonly env: Environment
  readonly flags: Flags
  /** Asks a person, where there is one. */
  readonly askPassword?: (account: string) => Promise<string>
  /** Things to report that are not errors: a variable that is nearly a setting. */
  readonly note?: (text: string) => void
}

const text = z.string().optional()
const FLAGS: SchemaOf<Flags> = {
  config: text,
  csv: text,
  data: text,
  template: text,
  smtp: text,
  account: text,
  accountColumn: text,
  concurrency: z.number().optional(),
  rate: z.array(z.string()).optional(),
  window: z.array(z.string()).optional(),
  pause: text,
  campaign: text,
  key: text,
  groupBy: text,
  foldGmail: z.boolean().optional(),
  duplicates: z.enum(['error', 'skip', 'all']).optional(),
  ledger: text,
  metrics: text,
  retryFor: text,
  grace: text,
  late: text,
  tz: text,
  encoding: text,
  delimiter: text,
  sheet: text,
}
const OPTIONS: SchemaOf<LoadSettingsOptions> = {
  cwd: z.string(),
  env: z.looseObject({}),
  flags: z.looseObject({}),
  askPassword: callback,
  note: callback,
}

/**
 * The settings of the project that `cwd` is in.
 *
 * @example
 * const settings = await loadSettings({ cwd: process.cwd(), env: process.env, flags: { template: 'invite' } })
 *
 * @throws ConfigError naming file, line and key; InputError for a config that cannot be read; UsageError for a flag.
 */
export async function loadSettings(options: LoadSettingsOptions): Promise<Settings> {
  const { cwd, flags, askPassword } = options
  checkOptions('loadSettings', OPTIONS, options)
  checkOptions('the flags of loadSettings', FLAGS, flags)
  const configFile = findConfig(cwd, flags.config)
  const root = configFile === undefined ? resolve(cwd) : dirname(configFile)
  const file: Config = configFile === undefined ? {} : readConfig(configFile, cwd)
  const env = { ...readDotEnv(root), ...options.env }
  const environment = configFromEnvironment(env, Object.keys(file.accounts ?? {}), options.note)
  const config = merged(file, environment)
  const providers = oauthProviders({ config: config.oauth2 ?? {}, root, env })
  const { smtp, provider } = smtpSettings({
    flag: flags.smtp,
    environment: environment.smtp ?? {},
    file: file.smtp ?? {},
    root,
    providers,
    askPassword,
  })
  const accounts =
    flags.smtp === undefined ? accountsOf(flags, config, file, environment, root, providers, askPassword) : undefined
  const signIn = flags.smtp === undefined ? mailApiSignIn(config.transport) : undefined
  const imap = config.imap === undefined ? undefined : imapSettings(config.imap, root, providers)
  if (config.sentCopy !== undefined && imap === undefined) {
    throw new ConfigError('sentCopy names a folder, and no mailbox is set', { hint: 'Set imap: in mailmerge.yaml.' })
  }
  return {
    ...given({
      configFile,
      template: flags.template === undefined ? config.template : templateFlag(flags.template, cwd, root),
      transport: flags.smtp === undefined ? config.transport : undefined,
      accounts,
      account: chosenAccount(accounts, flags, config),
      campaign: flags.campaign ?? config.campaign,
      group: config.group,
      key: flags.key ?? config.key,
      groupBy: (flags.groupBy ?? config.groupBy)?.normalize('NFC'),
      emailColumn: config.emailColumn?.normalize('NFC'),
      segments: config.segments,
      variants: config.variants,
      metrics: metricsPath(flags, config, cwd, root),
      lateBy: lateBy(flags.late, config.lateBy),
      locale: config.locale,
      timeZone: flags.tz ?? config.timeZone,
      imap,
      sentCopy: config.sentCopy,
      serve: config.serve === undefined ? undefined : serveSettings(config.serve),
      notify: config.notify === undefined ? undefined : notifySettings(config.notify, root, providers),
      unsubscribe: config.unsubscribe === undefined ? undefined : unsubscribeSettings(config.unsubscribe),
    }),
    root,
    check: { clients: config.check?.clients, rspamd: config.check?.rspamd, spamd: config.check?.spamd },
    source: sourceSettings({ ...options, env }, file, environment, root),
    message: config.message ?? {},
    smtp,
    oauth2: {
      providers,
      ...given({
        used: signIn?.name ?? environment.smtp?.oauth2 ?? file.smtp?.oauth2 ?? config.imap?.oauth2,
        user: signIn?.user ?? smtp.user ?? imap?.user,
      }),
    },
    delivery: deliverySettings(
      flags,
      config,
      root,
      usesSmtp(flags, config) ? provider : mailApiLimits(config.transport),
    ),
    foldGmail: flags.foldGmail ?? config.foldGmail ?? false,
    allowEmpty: config.allowEmpty ?? false,
    duplicates: flags.duplicates ?? config.duplicates ?? 'error',
    ledger:
      flags.ledger === undefined ? place(config.ledger ?? '.mailmerge/ledger.db', root) : place(flags.ledger, cwd),
    attachmentRoots: (config.attachments?.roots ?? []).map((path) => resolve(root, path)),
    dkim: (config.dkim ?? []).map((key) => ({ ...key, key: resolve(root, key.key) })),
    bounces: bounceSettings(config.bounces),
  }
}

/** The accounts of the project. */
function accountsOf(
  flags: Flags,
  config: Config,
  file: Config,
  environment: Config,
  root: string,
  providers: Settings['oauth2']['providers'],
  askPassword: LoadSettingsOptions['askPassword'],
): Settings['accounts'] {
  if (file.accounts === undefined) return undefined
  return accountSettings({
    ...{ config, root, providers, askPassword },
    ...{ file: file.smtp ?? {}, environment: environment.smtp ?? {} },
    accounts: { file: file.accounts, environment: environment.accounts },
    deliveryOf: (own, provider) => deliverySettings(flags, own, root, provider),
  })
}

/** A server that is named for this command alone takes the place of all accounts. */
function chosenAccount(accounts: Settings['accounts'], flags: Flags, config: Config): Settings['account'] {
  if (flags.smtp === undefined) return accountChoice(accounts, flags, config.account)
  if (flags.account === undefined && flags.accountColumn === undefined) return undefined
  throw new UsageError('--smtp names a server, and an account has one of its own', {
    hint: 'Leave --smtp out to send from the account.',
  })
}

/** The environment over the file, key by key, also within groups. The server has rules of its own: see `smtp.ts`. */
function merged(file: Config, environment: Config): Config {
  return {
    ...file,
    ...environment,
    ...given({
      columns: group(file.columns, environment.columns),
      perDomain: group(file.perDomain, environment.perDomain),
      window: group(file.window, environment.window),
      serve: group(file.serve, environment.serve),
      unsubscribe: group(file.unsubscribe, environment.unsubscribe),
      oauth2: clients(file.oauth2, environment.oauth2),
      imap: group(file.imap, environment.imap),
      bounces: group(file.bounces, environment.bounces),
      notify: group(file.notify, environment.notify),
    }),
  }
}

/** The client secret may be in the environment while the rest is in the file. */
function clients(file: Config['oauth2'], environment: Config['oauth2']): Config['oauth2'] {
  if (file === undefined || environment === undefined) return environment ?? file
  const both = Object.entries(environment).map(([name, client]) => [name, { ...file[name], ...client }])
  return { ...file, ...Object.fromEntries(both) }
}

function group<G extends object>(file: G | undefined, environment: G | undefined): G | undefined {
  return file === undefined ? environment : { ...file, ...environment }
}

/** A path starts where the command was given; a name, and a path that is nowhere there, in the project. */
function templateFlag(text: string, cwd: string, root: string): string {
  const path = resolve(cwd, text)
  return resolve(cwd) !== root && /[\\/]/.test(text) && existsSync(path) ? path : text
}

/** A flag starts where the command was given, a setting in the project. */
function metricsPath(flags: Flags, config: Config, cwd: string, root: string): string | undefined {
  if (flags.metrics !== undefined) return resolve(cwd, flags.metrics)
  return config.metrics === undefined ? undefined : resolve(root, config.metrics)
}

/** A database: its address, or a file of the project. */
function place(text: string, folder: string): string {
  if (/^postgres(ql)?:/.test(text)) return text
  // Never shown whole: it may hold a password.
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(text)?.[1]
  if (scheme === undefined) return resolve(folder, text)
  throw new ConfigError(`${scheme}:// is not supported as a database`, { hint: 'Name a SQLite file, by its path.' })
}

function sourceSettings(
  { cwd, flags, env }: LoadSettingsOptions,
  file: Config,
  environment: Config,
  root: string,
): SourceSettings {
  if (flags.csv !== undefined && flags.data !== undefined)
    throw new UsageError('--csv and --data are the same option', { hint: 'Give one of them.' })
  for (const { csv, data } of [file, environment]) {
    if (csv !== undefined && data !== undefined)
      throw new ConfigError('csv and data are both set', { hint: 'Each names the list: keep one of them.' })
  }
  const { rename, computed, types } = group(file.columns, environment.columns) ?? {}
  const columns = given({ rename, computed, types })
  const how = given({ encoding: flags.encoding, delimiter: flags.delimiter, sheet: flags.sheet })
  const flag = flags.csv ?? flags.data
  // How the configured list is to be read says nothing of another file.
  if (flag !== undefined) return { ...columns, ...how, from: fileOrInput(flag, cwd, root) }
  const set = environment.data ?? environment.csv ?? file.data ?? file.csv
  const { path, sql, command, headers, ...rest } =
    typeof set === 'string' ? { path: set, sql: undefined, command: undefined, headers: undefined } : (set ?? {})
  const from = originOf({ path, sql, command, headers }, root, env)
  return { ...columns, ...given(rest), ...how, from }
}

type DataConfig = Exclude<NonNullable<Config['data']>, string>

/** The schema lets one of them through. */
function originOf(
  { path, sql, command, headers }: Pick<DataConfig, 'path' | 'sql' | 'command' | 'headers'>,
  root: string,
  env: Environment,
): ListOrigin | undefined {
  if (path !== undefined) return fileOrInput(path, root, root, headersOf(headers ?? {}, env))
  if (sql !== undefined) return { kind: 'query', query: sql.query, database: place(sql.database, root) }
  return command === undefined ? undefined : { kind: 'command', line: command, folder: root }
}

function fileOrInput(
  path: string,
  folder: string,
  root: string,
  headers: Readonly<Record<string, string>> = {},
): ListOrigin {
  if (/^https?:\/\//i.test(path)) return webList(path, root, headers)
  return path === '-' ? { kind: 'stdin' } : { kind: 'file', path: asTyped(path, folder) }
}

/** @throws ConfigError for an address that is not one, or that would send secrets in the clear. */
function webList(url: string, root: string, headers: Readonly<Record<string, string>>): ListOrigin {
  if (!URL.canParse(url)) throw new ConfigError(`'${url}' is not a valid address of a list`)
  const { protocol, hostname, username, password } = new URL(url)
  if (username !== '' || password !== '') {
    throw new ConfigError('the address of the list holds a password', {
      hint: 'Give it under data: headers: { Authorization: { env: NAME } } in mailmerge.yaml.',
    })
  }
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
  if (protocol === 'http:' && !isLocal) {
    throw new ConfigError('the list would come over http://, which anybody on the way can read and change', {
      hint: 'Use its https:// address, or download the list and name the file.',
    })
  }
  return { kind: 'web', url, headers, root }
}

/** @throws ConfigError for a variable that is not set. */
function headersOf(headers: NonNullable<DataConfig['headers']>, env: Environment): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      if (typeof value === 'string') return [name, value]
      const secret = env[value.env]
      if (secret !== undefined && secret !== '') return [name, secret]
      throw new ConfigError(`data.headers.${name} is the variable ${value.env}, which is not set`, {
        hint: `Set ${value.env} in the environment or in .env.`,
      })
    }),
  )
}

/** A path that works from here, and still reads as it was typed where that is the same. */
function asTyped(path: string, folder: string): string {
  return resolve(folder) === process.cwd() ? path : resolve(folder, path)
}

/** Limits of a provider hold for what goes through its server. */
function usesSmtp({ smtp }: Flags, { transport }: Config): boolean {
  return smtp !== undefined || transport === undefined || transport === 'smtp'
}

function deliverySettings(
  flags: Flags,
  config: Config,
  root: string,
  provider: Pick<Provider, 'connections' | 'rates'> | undefined,
): DeliverySettings {
  const concurrency = flags.concurrency ?? config.concurrency ?? provider?.connections ?? 5
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 200) {
    throw new UsageError(`--concurrency ${concurrency} is not between 1 and 200`, {
      hint: 'The default is 5 connections.',
    })
  }
  const { perDomain } = config
  return {
    concurrency,
    rates: (flags.rate ?? config.rate)?.map(rateOf) ?? provider?.rates ?? [],
    retryFor: durationOf(flags.retryFor ?? config.retryFor ?? '4h', '--retry-for'),
    grace: durationOf(flags.grace ?? config.grace ?? '30s', '--grace'),
    ...given({
      window: windowSettings(flags.window, config.window, root),
      pause: pauseOf(flags.pause ?? config.pause),
      rampUp: config.rampUp === undefined ? undefined : rampUpOf(config.rampUp),
      perDomain:
        perDomain === undefined
          ? undefined
          : given({ concurrency: perDomain.concurrency, rates: perDomain.rate?.map(rateOf) }),
    }),
  }
}

/** What the config says was checked by its schema: what is wrong here came from a flag. */
function rateOf(text: string): RateLimit {
  const rate = readRate(text)
  if (rate === undefined) throw new UsageError(`'${text}' is not a valid rate for --rate`, { hint: RATE_HINT })
  return rate
}

function pauseOf(text: string | undefined): Pause | undefined {
  if (text === undefined) return undefined
  const read = readPause(text)
  if ('value' in read) return read.value
  throw new UsageError(`'${text}' is not valid for --pause: ${read.wrong}`, { hint: PAUSE_HINT })
}

function rampUpOf(text: string): RampUp | undefined {
  const read = readRampUp(text)
  return 'value' in read ? read.value : undefined
}

function durationOf(text: string, flag: string): number {
  const duration = readDuration(text)
  if (duration === undefined)
    throw new UsageError(`'${text}' is not a valid duration for ${flag}`, { hint: DURATION_HINT })
  return duration
}

/** `ok` on the command line is a person's word that late is right. */
function lateBy(flag: string | undefined, config: string | undefined): number | undefined {
  if (flag === 'ok') return Number.POSITIVE_INFINITY
  const text = flag ?? config
  return text === undefined ? undefined : durationOf(text, '--late')
}

function serveSettings({ token, ...serve }: NonNullable<Config['serve']>): NonNullable<Settings['serve']> {
  return given({ ...serve, token: token === undefined ? undefined : new Secret(token) })
}

function unsubscribeSettings({
  secret,
  ...unsubscribe
}: NonNullable<Config['unsubscribe']>): NonNullable<Settings['unsubscribe']> {
  return given({
    ...unsubscribe,
    secret: secret === undefined ? undefined : () => Promise.resolve(new Secret(secret)),
  })
}
