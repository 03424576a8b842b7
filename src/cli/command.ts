/** What a command is: a leaf file with its words and its work, or a group of commands. Owns the shape and the reading of arguments. */
import type { Options } from 'yargs'
import type { Io } from './terminal/io.ts'
import type { Output } from './terminal/output.ts'

export interface Context {
  readonly io: Io
  readonly out: Output
  readonly version: string
}

/** An option as yargs reads it. */
export interface Option extends Options {
  /** The word for its value in the help: `FILE`. Choices are their own. */
  readonly value?: string
  /** What its value names, for completion in a shell. */
  readonly names?: Nameable
}

/** Things of a project that a shell can complete. */
export type Nameable = 'template' | 'run' | 'schedule' | 'campaign'

export interface Positional {
  readonly describe: string
  readonly choices?: readonly string[]
  readonly names?: Nameable
}

interface Named {
  /** As yargs reads it: `status [run]`. */
  readonly usage: string
  readonly describe: string
  /** Shown beneath the help, after the options. */
  readonly epilogue?: string
}

/** A command that does something. */
export interface Action extends Named {
  readonly positionals?: Readonly<Record<string, Positional>>
  readonly options: Readonly<Record<string, Option>>
  /**
   * Does the work and gives the exit code. Heavy modules are imported in here, so that the help stays fast.
   * @throws MailmergeError
   */
  run(args: Arguments, context: Context): Promise<number>
}

/** A command with commands of its own: `schedule add`, `schedule list`. */
export interface Group extends Named {
  readonly commands: readonly Action[]
}

export type Command = Action | Group

/** The first word of a command's usage. */
export function wordOf(command: Command): string {
  return command.usage.split(' ')[0] ?? ''
}

/** The arguments of one command, each read as what it was declared to be. */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>

  /** `values` by the names of options without hyphens: `dryRun`. */
  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values
  }

  text(name: string): string | undefined {
    const value = this.#values[name]
    return typeof value === 'string' ? value : undefined
  }

  texts(name: string): readonly string[] | undefined {
    const value = this.#values[name]
    return Array.isArray(value) ? value.map(String) : undefined
  }

  number(name: string): number | undefined {
    const value = this.#values[name]
    return typeof value === 'number' ? value : undefined
  }

  flag(name: string): boolean {
    return this.#values[name] === true
  }

  /** One of the words that the option allows. */
  choice<const W extends string>(name: string, words: readonly W[]): W | undefined {
    return words.find((word) => word === this.#values[name])
  }
}
