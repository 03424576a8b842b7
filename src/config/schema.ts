/** The shape of mailmerge.yaml. The JSON Schema that editors complete from is made of it; errors are worded in `explain-errors.ts`. */
import { z } from 'zod'
import { knownLanguage } from '../language-tag.ts'
import { isReturnPath } from '../return-path.ts'
import { checkZone } from '../time-zone.ts'
import { isLoopbackName, isSafeEndpoint } from './endpoint.ts'
import {
  ALWAYS,
  HOLIDAY_HINT,
  isCalendarFile,
  PAUSE_HINT,
  RAMP_UP_HINT,
  type Reading,
  readHoliday,
  readHours,
  readPause,
  readRampUp,
  WINDOW_HINT,
} from './sending-hours.ts'
import { DURATION_HINT, MESSAGES_HINT, RATE_HINT, readDuration, readRate } from './units.ts'
import { DUPLICATES, NOTICE_KINDS } from './words.ts'

const text = z.string().min(1)
const path = text
const language = text.refine(isLanguage, 'must be a language. Write it as en-GB or fr.')
const zone = text.refine(isZone, 'must be a time zone. Zones have names like Europe/Paris or UTC.')
const webAddress = z.string().regex(/^https?:\/\/[^\s<>]+$/, 'must begin with http:// or https://')
const hostAndPort = z
  .string()
  .regex(/^(?:[^\s:/[\]]+|\[[\da-fA-F:]+\]):\d{1,5}$/, 'must be a host and a port, such as localhost:783')
const duration = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((value) => readDuration(value) !== undefined, `must be a duration. ${DURATION_HINT}`)
const rate = z.string().refine((value) => readRate(value) !== undefined, `must be a rate. ${RATE_HINT}`)
const rates = z.union([rate.transform((one) => [one]), z.array(rate)])
const domainRate = rate.refine((value) => readRate(value)?.of === undefined, `counts messages. ${MESSAGES_HINT}`)
const domainRates = z.union([domainRate.transform((one) => [one]), z.array(domainRate)])
const hours = written((value) => (value === ALWAYS ? { value } : readHours(value)), 'sending hours', WINDOW_HINT)
const holiday = written(
  (value) => (isCalendarFile(value) ? { value } : readHoliday(value)),
  'a date or an .ics file',
  HOLIDAY_HINT,
)
interface HoursAlone {
  hours: string[]
  zone?: undefined
  zoneColumn?: undefined
  holidays?: undefined
}
const sendingWindow = z
  .union([
    hours.transform((one): HoursAlone => ({ hours: [one] })),
    z
      .array(hours)
      .min(1)
      .transform((all): HoursAlone => ({ hours: all })),
    z.strictObject({
      hours: z
        .union([hours.transform((one) => [one]), z.array(hours).min(1)])
        .describe('Mon-Fri 09:00-17:00, or several in a list')
        .optional(),
      zone: z
        .string()
        .refine(
          (value) => value === 'run' || value === 'recipient' || isZone(value),
          'must be run, recipient or a time zone. Zones have names like Europe/Paris or UTC.',
        )
        .describe("By whose clock: run (default: timeZone, or --tz), recipient (each one's own), or a time zone")
        .optional(),
      zoneColumn: text
        .describe('For recipient: column with the time zone of each row; default: by its name')
        .optional(),
      holidays: z
        .union([holiday.transform((one) => [one]), z.array(holiday)])
        .describe('Days on which nothing is sent: 2026-12-25, 12-25 for every year, an .ics file ...')
        .optional(),
    }),
  ])
  .describe('When messages may go: Mon-Fri 09:00-17:00, several in a list, or hours with zone and holidays')
const pause = z
  .union([z.string(), z.number()])
  .transform(String)
  .superRefine(refusal(readPause, 'a pause', PAUSE_HINT))
  .describe('Between two messages, which then go one at a time: 5 s, or 5-12 s for a random pause')
