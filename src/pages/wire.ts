/** What goes between the server of the pages and their scripts, as JSON. Owns these shapes alone. */
import type { Problem, Severity } from '../errors.ts'
import type { RowState } from '../report/row-states.ts'

export interface ErrorFields {
  readonly code?: string | undefined
  readonly message: string
  readonly hint?: string | undefined
  readonly problems?: readonly Problem[] | undefined
}

/** A line of a file of the project. */
export interface FilePlace {
  /** From the root of the project: `templates/news/html.hbs`. */
  readonly file: string
  /** From 1. */
  readonly line: number
}

export interface HeaderView {
  readonly name: string
  readonly value: string
  /** Where it is written; undefined for what mailmerge adds, or where that is not known. */
  readonly place?: FilePlace | undefined
}

/** A part of a message that is neither its text nor its HTML. */
export interface PartView {
  readonly name: string
  readonly type: string
  /** In bytes. */
  readonly size: number
  /** Shown in the text, as a picture is. */
  readonly isInline: boolean
}

/** What can be asked about a message when a person wants it: others get to see something of it. */
export const QUESTIONS = ['links', 'spam'] as const
export type Question = (typeof QUESTIONS)[number]

/** What is to be looked at in a message. */
export interface FindingView {
  readonly group: 'inbox' | 'programs' | 'readers' | 'weight' | 'links' | 'spam' | 'row'
  readonly severity: Severity | 'passed'
  readonly title: string
  readonly effect?: string | undefined
  /** Lines of the template that it is about. */
  readonly places?: readonly FilePlace[] | undefined
  /** Column of the list that it is about. */
  readonly column?: string | undefined
  /** Where more is said of it. */
  readonly url?: string | undefined
  /** It was not asked: what the answer says takes its place. */
  readonly asks?: Question | undefined
  /** How much of a limit it takes: 0 to 1. */
  readonly share?: number | undefined
}

/** What a question about a message was answered. */
export interface FindingsView {
  readonly findings: readonly FindingView[]
}

/** A message as a page shows it; its HTML, source and parts are asked for by themselves. */
export interface MessageView {
  readonly subject: string
  readonly from: string
  readonly to: string
  readonly date?: string | undefined
  /** Account that sends it, where there are several. */
  readonly account?: string | undefined
  /** Where it differs from the headers. */
  readonly envelope?: { readonly from: string; readonly to: readonly string[] } | undefined
  /** In bytes, as it is sent. */
  readonly size: number
  readonly headers: readonly HeaderView[]
  readonly text?: string | undefined
  /** Bytes of HTML; undefined for a message without. */
  readonly htmlSize?: number | undefined
  /** What an inbox shows after the subject. */
  readonly preheader: string
  readonly parts: readonly PartView[]
  /** Hosts that its pictures are loaded from. */
  readonly remoteHosts: readonly string[]
  readonly findings: readonly FindingView[]
}

export type Dark = 'off' | 'own' | 'inverted'

/** A line of a file around a place in it. */
export interface SourceLine {
  readonly number: number
  readonly text: string
  /** The line of the place itself. */
  readonly isHit: boolean
}

export const FILTERS = ['all', 'problems', 'suppressed', 'sent', 'hidden', 'duplicates'] as const
export type RowFilter = (typeof FILTERS)[number]

/** What is said of a row in the list; a row may have several. */
export type RowMark = 'problem' | 'suppressed' | 'sent' | 'hidden' | 'duplicate' | 'unselected' | 'warning'

/** A row in the list of a preview. */
export interface RowView {
  readonly row: number
  /** Who it is for, as its cells say; empty where they do not. */
  readonly name: string
  readonly address: string
  readonly marks: readonly RowMark[]
  /** The row that this one is a duplicate of. */
  readonly duplicateOf?: number | undefined
  /** Where rows are grouped: the first row of its message, and how many rows that has. */
  readonly sentWith?: { readonly row: number; readonly rows: number } | undefined
}

