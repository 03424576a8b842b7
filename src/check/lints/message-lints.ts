/**
 * What can be wrong with a message that is right: read as its reader will, after rendering. Owns the advice on one rendered
 * message; never changes it and never reaches for what it links to.
 */
import { BoundedMap } from '../../bounded-map.ts'
import type { Problem } from '../../errors.ts'
import { unmark } from '../../template/marked-text.ts'
import type { Rendered } from '../../template/template.ts'
import { linksInText, lookAtHtml } from './html-scan.ts'

/** Bytes of HTML beyond which Gmail shows the beginning and a link to the rest. */
export const GMAIL_CLIP = 102 * 1024
/** Characters of a subject that most mail programs show whole. */
const LONG_SUBJECT = 70

export type Advice = Pick<Problem, 'severity' | 'code' | 'message' | 'hint' | 'value' | 'column'>

export interface MessageLook {
  readonly advice: readonly Advice[]
  /** True when the reader is told how to leave the list, in a header or in the text. */
  readonly unsubscribe: boolean
}

/**
 * A function that looks at messages of one list, whose column names in braces are merge tags that stayed.
 * @param reported Tags that are known from the template.
 */
export function createMessageLints(
  columns: readonly string[],
  reported: ReadonlySet<string> = new Set(),
): (rendered: Rendered) => MessageLook {
  const tags = { columns: tagPattern(columns), reported }
  return (rendered) => {
    const { subject, text, html, headers } = rendered
    const look = html === undefined ? undefined : lookAtHtml(html)
    const words = text === undefined || text.trim() === '' ? (look?.text ?? '') : text
    const advice = [
      ...subjectAdvice(subject),
      ...bodyAdvice(rendered, look?.text),
      ...tagAdvice(subject, 'the subject', tags),
      ...tagAdvice(html ?? '', 'the HTML', tags),
      ...tagAdvice(text ?? '', 'the text', tags),
      ...headers.flatMap(([name, value]) => tagAdvice(unmark(value), `the header ${name}`, tags)),
      ...greetingAdvice(words, 'text'),
      ...linksInText(text ?? '').flatMap((link) => linkAdvice(link, 'link')),
      ...(look?.links ?? []).flatMap((link) => linkAdvice(link, 'link')),
      ...(look?.images ?? []).flatMap(({ src, alt }) => [
        ...linkAdvice(src, 'image'),
        ...(alt === undefined ? [missingAlt(src)] : []),
      ]),
      ...cidAdvice(rendered),
    ]
    const unsubscribe =
      headers.some(([name]) => /^list-unsubscribe$/i.test(name)) ||
      UNSUBSCRIBE.test(words) ||
      UNSUBSCRIBE.test(html ?? '')
    return { advice: unique(advice), unsubscribe }
  }
}

/** The words for leaving a list, in the languages that lists are written in. */
const UNSUBSCRIBE =
  /unsubscri|opt[ -]?out|abmeld|abbestell|austragen|d[ée]sabonn|d[ée]sinscri|dar(?:te|se|me)? de baja|cancelar (?:la |tu )?(?:suscripci|inscri)|disiscri|annulla l.iscrizione|uitschrijv|afmeld|avregistrer|avprenumer|frameld|odhl[aá]s|wypisz|отпис|退订|配信停止/i

function unique(advice: readonly Advice[]): readonly Advice[] {
  if (advice.length < 2) return advice
  const seen = new Set<string>()
  return advice.filter(({ code, message, value }) => {
    const key = `${code}\n${message}\n${value ?? ''}`
    return !seen.has(key) && seen.add(key)
  })
}

function warning(code: string, message: string, hint: string, value?: string): Advice {
  return { severity: 'warning', code, message, hint, value: value?.slice(0, 120) }
}

function subjectAdvice(subject: string): readonly Advice[] {
  const text = subject.trim()
  if (text === '') return [warning('missing-subject', 'the subject is empty', 'Set subject: in the template.')]
  const { length } = [...text]
  const advice: Advice[] = []
  if (length > LONG_SUBJECT) {
    advice.push({
      severity: 'info',
      code: 'long-subject',
      message: `the subject is longer than the ${LONG_SUBJECT} characters that most mail programs show`,
      hint: 'Put what matters first.',
      value: text.slice(0, 120),
    })
  }
  return [...advice, ...greetingAdvice(text, 'subject')]
}