const rampUp = written(readRampUp, 'a limit that rises', RAMP_UP_HINT).describe(
  'Messages a calendar day, rising with each day on which some were sent: 50/day, +50 %/day, to 2000/day',
)
/** Goes into a line of the SMTP dialogue, so nothing in it may end the line or the word. */
const word = z.string().regex(/^[^\s\p{Cc}]+$/u, 'must be one word without spaces')

const dsn = z
  .strictObject({
    notify: z
      .array(z.enum(['never', 'success', 'failure', 'delay']))
      .min(1)
      .refine((kinds) => kinds.length === 1 || !kinds.includes('never'), 'never stands alone')
      .describe('When to report: success, failure, delay; or never')
      .optional(),
    return: z.enum(['full', 'headers']).describe('How much of the message a report contains').optional(),
  })
  .describe('Delivery status notifications to request, if the server offers them (RFC 3461)')

const smtp = z
  .strictObject({
    url: text.describe('smtp://user@host:587 or smtps://host, instead of host, port, security and user').optional(),
    service: text
      .describe('Provider whose server and limits to use: gmail, microsoft365, ses, fastmail ...')
      .optional(),
    host: word.describe('Mail server; default localhost').optional(),
    port: z
      .number()
      .int()
      .min(1)
      .max(65_535)
      .describe('Default 25; 465 with security: tls, 587 with starttls')
      .optional(),
    security: z
      .enum(['tls', 'starttls', 'auto', 'none'])
      .describe('tls from the start, starttls (required), auto (STARTTLS if offered), or none')
      .optional(),
    user: z
      .string()
      .regex(/^\P{Cc}+$/u, 'must be one line')
      .describe('User name for the login')
      .optional(),
    password: text.describe('Password; better set as MAILMERGE_SMTP_PASSWORD or by passwordCommand').optional(),
    passwordCommand: text
      .describe('Shell command, run in the project folder; the first line of its output is the password')
      .optional(),
    tokenCommand: text.describe('Like passwordCommand, for an OAuth2 access token; run before each login').optional(),
    oauth2: text
      .describe('Log in with a sign-in made by mailmerge login: google, microsoft, or a name under oauth2')
      .optional(),
    auth: z
      .enum(['plain', 'login', 'cram-md5', 'xoauth2'])
      .describe('How to log in; default: the first way that the server offers and that fits')
      .optional(),
    name: word.describe('Host name to send in EHLO; default: the name of this machine').optional(),
    verifyCertificate: z.boolean().describe('Refuse certificates that cannot be verified; default true').optional(),
    ca: path.describe('PEM file of a private certificate authority').optional(),
    allowPlainLogin: z.boolean().describe('Allow sending the password without TLS; default false').optional(),
    lmtp: z.boolean().describe('Speak LMTP (RFC 2033) instead of SMTP; default false').optional(),
    pipelining: z
      .union([z.literal('auto'), z.literal(0), z.literal(1), z.literal(2)])
      .describe(
        'How to group commands: 0 one by one, 1 within a message, 2 across messages; default auto, which finds out',
      )
      .optional(),
    messagesPerConnection: z
      .number()
      .int()
      .min(1)
      .describe('Messages to send before opening a new connection')
      .optional(),
    recipientsPerConnection: z
      .number()
      .int()
      .min(1)
      .describe('Recipients, copies included, to send to before opening a new connection')
      .optional(),
    dsn: dsn.optional(),
    requireTls: z
      .boolean()
      .describe('Require TLS on the whole way to the recipient (REQUIRETLS, RFC 8689); default false')
      .optional(),
    proxy: text.describe('socks5://host:port or http://host:port').optional(),
    timeouts: z
      .strictObject({
        connect: duration.describe('Default 30s').optional(),
        greeting: duration.describe('Default 30s').optional(),
        command: duration.describe('Default 60s').optional(),
        data: duration.describe('Default 3min').optional(),
        endOfData: duration.describe('Default 10min; a server that takes longer leaves the row in doubt').optional(),
      })
      .describe('How long to wait for the server at each stage (RFC 5321 section 4.5.3.2)')
      .optional(),
  })
  .describe('The mail server')

