/**
 * Every way in which mailmerge says no. One class a kind, each with the exit code that the command line ends with.
 * Expected outcomes of a delivery (a refused recipient) are values, not errors: see `campaign` and `transport`.
 */

/** How heavy a problem is: an `error` stops a run, a `warning` asks for a look, an `info` is only worth knowing. */
export type Severity = 'error' | 'warning' | 'info'

/** One thing that is wrong with the input, said so that a person can fix it. */
export interface Problem {
  readonly severity: Severity
  /** Stable kebab-case word, for programs: `bad-address`, `ragged-row`, `missing-attachment`. */
  readonly code: string
  /** What is wrong, as one sentence without the place. */
  readonly message: string
  /** What to do about it. */
  readonly hint?: string | undefined
  /** File as the user named it. */
  readonly file?: string | undefined
  /** Row of the source, from 1; the header is not a row. */
  readonly row?: number | undefined
  /** Line in `file`, from 1. */
  readonly line?: number | undefined
  /** Column name of the source, or the number of a character in a template's line. */
  readonly column?: string | undefined
  /** The offending value, already cut to a length that can be shown. */
  readonly value?: string | undefined
}

export interface ErrorDetails {
  readonly hint?: string | undefined
  readonly cause?: unknown
  readonly problems?: readonly Problem[] | undefined
  /** Problems beyond those listed. */
  readonly unlisted?: number | undefined
}

/** The base of all errors thrown on purpose. `exitCode` follows the table in the README; `hint` says what to do. */
export abstract class MailmergeError extends Error {
  abstract readonly code: string
  abstract readonly exitCode: number
  readonly hint: string | undefined
  /** All that is wrong, when more than one thing is: the first of them, where there are a great many. */
  readonly problems: readonly Problem[]
  /** Problems beyond these. */
  readonly unlisted: number

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = new.target.name
    this.hint = details.hint
    this.problems = details.problems ?? []
    this.unlisted = details.unlisted ?? 0
  }
}

/** The command line makes no sense: unknown flag, missing argument. */
export class UsageError extends MailmergeError {
  readonly code = 'usage'
  readonly exitCode = 64
}

/** Rows or a template are wrong; nothing was sent. `problems` lists each. */
export class DataError extends MailmergeError {
  readonly code = 'data'
  readonly exitCode = 65
}

/** An input file is missing or unreadable. */
export class InputError extends MailmergeError {
  readonly code = 'input'
  readonly exitCode = 66
}

/** The server cannot be reached, speaks no SMTP, or TLS failed. */
export class UnreachableError extends MailmergeError {
  readonly code = 'unreachable'
  readonly exitCode = 69
}

/** The server is there and accepts nobody at the moment (421 at its greeting, 454 at the login): later it may. */
export class TurnedAwayError extends UnreachableError {}

/** A defect of this program. */
export class DefectError extends MailmergeError {
  readonly code = 'defect'
  readonly exitCode = 70
}

/** An output (report, .eml file, ledger) cannot be written. */
export class OutputError extends MailmergeError {
  readonly code = 'output'
  readonly exitCode = 73
}

/** The record of who was written to is gone, or a part of it: nothing is sent unless a person accepts that. */
export class LedgerMissingError extends MailmergeError {
  readonly code = 'ledger-missing'
  readonly exitCode = 73
}

/** The run is not finished and can be resumed: deferred or in-doubt rows, a quota, another run at work. */
export class UnfinishedError extends MailmergeError {
  readonly code = 'unfinished'
  readonly exitCode = 75
}

/** It is in other hands: another process works on it, or a person paused it. A schedule leaves it alone. */
export class HeldError extends UnfinishedError {}

/** The server refused the login. */
export class LoginError extends MailmergeError {
  readonly code = 'login'
  readonly exitCode = 77
}

/** The configuration is wrong. */
export class ConfigError extends MailmergeError {
  readonly code = 'config'
  readonly exitCode = 78
}

/** By their `code`. */
const KINDS: Readonly<Record<string, new (message: string, details: ErrorDetails) => MailmergeError>> = {
  usage: UsageError,
  data: DataError,
  input: InputError,
  unreachable: UnreachableError,
  output: OutputError,
  'ledger-missing': LedgerMissingError,
  unfinished: UnfinishedError,
  login: LoginError,
  config: ConfigError,
}

/** An error as it goes to another thread, where its class would be lost. */
export type ErrorFacts = Pick<MailmergeError, 'code' | 'message' | 'hint' | 'problems' | 'unlisted'>

export function factsOf({ code, message, hint, problems, unlisted }: MailmergeError): ErrorFacts {
  return { code, message, hint, problems, unlisted }
}

export function errorOf({ code, message, hint, problems, unlisted }: ErrorFacts): MailmergeError {
  return new (KINDS[code] ?? DefectError)(message, { problems, unlisted, hint })
}

/**
 * What an error says is wrong with rows or a template; `code` is that of an error without problems of its own.
 * @throws every other error on.
 */
export function problemsOf(error: unknown, code: string): readonly Problem[] {
  if (!(error instanceof DataError)) throw error
  if (error.problems.length > 0) return error.problems
  const { message, hint } = error
  return [{ severity: 'error', code, message, hint }]
}
