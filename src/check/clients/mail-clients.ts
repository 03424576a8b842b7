/**
 * What mail programs support, as caniemail.com measured it: the newest test of each. Owns the data and the judgement of a page;
 * sees no row. What is judged is the page as it is written, so that each finding has its line.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { didYouMean } from '../../did-you-mean.ts'
import { ConfigError } from '../../errors.ts'
import { type FeatureUse, featureUses } from './feature-uses.ts'

const SHAPE = z.object({
  date: z.string(),
  clients: z.record(z.string(), z.string()),
  platforms: z.record(z.string(), z.string()),
  features: z.record(
    z.string(),
    z.object({
      title: z.string(),
      tested: z.string(),
      support: z.record(z.string(), z.record(z.string(), z.string())),
    }),
  ),
})

type MailClientData = z.output<typeof SHAPE>

/** Programs that are looked at unless others are chosen: those in which most mail is read. */
export const DEFAULT_CLIENTS: readonly string[] = ['gmail', 'outlook', 'apple-mail', 'yahoo']

/** A mail program that lacks a feature, or a part of it. */
export interface ClientSupport {
  /** `gmail` */
  readonly client: string
  /** `Gmail` */
  readonly name: string
  readonly support: 'none' | 'partial'
  /** Where it is so: `iOS`, `Windows`. Empty where it is so everywhere. */
  readonly platforms: readonly string[]
}

export interface ClientFinding {
  /** As caniemail.com names it: `css-border-radius`. */
  readonly feature: string
  readonly title: string
  /** Day of the test, `2022-08-10`. */
  readonly tested: string
  readonly url: string
  /** Programs that lack it or a part of it, in the order of those that were asked about. */
  readonly clients: readonly ClientSupport[]
  /** Where the page uses it. */
  readonly uses: readonly FeatureUse[]
}

/** What is lost in a program that lacks it is nothing that its reader sees. */
const HARMLESS = new Set([
  'html-target',
  'html-loading-attribute',
  'css-at-charset',
  'css-cursor',
  'html-link',
  'css-comments',
])

let data: MailClientData | undefined

function mailClientData(): MailClientData {
  data ??= SHAPE.parse(JSON.parse(readFileSync(join(import.meta.dirname, '../../../data/mail-clients.json'), 'utf8')))
  return data
}

/** @throws ConfigError for a program that there is no test of, naming the nearest. */
export function checkClientNames(names: readonly string[]): readonly string[] {
  const known = Object.keys(mailClientData().clients)
  const wrong = names.find((name) => !known.includes(name))
  if (wrong === undefined) return names
  const hint = didYouMean(wrong, known, `There are ${known.join(', ')}.`)
  throw new ConfigError(`'${wrong}' is not a mail program that there are tests of`, { hint })
}

/** `Gmail`, for `gmail`. */
export function clientName(client: string): string {
  return mailClientData().clients[client] ?? client
}

/** Features of a page that some of the programs lack, those that most of them lack first. */
export function clientFindings(page: string, clients: readonly string[] = DEFAULT_CLIENTS): readonly ClientFinding[] {
  const { features } = mailClientData()
  const uses = Map.groupBy(featureUses(page), ({ feature }) => feature)
  const findings = [...uses].flatMap(([feature, places]): readonly ClientFinding[] => {
    const tested = HARMLESS.has(feature) || !Object.hasOwn(features, feature) ? undefined : features[feature]
    const lacking =
      tested === undefined ? [] : clients.flatMap((client) => lackOf(tested.support[client] ?? {}, client))
    if (tested === undefined || lacking.length === 0) return []
    const url = `https://www.caniemail.com/features/${feature}/`
    return [{ feature, title: tested.title.trim(), tested: tested.tested, url, clients: lacking, uses: places }]
  })
  return findings.sort((a, b) => weight(b) - weight(a))
}

function weight({ clients }: ClientFinding): number {
  return clients.reduce(
    (sum, { support, platforms }) => sum + (support === 'none' ? (platforms.length === 0 ? 4 : 2) : 1),
    0,
  )
}

function lackOf(support: Readonly<Record<string, string>>, client: string): readonly ClientSupport[] {
  const { platforms } = mailClientData()
  const all = Object.entries(support)
  for (const [letter, kind] of [
    ['n', 'none'],
    ['a', 'partial'],
  ] as const) {
    const lacking = all.filter(([, result]) => result.startsWith(letter))
    if (lacking.length === 0) continue
    const where = lacking.length === all.length ? [] : lacking.map(([platform]) => platforms[platform] ?? platform)
    return [{ client, name: clientName(client), support: kind, platforms: where }]
  }
  return []
}