function bodyAdvice({ text, html }: Rendered, htmlText: string | undefined): readonly Advice[] {
  const advice: Advice[] = []
  const saysText = (text ?? '').trim() !== ''
  const saysHtml = html !== undefined && ((htmlText ?? '').trim() !== '' || /<img\b/i.test(html))
  if (!saysText && !saysHtml)
    advice.push(warning('empty-body', 'the message says nothing', 'Write a body in the template.'))
  else if (!saysText) {
    const hint = 'Some read mail without HTML, and filters miss it: add text.hbs, or words to the HTML.'
    advice.push(warning('missing-text', 'there is no text part', hint))
  }
  if (html !== undefined && html.length * 3 > GMAIL_CLIP && Buffer.byteLength(html) > GMAIL_CLIP) {
    const hint = 'Leave out styles and markup that are not needed, or shorten the text.'
    advice.push(warning('clipped', 'the HTML is over 102 KB: Gmail cuts it and hides the end', hint))
  }
  return advice
}

/** Tags of this and of other programs, whatever they name. */
const TAGS =
  /\{\{[^{}\n]{0,80}\}\}|\*\|[A-Z0-9_:]{1,60}\|\*|%%[\w. -]{1,60}%%|\[\[[\w. -]{1,60}\]\]|<%=?[^%\n]{0,80}%>|\[object Object\]|\bInvalid Date\b/g

/** Tags that count when they name a column: `{name}`, `<<name>>`, `«name»`, `[name]`, `%name%`, `${name}`. */
function tagPattern(columns: readonly string[]): RegExp | undefined {
  const names = columns.filter((name) => name !== '').map(RegExp.escape)
  if (names.length === 0) return undefined
  const name = `\\s*(?:${names.join('|')})\\s*`
  return new RegExp(`\\$?\\{${name}\\}|<<${name}>>|&lt;&lt;${name}&gt;&gt;|«${name}»|\\[${name}\\]|%${name}%`, 'gi')
}

interface Tags {
  readonly columns: RegExp | undefined
  readonly reported: ReadonlySet<string>
}

