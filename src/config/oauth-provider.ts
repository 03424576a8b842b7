/**
 * Who gives tokens, and as which client we ask. Owns what we know of Google and Microsoft, and how a project's own words
 * change it; asks nobody.
 */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { didYouMean } from '../did-you-mean.ts'
import { ConfigError } from '../errors.ts'
import { given } from '../given.ts'
import { once, Secret, secretFromCommand } from '../secret.ts'
import type { OAuthConfig } from './schema.ts'
import type { Environment, OAuthProvider } from './settings.ts'

type Known = Omit<OAuthProvider, 'name' | 'tokenFolder'>

/** IMAP too, so that bounces are read with the same sign-in. */
const KNOWN: Readonly<Record<string, (config: OAuthConfig) => Known>> = {
  // developers.google.com/identity/protocols/oauth2/native-app; the scope: developers.google.com/gmail/imap/xoauth2-protocol.
  google: () => ({
    issuer: 'https://accounts.google.com',
    authorizationEndpoint: 'https://accounts.google.com/o/oauth2/v2/auth',
    tokenEndpoint: 'https://oauth2.googleapis.com/token',
    revocationEndpoint: 'https://oauth2.googleapis.com/revoke',
    scopes: ['https://mail.google.com/'],
    redirectUri: 'http://127.0.0.1',
    // Without these Google gives a refresh token at the very first sign-in only.
    parameters: { access_type: 'offline', prompt: 'consent' },
    noDevice: 'Google gives no access to mail by a code on another device',
  }),
  // learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth.
  microsoft: (config) => ({
    ...entra(config),
    scopes: [
      'https://outlook.office.com/SMTP.Send',
      'https://outlook.office.com/IMAP.AccessAsUser.All',
      'offline_access',
    ],
  }),
  // The same sign-in for Microsoft Graph: a token is for one service alone.
  graph: (config) => ({ ...entra(config), scopes: ['https://graph.microsoft.com/Mail.Send', 'offline_access'] }),
}

function entra({ tenant = 'common' }: OAuthConfig): Omit<Known, 'scopes'> {
  const endpoint = (name: string): string => `https://login.microsoftonline.com/${tenant}/oauth2/v2.0/${name}`
  return {
    authorizationEndpoint: endpoint('authorize'),
    deviceEndpoint: endpoint('devicecode'),
    tokenEndpoint: endpoint('token'),
    // Of http://localhost Microsoft takes any port, of http://127.0.0.1 none.
    redirectUri: 'http://localhost',
    parameters: {},
  }
}

export interface OAuthSources {
  /** The `oauth2` of the config, environment over file. */
  readonly config: Readonly<Record<string, OAuthConfig>>
  readonly root: string
  readonly env: Environment
}

/** Every provider that a project can name: those built in, changed by its own words, and its own. */
export function oauthProviders({ config, root, env }: OAuthSources): Readonly<Record<string, OAuthProvider>> {
  const tokenFolder = defaultTokenFolder(env)
  const providers = Object.create(null) as Record<string, OAuthProvider>
  for (const name of new Set([...Object.keys(KNOWN), ...Object.keys(config)])) {
    const own = Object.hasOwn(config, name) ? (config[name] ?? {}) : {}
    const known = Object.hasOwn(KNOWN, name) ? KNOWN[name]?.(own) : undefined
    providers[name] = { ...blank(known), ...ownSettings(own, root), name, tokenFolder }
  }
  return providers
}

/** @throws ConfigError naming the nearest one. */
export function oauthProvider(name: string, providers: Readonly<Record<string, OAuthProvider>>): OAuthProvider {
  const provider = providers[name]
  if (provider !== undefined) return provider
  const names = Object.keys(providers)
  throw new ConfigError(`there is no OAuth2 provider '${name}'`, {
    hint: didYouMean(name, names, `There are ${names.join(' and ')}; define others under oauth2 in mailmerge.yaml.`),
  })
}

function blank(known: Known | undefined): Known {
  return known ?? { scopes: [], redirectUri: 'http://127.0.0.1', parameters: {} }
}

function ownSettings(config: OAuthConfig, root: string): Partial<OAuthProvider> {
  const { clientSecret, clientSecretCommand, tokenFile, tenant: _, parameters, ...rest } = config
  const secret =
    clientSecret !== undefined
      ? () => Promise.resolve(new Secret(clientSecret))
      : clientSecretCommand === undefined
        ? undefined
        : once(() => secretFromCommand(clientSecretCommand, root, 'clientSecretCommand', 'the client secret'))
  return given({
    ...rest,
    parameters,
    clientSecret: secret,
    tokenFile: tokenFile === undefined ? undefined : resolve(root, tokenFile),
  })
}

/** XDG base directories, on Windows the user's local data: not in the project, which is shared and backed up. */
function defaultTokenFolder(env: Environment): string {
  const { XDG_STATE_HOME: state, LOCALAPPDATA: local } = env
  if (state !== undefined && state !== '') return join(state, 'mailmerge', 'tokens')
  if (process.platform === 'win32' && local !== undefined && local !== '') return join(local, 'mailmerge', 'tokens')
  return join(homedir(), '.local', 'state', 'mailmerge', 'tokens')
}
