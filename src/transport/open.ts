/** The transport that the settings ask for. Owns the choice, and the words by which transports are named. */
import { resolve } from 'node:path'
import { MAIL_APIS, type MailApiSettings, mailApiSettings } from '../config/mail-api.ts'
import type { Settings } from '../config/settings.ts'
import { didYouMean, nearest } from '../did-you-mean.ts'
import { ConfigError } from '../errors.ts'
import { given } from '../given.ts'
import { createSmtpTransport, type SmtpTransportOptions } from './smtp/smtp-transport.ts'
import type { Transport } from './transport.ts'

const WORDS = ['smtp', 'maildir', 'mbox', 'sendmail', 'ses', 'drafts', ...MAIL_APIS] as const

/** What may stand beside the word of a group; what SES takes is the SDK's to say. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  smtp: [],
  maildir: [],
  mbox: [],
  sendmail: ['args'],
  drafts: [],
  module: ['options'],
}

/** Whether messages are put into a Drafts folder, and not sent. */
export function makesDrafts({ transport }: Pick<Settings, 'transport'>): boolean {
  return typeof transport === 'string' && /^drafts(?::|$)/.test(transport)
}

/**
 * The settings of a run that makes drafts: nothing of what belongs to sending holds for them, as signatures and the limits of a
 * server. The person's own program signs and sends.
 */
export function draftSettings(settings: Settings): Settings {
  const { sentCopy: _, ...others } = settings
  const transport = makesDrafts(settings) ? settings.transport : 'drafts'
  // The person who sends a draft says when.
  const { window, pause, rampUp, ...delivery } = settings.delivery
  return { ...others, ...given({ transport }), dkim: [], delivery: { ...delivery, rates: [] } }
}

/**
 * @example
 * transport: maildir:archive
 * transport: sendmail
 * transport: { ses: { region: eu-west-1 } }
 * transport: { module: ./transport.mjs, options: { key: value } }
 *
 * @throws ConfigError for a transport that is not known, or whose module cannot be loaded.
 */
export async function openTransport(settings: Settings, options: SmtpTransportOptions = {}): Promise<Transport> {
  const { transport, root } = settings
  if (transport === undefined || transport === 'smtp') return createSmtpTransport(settings.smtp, options)
  const api = mailApiSettings(settings)
  if (api !== undefined) return openMailApi(api, settings)
  const { word, value, more } = typeof transport === 'string' ? fromText(transport) : fromGroup(transport)
  switch (word) {
    case 'maildir':
    case 'mbox': {
      if (value === undefined) throw new ConfigError(`transport: ${word} has no path`, { hint: `Write ${word}:PATH.` })
      const path = resolve(root, value)
      if (word === 'maildir') return (await import('./maildir.ts')).createMaildirTransport(path)
      return (await import('./mbox.ts')).createMboxTransport(path)
    }
    case 'sendmail': {
      const { createSendmailTransport } = await import('./sendmail.ts')
      const args = more['args']
      return createSendmailTransport({
        ...(value === undefined ? {} : { path: value.includes('/') ? resolve(root, value) : value }),
        ...(Array.isArray(args) ? { args: args.map(String) } : {}),
      })
    }
    case 'drafts': {
      if (settings.imap === undefined) {
        throw new ConfigError('drafts need a mailbox, and none is set', { hint: 'Set imap: in mailmerge.yaml.' })
      }
      return (await import('./drafts.ts')).createDraftsTransport(settings.imap, value)
    }
    case 'ses': {
      const { createNodemailerTransport } = await import('./nodemailer.ts')
      const { sesPlugin } = await import('./user-module.ts')
      const region = value ?? more['region']
      return createNodemailerTransport({
        name: typeof region === 'string' ? `ses ${region}` : 'ses',
        plugin: await sesPlugin({ ...more, ...(region === undefined ? {} : { region }) }, root),
      })
    }
    default: {
      if (value === undefined) throw unknown(word)
      const { createNodemailerTransport } = await import('./nodemailer.ts')
      const { pluginOf } = await import('./user-module.ts')
      return createNodemailerTransport({ name: value, plugin: await pluginOf(value, more['options'], root) })
    }
  }
}

/** What such a service cannot carry is refused before anything is sent. */
async function openMailApi(api: MailApiSettings, { bounces, smtp }: Settings): Promise<Transport> {
  const { service } = api
  const cannot = (what: string, hint: string): ConfigError =>
    new ConfigError(`${service} cannot carry ${what}`, { hint })
  if (bounces.returnPath !== undefined)
    throw cannot('a return path of its own', 'Leave bounces.returnPath out: bounces come to the mailbox that sends.')
  if (smtp.dsn !== undefined) throw cannot('a request for delivery reports', 'Leave smtp.dsn out, or send by SMTP.')
  if (smtp.requireTls === true) throw cannot('smtp.requireTls', 'Leave it out, or send by SMTP.')
  const { createApiTransport } = await import('./api/api-transport.ts')
  if (service === 'gmail-api') return createApiTransport(api, (await import('./api/gmail.ts')).gmail)
  return createApiTransport(api, (await import('./api/graph.ts')).graphFor(api))
}

interface Choice {
  readonly word: string
  /** Path, region, module. */
  readonly value?: string
  readonly more: Readonly<Record<string, unknown>>
}

/** `word`, `word:value`, or a path or package. */
function fromText(text: string): Choice {
  const [, word = text, value] = /^([a-z]+)(?::(.*))?$/s.exec(text) ?? []
  if (WORDS.some((known) => known === word)) return { word, ...(value ? { value } : {}), more: {} }
  const guess = nearest(word, WORDS)
  if (guess !== undefined && value !== undefined) throw unknown(text)
  return { word: 'module', value: text, more: {} }
}

/** `{ word: value or options, ... }`. */
function fromGroup(group: Readonly<Record<string, unknown>>): Choice {
  const word = ['module', ...WORDS].find((known) => group[known] !== undefined)
  if (word === undefined) throw unknown(Object.keys(group).join(', '))
  const { [word]: value, ...more } = group
  const known = KEYS[word]
  const stray = known === undefined ? undefined : Object.keys(more).find((key) => !known.includes(key))
  if (known !== undefined && stray !== undefined) {
    throw new ConfigError(`transport: ${word} has no setting '${stray}'`, {
      hint: didYouMean(stray, known, known.length > 0 ? `It has ${known.join(', ')}.` : `Write ${word}:PATH.`),
    })
  }
  if (typeof value === 'string') return { word, value, more }
  const inner = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
  const { path, ...rest } = inner
  return { word, ...(typeof path === 'string' ? { value: path } : {}), more: { ...more, ...rest } }
}

function unknown(text: string): ConfigError {
  return new ConfigError(`there is no transport '${text}'`, {
    hint: didYouMean(
      text.split(':')[0] ?? '',
      WORDS,
      'There are maildir:PATH, mbox:PATH, sendmail, ses, gmail-api, graph, and modules: ./transport.mjs. Leave transport out for SMTP.',
    ),
  })
}
