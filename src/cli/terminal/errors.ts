/** Errors as people read them: what is wrong, where, what to do. Owns their form on stderr; never shows a stack unasked. */
import { MailmergeError } from '../../errors.ts'
import { foreignWords, isSystemError } from '../../fs/system-errors.ts'
import { escapeInvisible } from '../../text/visible.ts'
import { count, escapedLines, plural } from './format.ts'
import type { Output } from './output.ts'
import { alike, problemFields, problemLine } from './problems.ts'

/** Problems listed without --verbose. */
const LISTED = 20

/** Prints an error, with --json as an event too, and gives the exit code that it ends the program with. */
export function showError(error: unknown, out: Output): number {
  if (out.json) out.result(JSON.stringify(errorFields(error)))
  const code = printError(error, out)
  out.flush()
  return code
}

/** The event `error` for programs. What is not known is null. */
function errorFields(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof MailmergeError))
    return {
      event: 'error',
      code: 'defect',
      exit_code: 70,
      message: plainWords(error),
      hint: null,
      problems: [],
      problems_left_out: 0,
    }
  const { code, exitCode, message, hint = null, problems, unlisted } = error
  return {
    event: 'error',
    code,
    exit_code: exitCode,
    message,
    hint,
    problems: problems.map(problemFields),
    problems_left_out: unlisted,
  }
}

function plainWords(error: unknown): string {
  if (isSystemError(error)) return foreignWords(error)
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

function printError(error: unknown, out: Output): number {
  if (error instanceof MailmergeError) {
    out.error(`${out.style('red', 'mailmerge:')} ${escapedLines(error.message)}`)
    if (!saysAll(error)) listProblems(error, out)
    if (error.hint !== undefined) out.error(out.style('dim', `hint: ${escapedLines(error.hint)}`))
    if (out.verbose) showStack(error, out)
    return error.exitCode
  }
  const [what = ''] = plainWords(error).split('\n')
  out.error(`${out.style('red', 'mailmerge:')} this should not have happened: ${escapeInvisible(what)}`)
  out.error(
    out.style(
      'dim',
      'hint: It is a defect of mailmerge. What was sent is recorded. --verbose shows where it happened.',
    ),
  )
  if (out.verbose) showStack(error, out)
  return 70
}

/** Whether the headline names the only problem, with its file where it has one: then the problem is not repeated. */
function saysAll({ message, problems: [only, ...others] }: MailmergeError): boolean {
  if (only === undefined || others.length > 0 || !message.includes(only.message)) return false
  return only.file === undefined || message.includes(only.file)
}

/** Each problem on a line, indented, at most twenty of them unless --verbose asks for all. */
function listProblems({ problems, unlisted }: MailmergeError, out: Output): void {
  const groups = alike(problems)
  const listed = out.verbose ? groups : groups.slice(0, LISTED)
  let hintBefore: string | undefined
  for (const group of listed) {
    const { hint } = group.problem
    out.error(`  ${problemLine(group)}`)
    // The same advice under each of a hundred rows is noise.
    if (hint !== undefined && hint !== hintBefore) out.error(out.style('dim', `      ${escapedLines(hint)}`))
    hintBefore = hint
  }
  const rest = groups.slice(listed.length).reduce((sum, { rows }) => sum + Math.max(1, rows.length), 0)
  const all = unlisted === 0 ? '--verbose lists all' : `--verbose lists ${count(problems.length)} of them`
  if (rest > 0) out.error(`  and ${plural(rest + unlisted, 'more problem')}; ${all}`)
  else if (unlisted > 0) out.error(`  and ${plural(unlisted, 'more problem')}, not listed: fix these first`)
}

function showStack(error: unknown, out: Output): void {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    out.error(out.style('dim', (cause.stack ?? '').split('\n').map(escapeInvisible).join('\n')))
    if (cause.cause !== undefined) out.error(out.style('dim', 'caused by'))
  }
}
