/** The shape of mailmerge.yaml. The JSON Schema that editors complete from is made of it. */
import { z } from 'zod'

const path = z.string().min(1)
const duration = z.union([z.string(), z.number()]).transform(String).describe('A duration: 90s, 15min, 4h, 3d')
const rate = z.string().describe('A rate: 10/s, 30/min, 500/day')
const rates = z.union([rate.transform((one) => [one]), z.array(rate)])

const smtp = z
  .strictObject({
    url: z.string().describe('smtp://user:password@host:587, smtps://host').optional(),
    service: z.string().describe('A provider: gmail, microsoft365, ses, fastmail ...').optional(),
    host: z.string().describe('Default localhost').optional(),
    port: z
      .number()
      .int()
      .min(1)
      .max(65_535)
      .describe('Default 25; 465 with security: tls, 587 with starttls')
      .optional(),
    security: z
      .enum(['tls', 'starttls', 'auto', 'none'])
      .describe('tls from the first octet, starttls required, auto when offered')
      .optional(),
    user: z.string().optional(),
    password: z
      .string()
      .describe('Better kept out of this file: MAILMERGE_SMTP_PASSWORD, .env, or passwordCommand')
      .optional(),
    passwordCommand: z.string().describe('A command whose first line of output is the password').optional(),
    name: z.string().describe('Name given in EHLO').optional(),
    verifyCertificate: z.boolean().describe('Default true').optional(),
    ca: path.describe('PEM file of a private certificate authority').optional(),
    allowPlainLogin: z.boolean().describe('Send a password without TLS; default false').optional(),
    lmtp: z.boolean().optional(),
    pipelining: z.union([z.literal('auto'), z.literal(0), z.literal(1), z.literal(2)]).optional(),
    messagesPerConnection: z.number().int().min(1).optional(),
    proxy: z.string().describe('socks5://host:port or http://host:port').optional(),
    timeouts: z
      .strictObject({
        connect: duration.optional(),
        greeting: duration.optional(),
        command: duration.optional(),
        data: duration.optional(),
        endOfData: duration.optional(),
      })
      .optional(),
  })
  .describe('The server that takes the mail')

const column = z.strictObject({
  type: z.enum(['text', 'date', 'number', 'list']),
  format: z.string().optional(),
  separator: z.string().optional(),
})

const source = z.strictObject({
  path: path.optional(),
  format: z.enum(['csv', 'xlsx', 'ods', 'json', 'ndjson']).optional(),
  encoding: z.string().optional(),
  delimiter: z.string().optional(),
  sheet: z.union([z.string(), z.number()]).transform(String).optional(),
  headerRow: z.number().int().min(1).optional(),
  sql: z.strictObject({ query: z.string(), database: z.string() }).optional(),
})

/** Every key of mailmerge.yaml. */
export const configSchema = z
  .strictObject({
    $schema: z.string().optional(),
    list: z.union([path, source]).describe('The list: a file, or its file with options').optional(),
    csv: path.describe('The list, by its usual name').optional(),
    data: z.union([path, source]).describe('The list, as --data').optional(),
    template: z.string().optional(),
    message: z
      .record(z.string(), z.unknown())
      .describe('Fields for templates that do not set them: from, replyTo, headers ...')
      .optional(),
    smtp: smtp.optional(),
    transport: z
      .union([z.string(), z.record(z.string(), z.unknown())])
      .describe('maildir:PATH, mbox:PATH, sendmail, or a module of your own')
      .optional(),
    campaign: z.string().optional(),
    group: z.string().describe('Campaigns of one group share their unsubscribes').optional(),
    key: z.string().describe('Column that makes two rows the same; default the address').optional(),
    emailColumn: z.string().optional(),
    duplicates: z.enum(['error', 'skip', 'all']).optional(),
    columns: z
      .strictObject({
        rename: z.record(z.string(), z.string()).optional(),
        computed: z.record(z.string(), z.string()).optional(),
        types: z
          .record(
            z.string(),
            z.union([column, z.enum(['text', 'date', 'number', 'list']).transform((type) => ({ type }))]),
          )
          .optional(),
      })
      .optional(),
    concurrency: z.number().int().min(1).max(200).describe('SMTP connections at most; default 5').optional(),
    rate: rates.describe('Limits that all hold: 10/s, 500/day').optional(),
    perDomain: z.strictObject({ concurrency: z.number().int().min(1).optional(), rate: rates.optional() }).optional(),
    retryFor: duration.describe('How long deferred rows are tried again; default 4h').optional(),
    grace: duration.describe('How long a stop waits for what is in flight; default 30s').optional(),
    ledger: z.string().optional(),
    attachments: z
      .strictObject({ roots: z.array(path) })
      .describe('Further folders that attachments may come from')
      .optional(),
    dkim: z
      .union([
        z.strictObject({ domain: z.string(), selector: z.string(), key: path }).transform((one) => [one]),
        z.array(z.strictObject({ domain: z.string(), selector: z.string(), key: path })),
      ])
      .optional(),
    locale: z.string().optional(),
    timeZone: z.string().optional(),
    unsubscribe: z
      .strictObject({ url: z.string().optional(), mailto: z.string().optional(), secret: z.string().optional() })
      .optional(),
  })
  .describe('Settings of a mailmerge project')

export type Config = z.output<typeof configSchema>
