/** `mailmerge check`: everything that can be wrong, found without sending. Parses and prints; the checks are in src/check. */
import { resolve } from 'node:path'
import type { ColumnFacts } from '../../check/column-survey.ts'
import type { Repaired } from '../../check/repair.ts'
import type { CheckReport } from '../../check/report.ts'
import type { RuleVerdict } from '../../check/rules/bulk.ts'
import type { Settings } from '../../config/settings.ts'
import type { Problem, Severity } from '../../errors.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Action, Context } from '../command.ts'
import { grouped, LIST_OPTIONS, selectionOf } from '../list-options.ts'
import { Progress } from '../merge/progress.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { count, plural, shortPath } from '../terminal/format.ts'
import { alike, problemFields, problemLine } from '../terminal/problems.ts'
import { cut, tableLines } from '../terminal/table.ts'

/** Problems of one weight that are listed without --verbose. */
const LISTED = 30

/** Options that only a run uses. */
const { variant: _variant, 'skip-bad': _skipBad, ...SAME_AS_RUN } = LIST_OPTIONS

export const check: Action = {
  usage: 'check',
  describe: 'Find everything that is wrong with a list and a template; send nothing',
  options: {
    ...grouped('What to send:', SAME_AS_RUN),
    dns: {
      type: 'boolean',
      describe: 'Check the DNS records of the sender (SPF, DKIM, DMARC, MX) and of the recipients',
    },
    links: {
      type: 'boolean',
      describe: 'Ask the links of the first messages whether they lead anywhere; none that unsubscribes is opened',
    },
    clients: {
      type: 'string',
      value: 'NAMES',
      describe: 'Mail programs whose support is looked up, such as gmail,outlook; none for none',
    },
    fix: {
      type: 'string',
      value: '[FILE]',
      requiresArg: false,
      describe: 'Write a repaired copy of the list: trimmed, without duplicates; default NAME.fixed.csv',
    },
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const { out } = context
    const settings = withClients(await settingsFor(args, context), args.text('clients'))
    const { checkMerge } = await import('../../check/check.ts')
    const progress = new Progress(out)
    const report = await checkMerge(settings, {
      ...selectionOf(args),
      ...(args.flag('dns') ? { dns: {} } : {}),
      ...(args.flag('links') ? { links: (await import('../../check/links/request.ts')).ASK } : {}),
      note: (text) => out.info(escapeInvisible(text)),
      onRows: (rows) => progress.reading(rows),
    }).finally(() => progress.end())
    const fix = args.text('fix')
    const repaired = fix === undefined ? undefined : await repair(settings, fix, context.io.cwd)
    print(report, context)
    if (repaired !== undefined) for (const line of repairedLines(repaired, context.io.cwd)) out.info(line)
    return report.counts.error > 0 ? 65 : 0
  },
}

async function repair(settings: Settings, fix: string, cwd: string): Promise<Repaired> {
  const { repairList, fixedName } = await import('../../check/repair.ts')
  return repairList(settings, resolve(cwd, fix === '' ? fixedName(settings) : fix))
}

function repairedLines({ path, rows, trimmed, duplicates, empty, broken }: Repaired, cwd: string): readonly string[] {
  const done = [
    `${plural(rows, 'row')} in ${shortPath(path, cwd)}`,
    `${plural(trimmed, 'cell')} trimmed`,
    `${plural(duplicates, 'duplicate')} and ${plural(empty, 'empty row')} left out`,
  ].join('; ')
  if (broken === 0) return [done]
  return [done, `${plural(broken, 'row')} with errors, copied as far as they could be read: fix them by hand`]
}

function withClients(settings: Settings, names: string | undefined): Settings {
  if (names === undefined) return settings
  const clients = names === 'none' ? [] : names.split(',').map((name) => name.trim())
  return { ...settings, check: { ...settings.check, clients } }
}

