/**
 * Puts flags, environment, `.env` and mailmerge.yaml together: flags beat environment, environment beats config. Owns the
 * defaults; opens no connection and reads no list.
 */
import { dirname, resolve } from 'node:path'
import { ConfigError, UsageError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { parseDuration, parseRate } from './duration.ts'
import { findConfig, readConfig, readDotEnv } from './file.ts'
import { once, passwordFromCommand } from './password.ts'
import { type Provider, providerOf } from './providers.ts'
import { type Config, configSchema } from './schema.ts'
import {
  type DeliverySettings,
  Secret,
  type Settings,
  type SmtpSettings,
  type SmtpTimeouts,
  type SourceSettings,
} from './settings.ts'

/** Flags of the command line that settings can hold too. */
export interface Flags {
  readonly config?: string
  readonly csv?: string
  readonly data?: string
  readonly template?: string
  readonly smtp?: string
  readonly concurrency?: number
  readonly rate?: readonly string[]
  readonly campaign?: string
  readonly key?: string
  readonly duplicates?: 'error' | 'skip' | 'all'
  readonly ledger?: string
  readonly retryFor?: string
  readonly grace?: string
  readonly tz?: string
  readonly encoding?: string
  readonly delimiter?: string
  readonly sheet?: string
}

export interface LoadSettingsOptions {
  readonly cwd: string
  readonly env: NodeJS.Dict<string>
  readonly flags: Flags
  /** Asks a person, where there is one. */
  readonly askPassword?: (account: string) => Promise<string>
}

/** RFC 5321 section 4.5.3.2 in the least, but for greeting and commands, where nobody waits five minutes any more. */
const TIMEOUTS: SmtpTimeouts = { connect: 30_000, greeting: 30_000, command: 60_000, data: 180_000, endOfData: 600_000 }

/**
 * The settings of the project that `cwd` is in.
 * @throws ConfigError naming file, line and key; InputError for a config that cannot be read.
 */
export async function loadSettings(options: LoadSettingsOptions): Promise<Settings> {
  const { cwd, flags } = options
  const configFile = findConfig(cwd, flags.config)
  const root = configFile === undefined ? resolve(cwd) : dirname(configFile)
  const env = { ...readDotEnv(root), ...options.env }
  const file = configFile === undefined ? {} : readConfig(configFile, cwd)
  const config: Config = { ...file, ...fromEnvironment(env) }
  const provider = config.smtp?.service === undefined ? undefined : providerOf(config.smtp.service)
  const timeZone = flags.tz ?? config.timeZone
  return {
    root,
    ...optional('configFile', configFile),
    source: sourceSettings(options, config, root),
    ...optional('template', flags.template ?? config.template),
    message: config.message ?? {},
    smtp: smtpSettings(options, config, env, root, provider),
    ...optional('transport', flags.smtp === undefined ? config.transport : undefined),
    delivery: deliverySettings(flags, config, provider),
    ...optional('campaign', flags.campaign ?? config.campaign),
    ...optional('group', config.group),
    ...optional('key', flags.key ?? config.key),
    ...optional('emailColumn', config.emailColumn),
    duplicates: flags.duplicates ?? config.duplicates ?? 'error',
    ledger: ledgerPath(
      flags.ledger === undefined ? undefined : absolute(flags.ledger, cwd),
      env['MAILMERGE_LEDGER'] ?? config.ledger,
      root,
    ),
    attachmentRoots: (config.attachments?.roots ?? []).map((path) => resolve(root, path)),
    dkim: config.dkim ?? [],
    ...optional('locale', config.locale),
    ...optional('timeZone', timeZone),
    ...(config.unsubscribe === undefined ? {} : { unsubscribe: unsubscribeSettings(config.unsubscribe) }),
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V })
}

function absolute(path: string, folder: string): string {
  return /^postgres(ql)?:/.test(path) ? path : resolve(folder, path)
}

function ledgerPath(flag: string | undefined, config: string | undefined, root: string): string {
  return flag ?? absolute(config ?? '.mailmerge/ledger.db', root)
}

