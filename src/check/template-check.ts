/** What the templates show before any row is read. Owns which of it is reported once for all of them; renders nothing. */
import { lackingFields } from '../campaign/run/content.ts'
import type { Settings } from '../config/settings.ts'
import { problemsOf } from '../errors.ts'
import type { Template } from '../template/template.ts'
import { DEFAULT_CLIENTS } from './clients/mail-clients.ts'
import type { Findings } from './findings.ts'
import { pageAdvice } from './lints/page-lints.ts'
import { templateAdvice } from './lints/template-lints.ts'

/** A template and its versions, each as it is written. */
export function inAllLanguages(template: Template): readonly Template[] {
  return [template, ...template.versions.values()]
}

/** Reports what the templates alone show, and gives the placeholders that they hold. */
export function adviseOn(
  templates: readonly Template[],
  columns: readonly string[],
  settings: Settings,
  findings: Findings,
): ReadonlySet<string> {
  const all = templates.map(({ written }) => templateAdvice(written, columns))
  const { clients = DEFAULT_CLIENTS } = settings.check
  const pages = templates.flatMap(({ written }) => pageAdvice(written, { root: settings.root, clients }))
  const whole = [...all.flatMap(({ problems }) => problems), ...pages]
  const problems = new Map(whole.map((one) => [JSON.stringify(one), one] as const))
  for (const problem of problems.values()) findings.add(problem)
  return new Set(all.flatMap(({ tags }) => [...tags]))
}

/** Reports what no row can fix: fields that are missing, and columns that the list does not have. */
export function fits(
  template: Template,
  { columns, isGrouped }: { readonly columns: readonly string[]; readonly isGrouped: boolean },
  findings: Findings,
): boolean {
  const lacking = lackingFields(template, false)
  for (const problem of lacking) findings.add(problem)
  try {
    template.bind(columns, isGrouped)
    return lacking.length === 0
  } catch (error) {
    for (const problem of problemsOf(error, 'unknown-column')) findings.add(problem)
    return false
  }
}
