/** What a template gives for a row: texts only. Owns the shape of rendered content; never makes bytes of it. */
import type { RowData } from '../source/source.ts'
import type { Place, Snippet } from './files/place.ts'
import type { MarkedText } from './marked-text.ts'

/** What a template may use beside the row's own columns, under the name `@merge` (`{{@merge.row}}`). */
export interface RenderContext {
  /** Row of the source, from 1. */
  readonly row: number
  readonly campaign: string
  /** The moment that date helpers call now. */
  readonly now: Date
  /** BCP 47 tag for the helpers, unless a row or template says otherwise. */
  readonly locale?: string
  /** Sender of the message where the template sets none of its own. */
  readonly from?: string
  /** Language of a version of the template: for the helpers, in the place of `locale`, in which the list is written. */
  readonly language?: string
  /** IANA zone for the helpers. */
  readonly timeZone?: string
  /** One-click unsubscribe address of this recipient (RFC 8058), where the project has one. */
  readonly unsubscribeUrl?: string | undefined
  /** All rows of the message, the rendered one first, where rows are grouped: templates have them as `rows`. */
  readonly rows?: readonly RowData[] | undefined
}

/** Name under which a template has the rows of its message. */
export const ROWS = 'rows'

/** A file to attach: a path of the project, or content made by a template. */
export type RenderedAttachment =
  | {
      readonly kind: 'file'
      /** Only the template's own `*` is a pattern. Read by `message/files/project-path.ts`. */
      readonly path: MarkedText
      readonly name?: string
      readonly type?: string
      readonly optional?: boolean
      /** Column that the path comes from, where it is known. */
      readonly column?: string
    }
  | { readonly kind: 'content'; readonly name: string; readonly type?: string; readonly content: string | Uint8Array }
  /** A PDF drawn from Markdown, in which a value of the row is text (see `message/pdf/pdf.ts`). */
  | { readonly kind: 'pdf'; readonly name: string; readonly source: MarkedText }

/** An image that the HTML shows by `cid:`. */
export type RenderedInline =
  | {
      readonly kind: 'file'
      readonly cid: string
      readonly path: string
      /** A value of the row names it; what the template itself names is part of the template's hash. */
      readonly ofRow?: boolean
      /** Column that named it, where it is known. */
      readonly column?: string
    }
  | {
      readonly kind: 'content'
      readonly cid: string
      readonly name: string
      readonly type: string
      readonly content: Uint8Array
    }

/** A calendar invitation as the template's texts say it; `message/calendar.ts` checks and builds it (RFC 5545, 5546). */
export interface RenderedCalendar {
  readonly method: string
  readonly uid?: string
  readonly sequence?: string
  readonly start: string
  readonly end?: string
  readonly duration?: string
  readonly timeZone?: string
  readonly summary: string
  readonly location?: string
  readonly description?: string
  readonly url?: string
  readonly organizer?: MarkedText
  readonly attendee?: MarkedText
  readonly alarm?: string
}

/** A row rendered: header values and bodies as plain Unicode text, nothing encoded yet. */
export interface Rendered {
  /** Header address lists: `Ada <ada@example.com>, bob@example.com`. Read by `message/address/list.ts`. */
  readonly from: MarkedText
  readonly to?: MarkedText
  readonly cc?: MarkedText
  readonly bcc?: MarkedText
  readonly replyTo?: MarkedText
  /** Envelope sender, where it differs from `from`. `<>` is the null sender. */
  readonly envelopeFrom?: MarkedText
  readonly subject: string
  /** Further headers in the order of the template. Never those that the composer owns. */
  readonly headers: readonly (readonly [name: string, value: MarkedText])[]
  readonly text?: string
  readonly html?: string
  readonly attachments: readonly RenderedAttachment[]
  readonly inline: readonly RenderedInline[]
  readonly calendar?: RenderedCalendar
  /** Tag of the version that it was rendered with; undefined for the usual one. */
  readonly language?: string
  /** True for a message of several rows. */
  readonly isGrouped?: boolean
  /** Columns that each field reads, by its `fieldKey`. */
  readonly columns?: ReadonlyMap<string, readonly string[]>
}

/** A template as people wrote it, for those who look for mistakes in it. */
export interface WrittenTemplate {
  /** Where it reads columns. */
  readonly uses: readonly NameUse[]
  /** Its texts: fields, bodies, layout, partials. */
  readonly texts: readonly Snippet[]
  /** Those of them that are HTML, or become HTML. */
  readonly htmlTexts: ReadonlySet<Snippet>
  /** The HTML page with its layout and partials, before styles are written into it; undefined where there is none. */
  readonly page: Snippet | undefined
  /** The body and the layout around it, each with its partials: what opens in one of them closes in it. */
  readonly parts: readonly Snippet[]
  /** The page was made from MJML, whose markup is not the user's. */
  readonly isMjml: boolean
}

/** A name that a template reads from its row. */
export interface NameUse extends Place {
  readonly name: string
  readonly snippet: Snippet
  /** Several words, as a call with its values is written: a column may be meant. */
  readonly isCall?: boolean
  /** Read from each row of a message, where rows are grouped; from something other than a row where they are not. */
  readonly ofRows?: boolean | undefined
  /** Put out as it is, or asked whether it is filled; undefined where a helper gets it. */
  readonly how?: 'output' | 'condition' | undefined
}

/** `replyTo` and `Reply-To` are one field. */
export function fieldKey(name: string): string {
  return name.toLowerCase().replaceAll('-', '')
}

/** A compiled template. `render` is pure and synchronous: same row and context, same result. */
export interface Template {
  /** `invite` for `templates/invite/` or `templates/invite.md`. */
  readonly name: string
  /** It comes with the package: an example for rehearsals, which is never sent. */
  readonly builtIn: boolean
  /** Fields that every message needs and that are not set, so that no row can fill them. */
  readonly lacks: readonly ('from' | 'subject')[]
  /** Every file that went in, for messages and for the hash. */
  readonly files: readonly string[]
  /** Files beside them that look like a part of the template and are none: a name that is misspelt. */
  readonly unread: readonly string[]
  /** What a person should know of it before a run. */
  readonly notes: readonly string[]
  /** SHA-256 in hex over all that went in (own files, layouts, partials, helpers, embedded images). */
  readonly hash: string
  /** Column names that the template reads, where its text shows it. */
  readonly columns: readonly string[]
  /** The sender as it is written, where it is the same for every row. */
  readonly sender: string | undefined
  readonly written: WrittenTemplate
  /** Its versions in other languages, by their tags: `render` chooses by the row. */
  readonly versions: ReadonlyMap<string, Template>
  /** What says the language of a row: `locale`, or the name of a column once it is bound; undefined where nothing does. */
  readonly languageFrom: string | undefined
  /** Whether the template says who sends it; else it is what holds for all templates, or the account. */
  readonly setsFrom: boolean
  /** Whether the template says who gets it; else it is the address column. */
  readonly setsTo: boolean
  /**
   * Fails early on what no row can fix: a name that no column has.
   * @param isGrouped One message is made of several rows, and `rows` are there.
   * @throws DataError naming template, line, column and the nearest column name.
   */
  bind(columns: readonly string[], isGrouped?: boolean): void
  /** @throws DataError with the template's file, line and column. */
  render(row: RowData, context: RenderContext): Rendered
  /**
   * As `render`, and fails wherever it would. A body that cannot fail for this row, because it only puts out cells that
   * are there, is left out.
   */
  check(row: RowData, context: RenderContext): Rendered
}
