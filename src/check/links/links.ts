/**
 * The links of a few messages, asked whether they lead anywhere. Owns which are asked: each once, two at a time of one host, and none
 * that unsubscribes or that only its recipient has.
 */
import pLimit from 'p-limit'
import type { Problem } from '../../errors.ts'
import type { RowData } from '../../source/source.ts'
import type { Rendered } from '../../template/template.ts'
import { linksInText, lookAtHtml } from '../lints/html-scan.ts'
import { ASK, askLink, type LinkAnswer, type LinkOptions } from './request.ts'

/** A message whose links are asked. */
export interface LinkSample {
  readonly row: number
  readonly address: string
  readonly rendered: Rendered
  /** What only this person has: cells that are long words, and the link that unsubscribes. */
  readonly secrets: readonly string[]
}

export interface LinkReport {
  readonly asked: number
  /** Links that are of one recipient alone, or unsubscribe. */
  readonly left: number
  readonly problems: readonly Problem[]
}

/** Links asked at most, connections in all, and of one host. */
const ASKED = 200
const AT_ONCE = 8
const OF_HOST = 2
/** What no program may open: it would leave the list, or answer in the name of its reader. */
const ANSWERS = /unsubscri|opt-?out|abmeld|abbestell|desabonn|désabonn|desinscri|disiscri|confirm|rsvp|one-?click/i

export async function checkLinks(samples: readonly LinkSample[], options: LinkOptions = ASK): Promise<LinkReport> {
  const rows = new Map<string, number>()
  const left = new Set<string>()
  for (const sample of samples) {
    for (const link of linksOf(sample.rendered)) {
      if (isOfReader(link, sample)) left.add(link)
      else if (!rows.has(link) && rows.size < ASKED) rows.set(link, sample.row)
    }
  }
  const all = pLimit(AT_ONCE)
  const hosts = new Map<string, ReturnType<typeof pLimit>>()
  const problems = await Promise.all(
    [...rows].map(async ([link, row]) => {
      const { host } = new URL(link)
      const ofHost = hosts.get(host) ?? pLimit(OF_HOST)
      hosts.set(host, ofHost)
      const answer = await ofHost(() => all(() => askLink(link, options)))
      return linkProblem(link, row, answer)
    }),
  )
  return { asked: rows.size, left: left.size, problems: problems.filter((problem) => problem !== undefined) }
}

/** Cells that are long words, such as keys and codes: a link that holds one is of its reader alone. */
export function secretsOf(cells: RowData): readonly string[] {
  return Object.values(cells).filter(
    (cell): cell is string => typeof cell === 'string' && /^\S{16,}$/.test(cell) && !/^https?:/i.test(cell),
  )
}

/** Web addresses of a message, as they would be asked. */
export function linksOf({ html, text }: Pick<Rendered, 'html' | 'text'>): readonly string[] {
  const { links, images } = lookAtHtml(html ?? '')
  return [...links, ...images.map(({ src }) => src), ...linksInText(text ?? '')]
    .map((link) => link.trim().replace(/#.*$/s, ''))
    .filter((link) => /^https?:\/\//i.test(link) && URL.canParse(link))
}

/** A long value of letters and digits, such as a token. */
const TOKEN = /[=/](?=[A-Za-z_]*\d)(?=\d*[A-Za-z_])[A-Za-z0-9_]{20,}(?![\w-])/

function isOfReader(link: string, { address, secrets }: LinkSample): boolean {
  if (ANSWERS.test(link) || TOKEN.test(link)) return true
  return [address, ...secrets].some((secret) => link.includes(secret) || link.includes(encodeURIComponent(secret)))
}

function linkProblem(link: string, row: number, answer: LinkAnswer): Problem | undefined {
  const words = linkWords(answer)
  if (words === undefined) return undefined
  const hint = 'Open it in a browser: some servers refuse programs.'
  return { severity: 'warning', code: 'dead-link', message: words, hint, row, value: link.slice(0, 200) }
}

function linkWords(answer: LinkAnswer): string | undefined {
  switch (answer.kind) {
    case 'good':
      return undefined
    case 'status':
      return `a link answers with ${answer.status}`
    case 'failed':
      return answer.code === 'ETIMEDOUT'
        ? 'a link does not answer in time'
        : `a link cannot be reached (${answer.code})`
    case 'refused':
      return {
        private: 'a link leads into a private network and was not asked',
        redirects: 'a link redirects more than three times',
        scheme: 'a link redirects to something else than a web page',
      }[answer.why]
  }
}