/** A piece of the list of rows. */
export interface RowsView {
  /** Rows that match, as far as the list is read. */
  readonly total: number
  /** Position of the first of `rows` among them. */
  readonly from: number
  readonly rows: readonly RowView[]
}

/** A file of the template, as it was when it was read. */
export interface FileView {
  readonly file: string
  readonly lines: readonly string[]
}

/** What is wrong with the project as it is now; what is shown is from before. */
export interface BrokenView {
  readonly what: 'template' | 'list' | 'config'
  readonly error: ErrorFields
  readonly lines: readonly SourceLine[]
  /** When the version that is shown was loaded (ISO 8601); undefined where there never was one. */
  readonly goodSince?: string | undefined
}

/** What a row is worth looking at for. */
export type LookReason =
  | {
      readonly kind: 'branch'
      readonly file: string
      readonly line: number | undefined
      readonly block: string
      readonly about: string
      readonly isElse: boolean
    }
  | { readonly kind: 'empty'; readonly column: string }
  | { readonly kind: 'script'; readonly script: string }
  | { readonly kind: 'language'; readonly language: string }
  | { readonly kind: 'longest'; readonly column: string; readonly characters: number }
  | { readonly kind: 'template'; readonly template: string }
  | { readonly kind: 'emptiest'; readonly empty: number; readonly columns: number }
  | { readonly kind: 'largest'; readonly bytes: number }

/** A row to look at. */
export interface LookView {
  readonly row: number
  readonly reasons: readonly LookReason[]
}

/** What a preview is about, and how far it is. */
export interface PreviewView {
  readonly template: string
  readonly list: string
  /** Changes with every reload. */
  readonly version: string
  /** Where a test is sent through. */
  readonly server: string
  /** Mail programs that the template is held against, by name. */
  readonly mailPrograms: readonly string[]
  readonly rowsRead: number
  readonly isComplete: boolean
  readonly counts: Readonly<Record<RowFilter, number>>
  /** Known once the list is read. */
  readonly looks: readonly LookView[]
  readonly broken?: BrokenView | undefined
}

/** One row with its message, or with what is wrong with it. */
export interface RowMessageView extends RowView {
  readonly version: string
  /** Undefined where no message can be made of the row. */
  readonly message?: MessageView | undefined
  /** Why the row stops a run. */
  readonly error?: ErrorFields | undefined
}

/** What came of a test mail. */
export interface TestView {
  /** Messages that it took. */
  readonly messages: number
  readonly server: string
  readonly address: string
  readonly seconds: number
}

/** Why a row does not get the message. */
export type LeftOutWhy =
  | 'sent-before'
  | 'suppressed'
  | 'hidden'
  | 'duplicate'
  | 'unselected'
  | 'follow-up'
  | 'bad'
  | 'other'

/** What a run would do, as far as it can be known before. */
export interface ForecastView {
  readonly rows: number
  readonly toSend: number
  /** Messages that these rows make, where rows are grouped. */
  readonly messages?: number | undefined
  /** Rows with problems, and duplicates where they are refused: while there are any nothing is sent. */
  readonly stopping: number
  /** Who does not get it. */
  readonly leftOut: readonly { readonly why: LeftOutWhy; readonly rows: number; readonly detail?: string | undefined }[]
  /** Of whole messages in bytes; of some rows, where there are a great many. */
  readonly sizes?: SizesView | undefined
  readonly pace?: PaceView | undefined
  /** What each of several accounts sends. */
  readonly accounts?: readonly AccountPart[] | undefined
  /** Connections at a time, where no limit is set. */
  readonly connections: number
  readonly server: string
  /** Words of the command that sends. */
  readonly command: string
}

export interface AccountPart {
  readonly account: string
  readonly messages: number
}

export interface SizesView {
  readonly measured: number
  readonly smallest: { readonly row: number; readonly bytes: number }
  readonly largest: { readonly row: number; readonly bytes: number }
  /** Of those measured, messages whose HTML Gmail cuts off. */
  readonly clipped: number
}