const endpoint = z.string().refine(isSafeEndpoint, 'must be an https:// address; http:// is for this machine only')

const oauth2Client = z.strictObject({
  clientId: word.describe("The provider's id for this program, from registering it there").optional(),
  clientSecret: text.describe('Client secret; better set by clientSecretCommand').optional(),
  clientSecretCommand: text.describe('Shell command that prints the client secret').optional(),
  tenant: z
    .string()
    .regex(/^[A-Za-z0-9.-]+$/, 'must be an id or a domain')
    .describe('For microsoft: id or domain of the organization; default common')
    .optional(),
  issuer: endpoint.describe('Provider that publishes its endpoints (RFC 8414), instead of naming each').optional(),
  authorizationEndpoint: endpoint.describe('Where the browser signs in').optional(),
  deviceEndpoint: endpoint.describe('Where to get device codes (RFC 8628)').optional(),
  tokenEndpoint: endpoint.describe('Where to get tokens').optional(),
  revocationEndpoint: endpoint.describe('Where to revoke tokens (RFC 7009)').optional(),
  scopes: z
    .union([text.transform((words) => words.split(/\s+/)), z.array(word)])
    .describe('Scopes to request')
    .optional(),
  redirectUri: z
    .string()
    .refine(isLoopbackAddress, 'must be an http:// address of this machine: http://127.0.0.1:8765/callback')
    .describe('Address that the browser returns to; default http://127.0.0.1 with any free port')
    .optional(),
  parameters: z.record(z.string(), z.string()).describe('Further parameters of the sign-in page').optional(),
  tokenFile: path.describe("File for the tokens; default: in the user's state folder").optional(),
})

const columnType = z.enum(['text', 'date', 'number', 'list'])
const column = z.strictObject({
  type: columnType,
  format: text.describe('Format of the dates or numbers').optional(),
  separator: text.describe('Separator between the items of a list').optional(),
})

const source = z.strictObject({
  path: path.describe('File, relative to this configuration, or an https:// address').optional(),
  headers: z
    .record(z.string(), z.union([text, z.strictObject({ env: word.describe('Variable of the environment') })]))
    .describe('Headers to ask for an https:// address with; secrets as { env: NAME }')
    .optional(),
  format: z.enum(['csv', 'xlsx', 'ods', 'json', 'ndjson']).describe('Default: by file name and content').optional(),
  encoding: text.describe('Default: detected').optional(),
  delimiter: text.describe('Default: detected').optional(),
  sheet: z
    .union([z.string(), z.number()])
    .transform(String)
    .describe('Sheet of a workbook, by name or number; default: the first')
    .optional(),
  headerRow: z
    .number()
    .int()
    .min(1)
    .describe('Row that holds the column names; default: the first that is not empty')
    .optional(),
  sql: z
    .strictObject({
      query: text.describe('The SQL text'),
      database: text.describe('SQLite file or postgres:// address'),
    })
    .describe('Use a query as the list')
    .optional(),
  command: text
    .describe('Shell command, run in the project folder; its output is the list if it exits with 0')
    .optional(),
})

const dkimKey = z.strictObject({
  domain: word,
  selector: word,
  key: path.describe('PEM file of a private key, RSA or Ed25519'),
})

const imap = z
  .strictObject({
    host: word.describe('IMAP server').optional(),
    port: z.number().int().min(1).max(65_535).describe('Default 993; 143 with security: starttls').optional(),
    security: z
      .enum(['tls', 'starttls', 'none'])
      .describe('tls from the start (default), starttls (required), or none for a server on this machine')
      .optional(),
    user: text.describe('User name for the login').optional(),
    password: text.describe('Password; better set as MAILMERGE_IMAP_PASSWORD').optional(),
    passwordCommand: text.describe('Shell command; the first line of its output is the password').optional(),
    oauth2: text
      .describe('Log in with a sign-in made by mailmerge login: google, microsoft, or a name under oauth2')
      .optional(),
    verifyCertificate: z.boolean().describe('Refuse certificates that cannot be verified; default true').optional(),
    ca: path.describe('PEM file of a private certificate authority').optional(),
  })
  .describe('The mailbox that receives bounces and answers')

