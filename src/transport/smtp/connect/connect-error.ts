/** What kept us from a connection or a login, in words that say which it was and what to do. Owns the words only. */
import type { SmtpSettings } from '../../../config/settings.ts'
import { LoginError, type MailmergeError, TurnedAwayError, UnreachableError } from '../../../errors.ts'
import { systemWords } from '../../../fs/system-errors.ts'
import { causeOf } from '../../../replies/cause.ts'
import { readable } from '../../../replies/reply.ts'
import { isSocketPath } from './unix-socket.ts'

/** What nodemailer, Node and OpenSSL say of a failure. */
interface Failure {
  readonly code?: string
  readonly originalCode?: string
  readonly message?: string
  readonly response?: string
  readonly responseCode?: number
  readonly timeoutType?: string
  /** Of a certificate for another name. */
  readonly cert?: { readonly subjectaltname?: string }
}

interface Words {
  readonly what: string
  readonly hint: string
}

const TLS: readonly (readonly [pattern: RegExp, what: string, hint: string])[] = [
  [/CERT_HAS_EXPIRED|certificate has expired/i, 'its certificate has expired', 'Inform its administrator.'],
  [/CERT_NOT_YET_VALID|not yet valid/i, 'its certificate is not valid yet', 'Is the clock of this machine right?'],
  [
    /ALTNAME|does not match certificate/i,
    'its certificate is for another name',
    'Use the name that the certificate has as smtp.host.',
  ],
  [
    /DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|self.signed|unable to (verify|get)/i,
    'its certificate is not from a known authority',
    'Name the authority with smtp.ca.',
  ],
  [
    /wrong version number|packet length|WRONG_VERSION|http request/i,
    'it does not speak TLS on this port',
    'Port 465 wants security: tls, port 587 security: starttls.',
  ],
  [
    /unsupported protocol|PROTOCOL_VERSION|no protocols|NO_SUITABLE|handshake failure|md too weak|too small/i,
    'it offers only versions of TLS that are no longer safe',
    'Its administrator should allow TLS 1.2 or newer.',
  ],
]

