/**
 * Mail services that are sent through by their own HTTP interface: which one a `transport:` names, for which mailbox, and with which
 * sign-in. Owns the grammar of these transports and what is known of their limits; asks nobody.
 */
import { didYouMean } from '../did-you-mean.ts'
import { ConfigError } from '../errors.ts'
import { type Secret, secretFromCommand, together } from '../secret.ts'
import { isSafeEndpoint } from './endpoint.ts'
import { oauthProvider } from './oauth-provider.ts'
import type { RateLimit, Settings, SignIn } from './settings.ts'
import { providerOf } from './smtp/providers.ts'

export const MAIL_APIS = ['gmail-api', 'graph'] as const
export type MailApiName = (typeof MAIL_APIS)[number]

export interface MailApiSettings {
  readonly service: MailApiName
  /** Mailbox that sends. */
  readonly user: string
  /** Where its interface is, without a slash at its end. */
  readonly url: string
  readonly token: { readonly signIn: SignIn } | { readonly command: () => Promise<Secret> }
}

interface Known {
  readonly url: string
  /** Name of the sign-in, where the settings name no other. */
  readonly oauth2: string
  /** Requests at once for one mailbox. */
  readonly connections: number
  /** Limits of this interface, beside those of the mailbox. */
  readonly rates: readonly RateLimit[]
  /** Whose mailbox it is: its limits hold for every way to send from it. */
  readonly mailbox: string
}

const KNOWN: Readonly<Record<MailApiName, Known>> = {
  // One user's 250 quota units a second are two and a half messages: developers.google.com/workspace/gmail/api/reference/quota.
  'gmail-api': {
    url: 'https://gmail.googleapis.com',
    oauth2: 'google',
    connections: 2,
    rates: [{ count: 2, seconds: 1 }],
    mailbox: 'gmail',
  },
  // Four requests at once for a mailbox: learn.microsoft.com/graph/throttling-limits, Outlook service limits.
  graph: {
    url: 'https://graph.microsoft.com/v1.0',
    oauth2: 'graph',
    connections: 4,
    rates: [],
    mailbox: 'microsoft365',
  },
}

/** What is known of the limits of a transport; undefined for any other transport. */
export function mailApiLimits(transport: Settings['transport']): Pick<Known, 'connections' | 'rates'> | undefined {
  const written = writtenApi(transport)
  if (written === undefined) return undefined
  const { connections, rates, mailbox } = KNOWN[written.service]
  return { connections, rates: [...rates, ...(providerOf(mailbox).rates ?? [])] }
}

/** Requests at once for one mailbox. */
export function mailApiLanes(service: MailApiName): number {
  return KNOWN[service].connections
}

/** The sign-in that a transport uses, by the name of its provider and its mailbox; undefined where it uses none. */
export function mailApiSignIn(
  transport: Settings['transport'],
): { readonly name: string; readonly user: string | undefined } | undefined {
  const written = writtenApi(transport)
  if (written === undefined || written.more['tokenCommand'] !== undefined) return undefined
  const { oauth2: name = KNOWN[written.service].oauth2 } = written.more
  return typeof name === 'string' ? { name, user: written.user } : undefined
}

/** Which service's own interface is used, if one is. */
export function mailApiName({ transport }: Pick<Settings, 'transport'>): MailApiName | undefined {
  return writtenApi(transport)?.service
}

/** @throws ConfigError for a mailbox that is missing, a key that it does not have, and an address that is not safe. */
export function mailApiSettings(settings: Settings): MailApiSettings | undefined {
  const { transport, smtp, oauth2, root } = settings
  const written = writtenApi(transport)
  if (written === undefined) return undefined
  const { service, more } = written
  const stray = Object.keys(more).find((key) => !KEYS.includes(key))
  if (stray !== undefined) {
    throw new ConfigError(`transport: ${service} has no setting '${stray}'`, {
      hint: didYouMean(stray, KEYS, `It has ${KEYS.join(', ')}.`),
    })
  }
  const user = written.user ?? smtp.user
  if (user === undefined || !user.includes('@')) {
    throw new ConfigError(`transport: ${service} names no mailbox`, {
      hint: `Write the address that sends: transport: { ${service}: you@example.com }`,
    })
  }
  const [command, name] = [textOf(more, 'tokenCommand', service), textOf(more, 'oauth2', service)]
  if (command !== undefined && name !== undefined) {
    throw new ConfigError(`transport: ${service} has both oauth2 and tokenCommand`, {
      hint: 'Each is a way to get a token: keep one of them.',
    })
  }
  return {
    service,
    user,
    url: addressOf(textOf(more, 'url', service) ?? KNOWN[service].url, service),
    token:
      command === undefined
        ? { signIn: { provider: oauthProvider(name ?? KNOWN[service].oauth2, oauth2.providers), user } }
        : { command: together(() => secretFromCommand(command, root, 'tokenCommand', 'an access token')) },
  }
}

const KEYS: readonly string[] = ['oauth2', 'tokenCommand', 'url']

interface WrittenApi {
  readonly service: MailApiName
  readonly user: string | undefined
  readonly more: Readonly<Record<string, unknown>>
}

/** `graph`, `graph:ada@example.com`, `{ graph: ada@example.com, oauth2: work }`. */
function writtenApi(transport: Settings['transport']): WrittenApi | undefined {
  if (typeof transport === 'string') {
    const [word = '', ...rest] = transport.split(':')
    const service = MAIL_APIS.find((name) => name === word)
    return service && { service, user: rest.length === 0 ? undefined : rest.join(':'), more: {} }
  }
  const service = MAIL_APIS.find((name) => transport?.[name] !== undefined)
  if (service === undefined || transport === undefined) return undefined
  const { [service]: user, ...more } = transport
  return { service, user: typeof user === 'string' ? user : undefined, more }
}

function textOf(more: WrittenApi['more'], key: string, service: string): string | undefined {
  const value = more[key]
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw new ConfigError(`${key} of transport: ${service} is not a text`)
}

/** A token goes there. */
function addressOf(text: string, service: string): string {
  if (isSafeEndpoint(text)) return withoutSlash(text)
  throw new ConfigError(`url of transport: ${service} is not an https address`, {
    hint: 'http is only for a server on this machine.',
  })
}

function withoutSlash(url: string): string {
  return url.endsWith('/') ? url.slice(0, -1) : url
}
