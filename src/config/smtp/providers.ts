/**
 * What well-known providers allow, so that `service: gmail` is enough. Owns our knowledge of limits; hosts and ports come
 * from nodemailer's table. Limits that belong to every account of a kind stand here, each with its source; those that
 * depend on a paid plan do not: the server says them, and `rate` sets them. A setting of the user's wins over a limit.
 *
 * Each limit counts what the provider says that it counts. Where its page speaks of mails and leaves open whether a copy is
 * one, recipients are counted: that is never too many.
 */
import wellKnown from 'nodemailer/lib/well-known'
import { nearest } from '../../did-you-mean.ts'
import { ConfigError } from '../../errors.ts'
import type { RateLimit } from '../settings.ts'

export interface Provider {
  readonly host: string
  readonly port: number
  /** TLS from the start. */
  readonly secure: boolean
  readonly connections?: number
  readonly rates?: readonly RateLimit[]
  readonly messagesPerConnection?: number
  /** Said when a login is refused. */
  readonly login?: string
}

interface Preset extends Omit<Provider, 'host' | 'port' | 'secure'> {
  /** Name in nodemailer's table. */
  readonly server: string
  readonly aliases?: readonly string[]
}

const perMinute = (count: number): RateLimit => ({ count, seconds: 60 })
const perHour = (count: number): RateLimit => ({ count, seconds: 3600 })
const perDay = (count: number): RateLimit => ({ count, seconds: 86_400 })
const recipients = (limit: RateLimit): RateLimit => ({ ...limit, of: 'recipients' })

const GOOGLE_LOGIN =
  'Google takes an app password (myaccount.google.com/apppasswords) or mailmerge login google, not the password of the account.'

const PRESETS: Readonly<Record<string, Preset>> = {
  // 500 mails a day, and as many recipients of one: support.google.com/mail/answer/22839.
  gmail: { server: 'Gmail', aliases: ['google', 'googlemail'], rates: [recipients(perDay(500))], login: GOOGLE_LOGIN },
  // A mailbox of Google Workspace, 2,000 messages a day, to 3,000 recipients elsewhere and 10,000 in all:
  // support.google.com/a/answer/166852.
  googleworkspace: {
    server: 'Gmail',
    aliases: ['workspace', 'gsuite'],
    rates: [perDay(2000), recipients(perDay(3000))],
    login: GOOGLE_LOGIN,
  },
  // Google Workspace's SMTP relay, 10,000 messages and 10,000 different recipients a user a day:
  // support.google.com/a/answer/2956491.
  googlerelay: {
    server: 'GmailWorkspace',
    aliases: ['gmailworkspace', 'workspacerelay', 'googleworkspacerelay'],
    rates: [recipients(perDay(10_000))],
    login: `${GOOGLE_LOGIN} The relay must be opened in the admin console, and can know you by your IP address instead.`,
  },
  // 3 connections, 30 messages a minute, 10,000 recipients a day:
  // learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements.
  microsoft365: {
    server: 'Outlook365',
    aliases: ['office365', 'outlook365', 'm365', 'o365', 'exchangeonline', 'microsoft'],
    connections: 3,
    rates: [perMinute(30), recipients(perDay(10_000))],
    login:
      'Microsoft 365 no longer accepts passwords over SMTP (550 5.7.30): mailmerge login microsoft, and smtp.oauth2: microsoft.',
  },
  // 5,000 recipients a day for subscribers and less for others (support.microsoft.com, "Sending limits in Outlook.com");
  // free accounts that are in good standing report 300.
  outlook: {
    server: 'Hotmail',
    aliases: ['outlookcom', 'hotmail', 'live', 'msn'],
    connections: 2,
    rates: [recipients(perDay(300))],
    login: 'Outlook.com no longer accepts passwords over SMTP: mailmerge login microsoft, and smtp.oauth2: microsoft.',
  },
  // The rate depends on the account (200 recipients a day and 1 a second in SES's own sandbox); above it SES answers 454:
  // docs.aws.amazon.com/ses/latest/dg/quotas.html.
  ses: {
    server: 'SES',
    aliases: ['amazonses', 'awsses'],
    connections: 10,
    login: 'SES has SMTP credentials of its own, made in its console for one region; an AWS access key is refused.',
  },
  // 1,000 messages and 1,000 recipients a day: support.apple.com/102198.
  icloud: {
    server: 'iCloud',
    aliases: ['apple', 'me'],
    connections: 2,
    rates: [recipients(perDay(1000))],
    login: 'iCloud takes an app-specific password (account.apple.com).',
  },
  // 500 a day, each recipient counted: help.yahoo.com/kb/SLN17518.html.
  yahoo: {
    server: 'Yahoo',
    connections: 3,
    rates: [recipients(perDay(500))],
    login: 'Yahoo takes an app password (login.yahoo.com/account/security).',
  },
  // Limits by plan, the smallest of those that can use SMTP 8,000 a day: fastmail.help, "Account limits".
  fastmail: {
    server: 'FastMail',
    rates: [recipients(perDay(8000))],
    login: 'Fastmail takes an app password (Settings, Privacy & Security).',
  },
  // 50 to 500 external mails an hour by reputation: zoho.com/mail/help/adminconsole/rates-and-limits.html.
  zoho: {
    server: 'Zoho',
    connections: 3,
    rates: [recipients(perHour(50))],
    login: 'Zoho takes an app-specific password where two-factor login is on (accounts.zoho.com).',
  },
  // 500 recipients a day: yandex.com/support/yandex-360/customers/mail/en/web/letter/create-send-limits.
  yandex: {
    server: 'Yandex',
    connections: 3,
    rates: [recipients(perDay(500))],
    login: 'Yandex takes an app password.',
  },
  gmx: { server: 'GMX', connections: 2, login: 'SMTP must be allowed in the settings of the mailbox first.' },
  // Tokens are made for a custom domain on paid plans: proton.me/support/smtp-submission.
  proton: { server: 'Proton', aliases: ['protonmail'], login: 'Proton takes an SMTP token of a paid plan.' },
  // Limits by plan alone: documentation.mailgun.com.
  mailgun: { server: 'Mailgun', connections: 10, login: 'The user is postmaster@ your Mailgun domain.' },
  // 10 connections an address asked for, none enforced: postmarkapp.com/support/article/do-we-have-rate-limits-for-smtp.
  postmark: {
    server: 'Postmark',
    connections: 10,
    login: "User and password are both the server's API token.",
  },
  // 5,000 messages a connection, 10,000 connections: twilio.com/docs/sendgrid, "Integrating with the SMTP API".
  sendgrid: {
    server: 'SendGrid',
    connections: 10,
    messagesPerConnection: 5000,
    login: "The user is the word 'apikey', the password an API key that may send mail.",
  },
  // Limits by plan (300 a day when free): help.brevo.com; the API's 1,000 a second does not limit in practice.
  brevo: {
    server: 'SendinBlue',
    aliases: ['sendinblue'],
    connections: 5,
    login: 'Brevo takes an SMTP key, not an API key.',
  },
  // 2 requests a second a team by default, each a message: resend.com/docs/api-reference/rate-limit.
  resend: {
    server: 'Resend',
    connections: 2,
    rates: [{ count: 2, seconds: 1 }],
    login: "The user is the word 'resend', the password an API key.",
  },
  // 10 connections, 100 messages a connection: docs.mailtrap.io/email-api-smtp/setup/sending-limits.
  mailtrap: { server: 'Mailtrap', connections: 10, messagesPerConnection: 100 },
}