export interface PaceView {
  /** ISO 8601. */
  readonly lastAt: string
  /** What holds it back: a number in that many seconds. */
  readonly limit: { readonly count: number; readonly seconds: number; readonly of?: 'recipients' } | undefined
  /** Sending hours, pause and rising limit, as they are written. */
  readonly plan: string | undefined
  /** What other runs have taken of it already. */
  readonly taken: number | undefined
  readonly days: readonly { readonly day: string; readonly messages: number }[]
}

// ---- runs ------------------------------------------------------------------------------------------------------------

export type RowCounts = Readonly<Record<RowState, number>>

/** How a run is: what its sign and its word say. */
export type RunSign = 'sending' | 'paused' | 'waiting' | 'sent' | 'failed' | 'doubt' | 'cancelled'

/** A run in the list of runs. */
export interface RunItem {
  readonly run: string
  readonly campaign: string
  readonly sign: RunSign
  /** `Sending`, `Paused`, `Goes on at 15:30`. */
  readonly words: string
  readonly startedAt: string
  readonly rows: number
  /** Of the rows of the list, without those that are skipped, how many are sent: 0 to 100. */
  readonly percent: number
  /** `to_send` is counted as `deferred` here where it would have to be counted row by row. */
  readonly counts: RowCounts
}

export interface ScheduleItem {
  readonly name: string
  /** As it was given: a cron expression, an interval, a time. */
  readonly timing: string
  readonly zone: string
  readonly nextAt: string | undefined
  readonly last: { readonly at: string; readonly state: string; readonly run: string | undefined } | undefined
}

export interface RunsView {
  readonly project: string
  readonly runs: readonly RunItem[]
  /** All runs of the ledger. */
  readonly all: number
  readonly schedules: readonly ScheduleItem[]
  /** Entries of the suppression list. */
  readonly suppressed: number
  /** Moves with every change of them. */
  readonly suppressionVersion: number
  /** Whether the process of this page resumes runs. */
  readonly resumes: boolean
}

/** A row of a run that a person looks at. */
export interface StuckRow {
  readonly row: number
  readonly address: string
  readonly at: string | undefined
  readonly why: string
}

export interface ReasonItem {
  readonly words: string
  readonly code: string
  readonly rows: number
}

/** Why rows wait, and for whom. */
export interface WaitingItem extends ReasonItem {
  /** `example.net`, `7 domains` */
  readonly where: string
  /** When the first of them is tried again; undefined where nobody can know: no process sends the run. */
  readonly nextAt: string | undefined
  /** What a server said. */
  readonly said: string
}

export interface DomainItem {
  readonly domain: string
  readonly counts: RowCounts
}

/** Messages a second over time, as an SVG of 860 by 144 is drawn from it. */
export interface RateView {
  readonly line: string
  readonly area: string
  readonly grid: readonly { readonly y: number; readonly label: string }[]
  readonly limit?: { readonly y: number; readonly words: string } | undefined
  readonly marks: readonly { readonly x: number; readonly label: string; readonly anchor: 'start' | 'middle' | 'end' }[]
  readonly columns: readonly { readonly from: string; readonly sent: string; readonly rate: string }[]
}

/** One connection of a run. */
export interface LaneItem {
  readonly place: number
  /** Row whose message is on its way; undefined while it waits for one. */
  readonly row: number | undefined
  /** Since its server said something. */
  readonly quietMs: number
  readonly perSecond: number
  /** `TLS 1.3, TLS_AES_256_GCM_SHA384`, `not encrypted`; undefined where it is not known. */
  readonly encryption: string | undefined
  /** Whose it is, where there are several accounts. */
  readonly account?: string | undefined
}

