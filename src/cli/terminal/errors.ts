/** Errors as people read them: what is wrong, where, what to do. Owns their form on stderr; never shows a stack unasked. */
import { MailmergeError, type Problem } from '../../errors.ts'
import { foreignWords, isSystemError } from '../../fs/system-errors.ts'
import { escapeInvisible } from '../../text/visible.ts'
import { escapedLines, plural } from './format.ts'
import type { Output } from './output.ts'
import { cut } from './table.ts'

/** Problems listed without --verbose. */
const LISTED = 20
/** Ranges of rows named with one problem. */
const RANGES = 6

/** Prints an error and gives the exit code that it ends the program with. */
export function showError(error: unknown, out: Output): number {
  if (error instanceof MailmergeError) {
    out.error(`${out.style('red', 'mailmerge:')} ${escapedLines(error.message)}`)
    const [only] = error.problems
    // A lone problem that the headline names already is not repeated.
    if (error.problems.length !== 1 || only === undefined || !error.message.includes(only.message))
      listProblems(error.problems, out)
    if (error.hint !== undefined) out.error(out.style('dim', `hint: ${escapedLines(error.hint)}`))
    if (out.verbose) showStack(error, out)
    return error.exitCode
  }
  const plain = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const what = isSystemError(error) ? foreignWords(error) : plain
  out.error(
    `${out.style('red', 'mailmerge:')} this should not have happened: ${escapeInvisible(what.split('\n')[0] ?? '')}`,
  )
  out.error(
    out.style(
      'dim',
      'hint: It is a defect of mailmerge. What was sent is recorded. --verbose shows where it happened.',
    ),
  )
  if (out.verbose) showStack(error, out)
  return 70
}

/** Each problem on a line, indented, at most twenty of them unless --verbose asks for all. */
function listProblems(problems: readonly Problem[], out: Output): void {
  const groups = alike(problems)
  const listed = out.verbose ? groups : groups.slice(0, LISTED)
  let hintBefore: string | undefined
  for (const { problem, rows } of listed) {
    out.error(`  ${problemLine(problem, rows)}`)
    // The same advice under each of a hundred rows is noise.
    if (problem.hint !== undefined && problem.hint !== hintBefore)
      out.error(out.style('dim', `      ${escapedLines(problem.hint)}`))
    hintBefore = problem.hint
  }
  const rest = groups.slice(listed.length).reduce((sum, { rows }) => sum + Math.max(1, rows.length), 0)
  if (rest > 0) out.error(`  and ${plural(rest, 'more problem')}; --verbose lists all`)
}

interface Alike {
  readonly problem: Problem
  readonly rows: number[]
}

/** What is wrong in the same way in many rows is one thing to fix. */
function alike(problems: readonly Problem[]): readonly Alike[] {
  const groups = new Map<string, Alike>()
  for (const problem of problems) {
    const { severity, code, file, column, message, value, row } = problem
    const name = JSON.stringify([severity, code, file, column, message, value])
    const group = groups.get(name)
    if (group === undefined) groups.set(name, { problem, rows: row === undefined ? [] : [row] })
    else if (row !== undefined) group.rows.push(row)
  }
  return [...groups.values()]
}

/** A problem as one line: place, weight, sentence, value. `rows` are those that have it too. */
export function problemLine(
  { severity, file, line, row, column, message, value }: Problem,
  rows: readonly number[] = [],
): string {
  const many = rows.length > 1
  const place = [
    file === undefined ? undefined : `${escapeInvisible(file)}${line === undefined || many ? '' : `:${line}`}`,
    many ? rowWords(rows) : row === undefined ? undefined : `row ${row}`,
    column === undefined ? undefined : `column ${escapeInvisible(column)}`,
  ].filter((part) => part !== undefined)
  const weight = severity === 'error' ? '' : `${severity}: `
  const shown =
    value === undefined || value === '' || message.includes(value) ? '' : ` (${cut(escapeInvisible(value), 80)})`
  return `${place.length === 0 ? '' : `${place.join(', ')}: `}${weight}${escapedLines(message)}${shown}`
}

/** `rows 1-3, 7` */
function rowWords(rows: readonly number[]): string {
  const ranges: [first: number, last: number][] = []
  for (const row of rows) {
    const range = ranges.at(-1)
    if (range !== undefined && row === range[1] + 1) range[1] = row
    else ranges.push([row, row])
  }
  const shown = ranges.slice(0, RANGES).map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
  const rest = ranges.slice(RANGES).reduce((sum, [first, last]) => sum + last - first + 1, 0)
  return `rows ${shown.join(', ')}${rest === 0 ? '' : ` and ${plural(rest, 'more', 'more')}`}`
}

function showStack(error: unknown, out: Output): void {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    out.error(out.style('dim', (cause.stack ?? '').split('\n').map(escapeInvisible).join('\n')))
    if (cause.cause !== undefined) out.error(out.style('dim', 'caused by'))
  }
}
