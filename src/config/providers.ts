/**
 * What well-known providers allow, so that `service: gmail` is enough. Owns our knowledge of limits; hosts and ports come
 * from nodemailer's table. A limit is the one that holds for an ordinary account: a setting of the user's wins over it.
 */
import wellKnown from 'nodemailer/lib/well-known'
import { ConfigError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import type { RateLimit } from './settings.ts'

export interface Provider {
  readonly host: string
  readonly port: number
  /** TLS from the first octet. */
  readonly secure: boolean
  readonly connections?: number
  readonly rates?: readonly RateLimit[]
  readonly messagesPerConnection?: number
  /** Said when a password login is refused or pointless. */
  readonly login?: string
}

const MINUTE = 60
const HOUR = 3600
const DAY = 86_400

type Limits = Omit<Provider, 'host' | 'port' | 'secure'>

const LIMITS: Readonly<Record<string, Limits>> = {
  // support.google.com/mail/answer/22839: 500 messages a day.
  gmail: {
    connections: 5,
    rates: [{ count: 500, seconds: DAY }],
    login: 'Gmail takes an app password, or mailmerge login google.',
  },
  // support.google.com/a/answer/166852: 2,000 messages a day.
  gmailworkspace: {
    connections: 5,
    rates: [{ count: 2000, seconds: DAY }],
    login: 'Google Workspace takes an app password, or mailmerge login google.',
  },
  // learn.microsoft.com, Exchange Online limits: 3 connections, 30 messages a minute, 10,000 recipients a day.
  outlook365: {
    connections: 3,
    rates: [
      { count: 30, seconds: MINUTE },
      { count: 10_000, seconds: DAY },
    ],
    login: 'Microsoft 365 takes no passwords any more: use mailmerge login microsoft.',
  },
  // support.microsoft.com, sending limits of Outlook.com: 300 messages a day.
  hotmail: {
    connections: 2,
    rates: [{ count: 300, seconds: DAY }],
    login: 'Outlook.com takes no passwords any more: use mailmerge login microsoft.',
  },
  // docs.aws.amazon.com/ses, quotas: what an account may is shown in its console; 1 a second and 200 a day in its sandbox.
  ses: { connections: 10, rates: [{ count: 14, seconds: 1 }] },
  // support.apple.com/102198: 1,000 messages a day.
  icloud: { connections: 2, rates: [{ count: 1000, seconds: DAY }], login: 'iCloud takes an app-specific password.' },
  // help.yahoo.com, sending limits: 500 a day.
  yahoo: { connections: 3, rates: [{ count: 500, seconds: DAY }], login: 'Yahoo takes an app password.' },
  // fastmail.help, account limits: 8,000 a day on a standard plan.
  fastmail: { connections: 5, rates: [{ count: 8000, seconds: DAY }], login: 'Fastmail takes an app password.' },
  // zoho.com/mail/help, usage policy: 250 external recipients a day and more by plan.
  zoho: { connections: 3, rates: [{ count: 250, seconds: DAY }] },
  // hilfe.gmx.net: a few hundred a day; the hourly limit is what runs meet first.
  gmx: { connections: 2, rates: [{ count: 100, seconds: HOUR }] },
  // yandex.com/support/mail, limits: 500 recipients a day.
  yandex: { connections: 3, rates: [{ count: 500, seconds: DAY }] },
  // documentation.mailgun.com: no connection limit is published; plans limit by month.
  mailgun: { connections: 10 },
  // docs.sendgrid.com, SMTP: up to 100 messages a connection, 10,000 connections.
  sendgrid: { connections: 10, messagesPerConnection: 100 },
  // postmarkapp.com/developer: publishes no rate.
  postmark: { connections: 10 },
  // developers.brevo.com: free plans have 300 a day.
  sendinblue: { connections: 5, rates: [{ count: 300, seconds: DAY }] },
  // resend.com/docs: 2 requests a second by default, counted for SMTP too.
  resend: { connections: 2, rates: [{ count: 2, seconds: 1 }] },
}

const ALIASES: Readonly<Record<string, string>> = {
  google: 'gmail',
  googleworkspace: 'gmailworkspace',
  workspace: 'gmailworkspace',
  microsoft: 'outlook365',
  microsoft365: 'outlook365',
  office365: 'outlook365',
  m365: 'outlook365',
  outlook: 'hotmail',
  brevo: 'sendinblue',
  apple: 'icloud',
}

/** The provider of that name. @throws ConfigError naming the nearest one. */
export function providerOf(name: string): Provider {
  const key = name.toLowerCase().replace(/[^a-z0-9]/g, '')
  const known = ALIASES[key] ?? key
  const server = wellKnown(known) || wellKnown(name)
  if (!server || server.host === undefined) {
    const guess = nearest(key, [...Object.keys(LIMITS), ...Object.keys(ALIASES)])
    throw new ConfigError(`there is no preset for the service '${name}'`, {
      hint:
        guess === undefined
          ? 'Give smtp.host and smtp.port instead.'
          : `Did you mean '${guess}'? Otherwise give smtp.host and smtp.port.`,
    })
  }
  const limits = LIMITS[known] ?? (known.startsWith('ses') ? LIMITS['ses'] : undefined) ?? {}
  return {
    host: server.host,
    port: Number(server.port ?? (server.secure ? 465 : 587)),
    secure: server.secure ?? false,
    ...limits,
  }
}
