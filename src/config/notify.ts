/** The settings of notices. Owns what must be there for each way. */
import { ConfigError } from '../errors.ts'
import { given } from '../given.ts'
import { Secret } from '../secret.ts'
import type { Config } from './schema.ts'
import type { NotifySettings, OAuthProvider } from './settings.ts'
import { smtpSettings } from './smtp/smtp.ts'
import { NOTICE_KINDS } from './words.ts'

const SHORTEST_SECRET = 16

/** @throws ConfigError for a way that cannot work: no receiver, no key for what is posted. */
export function notifySettings(
  { mail: to, from, smtp, webhook, secret, when }: NonNullable<Config['notify']>,
  root: string,
  providers: Readonly<Record<string, OAuthProvider>>,
): NotifySettings {
  const [first] = to ?? []
  if (first === undefined && webhook === undefined) {
    throw new ConfigError('notify names nobody', { hint: 'Set notify.mail or notify.webhook in mailmerge.yaml.' })
  }
  if (webhook !== undefined && (secret === undefined || secret.length < SHORTEST_SECRET)) {
    const what = secret === undefined ? 'notify.webhook has no key to sign with' : 'notify.secret is too short'
    throw new ConfigError(what, {
      hint: `Set MAILMERGE_NOTIFY_SECRET to at least ${SHORTEST_SECRET} random characters, such as those of openssl rand -hex 32.`,
    })
  }
  const server = { flag: smtp, environment: {}, file: {}, root, providers, askPassword: undefined }
  return {
    when: when ?? NOTICE_KINDS,
    ...given({
      mail:
        to === undefined || first === undefined
          ? undefined
          : {
              to,
              from: from ?? first,
              ...given({ smtp: smtp === undefined ? undefined : smtpSettings(server).smtp }),
            },
      webhook: webhook === undefined || secret === undefined ? undefined : { url: webhook, secret: new Secret(secret) },
    }),
  }
}