const returnPath = z
  .string()
  .refine(isReturnPath, 'must be an address with one * in its local part, such as bounces+*@example.org')
  .describe('Return path of each message, with * for its token: bounces+*@example.org')

const bounces = z
  .strictObject({
    returnPath: returnPath.optional(),
    mailbox: text.describe('Folder to read; default INBOX').optional(),
    done: z
      .union([z.enum(['keep', 'seen', 'delete']), z.strictObject({ move: text.describe('Folder to move them to') })])
      .describe('What to do with processed messages: keep, seen (default), delete, or move: FOLDER')
      .optional(),
    softLimit: z
      .number()
      .int()
      .min(0)
      .describe('Soft bounces after which an address is suppressed; default 5, 0 for never')
      .optional(),
    softDays: z.number().int().min(1).describe('Days for which soft bounces count; default 30').optional(),
  })
  .describe('What to do with bounces')

const mailbox = text.refine(
  (value) => /^[^\s<>@:]+@[^\s<>@]+$/.test(value),
  'must be an address. For example ops@example.org.',
)

const notify = z
  .strictObject({
    mail: z
      .union([mailbox.transform((one) => [one]), z.array(mailbox).min(1)])
      .describe('Address, or addresses, that notices are mailed to')
      .optional(),
    from: mailbox.describe('Sender of these mails; default: the first of their addresses').optional(),
    smtp: text
      .describe('Server for these mails; best set as MAILMERGE_NOTIFY_SMTP; default: the one that sends the run')
      .optional(),
    webhook: endpoint.describe('Address that notices are posted to as JSON').optional(),
    secret: text
      .describe('Key that signs what is posted, at least 16 characters; better set as MAILMERGE_NOTIFY_SECRET')
      .optional(),
    when: z
      .array(z.enum(NOTICE_KINDS))
      .min(1)
      .describe('What to give notice of: ended, stopped, needs_you; default: all of them')
      .optional(),
  })
  .describe('Notices when a run ends, stops or needs you')

const variant = z.strictObject({
  share: z.number().positive().default(1).describe('Weight relative to the other variants; default 1'),
  subject: text.describe("Subject, instead of the template's").optional(),
  template: text.describe('Another template: a name under templates/, or a path').optional(),
})

const transport = z
  .union([text, z.record(z.string(), z.unknown())])
  .describe(
    'How to send, if not by SMTP: maildir:PATH, mbox:PATH, sendmail, ses, gmail-api, graph, drafts, or your own module',
  )
const concurrency = z.number().int().min(1).max(200).describe('Maximum number of connections; default 5')
const limits = rates.describe('Limits, all of which hold, across runs: 10/s, 500/day, 500 recipients/day')
const perDomain = z
  .strictObject({
    concurrency: z.number().int().min(1).describe('Maximum number of messages in flight to one domain').optional(),
    rate: domainRates.describe('Limits for each domain: 100/hour').optional(),
  })
  .describe('Limits for each domain of the recipients')
const dkim = z
  .union([dkimKey.transform((one) => [one]), z.array(dkimKey)])
  .describe('Keys to sign each message with (RFC 6376)')
