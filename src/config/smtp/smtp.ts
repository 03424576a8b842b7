/**
 * The server to send through, put together from flags, environment and config. Owns which of them wins, and that a
 * password and a relaxed check made for one server are not carried to another one.
 */
import { resolve } from 'node:path'
import { ConfigError } from '../../errors.ts'
import { given } from '../../given.ts'
import { once, Secret, secretFromCommand, together } from '../../secret.ts'
import { variableOf } from '../environment.ts'
import { oauthProvider } from '../oauth-provider.ts'
import type { SmtpConfig } from '../schema.ts'
import type { OAuthProvider, SignIn, SmtpSettings, SmtpTimeouts } from '../settings.ts'
import { readDuration } from '../units.ts'
import { type Provider, providerOf, providerOfHost } from './providers.ts'
import { readSmtpUrl, type SmtpUrl } from './smtp-url.ts'

export interface SmtpSources {
  /** `--smtp`. */
  readonly flag: string | undefined
  readonly environment: SmtpConfig
  readonly file: SmtpConfig
  /** Folder of the config, where its paths and commands start. */
  readonly root: string
  /** Asks a person, where there is one. */
  readonly askPassword: ((account: string) => Promise<string>) | undefined
  /** Who gives tokens, by the names that `oauth2` may have. */
  readonly providers: Readonly<Record<string, OAuthProvider>>
  /** Where its keys are in the config, if not in `smtp`. */
  readonly place?: readonly string[]
}

const PLACE = ['smtp']

/**
 * RFC 5321 section 4.5.3.2 for the stages in which a message can be lost; shorter where nothing is at stake, so that a
 * server that does not answer is noticed.
 */
const TIMEOUTS: SmtpTimeouts = { connect: 30_000, greeting: 30_000, command: 60_000, data: 180_000, endOfData: 600_000 }

/** @throws ConfigError, which never shows a secret. */
export function smtpSettings(sources: SmtpSources): {
  readonly smtp: SmtpSettings
  readonly provider: Provider | undefined
} {
  const { file, root } = sources
  const { url: variable, ...environment } = sources.environment
  const key = (sources.place ?? PLACE).join('.')
  if (variable !== undefined) refuseTwoServers(sources.environment, key)
  // An address names the whole server; the keys of the environment change the config's one by one.
  const address = sources.flag ?? variable
  const url = address === undefined ? undefined : readSmtpUrl(address)
  const configured = serverOf({ ...withoutServer(file, environment), ...environment }, key)
  const elsewhere = url !== undefined && configured.named && url.host !== configured.host
  // What was set for another server: only the environment, which was set for this very command, still counts.
  const trusted: SmtpConfig = elsewhere ? environment : { ...file, ...environment }
  const host = url?.host ?? configured.host
  const provider = url === undefined ? configured.provider : providerOfHost(host)
  const port = url === undefined ? configured.port : url.port
  const lmtp = url?.lmtp ?? configured.lmtp
  const security = url?.security ?? configured.security
  const user = url?.user ?? (elsewhere ? environment.user : configured.user)
  const known = knownSecret(sources, url, configured, elsewhere)
  if (user === undefined) refuseNobody(known, key)
  const way = user === undefined ? undefined : loginWay(sources, known, user)
  const loginHint =
    way?.accessToken === undefined && way?.signIn === undefined ? provider?.login : tokenHint(known, user)
  const timeouts = { ...file.timeouts, ...environment.timeouts }
  const general = { ...file, ...environment }
  const { name, proxy, recipientsPerConnection, dsn, requireTls } = general
  const messagesPerConnection = general.messagesPerConnection ?? provider?.messagesPerConnection
  const smtp: SmtpSettings = {
    host,
    port: port ?? usualPort(security, lmtp),
    security,
    ...given({ user, loginHint, name, auth: trusted.auth }),
    ...way,
    verifyCertificate: trusted.verifyCertificate ?? true,
    ...given({ ca: trusted.ca === undefined ? undefined : resolve(root, trusted.ca) }),
    allowPlainLogin: trusted.allowPlainLogin ?? false,
    lmtp,
    pipelining: general.pipelining ?? 'auto',
    timeouts: {
      connect: milliseconds(timeouts.connect) ?? TIMEOUTS.connect,
      greeting: milliseconds(timeouts.greeting) ?? TIMEOUTS.greeting,
      command: milliseconds(timeouts.command) ?? TIMEOUTS.command,
      data: milliseconds(timeouts.data) ?? TIMEOUTS.data,
      endOfData: milliseconds(timeouts.endOfData) ?? TIMEOUTS.endOfData,
    },
    ...given({ messagesPerConnection, recipientsPerConnection, dsn, requireTls, proxy }),
  }
  return { smtp, provider }
}

interface Server {
  readonly host: string
  readonly port: number | undefined
  readonly security: SmtpSettings['security']
  readonly lmtp: boolean
  readonly user: string | undefined
  readonly url: SmtpUrl | undefined
  readonly provider: Provider | undefined
  /** False where only the default says which server it is. */
  readonly named: boolean
}

/** A host or service in the environment takes the place of whatever names the server in the config. */
function withoutServer(file: SmtpConfig, environment: SmtpConfig): SmtpConfig {
  if (environment.host === undefined && environment.service === undefined) return file
  const { url: _url, service: _service, ...rest } = file
  if (environment.host !== undefined) return rest
  const { host: _host, port: _port, security: _security, lmtp: _lmtp, ...general } = rest
  return general
}

