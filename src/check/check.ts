/**
 * Everything that can be wrong with a merge, found without sending: list and template in one report. Owns what is checked
 * when one of them is missing; asks the network nothing unless `dns` or `links` says so.
 */

import { isRowTemplate } from '../campaign/plan/row-template.ts'
import type { Split } from '../campaign/plan/variants.ts'
import { openRowTemplates, openTemplate, openVariants } from '../campaign/run/content.ts'
import { templatesIn } from '../campaign/run/inputs.ts'
import { openList } from '../campaign/run/list.ts'
import type { Settings } from '../config/settings.ts'
import { type Problem, problemsOf, UsageError } from '../errors.ts'
import type { Source } from '../source/source.ts'
import type { Template } from '../template/template.ts'
import { checkClientNames } from './clients/mail-clients.ts'
import { Findings } from './findings.ts'
import { checkLinks } from './links/links.ts'
import type { LinkOptions } from './links/request.ts'
import { checkList, type ListCheckOptions, type ListFacts } from './list-check.ts'
import type { CheckedMail, CheckReport } from './report.ts'
import type { RuleVerdict } from './rules/bulk.ts'
import { checkDeliverability, type DeliverabilityOptions } from './rules/deliverability.ts'
import { askSpamFilters, type FilterAnswer } from './spam.ts'
import { adviseOn, inAllLanguages } from './template-check.ts'

export interface CheckOptions extends ListCheckOptions {
  /** Ask name servers about sender and recipients; without it no server is asked anything. */
  readonly dns?: DeliverabilityOptions
  /** Ask the links of the first messages whether they lead anywhere. */
  readonly links?: LinkOptions
  /** Things worth saying once: the encoding found. */
  readonly note?: (text: string) => void
}

/**
 * Checks a list, a template, or both together.
 * @throws MailmergeError for what does not concern the list or the template: a missing file, wrong settings.
 */
export async function checkMerge(settings: Settings, options: CheckOptions = {}): Promise<CheckReport> {
  const findings = new Findings()
  if (settings.source.from === undefined && settings.template === undefined) {
    throw new UsageError('there is nothing to check', { hint: 'Give --csv FILE, --template NAME, or both.' })
  }
  checkClientNames(settings.check.clients ?? [])
  const source = settings.source.from === undefined ? undefined : await openedList(settings, findings)
  for (const text of source?.notes ?? []) options.note?.(text)
  const { template, split } = await templatesOf(settings, source, findings)
  const head =
    settings.template === undefined
      ? {}
      : { template: isRowTemplate(settings.template) ? settings.template : (template?.name ?? settings.template) }
  if (source === undefined && template !== undefined) adviseOn(inAllLanguages(template), [], settings, findings)
  const facts =
    source === undefined ? NOTHING_READ : await checkList(settings, options, source, { template, split }, findings)
  if (options.links !== undefined) await askedLinks(facts.mail, options.links, findings)
  if (facts.mail.message !== undefined) {
    for (const one of await askSpamFilters(settings, facts.mail.message)) findings.add(filterProblem(one))
  }
  const rules = options.dns === undefined ? undefined : await askedRules(settings, facts.mail, options.dns, findings)
  return {
    ...head,
    source: source?.name,
    ...facts,
    rules,
    problems: findings.sorted(facts.good),
    counts: findings.counts,
  }
}

const NOTHING_READ: ListFacts = {
  rows: 0,
  chosen: 0,
  good: 0,
  columns: [],
  mail: { domains: new Map(), unsubscribe: false, samples: [], message: undefined },
}

async function askedLinks({ samples }: CheckedMail, options: LinkOptions, findings: Findings): Promise<void> {
  const { asked, left, problems } = await checkLinks(samples, options)
  for (const problem of problems) findings.add(problem)
  const not = left === 0 ? '' : `; ${left} not, because they act for one person alone`
  const links = asked === 1 ? '1 link of the first messages was' : `${asked} links of the first messages were`
  findings.add({ severity: 'info', code: 'links-asked', message: `${links} asked${not}` })
}

function filterProblem({ name, answer }: FilterAnswer): Problem {
  const code = 'spam-filter'
  if ('failed' in answer) {
    const hint = 'Start it, or take its address out of check: in mailmerge.yaml.'
    return { severity: 'warning', code, message: `${name} gives no verdict: ${answer.failed}`, hint }
  }
  const { score, limit, rules } = answer
  const why = rules.length === 0 ? '' : `: ${rules.join(', ')}`
  return {
    severity: score >= limit ? 'warning' : 'info',
    code,
    message: `${name} gives the first message ${score} points, and ${limit} are spam${why}`,
  }
}

async function askedRules(
  settings: Settings,
  mail: CheckedMail,
  options: DeliverabilityOptions,
  findings: Findings,
): Promise<readonly RuleVerdict[]> {
  const { rules, problems } = await checkDeliverability(settings, mail, options)
  for (const problem of problems) findings.add(problem)
  if (rules.length > 0) return rules
  findings.add({
    severity: 'info',
    code: 'no-sender',
    message: 'the sender is not known, so nothing could be looked up about it',
    hint: 'Give a list and a template, or set message.from in mailmerge.yaml.',
  })
  return rules
}

/** The template, and the variants or the templates of the rows. */
async function templatesOf(
  settings: Settings,
  source: Source | undefined,
  findings: Findings,
): Promise<{ readonly template: Template | undefined; readonly split: Split | undefined }> {
  const { template: name } = settings
  if (name === undefined) return { template: undefined, split: undefined }
  if (!isRowTemplate(name)) {
    const template = await templateOf(name, settings, findings)
    const split = template === undefined ? undefined : await splitOf(settings, source, template, findings)
    return { template, split }
  }
  if (source === undefined) {
    throw new UsageError(`the template '${name}' is named by the rows of a list`, {
      hint: 'Give the list too: --csv FILE.',
    })
  }
  const { columns } = source
  try {
    const names = await templatesIn(settings, name, columns)
    const split = await openRowTemplates(settings, { templateName: name, names, columns })
    return { template: split.variants[0]?.template, split }
  } catch (error) {
    if (error instanceof UsageError) throw error
    for (const problem of problemsOf(error, 'bad-template')) findings.add(problem)
    return { template: undefined, split: undefined }
  }
}

/** A template that cannot be used is a finding; one that is not there is an error. */
async function templateOf(name: string, settings: Settings, findings: Findings): Promise<Template | undefined> {
  try {
    const template = await openTemplate(name, settings)
    for (const file of template.unread) findings.add(unreadFile(file))
    for (const message of template.notes) findings.add({ severity: 'info', code: 'template-note', message })
    return template
  } catch (error) {
    for (const problem of problemsOf(error, 'bad-template')) findings.add(problem)
    return undefined
  }
}

function unreadFile(file: string): Problem {
  return {
    severity: 'warning',
    code: 'unread-file',
    message: 'nothing reads this file of the template',
    hint: 'A template folder holds message.yaml, text.hbs, and one of html.hbs, body.md and body.mjml.',
    file,
  }
}

/** The variants, drawn as the campaign would draw them. One that cannot be used is a finding, like any template. */
async function splitOf(
  settings: Settings,
  source: Source | undefined,
  template: Template,
  findings: Findings,
): Promise<Split | undefined> {
  try {
    const campaign = settings.campaign ?? `${template.name}-${source?.stem}`
    return await openVariants(settings.template ?? '', settings, campaign)
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