export interface RunView extends RunItem {
  readonly template: string
  readonly source: string
  readonly endedAt: string | undefined
  readonly atWork: boolean
  /** What the process at work said last. */
  readonly progress?:
    | {
        readonly server: string
        /** At work. */
        readonly connections: number
        /** Each of them; undefined where the process at work does not say it. */
        readonly lanes: readonly LaneItem[] | undefined
        /** Connections that there may be, where that is known. */
        readonly most: number | undefined
        /** The server asked for fewer. */
        readonly isHeldBack: boolean
        readonly perSecond: number
        readonly doneAt: string | undefined
        /** Why it waits, and until when. */
        readonly pause: { readonly words: string; readonly until: string | undefined } | undefined
      }
    | undefined
  readonly inDoubt: readonly StuckRow[]
  readonly waiting: readonly WaitingItem[]
  readonly failed: readonly ReasonItem[]
  readonly domains: readonly DomainItem[]
  /** Domains beyond those. */
  readonly otherDomains: number
  readonly rate?: RateView | undefined
  /** Times of the figures: IANA zone. */
  readonly zone: string
}

/** What a person may ask of a run. */
export const RUN_ACTIONS = ['pause', 'resume', 'cancel', 'retry'] as const
export type RunAction = (typeof RUN_ACTIONS)[number]

export const SUPPRESSION_FILTERS = [
  'all',
  'unsubscribed',
  'complaint',
  'hard_bounce',
  'soft_bounces',
  'manual',
  'imported',
] as const
export type SuppressionFilter = (typeof SUPPRESSION_FILTERS)[number]

/** Somebody, or everybody at a domain, who is not written to. */
export interface SuppressionItem {
  /** An address or `@domain`; undefined for one that was forgotten, of which only a hash is kept. */
  readonly address: string | undefined
  /** The beginning of that hash. */
  readonly hash: string
  readonly reason: string
  readonly note: string | undefined
  /** ISO 8601. */
  readonly since: string
  /** Campaign, or group of campaigns, that it holds for; empty for all. */
  readonly group: string
  /** Takes it off the list. */
  readonly command: string
}

/** A page of the suppression list, the newest first. */
export interface SuppressionsView {
  readonly counts: Readonly<Record<SuppressionFilter, number>>
  readonly entries: readonly SuppressionItem[]
  /** What to ask for the entries after these; undefined after the last. */
  readonly next: string | undefined
}

// ---- inbox -----------------------------------------------------------------------------------------------------------

export const MAIL_FILTERS = ['all', 'new', 'attachments', 'refused'] as const
export type MailFilter = (typeof MAIL_FILTERS)[number]
export type MailCounts = Readonly<Record<MailFilter, number>>

/** A message in the list of an inbox. */
export interface MailRow {
  readonly id: number
  /** When it came (ISO 8601). */
  readonly at: string
  /** Who it is for, by name where there is one. */
  readonly who: string
  readonly from: string
  readonly to: string
  readonly subject: string
  readonly preheader: string
  /** In bytes. */
  readonly size: number
  /** The row of the list that it was made of, where that is known. */
  readonly row?: number | undefined
  readonly hasAttachment: boolean
  /** Came since the page was started, and nobody looked at it. */
  readonly isNew: boolean
  /** Its sender met this, which was asked for. */
  readonly fault?: 'refuse' | 'defer' | 'drop' | undefined
  /** What wrote it. */
  readonly source: 'sandbox' | 'dry-run' | 'inbox' | 'other'
}

/** A piece of the list of messages, newest first. */
export interface MailRowsView {
  readonly total: number
  readonly from: number
  readonly rows: readonly MailRow[]
}

export interface MailMessageView extends MailRow {
  readonly message: MessageView
}

/** Faults on order: shares from 0 to 1, seconds, and a part of the addresses that meet them. */
export interface FaultsView {
  readonly refuse: number
  readonly defer: number
  readonly drop: number
  readonly slow: number
  readonly match: string
}

/** What an inbox is about. */
export interface InboxView {
  readonly counts: MailCounts
  /** `localhost:2525`, where it takes mail itself. */
  readonly server?: string | undefined
  /** A folder of the user's own, whose messages are not deleted from here. */
  readonly folder?: string | undefined
  readonly faults: FaultsView
}