function tagAdvice(text: string, where: string, tags: Tags): readonly Advice[] {
  const found = firstOf(text, TAGS, tags) ?? (tags.columns && firstOf(text, tags.columns, tags))
  if (found === undefined) return []
  const isValue = /^\[object|^Invalid/.test(found)
  const hint = isValue
    ? 'Name a field of the value, or give it a format with a helper.'
    : 'Write {{name}} with the name of a column, or look into the cell of the row.'
  return [
    warning('merge-tag', `${where} still holds ${isValue ? 'a value that is not text' : 'a merge tag'}`, hint, found),
  ]
}

function firstOf(text: string, pattern: RegExp, { reported }: Tags): string | undefined {
  for (const [tag] of text.matchAll(pattern)) if (!reported.has(tag)) return tag
  return undefined
}

/** Pictures that the HTML shows by a name that no part of the message has (RFC 2392). */
function cidAdvice({ html, inline }: Rendered): readonly Advice[] {
  if (html === undefined || !/\bcid:/i.test(html)) return []
  const known = new Set(inline.map(({ cid }) => cid))
  const named = [...html.matchAll(/\bcid:([^"'\s)<>&]+)/gi)].map(([, name = '']) => decodedId(name))
  const hint = 'Name a file of the project in its place, <img src="photo.png">: it is embedded by itself.'
  return named
    .filter((name) => !known.has(name))
    .map((name) =>
      warning('missing-cid', 'the HTML shows a picture that no part of the message has', hint, `cid:${name}`),
    )
}

function decodedId(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** Greetings that say nobody without a name. */
const NAMELESS =
  /^[ \t]*(?:dear|my dear|liebe[rs]?|sehr geehrte[rs]?(?: frau| herr| herrn)?|werte[rs]?|cher|chère|chers|chères|estimad[oa]s?|apreciad[oa]s?|querid[oa]s?|gentile|gentilissim[oa]|egregio|car[oa]|prezad[oa]s?|geachte|kære|kjære|bästa|szanown[yai]|drog[iaie]|уважаем(?:ый|ая)|дорог(?:ой|ая))[ \t]*[,:!]/imu
/** Greetings that may stand alone, but not with a gap where the name was. */
const GAP =
  /^[ \t]*(?:hi|hello|hey|hallo|guten (?:tag|morgen|abend)|good (?:morning|afternoon|evening)|moin|servus|hola|ciao|salve|buongiorno|olá|hej|hei|goedendag|cześć|bonjour|salut|bonsoir|привет)[ \t\u00A0]+[,:]/imu
/** What stands where the name was wanted. */
const NOBODY =
  /^[ \t]*(?:hi|hello|hey|dear|hallo|liebe[rs]?|sehr geehrte[rs]?|bonjour|cher|chère|hola|estimad[oa]|ciao|caro|cara)[ \t]+(?:undefined|null|NaN|nan|none|n\/a|#N\/A|unknown)\b/imu

function greetingAdvice(text: string, where: string): readonly Advice[] {
  const found = NAMELESS.exec(text)?.[0] ?? GAP.exec(text)?.[0] ?? NOBODY.exec(text)?.[0]
  if (found === undefined) return []
  const hint = "Fill the cell, or give the template another word: {{default name 'friend'}}."
  return [warning('empty-greeting', `the greeting of the ${where} has no name`, hint, found.trim())]
}

function missingAlt(src: string): Advice {
  const hint = 'Write alt="what it shows", or alt="" for an image that only decorates.'
  return warning('missing-alt', 'an image has no alt text', hint, withoutQuery(src))
}

/** Links that differ in their query alone are one link to a person who fixes a template. */
function withoutQuery(link: string): string {
  return link.replace(/[?#].*$/s, '')
}

/** Links judged before, most of which are the same in every message. */
const judged = new BoundedMap<string, readonly Advice[]>(5_000)

function linkAdvice(link: string, kind: 'link' | 'image'): readonly Advice[] {
  return judged.getOrMake(`${kind} ${link}`, () => judgeLink(link.trim(), kind))
}

function judgeLink(link: string, kind: 'link' | 'image'): readonly Advice[] {
  const broken = (why: string, hint: string): readonly Advice[] => [
    warning(
      'broken-link',
      kind === 'link' ? `a link ${why}` : `the address of an image ${why}`,
      hint,
      withoutQuery(link),
    ),
  ]
  if (link === '' || link === '#') return broken('leads nowhere', 'Write its address, or leave the link out.')
  if (link.startsWith('#') || /^cid:/i.test(link)) return []
  if (/^data:/i.test(link)) {
    return kind === 'image'
      ? [
          warning(
            'data-image',
            'an image is written into the HTML as data:, which Gmail and Outlook do not show',
            'Name a file of the project: it is embedded so that every program shows it.',
          ),
        ]
      : broken('is data:, which no mail program opens', 'Put the file on a server, or attach it.')
  }
  if (!/^[a-z][a-z0-9+.-]*:/i.test(link)) return broken('has no https:// in front', 'Write the whole address.')
  if (/^(?:mailto|tel|sms):/i.test(link)) {
    return /^mailto:/i.test(link) && !/^mailto:[^?]*[^\s?]@[^\s?]/i.test(link) && !/^mailto:\?.*\bto=/i.test(link)
      ? broken('is a mailto: without an address', 'Write mailto:ada@example.com.')
      : []
  }
  if (!/^https?:/i.test(link)) return broken('has a scheme that mail programs do not open', 'Use https://.')
  if (/\s/.test(link) || !URL.canParse(link))
    return broken('is not an address that a browser understands', 'Correct it.')
  const { protocol, hostname } = new URL(link)
  if (/^(?:localhost|127\.|10\.|192\.168\.|0\.0\.0\.0|\[::1\])/.test(hostname) || !/[.:]/.test(hostname)) {
    return broken('leads to a computer that readers cannot reach', 'Write the public address.')
  }
  if (protocol === 'https:') return []
  return [
    warning(
      'insecure-link',
      `${kind === 'link' ? 'a link' : 'an image'} is http, not https`,
      'Use https://.',
      withoutQuery(link),
    ),
  ]
}
