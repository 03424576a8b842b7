/** `smtp://user:password@host:port` read. Owns the schemes; its errors never show the text, which may hold a password. */
import { domainToASCII } from 'node:url'
import { ConfigError } from '../../errors.ts'
import { given } from '../../given.ts'
import type { SmtpSettings } from '../settings.ts'

export interface SmtpUrl {
  readonly host: string
  readonly port?: number
  readonly security: SmtpSettings['security']
  readonly lmtp: boolean
  readonly user?: string
  readonly password?: string
}

const SCHEMES: Readonly<Record<string, Pick<SmtpUrl, 'security' | 'lmtp'>>> = {
  'smtp:': { security: 'auto', lmtp: false },
  'smtps:': { security: 'tls', lmtp: false },
  'smtp+starttls:': { security: 'starttls', lmtp: false },
  'lmtp:': { security: 'auto', lmtp: true },
}

const HINT =
  'Write smtp://user@mail.example.com:587, or smtps://mail.example.com for TLS from the start; in the user and password ' +
  'write @ as %40, / as %2F, : as %3A.'

/** @throws ConfigError */
export function readSmtpUrl(text: string): SmtpUrl {
  const url = URL.parse(text)
  // `localhost:2525` is a URL too, of a scheme called localhost.
  if (!/^[a-z+]+:\/\//i.test(text))
    throw new ConfigError('the SMTP address does not begin with smtp://', { hint: HINT })
  if (url !== null && url.hostname === '' && url.pathname.length > 1) return onSocket(url)
  if (url === null || url.hostname === '') throw new ConfigError('the SMTP address is not a valid URL', { hint: HINT })
  const scheme = Object.hasOwn(SCHEMES, url.protocol) ? SCHEMES[url.protocol] : undefined
  if (scheme === undefined) throw new ConfigError(`the SMTP address begins with '${url.protocol}//'`, { hint: HINT })
  if (url.search !== '' || url.hash !== '' || url.pathname.length > 1)
    throw new ConfigError('the SMTP address has more text after the port', { hint: HINT })
  const host = hostOf(url.hostname)
  const user = decoded(url.username)
  const password = decoded(url.password)
  const port = url.port === '' ? undefined : Number(url.port)
  return {
    host,
    security: port === 465 && scheme.security === 'auto' ? 'tls' : scheme.security,
    lmtp: scheme.lmtp,
    ...given({ port, user: user === '' ? undefined : user, password: password === '' ? undefined : password }),
  }
}

/** `lmtp:///run/dovecot/lmtp`: a socket file of this machine, over which nobody listens in. */
function onSocket(url: URL): SmtpUrl {
  const scheme = Object.hasOwn(SCHEMES, url.protocol) ? SCHEMES[url.protocol] : undefined
  if (scheme === undefined || scheme.security !== 'auto' || url.search !== '' || url.hash !== '')
    throw new ConfigError('this kind of SMTP address cannot name a socket file', {
      hint: 'Write lmtp:///run/dovecot/lmtp, or smtp:///path.',
    })
  return { host: decoded(url.pathname), security: 'none', lmtp: scheme.lmtp }
}

/** Of schemes that are not the web's own, URL leaves the host as it was typed. */
function hostOf(hostname: string): string {
  if (hostname.startsWith('[')) return hostname.slice(1, -1)
  const host = domainToASCII(decoded(hostname))
  if (host === '') throw new ConfigError('the host in the SMTP address is not a valid domain name', { hint: HINT })
  return host
}

function decoded(part: string): string {
  let text: string
  try {
    text = decodeURIComponent(part)
  } catch {
    throw new ConfigError('the SMTP address has a % that is not followed by two hexadecimal digits', { hint: HINT })
  }
  if (/\p{Cc}/u.test(text)) throw new ConfigError('the SMTP address has a control character in it', { hint: HINT })
  return text
}
