/** What goes between a ledger's thread and those who use it. Owns how an error survives the way; knows no ledger. */
import * as errors from '../errors.ts'

export type ThreadRequest = { readonly id: number } & (
  | { readonly kind: 'call'; readonly path: readonly string[]; readonly args: readonly unknown[] }
  | { readonly kind: 'claim'; readonly args: readonly unknown[] }
  | { readonly kind: 'release'; readonly claim: number }
  | { readonly kind: 'stream'; readonly path: readonly string[]; readonly args: readonly unknown[] }
  | { readonly kind: 'next' | 'leave'; readonly stream: number }
)

export type ThreadReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: SentError }

/** An error as plain data: copies between threads keep no class. */
export interface SentError {
  readonly name: string
  readonly message: string
  readonly stack?: string
  readonly hint?: string
  readonly problems?: readonly errors.Problem[]
  readonly cause?: SentError
}

type Kind = new (message: string, details: errors.ErrorDetails) => errors.MailmergeError

const KINDS = new Map<string, Kind>(
  [
    errors.UsageError,
    errors.DataError,
    errors.InputError,
    errors.UnreachableError,
    errors.TurnedAwayError,
    errors.DefectError,
    errors.OutputError,
    errors.UnfinishedError,
    errors.LoginError,
    errors.ConfigError,
  ].map((kind) => [kind.name, kind]),
)

export function packError(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { name, message, stack, cause } = error
  return {
    name,
    message,
    ...(stack === undefined ? {} : { stack }),
    ...(cause === undefined ? {} : { cause: packError(cause) }),
    ...(error instanceof errors.MailmergeError
      ? { problems: error.problems, ...(error.hint === undefined ? {} : { hint: error.hint }) }
      : {}),
  }
}

export function unpackError(sent: SentError): Error {
  const { name, message, stack, hint, problems, cause } = sent
  const details = {
    ...(hint === undefined ? {} : { hint }),
    ...(problems === undefined ? {} : { problems }),
    ...(cause === undefined ? {} : { cause: unpackError(cause) }),
  }
  const kind = KINDS.get(name)
  const error = kind === undefined ? new Error(message, details) : new kind(message, details)
  if (stack !== undefined) error.stack = stack
  return error
}
