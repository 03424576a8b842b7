/** What a project is set to, after flags, environment, `.env` and mailmerge.yaml are put together. Holds no behaviour. */
import type { Secret } from '../secret.ts'
import type { SendingWindow } from '../sending-window.ts'
import type { DUPLICATES, NOTICE_KINDS } from './words.ts'

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Where a list comes from. */
export type ListOrigin =
  /** Path as the user gave it, relative to the working directory. */
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdin' }
  /** What a query gives, and the database it goes to: the path of an SQLite file, or a `postgres://` address. */
  | { readonly kind: 'query'; readonly query: string; readonly database: string }
  /** What a web server gives, the headers to ask with, and the project that keeps a copy. */
  | {
      readonly kind: 'web'
      readonly url: string
      readonly headers: Readonly<Record<string, string>>
      readonly root: string
    }
  /** What a command line prints, and the folder that it runs in. */
  | { readonly kind: 'command'; readonly line: string; readonly folder: string }

/** How a list is to be read. */
export interface SourceSettings {
  /** Undefined where the settings name no list. */
  readonly from: ListOrigin | undefined
  readonly format?: 'csv' | 'xlsx' | 'ods' | 'json' | 'ndjson'
  readonly encoding?: string
  readonly delimiter?: string
  readonly sheet?: string
  readonly headerRow?: number
  /** Old name to new name. */
  readonly rename?: Readonly<Record<string, string>>
  /** New columns as Handlebars texts. */
  readonly computed?: Readonly<Record<string, string>>
  readonly types?: Readonly<Record<string, ColumnType>>
}

export interface ColumnType {
  readonly type: 'text' | 'date' | 'number' | 'list'
  readonly format?: string | undefined
  readonly separator?: string | undefined
}

/** A mailbox signed in to with `mailmerge login`: who gives its access tokens, and for whom. */
export interface SignIn {
  readonly provider: OAuthProvider
  readonly user: string
}

/** Milliseconds for each stage of RFC 5321 section 4.5.3.2. */
export interface SmtpTimeouts {
  readonly connect: number
  readonly greeting: number
  readonly command: number
  readonly data: number
  readonly endOfData: number
}

/** Delivery reports: of what, and with how much of the message in them. */
export interface DsnSettings {
  readonly notify?: readonly ('never' | 'success' | 'failure' | 'delay')[] | undefined
  readonly return?: 'full' | 'headers' | undefined
}

export interface SmtpSettings {
  readonly host: string
  readonly port: number
  /** `tls` from the start; `starttls` required; `auto` takes STARTTLS when offered; `none` never. */
  readonly security: 'tls' | 'starttls' | 'auto' | 'none'
  readonly user?: string
  /** Asked once, when a login is needed: from the environment, a command or a prompt. */
  readonly password?: () => Promise<Secret>
  /** What this provider wants for a login, said when it refuses one: `Gmail takes an app password`. */
  readonly loginHint?: string
  /** The way to log in; without it the first one that the server offers and that fits. */
  readonly auth?: 'plain' | 'login' | 'cram-md5' | 'xoauth2'
  /** OAuth2 access token of a command, for XOAUTH2 and OAUTHBEARER; asked before each login so that it is fresh. */
  readonly accessToken?: () => Promise<Secret>
  /** The sign-in that gives access tokens instead. */
  readonly signIn?: SignIn
  /** Name given in EHLO. */
  readonly name?: string
  /** False only for tests and private servers: accept any certificate. */
  readonly verifyCertificate: boolean
  /** PEM file of a private authority. */
  readonly ca?: string
  /** Send a password without TLS. */
  readonly allowPlainLogin: boolean
  readonly lmtp: boolean
  readonly pipelining: 'auto' | 0 | 1 | 2
  readonly timeouts: SmtpTimeouts
  readonly messagesPerConnection?: number
  readonly recipientsPerConnection?: number
  /** Which delivery reports to ask for, where the server knows how (RFC 3461). */
  readonly dsn?: DsnSettings
  /** Refuse servers that do not promise TLS on the whole way (RFC 8689). */
  readonly requireTls?: boolean
  /** SOCKS or HTTP proxy. */
  readonly proxy?: string
}

