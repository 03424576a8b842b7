/**
 * The command line read: which command, with which options. Owns yargs and the sentences for wrong usage; runs nothing.
 */
import yargs, { type Argv, type FallbackCompletionFunction } from 'yargs'
import { didYouMean, nearest } from '../did-you-mean.ts'
import { UsageError } from '../errors.ts'
import { Arguments, type Command, type Option } from './command.ts'

declare module 'yargs' {
  interface Argv {
    /** Not in the types of yargs yet. */
    usageConfiguration(configuration: { readonly 'hide-types': boolean }): this
  }
}

export type Parsed =
  | { readonly kind: 'command'; readonly command: Command; readonly args: Arguments }
  /** Help, version or completion: to be printed. */
  | { readonly kind: 'text'; readonly text: string }

/** Options that every command takes. */
const GLOBAL: Readonly<Record<string, Option>> = {
  config: {
    type: 'string',
    value: 'FILE',
    describe: 'mailmerge.yaml to use; else the nearest in this folder or above',
  },
  json: { type: 'boolean', describe: 'One object a line on stdout, for programs' },
  quiet: { type: 'boolean', describe: 'Say nothing but errors' },
  verbose: {
    type: 'boolean',
    describe: 'Say everything, with the dialogue with the server and whole lists of problems',
  },
  'no-color': { type: 'boolean', describe: 'No colours; NO_COLOR does the same' },
}

/** @throws UsageError naming the option or command that is wrong and the nearest right one. */
export async function parseCommandLine(
  argv: readonly string[],
  commands: readonly Command[],
  version: string,
  columns: number,
): Promise<Parsed> {
  // `mailmerge help run` is what people type who know git.
  const words = argv[0] === 'help' ? [...argv.slice(1), '--help'] : commandFirst(argv)
  const forHelp = words.some((word) => word === '--help' || word === '-h')
  let chosen: { command: Command; values: Record<string, unknown> } | undefined
  let text = ''
  const parser = yargs()
    // In a help the name would stand before every command of the list; a completion script must have it.
    .scriptName(forHelp ? '' : 'mailmerge')
    .locale('en')
    .exitProcess(false)
    .parserConfiguration({
      'boolean-negation': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
      'strip-aliased': true,
      'strip-dashed': true,
    })
    .usage('mailmerge: a mail that must reach every person on a list once\n\nUsage: mailmerge <command> [options]')
    .epilogue('`mailmerge <command> --help` tells the options of a command.')
    // What kind of value it is, the name of an option and its words tell better.
    .usageConfiguration({ 'hide-types': true })
    .wrap(Math.min(Math.max(columns, 60), 110))
    .help()
    .alias('help', 'h')
    .version(version)
    .fail((message, error) => {
      throw error ?? new UsageError(message)
    })
  for (const command of commands) {
    parser.command({
      command: command.usage,
      describe: command.describe,
      builder: (builder) => declare(builder, command, forHelp),
      handler: (values) => {
        chosen = { command, values: withDashes(values) }
      },
    })
  }
  parser.updateStrings({ 'Positionals:': 'Arguments:' })
  parser.completion('completion', 'Print a completion script for your shell', withoutLetters)
  try {
    await parser.parse(
      words.map((word) => (word === '-' ? DASH : word)),
      {},
      (_error, _values, output) => {
        text = output
      },
    )
  } catch (error) {
    throw usageError(error, commands, words)
  }
  if (chosen !== undefined && argv[0] !== '--get-yargs-completions') {
    check(chosen.command, chosen.values, argv)
    return { kind: 'command', command: chosen.command, args: new Arguments(chosen.values) }
  }
  const [first = ''] = words
  if (forHelp && !first.startsWith('-') && first !== 'completion' && commands.every((one) => wordOf(one) !== first))
    throw unknownCommand(first, commands)
  // The shell asks for the words that may follow; none is an answer too.
  if (text !== '' || argv[0] === '--get-yargs-completions') return { kind: 'text', text }
  const word = argv.find((part) => !part.startsWith('-'))
  if (word !== undefined) throw unknownCommand(word, commands)
  throw new UsageError(argv.length === 0 ? 'there is no command' : `there is no command before ${argv[0]}`, {
    hint: 'mailmerge --help lists the commands. mailmerge init makes a project to try.',
  })
}