/** `MAILMERGE_<KEY>`: every key of the config, words apart by underscores: MAILMERGE_RETRY_FOR, MAILMERGE_SMTP_HOST. */
function fromEnvironment(env: NodeJS.Dict<string>): Partial<Config> {
  const found: Record<string, unknown> = {}
  const smtp: Record<string, unknown> = {}
  const smtpKeys = Object.keys(configSchema.shape.smtp.unwrap().shape)
  const keys = Object.keys(configSchema.shape)
  const variable = (key: string): string => `MAILMERGE_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
  for (const key of keys) {
    const value = env[variable(key)]
    if (value !== undefined && value !== '' && key !== 'smtp' && key !== 'ledger') found[key] = plainValue(value)
  }
  for (const key of smtpKeys) {
    const value = env[variable(`smtp_${key}`)]
    if (value !== undefined && value !== '')
      smtp[key] = ['password', 'user', 'name', 'passwordCommand', 'url'].includes(key) ? value : plainValue(value)
  }
  for (const name of Object.keys(env)) {
    if (!name.startsWith('MAILMERGE_') || name.startsWith('MAILMERGE_TEST_')) continue
    const known = [...keys.map(variable), ...smtpKeys.map((key) => variable(`smtp_${key}`))]
    if (known.includes(name)) continue
    const guess = nearest(name, known)
    throw new ConfigError(`the environment variable ${name} is no setting`, {
      hint: guess === undefined ? 'docs/configuration.md lists every setting.' : `Did you mean ${guess}?`,
    })
  }
  if (Object.keys(smtp).length > 0) found['smtp'] = smtp
  const result = configSchema.safeParse(found)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new ConfigError(`the environment variable for ${issue?.path.join('.')}: ${issue?.message}`, {
    hint: 'docs/configuration.md lists every setting.',
  })
}

function plainValue(text: string): unknown {
  if (/^-?\d+$/.test(text)) return Number(text)
  return text === 'true' ? true : text === 'false' ? false : text
}

function sourceSettings({ cwd, flags }: LoadSettingsOptions, config: Config, root: string): SourceSettings {
  const { rename, computed, types } = config.columns ?? {}
  const columns = { ...optional('rename', rename), ...optional('computed', computed), ...optional('types', types) }
  if (flags.csv !== undefined && flags.data !== undefined)
    throw new UsageError('--csv and --data are the same option', { hint: 'Give one of them.' })
  const flag = flags.csv ?? flags.data
  const set = config.data ?? config.list ?? config.csv
  const file = typeof set === 'string' ? { path: set } : (set ?? {})
  const how = {
    ...optional('encoding', flags.encoding),
    ...optional('delimiter', flags.delimiter),
    ...optional('sheet', flags.sheet),
  }
  if (flag !== undefined) return { ...columns, ...how, path: flag === '-' ? '-' : resolvedAsTyped(flag, cwd) }
  const { path, ...rest } = file as SourceSettings
  return {
    ...columns,
    ...rest,
    ...how,
    ...(path === undefined ? {} : { path: path === '-' ? '-' : resolvedAsTyped(path, root) }),
  }
}

/** A path that works from anywhere, and still reads as it was typed where that is the same. */
function resolvedAsTyped(path: string, folder: string): string {
  return resolve(folder) === process.cwd() ? path : resolve(folder, path)
}

function deliverySettings(flags: Flags, config: Config, provider: Provider | undefined): DeliverySettings {
  const concurrency = flags.concurrency ?? config.concurrency ?? provider?.connections ?? 5
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 200) {
    throw new UsageError(`--concurrency ${concurrency} is not between 1 and 200`, {
      hint: 'The default is 5 connections.',
    })
  }
  const rates = (flags.rate ?? config.rate)?.map((text) =>
    parseRate(text, flags.rate === undefined ? 'rate' : '--rate'),
  )
  const { perDomain } = config
  return {
    // What a provider allows holds even where more is asked for.
    concurrency: provider?.connections === undefined ? concurrency : Math.min(concurrency, provider.connections),
    rates: rates ?? provider?.rates ?? [],
    retryFor: parseDuration(
      flags.retryFor ?? config.retryFor ?? '4h',
      flags.retryFor === undefined ? 'retryFor' : '--retry-for',
    ),
    grace: parseDuration(flags.grace ?? config.grace ?? '30s', flags.grace === undefined ? 'grace' : '--grace'),
    ...(perDomain === undefined
      ? {}
      : {
          perDomain: {
            ...optional('concurrency', perDomain.concurrency),
            ...optional(
              'rates',
              perDomain.rate?.map((text) => parseRate(text, 'perDomain.rate')),
            ),
          },
        }),
  }
}

function smtpSettings(
  options: LoadSettingsOptions,
  config: Config,
  env: NodeJS.Dict<string>,
  root: string,
  provider: Provider | undefined,
): SmtpSettings {
  const file = config.smtp ?? {}
  const url = options.flags.smtp ?? env['MAILMERGE_SMTP_URL'] ?? file.url
  const fromUrl = url === undefined ? undefined : readSmtpUrl(url)
  const security =
    fromUrl?.security ?? file.security ?? (provider === undefined ? 'auto' : provider.secure ? 'tls' : 'starttls')
  const host = fromUrl?.host ?? file.host ?? provider?.host ?? 'localhost'
  const port =
    fromUrl?.port ?? file.port ?? provider?.port ?? (security === 'tls' ? 465 : security === 'starttls' ? 587 : 25)
  const user = fromUrl?.user ?? file.user
  const password = passwordSource(options, file, env, root, fromUrl, user)
  const timeouts = Object.fromEntries(
    Object.entries(TIMEOUTS).map(([stage, usual]) => {
      const text = file.timeouts?.[stage as keyof SmtpTimeouts]
      return [stage, text === undefined ? usual : parseDuration(text, `smtp.timeouts.${stage}`)]
    }),
  ) as unknown as SmtpTimeouts
  return {
    host,
    port,
    security,
    ...optional('user', user),
    ...optional('password', password),
    ...optional('name', file.name),
    verifyCertificate: file.verifyCertificate ?? true,
    ...optional('ca', file.ca === undefined ? undefined : resolve(root, file.ca)),
    allowPlainLogin: file.allowPlainLogin ?? false,
    lmtp: file.lmtp ?? false,
    pipelining: file.pipelining ?? 'auto',
    timeouts,
    ...optional('messagesPerConnection', file.messagesPerConnection ?? provider?.messagesPerConnection),
    ...optional('proxy', file.proxy),
  }
}

interface SmtpUrl {
  readonly host: string
  readonly port?: number
  readonly security: SmtpSettings['security']
  readonly user?: string
  readonly password?: string
}

/** @throws ConfigError, which never shows the URL's password. */
function readSmtpUrl(text: string): SmtpUrl {
  const hint = 'Write smtp://user@mail.example.com:587, or smtps://mail.example.com for TLS from the start.'
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new ConfigError('the SMTP address is no URL', { hint })
  }
  const schemes: Readonly<Record<string, SmtpUrl['security']>> = {
    'smtp:': 'auto',
    'smtps:': 'tls',
    'smtp+starttls:': 'starttls',
  }
  const security = schemes[url.protocol]
  if (security === undefined || url.hostname === '')
    throw new ConfigError(`the SMTP address begins with '${url.protocol}//'`, { hint })
  const decode = (part: string): string | undefined => (part === '' ? undefined : decodeURIComponent(part))
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    security,
    ...optional('port', url.port === '' ? undefined : Number(url.port)),
    ...optional('user', decode(url.username)),
    ...optional('password', decode(url.password)),
  }
}

function passwordSource(
  options: LoadSettingsOptions,
  file: NonNullable<Config['smtp']>,
  env: NodeJS.Dict<string>,
  root: string,
  url: SmtpUrl | undefined,
  user: string | undefined,
): (() => Promise<Secret>) | undefined {
  if (user === undefined) return undefined
  const known = url?.password ?? env['MAILMERGE_SMTP_PASSWORD'] ?? file.password
  if (known !== undefined) return once(() => Promise.resolve(new Secret(known)))
  const { passwordCommand } = file
  if (passwordCommand !== undefined) return once(() => passwordFromCommand(passwordCommand, root))
  const { askPassword } = options
  if (askPassword !== undefined) return once(async () => new Secret(await askPassword(user)))
  return () =>
    Promise.reject(
      new ConfigError(`there is no password for ${user}`, {
        hint: 'Set MAILMERGE_SMTP_PASSWORD in the environment or in .env, or smtp.passwordCommand in mailmerge.yaml.',
      }),
    )
}

function unsubscribeSettings({
  url,
  mailto,
  secret,
}: NonNullable<Config['unsubscribe']>): NonNullable<Settings['unsubscribe']> {
  return {
    ...optional('url', url),
    ...optional('mailto', mailto),
    ...(secret === undefined ? {} : { secret: () => Promise.resolve(new Secret(secret)) }),
  }
}