export function place({ host, port }: SmtpSettings): string {
  if (isSocketPath(host)) return host
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

export function connectError(error: unknown, settings: SmtpSettings): UnreachableError {
  const failure = (error ?? {}) as Failure
  const at = place(settings)
  const { what, hint } =
    proxyWords(failure, at) ??
    tlsWords(failure, at) ??
    networkWords(failure, settings, at) ??
    serverWords(failure, settings, at)
  const { responseCode = 0 } = failure
  const Kind = responseCode >= 400 && responseCode < 500 ? TurnedAwayError : UnreachableError
  return new Kind(what, { cause: error, hint })
}

function proxyWords(failure: Failure, at: string): Words | undefined {
  if (failure.code !== 'EPROXY') return undefined
  const said = readable(systemWords(failure))
  if (/\b407\b|proxy authentication|authentication (failed|rejected)/i.test(said)) {
    return {
      what: `the proxy does not connect to ${at}: it wants a login, or refuses the one that is set`,
      hint: 'Write its user and password into smtp.proxy: http://user:password@host:port.',
    }
  }
  return { what: `the proxy does not connect to ${at}: ${said}`, hint: 'Check smtp.proxy.' }
}

function tlsWords({ code = '', originalCode = '', message = '', cert }: Failure, at: string): Words | undefined {
  if (code === 'EPROTOCOL') return undefined
  const found = TLS.find(([pattern]) => pattern.test(`${originalCode} ${code} ${message}`))
  if (found === undefined) return undefined
  const names = OTHER_NAME.test(found[1]) ? certificateNames(cert?.subjectaltname, message) : ''
  return { what: `no TLS with ${at}: ${found[1]}${names}`, hint: `${found[2]} Nothing was sent.` }
}

const OTHER_NAME = /for another name/

/** The names that a certificate is for: Node gives them as `DNS:mail.example.com, IP Address:192.0.2.1`. */
function certificateNames(alternative: string | undefined, message: string): string {
  const names = alternative ?? /altnames: (.*)/.exec(message)?.[1] ?? ''
  const found = names.split(/,\s*/).flatMap((name) => /^(?:DNS|IP Address):(.{1,255})$/.exec(name)?.[1] ?? [])
  return found.length === 0 ? '' : `, ${readable(found.slice(0, 5).join(', '))}`
}

function networkWords(failure: Failure, { host, security }: SmtpSettings, at: string): Words | undefined {
  const { code = '', originalCode = '', message = '', timeoutType } = failure
  const system = originalCode || code
  if (timeoutType === 'GREETING_TIMEOUT') {
    const hint =
      security === 'tls' ? 'Is it an SMTP server?' : 'A port that wants TLS from the start (465) needs security: tls.'
    return { what: `${at} answers, but says nothing`, hint }
  }
  if (timeoutType === 'UPGRADE_TIMEOUT')
    return { what: `no TLS with ${at}: it does not finish the handshake`, hint: 'Ask its administrator.' }
  if (timeoutType === 'SOCKET_TIMEOUT')
    return { what: `${at} stopped answering while we connected`, hint: 'Try again later; nothing was sent.' }
  if (system === 'ECONNREFUSED') {
    const hint = 'Check host and port, and that the server runs. Nothing was sent.'
    return { what: `nobody answers at ${at}: connection refused`, hint }
  }
  if (isSocketPath(host) && (system === 'ENOENT' || system === 'EACCES')) {
    const what = system === 'ENOENT' ? `there is no socket ${host}` : `the socket ${host} may not be opened`
    return { what, hint: 'Check its path, its permissions, and that the server runs.' }
  }
  if (code === 'EDNS' || system === 'ENOTFOUND' || system === 'EAI_AGAIN')
    return { what: `the host '${host}' is not known`, hint: 'Check its spelling, and the network.' }
  if (system === 'ETIMEDOUT' || code === 'ETIMEDOUT')
    return { what: `${at} does not answer`, hint: 'Check host, port and firewall; many networks close port 25.' }
  if (system === 'EHOSTUNREACH' || system === 'ENETUNREACH')
    return { what: `there is no way to ${at} from here`, hint: 'Check the network.' }
  if (system === 'EMFILE' || system === 'ENFILE') {
    const hint = 'Raise the limit (ulimit -n), or lower the concurrency.'
    return { what: `too many open files to connect to ${at}`, hint }
  }
  if (system === 'ECONNRESET' || /closed unexpectedly|connection was closed/i.test(message))
    return {
      what: `${at} closed the connection before it could be used`,
      hint: 'Check port and security; try again later.',
    }
  return undefined
}

function serverWords(failure: Failure, settings: SmtpSettings, at: string): Words {
  const { code = '', message = '', response, responseCode = 0 } = failure
  const said = readable(response ?? '').trim()
  if (/Invalid greeting/.test(message)) {
    if (responseCode >= 400 && responseCode < 600) {
      const hint = responseCode < 500 ? 'Try again later.' : 'Ask its administrator.'
      return { what: `the server ${at} turned us away: ${said}`, hint }
    }
    return { what: `${at} does not speak SMTP: it greeted with '${said.slice(0, 80)}'`, hint: 'Check host and port.' }
  }
  if (/STARTTLS/i.test(message) || code === 'ETLS') {
    const why = said === '' ? '' : `: ${said}`
    const what =
      settings.security === 'starttls' || said !== ''
        ? `the server ${at} does not give the TLS that was asked for${why}`
        : `no TLS with ${at}: ${readable(message)}`
    return { what, hint: 'Nothing was sent unencrypted. Check port and security.' }
  }
  if (/exceeds maximum/.test(message))
    return { what: `${at} does not speak SMTP: its reply has no end`, hint: 'Check host and port.' }
  const cause = said === '' ? undefined : causeOf({ text: said })?.cause
  if (cause === 'helo-rejected' || (responseCode === 504 && /\bEHLO|HELO\b/i.test(message))) {
    return {
      what: `the server ${at} refuses the name that we greet it with: ${said}`,
      hint: 'Set smtp.name to the full name of this host, as DNS has it. Nothing was sent.',
    }
  }
  if (said !== '') return { what: `the server ${at} refused: ${said}`, hint: 'Ask its administrator.' }
  return { what: `no connection to ${at}: ${readable(message)}`, hint: 'Check host, port and network.' }
}

/** A refused login is a LoginError; a server that cannot look it up now is away, and a broken line is a broken line. */
export function loginError(error: unknown, settings: SmtpSettings): MailmergeError {
  const { response = '', responseCode } = (error ?? {}) as Failure
  if (responseCode === undefined) return connectError(error, settings)
  const said = readable(response)
  // 432 wants the password changed; other 4xx speak of the server's health and not of the password.
  if (responseCode >= 400 && responseCode < 500 && responseCode !== 432) {
    const what = `the server ${place(settings)} cannot log us in now: ${said}`
    return new TurnedAwayError(what, { cause: error, hint: 'Try again later.' })
  }
  return new LoginError(`the server ${place(settings)} refused the login of ${settings.user ?? 'nobody'}: ${said}`, {
    cause: error,
    hint: loginHint(said, responseCode, settings.loginHint),
  })
}

function loginHint(said: string, code: number, ofProvider: string | undefined): string {
  if (
    /SmtpClientAuth\w{0,20} is disabled|5\.7\.139\b.{0,200}\bdisabled|smtp (auth\w{0,20}|login) is (disabled|turned off)/i.test(
      said,
    )
  )
    return 'SMTP login is turned off there: ask the administrator to turn it on, or use mailmerge login.'
  if (ofProvider !== undefined) return ofProvider
  if (/5\.7\.30|basic auth/i.test(said)) return 'It no longer accepts passwords: use mailmerge login microsoft.'
  if (code === 534 || /app(lication)?.specific|app password/i.test(said))
    return 'It wants an app password, or mailmerge login.'
  if (code === 530 || code === 538) return 'It wants TLS before a login: use security: starttls or tls.'
  if (code === 500 || code === 502 || code === 504)
    return 'It does not know that way to log in: set smtp.auth to another one.'
  return 'Check user and password. It was tried once; nothing was sent.'
}