/** Stands for a `-` among the words, which yargs loses from a list of positionals. */
const DASH = '\uE000-'

function withDashes(values: Record<string, unknown>): Record<string, unknown> {
  const restored = (value: unknown): unknown =>
    value === DASH ? '-' : Array.isArray(value) ? value.map(restored) : value
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, restored(value)]))
}

/** Letters would be offered as `--t`, which is no option. */
const withoutLetters: FallbackCompletionFunction = (_current, _argv, defaults, done) =>
  defaults((_error, words) => done((words ?? []).filter((word) => !/^--.$/.test(word))))

/** Options that every command takes may stand before it. */
function commandFirst(argv: readonly string[]): readonly string[] {
  let i = 0
  while (i < argv.length) {
    const name = argv[i]?.replace(/^--/, '') ?? ''
    if (name === 'config') i += 2
    else if (name.startsWith('config=') || (argv[i]?.startsWith('--') && GLOBAL[name]?.type === 'boolean')) i++
    else break
  }
  const command = argv[i]
  return command === undefined || command.startsWith('-') ? argv : [command, ...argv.slice(0, i), ...argv.slice(i + 1)]
}

function declare(builder: Argv, command: Command, forHelp: boolean): Argv {
  builder.usage(`Usage: mailmerge ${command.usage} [options]\n\n${command.describe}`)
  for (const [name, { describe }] of Object.entries(command.positionals ?? {}))
    builder.positional(name, { describe, type: 'string' })
  // yargs has no place for the word of a value: a help, which reads no values, takes it for a part of the name.
  const named = (name: string, option: Option): string => (forHelp ? nameInHelp(name, option) : name)
  for (const [name, option] of Object.entries(command.options))
    builder.option(named(name, option), { group: 'Options:', ...withArgument(option) })
  for (const [name, option] of Object.entries(GLOBAL))
    builder.option(named(name, option), { ...withArgument(option), group: 'Everywhere:' })
  builder.group(['help', 'version'], 'Everywhere:')
  return command.epilogue === undefined ? builder : builder.epilogue(command.epilogue)
}

/** `csv FILE`, `duplicates error|skip|all`, `dry-run` */
function nameInHelp(name: string, option: Option): string {
  const word = valueWord(option)
  return word === undefined ? name : `${name} ${word}`
}

/** The word for the value of an option. */
function valueWord({ value, choices }: Option): string | undefined {
  return value ?? choices?.join('|')
}

function withArgument(option: Option): Option {
  return option.type === 'boolean' ? option : { requiresArg: true, ...option }
}

/** What yargs lets pass: unknown options, options given twice, texts for numbers, words too many, choices of `--a-b`. */
function check(command: Command, values: Record<string, unknown>, argv: readonly string[]): void {
  const options = optionsOf(command)
  const names = new Map<string, string>(
    [...Object.keys(options), ...Object.keys(command.positionals ?? {})].map((name) => [camel(name), name]),
  )
  const commandWord = wordOf(command)
  for (const key of Object.keys(values)) {
    if (key === '_' || key === '$0' || key === 'help' || key === 'version' || names.has(key)) continue
    throw unknownOption(typed(key, argv), Object.keys(options), options, commandWord)
  }
  const extra = (values['_'] as readonly string[]).slice(1)
  if (extra.length > 0) {
    throw new UsageError(`'${extra[0]}' is one word too many for mailmerge ${commandWord}`, {
      hint: `Its form is: mailmerge ${command.usage} [options]. Put quotes around values with spaces.`,
    })
  }
  for (const [key, name] of names) {
    const option = options[name]
    const value = values[key]
    if (option === undefined || value === undefined) continue
    const flag = `--${name}`
    if (Array.isArray(value) && option.type !== 'array') {
      throw new UsageError(`${flag} is given ${value.length} times`, { hint: 'Give it once.' })
    }
    if (option.type === 'number' && !Number.isFinite(value)) {
      throw new UsageError(`${flag} needs a number`, { hint: `Write ${flag} ${option.value ?? 'N'}, with digits.` })
    }
    const texts = Array.isArray(value) ? value : [value]
    const words = option.choices
    const stray = words === undefined ? undefined : texts.find((text) => !words.includes(text))
    if (words !== undefined && stray !== undefined && stray !== '') throw wrongChoice(flag, String(stray), words)
    if (texts.includes('') && option.requiresArg !== false)
      throw new UsageError(`${flag} is empty`, { hint: `Give it a value, or leave ${flag} out.` })
  }
}