function refuseTwoServers({ url, host, service }: SmtpConfig, key: string): void {
  if (url === undefined || (host === undefined && service === undefined)) return
  throw new ConfigError(`${key}.url and ${key}.${host === undefined ? 'service' : 'host'} are both set`, {
    hint: 'Each names a server: keep one of them.',
  })
}

function serverOf(config: SmtpConfig, key: string): Server {
  refuseTwoServers(config, key)
  const url = config.url === undefined ? undefined : readSmtpUrl(config.url)
  const provider = config.service === undefined ? undefined : providerOf(config.service)
  const host = url?.host ?? config.host ?? provider?.host ?? 'localhost'
  const port = config.port ?? url?.port ?? provider?.port
  return {
    host,
    port,
    security: config.security ?? url?.security ?? usualSecurity(provider, port),
    lmtp: config.lmtp ?? url?.lmtp ?? false,
    user: config.user ?? url?.user,
    url,
    provider: provider ?? providerOfHost(host),
    named: url !== undefined || provider !== undefined || config.host !== undefined,
  }
}

/** A provider offers TLS, and a login goes over nothing else; port 465 is TLS from the start (RFC 8314). */
function usualSecurity(provider: Provider | undefined, port: number | undefined): SmtpSettings['security'] {
  if (port === 465) return 'tls'
  return provider === undefined ? 'auto' : provider.secure && port === provider.port ? 'tls' : 'starttls'
}

function usualPort(security: SmtpSettings['security'], lmtp: boolean): number {
  if (lmtp) return 24
  return security === 'tls' ? 465 : security === 'starttls' ? 587 : 25
}

function milliseconds(text: string | undefined): number | undefined {
  return text === undefined ? undefined : readDuration(text)
}

/** The one secret that was set for an account, and how it comes. */
interface KnownSecret {
  readonly password?: string | undefined
  readonly passwordCommand?: string | undefined
  readonly tokenCommand?: string | undefined
  readonly oauth2?: string | undefined
}

const WAYS = ['password', 'passwordCommand', 'tokenCommand', 'oauth2'] as const

/** What was set for this account of this server: a flag's, the environment's, the config's. */
function knownSecret(
  { environment, file, place = PLACE }: SmtpSources,
  url: SmtpUrl | undefined,
  configured: Server,
  elsewhere: boolean,
): KnownSecret {
  if (url?.password !== undefined) return { password: url.password }
  const key = place.join('.')
  if (onlyWay(environment, key) !== undefined) return environment
  const own = { ...file, password: configured.url?.password ?? file.password }
  onlyWay(own, key)
  if (elsewhere) return {}
  // A sign-in is kept by mailbox, so another mailbox of this server has one of its own.
  return url?.user !== undefined && url.user !== configured.user ? { oauth2: file.oauth2 } : own
}

/** @throws ConfigError when there are two. */
function onlyWay(known: KnownSecret, key: string): string | undefined {
  const [one, another] = WAYS.filter((way) => known[way] !== undefined)
  if (one === undefined || another === undefined) return one
  throw new ConfigError(`${key}.${one} and ${key}.${another} are both set`, {
    hint: 'Each is a way to log in: keep one of them.',
  })
}

/** A token is for a mailbox, and the server wants to know for which. */
function refuseNobody({ tokenCommand, oauth2 }: KnownSecret, key: string): void {
  if (tokenCommand === undefined && oauth2 === undefined) return
  throw new ConfigError(`${key}.${oauth2 === undefined ? 'tokenCommand' : 'oauth2'} is set, and no ${key}.user`, {
    hint: `Set ${key}.user to the address of the mailbox that sends.`,
  })
}

interface LoginWay {
  readonly password?: () => Promise<Secret>
  readonly accessToken?: () => Promise<Secret>
  readonly signIn?: SignIn
}

function loginWay(sources: SmtpSources, known: KnownSecret, user: string): LoginWay {
  const { root, providers } = sources
  const { tokenCommand, oauth2 } = known
  if (tokenCommand !== undefined)
    return { accessToken: together(() => secretFromCommand(tokenCommand, root, 'tokenCommand', 'an access token')) }
  if (oauth2 !== undefined) return { signIn: { provider: oauthProvider(oauth2, providers), user } }
  return { password: passwordSource(sources, known, user) }
}

function tokenHint({ oauth2 }: KnownSecret, user = ''): string {
  return oauth2 === undefined
    ? 'Check that tokenCommand prints a valid token for this server. It was tried once; nothing was sent.'
    : `Is ${user} the mailbox that was signed in to, and may it send by SMTP? Else: mailmerge login ${oauth2} --user ${user}`
}

function passwordSource(
  { root, askPassword, place = PLACE }: SmtpSources,
  { password, passwordCommand }: KnownSecret,
  user: string,
): () => Promise<Secret> {
  if (password !== undefined) {
    const secret = new Secret(password)
    return () => Promise.resolve(secret)
  }
  if (passwordCommand !== undefined)
    return once(() => secretFromCommand(passwordCommand, root, 'passwordCommand', 'the password'))
  if (askPassword !== undefined) return once(async () => new Secret(await askPassword(user)))
  return () =>
    Promise.reject(
      new ConfigError(`there is no password for ${user}`, {
        hint: `Set ${variableOf([...place, 'password'])} in the environment or in .env, or ${place.join('.')}.passwordCommand in mailmerge.yaml.`,
      }),
    )
}
