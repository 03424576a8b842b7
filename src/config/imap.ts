/** The mailbox of the settings. Owns its defaults and where its password comes from; connects to nothing. */
import { resolve } from 'node:path'
import { ConfigError } from '../errors.ts'
import { given } from '../given.ts'
import { once, Secret, secretFromCommand } from '../secret.ts'
import { oauthProvider } from './oauth-provider.ts'
import type { Config } from './schema.ts'
import type { BounceSettings, ImapSettings, OAuthProvider } from './settings.ts'

type ImapConfig = NonNullable<Config['imap']>

/**
 * The mailbox, where one is set. `root` is the folder that paths and commands start at.
 * @throws ConfigError where half of it is set.
 */
export function imapSettings(
  config: ImapConfig,
  root: string,
  providers: Readonly<Record<string, OAuthProvider>>,
): ImapSettings | undefined {
  const { host, user } = config
  // A password alone, in the environment of a machine with several projects, asks for no mailbox.
  if (host === undefined && user === undefined) return undefined
  if (host === undefined || user === undefined) {
    throw new ConfigError(`imap has no ${host === undefined ? 'host' : 'user'}`, {
      hint: 'A mailbox needs both: imap: { host: imap.example.org, user: bounces@example.org }',
    })
  }
  const security = config.security ?? (config.port === 143 ? 'starttls' : 'tls')
  return {
    host,
    port: config.port ?? (security === 'tls' ? 993 : 143),
    security,
    user,
    ...(config.oauth2 === undefined
      ? { password: once(() => passwordOf(config, user, root)) }
      : { signIn: { provider: oauthProvider(config.oauth2, providers), user } }),
    verifyCertificate: config.verifyCertificate ?? true,
    ...given({ ca: config.ca === undefined ? undefined : resolve(root, config.ca) }),
  }
}

async function passwordOf({ password, passwordCommand }: ImapConfig, user: string, root: string): Promise<Secret> {
  if (password !== undefined) return new Secret(password)
  if (passwordCommand !== undefined)
    return secretFromCommand(passwordCommand, root, 'imap.passwordCommand', 'the password')
  throw new ConfigError(`there is no password for the mailbox of ${user}`, {
    hint: 'Set MAILMERGE_IMAP_PASSWORD in the environment or in .env, or imap.passwordCommand in mailmerge.yaml.',
  })
}

export function bounceSettings(config: Config['bounces'] = {}): BounceSettings {
  return {
    ...given({ returnPath: config.returnPath }),
    mailbox: config.mailbox ?? 'INBOX',
    done: config.done ?? 'seen',
    softLimit: config.softLimit ?? 5,
    softDays: config.softDays ?? 30,
  }
}
