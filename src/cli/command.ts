/** What a command is: a leaf file that says its words and does its work. Owns the shape and the reading of arguments. */
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
}

export interface Command {
  /** As yargs reads it: `status [run]`. */
  readonly usage: string
  readonly describe: string
  /** Shown beneath the help, after the options. */
  readonly epilogue?: string
  readonly positionals?: Readonly<Record<string, { readonly describe: string }>>
  readonly options: Readonly<Record<string, Option>>
  /**
   * Does the work and gives the exit code. Heavy modules are imported in here, so that the help stays fast.
   * @throws MailmergeError
   */
  run(args: Arguments, context: Context): Promise<number>
}

/** The arguments of one command, each read as what it was declared to be. */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>

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

  /** Whether the option was given, by its name with hyphens. */
  has(name: string): boolean {
    return this.#values[name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())] !== undefined
  }

  /** One of the words that the option allows. */
  choice<const W extends string>(name: string, words: readonly W[]): W | undefined {
    return words.find((word) => word === this.#values[name])
  }
}

/** `{ key: value }`, or nothing where there is no value: for optional properties. */
export function given<K extends string, const V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V })
}
