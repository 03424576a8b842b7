/**
 * What mail programs and people with low vision make of a page: one finding for each fault, with the line of the template. Owns
 * the words; pages of the package and what MJML makes are not the user's to change, and are left out.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Problem } from '../../errors.ts'
import { placeInFiles, type Snippet } from '../../template/files/place.ts'
import type { WrittenTemplate } from '../../template/template.ts'
import { type ClientFinding, type ClientSupport, clientFindings } from '../clients/mail-clients.ts'
import { type AccessibilityFault, accessibilityFaults } from './accessibility.ts'

export interface PageCheckOptions {
  /** The project: what is not in it is not reported. */
  readonly root: string
  /** Mail programs, by the names of caniemail.com. */
  readonly clients: readonly string[]
}

/** Places of one finding that are listed. */
const LISTED = 5

/** A feature that some of the programs do not support, and where the user's own files use it. */
export interface UnsupportedFeature extends Pick<ClientFinding, 'title' | 'tested' | 'url'> {
  /** Never empty. */
  readonly clients: readonly ClientSupport[]
  /** Never empty. */
  readonly places: readonly Where[]
}

/** What can be said of the page of a template. */
export interface PageLook {
  readonly unsupported: readonly UnsupportedFeature[]
  readonly accessibility: readonly Problem[]
}

/** Undefined where there is no page that the user wrote. */
export function lookAtPage(
  { page, isMjml }: WrittenTemplate,
  { root, clients }: PageCheckOptions,
): PageLook | undefined {
  if (page === undefined || isMjml) return undefined
  const own = ownPlaces(page, root)
  return {
    unsupported: clientFindings(page.text, clients).flatMap((finding) => unsupportedFeature(finding, own)),
    accessibility: accessibilityFaults(page.text).flatMap((fault) => accessibilityProblem(fault, own)),
  }
}

export function pageAdvice(template: WrittenTemplate, options: PageCheckOptions): readonly Problem[] {
  const look = lookAtPage(template, options)
  return look === undefined ? [] : [...look.unsupported.map(clientProblem), ...look.accessibility]
}

interface Where {
  readonly file: string
  readonly line: number
  readonly column: string
}

type Own = (at: number, length: number) => Where | undefined

/** Where a piece of the page is in the project; undefined for what is of the package. */
function ownPlaces(page: Snippet, root: string): Own {
  const files = (page.madeOf ?? [page]).map(({ file }) => file).filter((file) => existsSync(resolve(root, file)))
  return (at, length) => {
    const place = placeInFiles(page, at, length)
    if (place === undefined || !files.includes(place.file)) return undefined
    return { file: place.file, line: place.line, column: String(place.column + 1) }
  }
}

function unsupportedFeature(
  { title, tested, url, clients, uses }: ClientFinding,
  own: Own,
): readonly UnsupportedFeature[] {
  const lacking = clients.filter(({ support }) => support === 'none')
  if (lacking.length === 0) return []
  const places = uses.map(({ at, length }) => own(at, length)).filter((place) => place !== undefined)
  if (places.length === 0) return []
  return [{ title, tested, url, clients: lacking, places }]
}

function clientProblem({ title, tested, url, clients, places }: UnsupportedFeature): Problem {
  const [first] = places
  const lines = new Set(places.map(({ file, line }) => `${file === first?.file ? '' : `${file}:`}${line}`))
  const [, ...more] = lines
  const shown = more.slice(0, LISTED).join(', ')
  const also = more.length === 0 ? '' : `, also in line ${shown}${more.length > LISTED ? ' ...' : ''}`
  const message = `${title} is not supported by ${clients.map(clientWords).join(', ')} (tested ${tested})${also}`
  return { severity: 'info', code: 'mail-client', message, hint: url, ...first }
}

function clientWords({ name, platforms }: ClientSupport): string {
  return platforms.length === 0 ? name : `${name} for ${platforms.join(' and ')}`
}

function accessibilityProblem(fault: AccessibilityFault, own: Own): readonly Problem[] {
  const place = own(fault.at, fault.length)
  if (place === undefined) return []
  const [severity, message, hint] = accessibilityWords(fault)
  return [{ severity, code: `accessibility-${fault.rule}`, message, hint, ...place }]
}

function accessibilityWords({
  rule,
  detail,
}: AccessibilityFault): readonly [severity: 'warning' | 'info', message: string, hint: string] {
  switch (rule) {
    case 'no-lang':
      return [
        'info',
        'the page does not say its language',
        'Write <html lang="en">, so that it is read out in that language.',
      ]
    case 'no-title':
      return ['info', 'the page has no title', 'Write <title> in the head: it is read out first.']
    case 'empty-link':
      return [
        'warning',
        `a ${detail === 'a' ? 'link' : 'button'} has no words`,
        'Write words in it, alt="..." for its picture, or aria-label="...".',
      ]
    case 'vague-link':
      return [
        'info',
        `the link '${detail.slice(0, 40)}' does not say where it leads`,
        'Say it in the words of the link: links are read out alone.',
      ]
    case 'heading-order': {
      const [before = '', after = ''] = detail.split(' ')
      return [
        'info',
        `<${after}> follows <${before}>`,
        'Leave out no level of headings: people move through a page by them.',
      ]
    }
    case 'layout-table':
      return [
        'info',
        'a table without headings is read out as a table',
        'Write role="presentation" on a table for layout, or <th> in one of data.',
      ]
    case 'low-contrast': {
      const [ratio = '', wanted = ''] = detail.split(' ')
      return [
        'warning',
        `the contrast of the words is ${ratio}:1, and ${wanted}:1 is needed`,
        'Make the words darker, or what is behind them lighter.',
      ]
    }
    case 'small-text':
      return ['info', `the words are ${detail} high`, 'Take 14 px or more for running text.']
    case 'images-only':
      return [
        'warning',
        'the page has pictures and no words',
        'Write what they say as words: many people see mail without pictures.',
      ]
  }
}