const ACCOUNT_NAME = 'must be a word of letters, digits and hyphens, and not share'
/** One of several accounts: what it does not set is as for all of them. */
const account = z.strictObject({
  from: z
    .string()
    .regex(/^(?:(?!\{\{)[^\p{Cc}])+$/u, 'must be an address on one line, the same for every row')
    .describe('Sender of its messages where the template sets none: Sales <sales@example.com>')
    .optional(),
  smtp: smtp.optional(),
  transport: transport.optional(),
  concurrency: concurrency.optional(),
  rate: limits.optional(),
  perDomain: perDomain.optional(),
  window: sendingWindow.optional(),
  pause: pause.optional(),
  rampUp: rampUp.optional(),
  dkim: dkim.optional(),
  returnPath: returnPath.optional(),
})

/** Every key of mailmerge.yaml. */
export const configSchema = z
  .strictObject({
    $schema: z.string().describe('Address of this schema, for editors').optional(),
    csv: path.describe('The list; the same as data, under its usual name').optional(),
    data: z
      .union([path, source])
      .describe('The list: a file, a file and how to read it, a query, or a command')
      .optional(),
    template: text.describe('Name under templates/, or a path; with {{column}} in it, one for each row').optional(),
    message: z
      .record(z.string(), z.unknown())
      .describe('Fields for templates that do not set them: from, replyTo, headers ...; each a Handlebars text')
      .optional(),
    smtp: smtp.optional(),
    oauth2: z
      .record(z.string(), oauth2Client)
      .describe('Clients for mailmerge login, by provider: google, microsoft, or your own name')
      .optional(),
    accounts: z
      .record(z.string().regex(/^(?!share$)[A-Za-z0-9][A-Za-z0-9-]{0,39}$/, ACCOUNT_NAME), account)
      .refine((accounts) => Object.keys(accounts).length > 0, 'needs at least one account')
      .refine(areDistinct, 'has two names that differ only in capitals')
      .describe('Accounts to send from, by name: each with server, login, sender and limits')
      .optional(),
    account: z
      .union([text, z.strictObject({ column: text.describe('Column with the name of the account of each row') })])
      .describe('Which account sends: a name under accounts, share for all of them, or { column: NAME }')
      .optional(),
    transport: transport.optional(),
    campaign: text.describe('Name of what each person gets once; default: the template and the list').optional(),
    group: text.describe('Campaigns of one group share their unsubscribes; default: the campaign').optional(),
    key: text.describe('Column that identifies a recipient; default: the address').optional(),
    groupBy: text.describe('Column by which rows are grouped: one message for all rows with the same value').optional(),
    emailColumn: text.describe('Column that holds the address; default: found by its name').optional(),
    foldGmail: z
      .boolean()
      .describe('Treat Gmail addresses that differ only in dots or after a plus as one person; default false')
      .optional(),
    duplicates: z.enum(DUPLICATES).describe('What to do with two rows of one recipient; default error').optional(),
    segments: z
      .record(z.string(), z.union([text.transform((one) => [one]), z.array(text)]))
      .describe('Named conditions for --segment: paris: "city=Paris"; all of a list must hold')
      .optional(),
    variants: z
      .record(z.string().regex(/^[\w-]{1,40}$/, 'must be a word of letters, digits and hyphens'), variant)
      .refine((variants) => Object.keys(variants).length > 0, 'needs at least one variant')
      .describe('A/B test: variants by name, each for a fixed share of the recipients')
      .optional(),
    columns: z
      .strictObject({
        rename: z.record(z.string(), z.string()).describe('Old name to new name').optional(),
        computed: z.record(z.string(), z.string()).describe('New columns, as Handlebars texts').optional(),
        types: z
          .record(z.string(), z.union([columnType.transform((type) => ({ type })), column]))
          .describe('Columns that are dates, numbers or lists')
          .optional(),
      })
      .describe('Changes to the columns of the list')
      .optional(),
    concurrency: concurrency.optional(),
    rate: limits.optional(),
    window: sendingWindow.optional(),
    pause: pause.optional(),
    rampUp: rampUp.optional(),
    perDomain: perDomain.optional(),
    retryFor: duration.describe('How long to retry deferred rows; default 4h').optional(),
    grace: duration.describe('How long to wait, when stopped, for messages in flight; default 30s').optional(),
    lateBy: duration.describe('How late a run may start; later it is reported and not sent. Default 1h').optional(),
    metrics: path.describe('File for the metrics of a run, for Prometheus: mailmerge.prom').optional(),
    ledger: text.describe('SQLite file that records runs; default .mailmerge/ledger.db').optional(),
    attachments: z
      .strictObject({ roots: z.array(path).describe('Folders outside the project that attachments may come from') })
      .describe('Where attachments may come from')
      .optional(),
    dkim: dkim.optional(),
    allowEmpty: z.boolean().describe('Send messages that have no body or an empty one; default false').optional(),
    locale: language.describe('Language of dates and numbers: en-GB, fr ...').optional(),
    check: z
      .strictObject({
        clients: z
          .array(text)
          .describe(
            'Mail programs whose support check looks up: gmail, outlook, apple-mail, yahoo by default; [] for none',
          )
          .optional(),
        rspamd: webAddress.describe('An rspamd of your own that check asks: http://localhost:11333').optional(),
        spamd: hostAndPort.describe('A spamd of your own that check asks: localhost:783').optional(),
      })
      .describe('What mailmerge check looks at beside the list and the template')
      .optional(),
    timeZone: zone.describe('Time zone of dates and times: Europe/Paris ...').optional(),
    imap: imap.optional(),
    sentCopy: text
      .describe('Folder of the imap mailbox for a copy of each sent message, if the provider keeps none')
      .optional(),
    bounces: bounces.optional(),
    serve: z
      .strictObject({
        host: word.describe('Address to listen on; default 127.0.0.1').optional(),
        port: z.number().int().min(0).max(65_535).describe('Port to listen on; default 8025').optional(),
        token: text
          .describe(
            'Token for the private pages; better set as MAILMERGE_SERVE_TOKEN; default: a new one at each start',
          )
          .optional(),
        proxies: z
          .number()
          .int()
          .min(0)
          .max(10)
          .describe('Number of your own proxies in front, whose X-Forwarded-For is trusted; default 0')
          .optional(),
      })
      .describe('How to reach mailmerge serve')
      .optional(),
    notify: notify.optional(),
    unsubscribe: z
      .strictObject({
        url: z
          .string()
          .regex(/^https?:\/\/[^\s<>]+$/, 'must begin with https://')
          .describe('Public address of mailmerge serve, for unsubscribe links (RFC 8058): https://news.example.com')
          .optional(),
        mailto: text
          .refine((value) => /^[^\s<>@:]+@[^\s<>@]+$/.test(value), 'must be an address. For example leave@example.com.')
          .describe('Mailbox for unsubscribe mails (RFC 2369)')
          .optional(),
        sender: text.describe('Name of the sender on the unsubscribe page').optional(),
        lists: z
          .record(z.string(), z.string())
          .describe('Readable names of groups, for the unsubscribe page: news: Weekly news')
          .optional(),
        secret: text
          .describe('Key of the links; better set as MAILMERGE_UNSUBSCRIBE_SECRET; default: a file beside the ledger')
          .optional(),
      })
      .describe('How people unsubscribe')
      .optional(),
  })
  .describe('Settings of a mailmerge project')

export type Config = z.output<typeof configSchema>
export type AccountConfig = z.output<typeof account>
export type SmtpConfig = NonNullable<Config['smtp']>
export type OAuthConfig = z.output<typeof oauth2Client>

/** A text with a grammar of its own; what is wrong with it is said with its character. */
function written(read: (text: string) => Reading<unknown>, what: string, hint: string): z.ZodString {
  return z.string().superRefine(refusal(read, what, hint))
}

function refusal(read: (text: string) => Reading<unknown>, what: string, hint: string) {
  return (value: string, context: z.core.$RefinementCtx<string>): void => {
    const found = read(value)
    if ('wrong' in found) context.addIssue({ code: 'custom', message: `must be ${what}: ${found.wrong}. ${hint}` })
  }
}

/** Their variables in the environment are in capitals. */
function areDistinct(accounts: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(accounts).map((name) => name.toLowerCase())
  return new Set(names).size === names.length
}

function isLanguage(name: string): boolean {
  return !name.includes('_') && knownLanguage(name) !== undefined
}

function isZone(name: string): boolean {
  try {
    return checkZone(name) !== ''
  } catch {
    return false
  }
}

/** An address of this machine for the browser to come back to. */
function isLoopbackAddress(text: string): boolean {
  const url = URL.parse(text)
  return (
    url !== null && url.protocol === 'http:' && isLoopbackName(url.hostname) && url.search === '' && url.hash === ''
  )
}