/** At most `count` in any `seconds`. */
export interface RateLimit {
  readonly count: number
  readonly seconds: number
  /** What is counted: messages, or every address of their envelopes, copies among them. */
  readonly of?: 'recipients'
}

/** A random time between two messages, in milliseconds. */
export interface Pause {
  readonly from: number
  readonly to: number
}

/** A limit of messages a calendar day that rises with each day on which some were sent. */
export interface RampUp {
  /** As it is written. */
  readonly text: string
  /** Messages of the first day. */
  readonly first: number
  readonly growth: { readonly percent: number } | { readonly messages: number }
  /** Messages a day beyond which it does not rise. */
  readonly top: number | undefined
}

export interface DeliverySettings {
  readonly concurrency: number
  readonly rates: readonly RateLimit[]
  /** When messages may go; undefined for always. */
  readonly window?: SendingWindow
  /** Between two messages, which then go one at a time. */
  readonly pause?: Pause
  readonly rampUp?: RampUp
  /** How long a deferred row is tried again, in milliseconds from its first attempt. */
  readonly retryFor: number
  /** How long a stop waits for what is in flight, in milliseconds. */
  readonly grace: number
  readonly perDomain?: { readonly concurrency?: number; readonly rates?: readonly RateLimit[] }
}

/** One of several accounts to send from, complete with what it takes over from the settings around it. */
export interface AccountSettings {
  readonly smtp: SmtpSettings
  /** As in `Settings`. */
  readonly transport?: string | Readonly<Record<string, unknown>>
  readonly delivery: DeliverySettings
  /** Sender of its messages where the template sets none: one mailbox, the same for every row. */
  readonly from?: string
  readonly dkim: readonly DkimKey[]
  /** Return path with a `*` for the token of each message. */
  readonly returnPath?: string
}

/** Which account sends a row: one for all, the one that a column names, or whichever has room. */
export type AccountChoice =
  | { readonly by: 'name'; readonly name: string }
  | { readonly by: 'column'; readonly column: string }
  | { readonly by: 'share' }

/** One part of an A/B split: what it sets instead of the campaign's own. */
export interface VariantSettings {
  /** Weight beside the other variants. */
  readonly share: number
  readonly subject?: string | undefined
  readonly template?: string | undefined
}

export interface DkimKey {
  readonly domain: string
  readonly selector: string
  /** Path of a PEM private key, RSA or Ed25519. */
  readonly key: string
}

/** A mailbox read and written over IMAP. */
export interface ImapSettings {
  readonly host: string
  readonly port: number
  /** `tls` from the start, `starttls` required, `none` only for this machine. */
  readonly security: 'tls' | 'starttls' | 'none'
  readonly user: string
  /** One of the two; the password is asked when a login needs it. */
  readonly password?: () => Promise<Secret>
  readonly signIn?: SignIn
  readonly verifyCertificate: boolean
  readonly ca?: string
}

/** Who gives access tokens, and as which client they are asked for. */
export interface OAuthProvider {
  readonly name: string
  /** Where the endpoints can be asked for, when they are not set (RFC 8414). */
  readonly issuer?: string
  readonly authorizationEndpoint?: string
  readonly deviceEndpoint?: string
  readonly tokenEndpoint?: string
  readonly revocationEndpoint?: string
  readonly scopes: readonly string[]
  readonly clientId?: string
  /** Asked when it is needed: desktop clients of Google have one, public clients have none. */
  readonly clientSecret?: () => Promise<Secret>
  /** Loopback address that the browser comes back to (RFC 8252 section 7.3). Without a port any free one is taken. */
  readonly redirectUri: string
  /** Further parameters of the request that the browser opens. */
  readonly parameters: Readonly<Record<string, string>>
  /** Where the tokens are, when the project says so. */
  readonly tokenFile?: string
  /** Where they are otherwise. */
  readonly tokenFolder: string
  /** Why there is no device code, where a provider has one and not for mail. */
  readonly noDevice?: string
}

export interface BounceSettings {
  /** Return path with a `*` for the token of each message. */
  readonly returnPath?: string
  /** Folder of the IMAP account. */
  readonly mailbox: string
  /** What becomes of a report that was taken in: left as it is, marked as read, deleted, or moved to a folder. */
  readonly done: 'keep' | 'seen' | 'delete' | { readonly move: string }
  readonly softLimit: number
  readonly softDays: number
}

