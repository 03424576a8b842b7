/**
 * Everything that can be wrong with a merge, found without sending: list and template in one report. Owns what is checked
 * when one of them is missing; asks the network nothing.
 */
import { openList, openTemplate } from '../campaign/run.ts'
import type { Selection } from '../campaign/select.ts'
import type { Settings } from '../config/settings.ts'
import { type Problem, UsageError } from '../errors.ts'
import type { Source } from '../source/source.ts'
import type { Rendered, Template } from '../template/template.ts'
import type { ColumnFacts } from './column-survey.ts'
import { Findings, problemsOf, type SeverityCounts } from './findings.ts'
import { ListCheck } from './list-check.ts'

export interface CheckOptions extends Selection {
  readonly now?: Date
  /** Rows read so far. */
  readonly onRows?: (rows: number) => void
  /** Things worth saying once: the encoding found. */
  readonly note?: (text: string) => void
  readonly signal?: AbortSignal
}

/** How much mail a run would be. Sizes are of whole messages in octets, told from a few of them. */
export interface SizeEstimate {
  readonly messages: number
  readonly each: number
  readonly total: number
}

/** Domains that mail would go to and come from, for the part that asks name servers. */
export interface CheckedMail {
  /** Domain in A-labels, with the first row that has it and how many have. */
  readonly domains: ReadonlyMap<string, { readonly row: number; readonly address: string; rows: number }>
  /** The first message, where there is one. */
  readonly first?: Rendered
  readonly unsubscribe: boolean
}

export interface CheckReport {
  /** Sorted by weight. */
  readonly problems: readonly Problem[]
  readonly counts: SeverityCounts
  /** Rows of the list, and those that would be sent. */
  readonly rows: number
  readonly good: number
  readonly source?: string
  readonly template?: string
  readonly columns: readonly ColumnFacts[]
  readonly size?: SizeEstimate
  readonly mail: CheckedMail
}

/**
 * Checks a list, a template, or both together.
 * @throws MailmergeError for what is no matter of the list or the template: a missing file, wrong settings.
 */
export async function checkMerge(settings: Settings, options: CheckOptions = {}): Promise<CheckReport> {
  const { path, sql } = settings.source
  const findings = new Findings()
  if (path === undefined && sql === undefined && settings.template === undefined) {
    throw new UsageError('there is nothing to check', { hint: 'Give --csv FILE, --template NAME, or both.' })
  }
  const template = settings.template === undefined ? undefined : await templateOf(settings.template, settings, findings)
  const head = settings.template === undefined ? {} : { template: template?.name ?? settings.template }
  if (path === undefined && sql === undefined) return reportOf(findings, { ...head, ...NOTHING_READ })
  const source = await openedList(settings, findings)
  if (source === undefined) return reportOf(findings, { ...head, ...NOTHING_READ })
  for (const text of source.notes) options.note?.(text)
  const check = new ListCheck(settings, options, source, template, findings)
  return reportOf(findings, { ...head, source: source.name, ...(await check.run()) })
}

const NOTHING_READ = { rows: 0, good: 0, columns: [], mail: { domains: new Map(), unsubscribe: false } } as const

function reportOf(findings: Findings, rest: Omit<CheckReport, 'problems' | 'counts'>): CheckReport {
  return { ...rest, problems: findings.sorted(rest.good), counts: findings.counts }
}

/** A template that cannot be used is a finding; one that is not there is an error. */
async function templateOf(name: string, settings: Settings, findings: Findings): Promise<Template | undefined> {
  try {
    return await openTemplate(name, settings)
  } catch (error) {
    for (const problem of problemsOf(error, 'bad-template')) findings.add(problem)
    return undefined
  }
}

async function openedList(settings: Settings, findings: Findings): Promise<Source | undefined> {
  try {
    return await openList(settings)
  } catch (error) {
    for (const problem of problemsOf(error, 'bad-list')) findings.add(problem)
    return undefined
  }
}
