/** The shape of mailmerge.yaml. The JSON Schema that editors complete from is made of it; errors are worded in `explain-errors.ts`. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { isReturnPath } from '../return-path.ts'
import { checkZone } from '../time-zone.ts'
import { DURATION_HINT, MESSAGES_HINT, RATE_HINT, readDuration, readRate } from './units.ts'
import { DUPLICATES } from './words.ts'

const text = z.string().min(1)
const path = text
const language = text.refine(isLanguage, 'must be a language. Write it as en-GB or fr.')
const zone = text.refine(isZone, 'must be a time zone. Zones have names like Europe/Paris or UTC.')
const duration = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((value) => readDuration(value) !== undefined, `must be a duration. ${DURATION_HINT}`)
const rate = z.string().refine((value) => readRate(value) !== undefined, `must be a rate. ${RATE_HINT}`)
const rates = z.union([rate.transform((one) => [one]), z.array(rate)])
const domainRate = rate.refine((value) => readRate(value)?.of === undefined, `counts messages. ${MESSAGES_HINT}`)
const domainRates = z.union([domainRate.transform((one) => [one]), z.array(domainRate)])
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
    return: z.enum(['full', 'headers']).describe('What a report holds of the message').optional(),
  })
  .describe('Delivery reports to ask for, where the server offers them (DSN, RFC 3461)')

const smtp = z
  .strictObject({
    url: text
      .describe('smtp://user@host:587, or smtps://host: all in one, instead of host, port, security and user')
      .optional(),
    service: text.describe('A provider with its server and limits: gmail, microsoft365, ses, fastmail ...').optional(),
    host: word.describe('Server that takes the mail; default localhost').optional(),
    port: z
      .number()
      .int()
      .min(1)
      .max(65_535)
      .describe('Default 25; 465 with security: tls, 587 with starttls')
      .optional(),
    security: z
      .enum(['tls', 'starttls', 'auto', 'none'])
      .describe('tls from the first octet, starttls required, auto: STARTTLS when offered, none')
      .optional(),
    user: z
      .string()
      .regex(/^\P{Cc}+$/u, 'must be one line')
      .describe('Name to log in with')
      .optional(),
    password: text
      .describe('Better kept out of this file: MAILMERGE_SMTP_PASSWORD in the environment or .env, or passwordCommand')
      .optional(),
    passwordCommand: text
      .describe('A command line for the shell, run in the project folder; the first line of its output is the password')
      .optional(),
    tokenCommand: text.describe('Like passwordCommand, for an OAuth2 access token; run before each login').optional(),
    oauth2: text
      .describe('Log in with the sign-in of mailmerge login: google, microsoft, or a name under oauth2')
      .optional(),
    name: word.describe('Name given in EHLO; default the name of this machine').optional(),
    verifyCertificate: z.boolean().describe('Refuse certificates that cannot be trusted; default true').optional(),
    ca: path.describe('PEM file of a private certificate authority').optional(),
    allowPlainLogin: z.boolean().describe('Send the password without TLS; default false').optional(),
    lmtp: z.boolean().describe('Speak LMTP (RFC 2033) instead of SMTP; default false').optional(),
    pipelining: z
      .union([z.literal('auto'), z.literal(0), z.literal(1), z.literal(2)])
      .describe('How commands are grouped: auto learns it; 0 one by one, 1 within a message, 2 across messages')
      .optional(),
    messagesPerConnection: z.number().int().min(1).describe('Open a new connection after so many messages').optional(),
    recipientsPerConnection: z
      .number()
      .int()
      .min(1)
      .describe('Open a new connection after so many recipients, copies among them')
      .optional(),
    dsn: dsn.optional(),
    requireTls: z
      .boolean()
      .describe('Send only to servers that promise TLS on the whole way (REQUIRETLS, RFC 8689); default false')
      .optional(),
    proxy: text.describe('socks5://host:port or http://host:port').optional(),
    timeouts: z
      .strictObject({
        connect: duration.describe('Default 30s').optional(),
        greeting: duration.describe('Default 30s').optional(),
        command: duration.describe('Default 60s').optional(),
        data: duration.describe('Default 3min').optional(),
        endOfData: duration
          .describe('Default 10min; a server that is slower than this leaves a row in doubt')
          .optional(),
      })
      .describe('How long to wait for the server, stage by stage (RFC 5321 section 4.5.3.2)')
      .optional(),
  })
  .describe('The server that takes the mail')

const endpoint = z.string().refine(isSafeEndpoint, 'must be an https:// address; http:// is for this machine only')

const oauth2Client = z.strictObject({
  clientId: word.describe('What the provider calls this program, from registering it there').optional(),
  clientSecret: text.describe('Better kept out of this file: clientSecretCommand').optional(),
  clientSecretCommand: text.describe('A command line for the shell that prints the client secret').optional(),
  tenant: z
    .string()
    .regex(/^[A-Za-z0-9.-]+$/, 'must be an id or a domain')
    .describe('Of microsoft: id or domain of the organisation; default common')
    .optional(),
  issuer: endpoint.describe('Provider that publishes its endpoints (RFC 8414), instead of naming them').optional(),
  authorizationEndpoint: endpoint.describe('Where the browser signs in').optional(),
  deviceEndpoint: endpoint.describe('Where device codes come from (RFC 8628)').optional(),
  tokenEndpoint: endpoint.describe('Where tokens come from').optional(),
  revocationEndpoint: endpoint.describe('Where tokens are taken back (RFC 7009)').optional(),
  scopes: z
    .union([text.transform((words) => words.split(/\s+/)), z.array(word)])
    .describe('What is asked for')
    .optional(),
  redirectUri: z
    .string()
    .refine(isLoopbackAddress, 'must be an http:// address of this machine: http://127.0.0.1:8765/callback')
    .describe('Where the browser comes back to; default http://127.0.0.1 with any free port')
    .optional(),
  parameters: z.record(z.string(), z.string()).describe('Further parameters of the sign-in page').optional(),
  tokenFile: path.describe('Where the tokens are kept; default in the state folder of the user').optional(),
})

const columnType = z.enum(['text', 'date', 'number', 'list'])
const column = z.strictObject({
  type: columnType,
  format: text.describe('How dates or numbers are written').optional(),
  separator: text.describe('What parts the items of a list').optional(),
})

const source = z.strictObject({
  path: path.describe('File, relative to this config').optional(),
  format: z.enum(['csv', 'xlsx', 'ods', 'json', 'ndjson']).describe('Default by ending and content').optional(),
  encoding: text.describe('Default: found by itself').optional(),
  delimiter: text.describe('Default: found by itself').optional(),
  sheet: z
    .union([z.string(), z.number()])
    .transform(String)
    .describe('Sheet of a workbook; default the first')
    .optional(),
  headerRow: z.number().int().min(1).describe('Row that holds the column names; default 1').optional(),
  sql: z
    .strictObject({ query: text, database: text.describe('SQLite file or postgres:// address') })
    .describe('A query as the list')
    .optional(),
  command: text
    .describe('A command line for the shell, run in the project folder: its output is the list, if it ends well')
    .optional(),
})

const dkimKey = z.strictObject({
  domain: word,
  selector: word,
  key: path.describe('PEM file of a private key, RSA or Ed25519'),
})

const imap = z
  .strictObject({
    host: word.describe('Server of the mailbox').optional(),
    port: z.number().int().min(1).max(65_535).describe('Default 993; 143 with security: starttls').optional(),
    security: z
      .enum(['tls', 'starttls', 'none'])
      .describe('tls from the first octet (default), starttls required, none for a server on this machine')
      .optional(),
    user: text.describe('Name to log in with').optional(),
    password: text.describe('Better as MAILMERGE_IMAP_PASSWORD in the environment or .env').optional(),
    passwordCommand: text.describe('A command line whose first line of output is the password').optional(),
    oauth2: text
      .describe('Log in with the sign-in of mailmerge login: google, microsoft, or a name under oauth2')
      .optional(),
    verifyCertificate: z.boolean().describe('Refuse certificates that cannot be trusted; default true').optional(),
    ca: path.describe('PEM file of a private certificate authority').optional(),
  })
  .describe('The mailbox that bounces and answers come to')

const bounces = z
  .strictObject({
    returnPath: z
      .string()
      .refine(isReturnPath, 'must be an address with one * in its local part, such as bounces+*@example.org')
      .describe('Return path of each message, with * for its token: bounces+*@example.org')
      .optional(),
    mailbox: text.describe('Folder that is read; default INBOX').optional(),
    done: z
      .union([z.enum(['keep', 'seen', 'delete']), z.strictObject({ move: text })])
      .describe('What becomes of what was taken in: keep, seen (default), delete, or move: FOLDER')
      .optional(),
    softLimit: z
      .number()
      .int()
      .min(0)
      .describe('Soft bounces that suppress an address; default 5, 0 for never')
      .optional(),
    softDays: z.number().int().min(1).describe('Days that soft bounces count; default 30').optional(),
  })
  .describe('What is done with what comes back')

const variant = z.strictObject({
  share: z.number().positive().default(1).describe('Weight beside the other variants; default 1'),
  subject: text.describe('Subject instead of the one of the template').optional(),
  template: text.describe('Another template: a name under templates/, or a path').optional(),
})

/** Every key of mailmerge.yaml. */
export const configSchema = z
  .strictObject({
    $schema: z.string().describe('Address of this schema, for editors').optional(),
    csv: path.describe('The list, by its usual name; data is the same').optional(),
    data: z.union([path, source]).describe('The list: a file, or a file with how to read it, or a query').optional(),
    template: text.describe('Name under templates/, or a path').optional(),
    message: z
      .record(z.string(), z.unknown())
      .describe('Fields for templates that do not set them: from, replyTo, headers ...; each a Handlebars text')
      .optional(),
    smtp: smtp.optional(),
    oauth2: z
      .record(z.string(), oauth2Client)
      .describe('Clients for mailmerge login, by provider: google, microsoft, or a name of your own')
      .optional(),
    transport: z
      .union([text, z.record(z.string(), z.unknown())])
      .describe('Another way to send than SMTP: maildir:PATH, mbox:PATH, sendmail, ses, or a module of your own')
      .optional(),
    campaign: text.describe('What a person gets once; default template and list').optional(),
    group: text.describe('Campaigns of one group share their unsubscribes; default the campaign').optional(),
    key: text.describe('Column that makes two rows the same; default the address').optional(),
    emailColumn: text.describe('Column that holds the address; default: found by its name').optional(),
    foldGmail: z
      .boolean()
      .describe('Gmail addresses that differ in dots, or from a plus on, are one person; default false')
      .optional(),
    duplicates: z.enum(DUPLICATES).describe('What to do with two rows of one key; default error').optional(),
    segments: z
      .record(z.string(), z.union([text.transform((one) => [one]), z.array(text)]))
      .describe('Conditions by name, for --segment: paris: "city=Paris"; several must all hold')
      .optional(),
    variants: z
      .record(z.string().regex(/^[\w-]{1,40}$/, 'must be a word of letters, digits and hyphens'), variant)
      .refine((variants) => Object.keys(variants).length > 0, 'needs at least one variant')
      .describe('A/B split: variants by name, each for a stable share of the recipients')
      .optional(),
    columns: z
      .strictObject({
        rename: z.record(z.string(), z.string()).describe('Old name to new name').optional(),
        computed: z.record(z.string(), z.string()).describe('New columns as Handlebars texts').optional(),
        types: z
          .record(z.string(), z.union([columnType.transform((type) => ({ type })), column]))
          .describe('Columns that are dates, numbers or lists')
          .optional(),
      })
      .describe('Changes to the columns of the list')
      .optional(),
    concurrency: z.number().int().min(1).max(200).describe('Connections at most; default 5').optional(),
    rate: rates.describe('Limits that all hold, across runs: 10/s, 500/day, 500 recipients/day').optional(),
    perDomain: z
      .strictObject({
        concurrency: z.number().int().min(1).describe('Messages in flight to one domain at most').optional(),
        rate: domainRates.describe('Limits for each domain: 100/hour').optional(),
      })
      .describe('Limits for each domain of the recipients')
      .optional(),
    retryFor: duration.describe('How long deferred rows are tried again; default 4h').optional(),
    grace: duration.describe('How long a stop waits for what is in flight; default 30s').optional(),
    lateBy: duration.describe('How late a run with an hour may begin; later it asks. Default 1h').optional(),
    metrics: path
      .describe('File that holds the numbers of a run for Prometheus while it goes on: mailmerge.prom')
      .optional(),
    ledger: text.describe('Where runs are recorded: a SQLite file; default .mailmerge/ledger.db').optional(),
    attachments: z
      .strictObject({ roots: z.array(path).describe('Folders beside the project that attachments may come from') })
      .describe('Where attachments may come from')
      .optional(),
    dkim: z
      .union([dkimKey.transform((one) => [one]), z.array(dkimKey)])
      .describe('Keys that sign each message (RFC 6376)')
      .optional(),
    locale: language.describe('Language of dates and numbers: en-GB, fr ...').optional(),
    timeZone: zone.describe('Zone of dates: Europe/Paris ...').optional(),
    imap: imap.optional(),
    sentCopy: text
      .describe('Folder of that mailbox for a copy of each sent message, where the provider keeps none')
      .optional(),
    bounces: bounces.optional(),
    serve: z
      .strictObject({
        host: word.describe('Address that mailmerge serve listens on; default 127.0.0.1').optional(),
        port: z.number().int().min(0).max(65_535).describe('Its port; default 8025').optional(),
        token: text
          .describe('Opens its private pages; better as MAILMERGE_SERVE_TOKEN; default a new one at each start')
          .optional(),
        proxies: z
          .number()
          .int()
          .min(0)
          .max(10)
          .describe('Proxies of yours in front of it, whose X-Forwarded-For is believed; default 0')
          .optional(),
      })
      .describe('How mailmerge serve is reached')
      .optional(),
    unsubscribe: z
      .strictObject({
        url: z
          .string()
          .regex(/^https?:\/\/[^\s<>]+$/, 'must begin with https://')
          .describe('Address under which mailmerge serve answers unsubscribes (RFC 8058): https://news.example.com')
          .optional(),
        mailto: text
          .refine((value) => /^[^\s<>@:]+@[^\s<>@]+$/.test(value), 'must be an address. For example leave@example.com.')
          .describe('Mailbox that takes unsubscribe mails (RFC 2369)')
          .optional(),
        sender: text.describe('Who sends, on the unsubscribe page').optional(),
        lists: z
          .record(z.string(), z.string())
          .describe('Names of groups for people, on the unsubscribe page: news: Weekly news')
          .optional(),
        secret: text
          .describe('Seals the links; better as MAILMERGE_UNSUBSCRIBE_SECRET; default a file beside the ledger')
          .optional(),
      })
      .describe('How people leave the list')
      .optional(),
  })
  .describe('Settings of a mailmerge project')

export type Config = z.output<typeof configSchema>
export type SmtpConfig = NonNullable<Config['smtp']>
export type OAuthConfig = z.output<typeof oauth2Client>

function isLanguage(name: string): boolean {
  try {
    return Intl.getCanonicalLocales(name).length === 1
  } catch {
    return false
  }
}

function isZone(name: string): boolean {
  try {
    return checkZone(name) !== ''
  } catch {
    return false
  }
}

/** https, or http on this very machine, where nobody is between. */
function isSafeEndpoint(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.hash !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackName(url.hostname))
}

/** An address of this machine for the browser to come back to. */
function isLoopbackAddress(text: string): boolean {
  const url = URL.parse(text)
  return (
    url !== null && url.protocol === 'http:' && isLoopbackName(url.hostname) && url.search === '' && url.hash === ''
  )
}

function isLoopbackName(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true
  return isIP(hostname) === 4 && hostname.startsWith('127.')
}