/** The provider of that name, of ours or of nodemailer's table. @throws ConfigError naming the nearest one. */
export function providerOf(name: string): Provider {
  const word = name.toLowerCase().replace(/[^a-z0-9]/g, '')
  const preset = Object.entries(PRESETS).find(([key, { aliases }]) => key === word || aliases?.includes(word))?.[1]
  // Regions of SES are names of their own: SES-EU-WEST-1.
  const regional = preset === undefined && word.startsWith('ses') ? PRESETS['ses'] : undefined
  const provider = combine(preset?.server ?? name, preset ?? regional)
  if (provider !== undefined) return provider
  const guess = nearest(
    word,
    Object.entries(PRESETS).flatMap(([key, { aliases }]) => [key, ...(aliases ?? [])]),
  )
  throw new ConfigError(`there is no preset for the service '${name}'`, {
    hint:
      guess === undefined
        ? 'Give smtp.host and smtp.port instead.'
        : `Did you mean '${guess}'? Otherwise give smtp.host and smtp.port.`,
  })
}

/** The provider whose server that is: its limits hold however the server was named. */
export function providerOfHost(host: string): Provider | undefined {
  const wanted = host.toLowerCase()
  if (/^email-smtp(-fips)?\.[a-z0-9-]+\.amazonaws\.com$/.test(wanted)) return combine('SES', PRESETS['ses'], wanted)
  for (const preset of Object.values(PRESETS)) {
    const provider = combine(preset.server, preset)
    if (provider?.host === wanted) return provider
  }
  return undefined
}

function combine(serverName: string, preset: Preset | undefined, host?: string): Provider | undefined {
  const server = wellKnown(serverName)
  if (!server || server.host === undefined) return undefined
  const { server: _server, aliases: _aliases, ...limits } = preset ?? { server: serverName }
  const secure = server.secure ?? false
  return { host: host ?? server.host, port: Number(server.port ?? (secure ? 465 : 587)), secure, ...limits }
}