function camel(name: string): string {
  return name.replace(/-+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** The option as it was typed. */
function typed(key: string, argv: readonly string[]): string {
  const flag = argv.find((part) => part.startsWith('-') && camel(part.replace(/^-+/, '').split('=')[0] ?? '') === key)
  return flag?.split('=')[0] ?? (key.length === 1 ? `-${key}` : `--${key}`)
}

function unknownOption(
  flag: string,
  names: readonly string[],
  options: Readonly<Record<string, Option>>,
  command: string,
): UsageError {
  const letters = Object.values(options).flatMap(({ alias }) => alias ?? [])
  const word = flag.replace(/^-+/, '')
  const glued = /^-[a-z]./.test(flag) ? letters.find((letter) => letter === word[0]) : undefined
  const guess = nearest(word, names)
  return new UsageError(`${command} knows no option ${flag}`, {
    hint:
      glued !== undefined
        ? `Did you mean -${glued} ${word.slice(1)}?`
        : guess === undefined
          ? `mailmerge ${command} --help lists the options.`
          : `Did you mean --${guess}?`,
  })
}

function wrongChoice(flag: string, value: string, words: readonly unknown[]): UsageError {
  return new UsageError(`${flag} cannot be '${value}'`, { hint: `It can be ${oneOf(words)}.` })
}

/** `error, skip or all` */
function oneOf(words: readonly unknown[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

function unknownCommand(word: string, commands: readonly Command[]): UsageError {
  return new UsageError(`there is no command '${word}'`, {
    hint: didYouMean(
      word,
      [...commands.map(wordOf), 'completion'],
      'mailmerge --help lists the commands.',
      (guess) => `mailmerge ${guess}`,
    ),
  })
}

function wordOf(command: Command): string {
  return command.usage.split(' ')[0] ?? ''
}

/** The sentences of yargs in our voice. */
function usageError(error: unknown, commands: readonly Command[], words: readonly string[]): UsageError {
  const message = error instanceof Error ? error.message : String(error)
  const command = commands.find((one) => wordOf(one) === words[0])
  const missing = /Not enough arguments following: (\S+)/.exec(message)
  if (missing !== null) {
    const name = missing[1] ?? ''
    const flag = name.length === 1 ? `-${name}` : `--${name}`
    const word = valueWord(optionNamed(name, command) ?? {}) ?? 'VALUE'
    return new UsageError(`${flag} needs a value`, { hint: `Write ${flag} ${word}.` })
  }
  const choice = /Argument: (\S+), Given: "?(.*?)"?, Choices: (.*)/.exec(message)
  if (choice !== null) {
    const allowed = [...(choice[3] ?? '').matchAll(/"([^"]*)"/g)].map((match) => match[1])
    return wrongChoice(`--${choice[1]}`, choice[2] ?? '', allowed)
  }
  if (/Not enough non-option arguments/.test(message)) return missingWord(command, words)
  const unknown = /Unknown commands?: ([^,]*)/.exec(message)
  if (unknown !== null) return unknownCommand(unknown[1] ?? '', commands)
  return new UsageError(message.split('\n')[0] ?? 'wrong usage', { hint: 'mailmerge --help lists the commands.' })
}

function missingWord(command: Command | undefined, words: readonly string[]): UsageError {
  const [word = ''] = command?.usage.match(/<[\w-]+>/) ?? []
  const what = command?.positionals?.[word.slice(1, -1)]?.describe
  return new UsageError(`${word} is missing after mailmerge ${words[0]}`, {
    hint: `Its form is: mailmerge ${command?.usage} [options].${what === undefined ? '' : ` ${word} is: ${what}.`}`,
  })
}

/** The option of that name or letter. */
function optionNamed(name: string, command: Command | undefined): Option | undefined {
  const options = optionsOf(command)
  return options[name] ?? Object.values(options).find(({ alias }) => alias === name)
}

function optionsOf(command: Command | undefined): Readonly<Record<string, Option>> {
  return { ...GLOBAL, ...command?.options }
}