/** What `check` looks at beside the list and the template. */
export interface CheckSettings {
  /** Mail programs by the names of caniemail.com; undefined: those in which most mail is read. */
  readonly clients: readonly string[] | undefined
  /** Address of an rspamd: `http://localhost:11333`. */
  readonly rspamd: string | undefined
  /** Host and port of a spamd: `localhost:783`. */
  readonly spamd: string | undefined
}

/** Who hears of runs without watching them. One of `mail` and `webhook` is set. */
export interface NotifySettings {
  readonly mail?: {
    readonly to: readonly string[]
    readonly from: string
    /** A server of its own; without it the messages' own way. */
    readonly smtp?: SmtpSettings
  }
  readonly webhook?: { readonly url: string; readonly secret: Secret }
  readonly when: readonly (typeof NOTICE_KINDS)[number][]
}

export interface Settings {
  /** The project: folder of mailmerge.yaml, or the working directory. Paths of templates and attachments start here. */
  readonly root: string
  readonly configFile?: string
  readonly source: SourceSettings
  readonly template?: string
  /** Message fields for templates that do not set them: `from`, `replyTo`, `headers` ... each a Handlebars text. */
  readonly message: Readonly<Record<string, unknown>>
  readonly smtp: SmtpSettings
  /** Who gives access tokens, by name; `used` is the one that what sends, or else IMAP, logs in with, and `user` the mailbox. */
  readonly oauth2: {
    readonly providers: Readonly<Record<string, OAuthProvider>>
    readonly used?: string
    readonly user?: string
  }
  /** Another way to send than SMTP: `maildir:PATH`, `mbox:PATH`, `sendmail`, `ses`, or a module of the user's own. */
  readonly transport?: string | Readonly<Record<string, unknown>>
  readonly delivery: DeliverySettings
  /** Accounts by name; without them there is the one that `smtp`, `transport` and `delivery` say. */
  readonly accounts?: Readonly<Record<string, AccountSettings>>
  /** Which of them sends; undefined where there are several and nothing says it. */
  readonly account?: AccountChoice
  readonly campaign?: string
  readonly group?: string
  readonly key?: string
  /** Column by which rows are grouped: one message for all rows that have the same in it. */
  readonly groupBy?: string
  /** Column that holds the address, where it is not found by itself. */
  readonly emailColumn?: string
  /** Addresses of Gmail that differ only in dots or from a plus on are one recipient key. */
  readonly foldGmail: boolean
  readonly duplicates: (typeof DUPLICATES)[number]
  /** Conditions by name, for `--segment`. */
  readonly segments?: Readonly<Record<string, readonly string[]>>
  /** Variants by name, each for a stable share of the recipients. */
  readonly variants?: Readonly<Record<string, VariantSettings>>
  /** File for the numbers of a run, in the text format of Prometheus; absolute. */
  readonly metrics?: string
  /** Path of the SQLite file, or a postgres:// address. */
  readonly ledger: string
  /** Folders beside the project that attachments may come from, absolute. */
  readonly attachmentRoots: readonly string[]
  readonly dkim: readonly DkimKey[]
  /** How late a run with a start time may begin, in milliseconds; infinite when late is right. */
  readonly lateBy?: number
  readonly imap?: ImapSettings
  /** Folder of the mailbox for a copy of each sent message. */
  readonly sentCopy?: string
  readonly bounces: BounceSettings
  readonly notify?: NotifySettings
  readonly check: CheckSettings
  readonly locale?: string
  /** Messages that say nothing are sent. */
  readonly allowEmpty: boolean
  readonly timeZone?: string
  /** Base address of the unsubscribe endpoint, and the mailbox for the mailto form. */
  readonly unsubscribe?: {
    readonly url?: string
    readonly mailto?: string
    readonly secret?: () => Promise<Secret>
    /** For people, on the page: who sends, and what the groups are called. */
    readonly sender?: string
    readonly lists?: Readonly<Record<string, string>>
  }
  /** How `mailmerge serve` is reached. */
  readonly serve?: {
    readonly host?: string
    readonly port?: number
    readonly token?: Secret
    readonly proxies?: number
  }
}