function print(report: CheckReport, { out }: Context): void {
  if (out.json) {
    for (const problem of [...report.problems, ...report.columns.map(columnProblem)])
      out.result(JSON.stringify(problemFields(problem)))
    for (const rule of report.rules ?? []) out.result(JSON.stringify(ruleFields(rule)))
    return
  }
  if (out.quiet && report.counts.error === 0) return
  if (report.columns.length > 0 && !out.quiet) {
    for (const line of columnLines(report, out.resultColumns)) out.result(line)
    out.result('')
  }
  // On a terminal the end is what is seen: what must be fixed comes last.
  const order = ['error', 'warning', 'info'] as const
  for (const severity of out.resultColumns === undefined ? order : order.toReversed()) {
    if (!out.quiet || severity === 'error') printSome(report, severity, out)
  }
  if (report.rules !== undefined && report.rules.length > 0 && !out.quiet) {
    for (const line of ['', ...ruleLines(report.rules, out.resultColumns), '']) out.result(line)
  }
  out.result(lastLine(report))
}

const COLORS = { error: 'red', warning: 'yellow', info: 'dim' } as const

/** Equal problems are one line; what is left out is counted. */
function printSome({ problems, chosen }: CheckReport, severity: Severity, out: Context['out']): void {
  const some = problems.filter((problem) => problem.severity === severity)
  const groups = alike(some, { anyValue: severity !== 'error' })
  const listed = out.verbose ? groups : groups.slice(0, LISTED)
  let hintBefore: string | undefined
  for (const group of listed) {
    const { problem } = group
    // The weight is in front of the line, not within it.
    const line = problemLine({ ...group, problem: { ...problem, severity: 'error' } }, { allRows: chosen })
    out.result(`${out.style(COLORS[severity], severity.padEnd(8))}${line}`)
    if (problem.hint !== undefined && problem.hint !== hintBefore)
      out.result(out.style('dim', `        ${escapeInvisible(problem.hint)}`))
    hintBefore = problem.hint
  }
  const rest = groups.slice(listed.length).reduce((sum, { rows }) => sum + Math.max(1, rows.length), 0)
  if (rest > 0) out.result(`${''.padEnd(8)}and ${plural(rest, 'more', 'more')}; --verbose lists all`)
}

function lastLine({ counts, chosen, good, messages, source }: CheckReport): string {
  const found = [
    plural(counts.error, 'error'),
    plural(counts.warning, 'warning'),
    `${plural(counts.info, 'note')}`,
  ].join(', ')
  const list =
    source === undefined
      ? ''
      : `; ${count(good)} of ${plural(chosen, 'row')} ${chosen === 1 ? 'is' : 'are'} good${messages === undefined ? '' : `, in ${plural(messages, 'message')}`}`
  return `${found}${list}`
}

function columnLines({ columns: facts, rows }: CheckReport, columns: number | undefined): readonly string[] {
  return tableLines(
    ['COLUMN', 'HOLDS', 'FILLED', 'USED AS', 'FIRST VALUE'],
    facts.map((facts) => [
      cut(escapeInvisible(facts.column), 28),
      facts.kind,
      facts.filled === rows ? 'all' : `${count(facts.filled)} of ${count(rows)}`,
      useOf(facts),
      cut(escapeInvisible(facts.example), 36),
    ]),
    { columns, cuttable: [4, 0] },
  )
}

function useOf({ role, used }: ColumnFacts): string {
  const said = role === 'address' ? 'the address' : role === 'key' ? 'the key' : undefined
  if (said !== undefined) return used ? `${said}, text` : said
  return used ? 'text' : '-'
}

/** `all` holds for everybody, `bulk` for those who send about 5,000 mails a day or more. */
function ruleLines(rules: readonly RuleVerdict[], columns: number | undefined): readonly string[] {
  return tableLines(
    ['RULE', 'STATE', 'GMAIL', 'YAHOO', 'MICROSOFT', 'BECAUSE'],
    rules.map(({ wants, state, gmail, yahoo, microsoft, why }) => [
      wants,
      state === 'unknown' ? 'not known' : state,
      gmail,
      yahoo,
      microsoft,
      escapeInvisible(why),
    ]),
    { columns, cuttable: [5, 0] },
  )
}

function ruleFields({ rule, wants, state, why, hint, gmail, yahoo, microsoft }: RuleVerdict): object {
  const message = `${wants}: ${state}, ${why}`
  const said = { severity: 'info', code: 'sender-rule', row: null, column: null, message, hint: hint ?? null }
  return { ...said, rule, state, gmail, yahoo, microsoft }
}

function columnProblem(facts: ColumnFacts): Problem {
  return {
    severity: 'info',
    code: 'column',
    column: facts.column,
    message: `holds ${facts.kind}, filled in ${count(facts.filled)} rows, used as ${useOf(facts)}`,
  }
}
