/**
 * Several accounts to send from, put together from the environment and the config. Owns what an account takes over from the
 * settings around it, and that a login is never carried to another server or another user.
 */
import { resolve } from 'node:path'
import { didYouMean } from '../did-you-mean.ts'
import { ConfigError, UsageError } from '../errors.ts'
import { given } from '../given.ts'
import { mailApiLimits } from './mail-api.ts'
import type { AccountConfig, Config, SmtpConfig } from './schema.ts'
import type { AccountChoice, AccountSettings, DeliverySettings } from './settings.ts'
import type { Provider } from './smtp/providers.ts'
import { type SmtpSources, smtpSettings } from './smtp/smtp.ts'
import { readSmtpUrl } from './smtp/smtp-url.ts'

/** The word that shares the load among all accounts. */
export const SHARE = 'share'

export interface AccountSources extends Omit<SmtpSources, 'flag' | 'place'> {
  /** The settings around the accounts, environment and file together. */
  readonly config: Config
  readonly accounts: { readonly file: NonNullable<Config['accounts']>; readonly environment: Config['accounts'] }
  /** What `accounts` hold beside their servers, by what holds for all. */
  readonly deliveryOf: (
    config: Config,
    provider: Pick<Provider, 'connections' | 'rates'> | undefined,
  ) => DeliverySettings
}

/** @throws ConfigError that names the account. */
export function accountSettings(sources: AccountSources): Readonly<Record<string, AccountSettings>> {
  const { file, environment = {} } = sources.accounts
  return Object.fromEntries(
    Object.keys(file).map((name) => [name, accountOf(name, file[name] ?? {}, environment[name] ?? {}, sources)]),
  )
}

function accountOf(
  name: string,
  file: AccountConfig,
  environment: AccountConfig,
  { config, root, ...sources }: AccountSources,
): AccountSettings {
  const around = takenOver(sources.file, sources.environment)
  const set = { ...file, ...environment }
  const own: SmtpConfig = file.smtp ?? {}
  const { smtp, provider } = smtpSettings({
    ...{ root, flag: undefined, providers: sources.providers, askPassword: sources.askPassword },
    ...{ place: ['accounts', name, 'smtp'], file: takenOver(around, own), environment: environment.smtp ?? {} },
  })
  // An account with a server of its own does not send in the way that is set for the others.
  const transport = set.transport ?? (set.smtp === undefined ? config.transport : undefined)
  const isSmtp = transport === undefined || transport === 'smtp'
  const limits = given({
    concurrency: set.concurrency,
    rate: set.rate,
    perDomain: set.perDomain,
    window: set.window,
    pause: set.pause,
    rampUp: set.rampUp,
  })
  return {
    smtp,
    delivery: sources.deliveryOf({ ...config, ...limits }, isSmtp ? provider : mailApiLimits(transport)),
    dkim: (set.dkim ?? config.dkim ?? []).map((key) => ({ ...key, key: resolve(root, key.key) })),
    ...given({ transport, from: set.from, returnPath: set.returnPath ?? config.bounces?.returnPath }),
  }
}

const LOGIN = ['user', 'password', 'passwordCommand', 'tokenCommand', 'oauth2'] as const
const SERVER = [
  ...['url', 'service', 'host', 'port', 'security', 'lmtp'],
  ...['ca', 'verifyCertificate', 'allowPlainLogin', 'auth'],
]

/** What `own` says, and what it leaves open as `outer` has it: of another server nothing about the server, of another user no login. */
function takenOver(outer: SmtpConfig, own: SmtpConfig): SmtpConfig {
  const namesServer = own.url !== undefined || own.service !== undefined || own.host !== undefined
  const namesLogin = LOGIN.some((key) => own[key] !== undefined)
  if (namesServer) return { ...without(outer, [...SERVER, ...LOGIN]), ...own }
  if (!namesLogin) return { ...outer, ...own }
  const { url, ...rest } = outer
  const { host, port, security, lmtp, user } = url === undefined ? rest : { user: undefined, ...readSmtpUrl(url) }
  const server = url === undefined ? {} : given({ host, port, security, lmtp })
  const left = { ...without(rest, LOGIN), ...server }
  // A password alone is for the user who is named around it.
  return own.user === undefined ? { ...left, ...given({ user: outer.user ?? user }), ...own } : { ...left, ...own }
}

function without(config: SmtpConfig, keys: readonly string[]): SmtpConfig {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !keys.includes(key)))
}

/**
 * Which of the accounts sends, where that is said: by a flag, or by `account:`.
 * @throws ConfigError, or UsageError for a flag, where there is no such account, or there are none.
 */
export function accountChoice(
  accounts: Readonly<Record<string, unknown>> | undefined,
  flags: { readonly account?: string | undefined; readonly accountColumn?: string | undefined },
  config: Config['account'],
): AccountChoice | undefined {
  const { account, accountColumn } = flags
  if (account !== undefined && accountColumn !== undefined) {
    throw new UsageError('--account and --account-column cannot both be given', {
      hint: 'Each says which account sends a row.',
    })
  }
  const option = account !== undefined ? '--account' : accountColumn !== undefined ? '--account-column' : undefined
  const chosen = account ?? (accountColumn === undefined ? config : { column: accountColumn })
  const names = Object.keys(accounts ?? {})
  if (chosen === undefined) {
    const [only] = names
    return only === undefined || names.length > 1 ? undefined : { by: 'name', name: only }
  }
  const wrong = (message: string, hint: string): Error =>
    option === undefined ? new ConfigError(message, { hint }) : new UsageError(message, { hint })
  if (names.length === 0)
    throw wrong(`${option ?? 'account'} chooses an account, and none is set`, 'Set accounts: in mailmerge.yaml.')
  if (typeof chosen !== 'string') return { by: 'column', column: chosen.column.normalize('NFC') }
  if (chosen === SHARE) return { by: 'share' }
  if (names.includes(chosen)) return { by: 'name', name: chosen }
  throw wrong(`there is no account '${chosen}'`, didYouMean(chosen, names, `There are ${names.join(', ')}.`))
}
