/**
 * The command line read: which command, with which options. Owns yargs, which reads options and writes the help; what is
 * wrong is said by `wrong-usage.ts`. Runs nothing.
 */
import yargs, { type Argv } from 'yargs'
import { UsageError } from '../errors.ts'
import { type Action, Arguments, type Command, type Group, type Option, wordOf } from './command.ts'
import {
  camel,
  checkOptions,
  noCommand,
  type Options,
  oneWordTooMany,
  unknownAction,
  unknownCommand,
  valueMissing,
  valueWord,
  wordMissing,
} from './wrong-usage.ts'

declare module 'yargs' {
  interface Argv {
    /** Not in the types of yargs yet. */
    usageConfiguration(configuration: { readonly 'hide-types': boolean }): this
  }
}

export type Parsed =
  | { readonly kind: 'command'; readonly command: Action; readonly args: Arguments }
  /** Help or version: to be printed. */
  | { readonly kind: 'text'; readonly text: string }

/** Options that every command takes. */
export const GLOBAL_OPTIONS: Options = {
  config: {
    type: 'string',
    value: 'FILE',
    describe: 'mailmerge.yaml to use; else the nearest in this folder or above',
  },
  json: { type: 'boolean', describe: 'One JSON object a line on stdout, for programs' },
  quiet: { type: 'boolean', describe: 'Print errors only' },
  verbose: { type: 'boolean', describe: 'Print everything: the dialogue with the server, whole lists of problems' },
  'no-color': { type: 'boolean', describe: 'No colors; NO_COLOR does the same' },
}

/** @throws UsageError naming the option or command that is wrong and the nearest right one. */
export async function parseCommandLine(
  argv: readonly string[],
  commands: readonly Command[],
  version: string,
  columns: number,
): Promise<Parsed> {
  const [first = ''] = argv
  if (['version', '-v', '-V'].includes(first)) return { kind: 'text', text: version }
  // `mailmerge help run` is what people type who know git.
  const words = first === 'help' ? [...argv.slice(1), '--help'] : commandFirst(argv)
  const forHelp = words.some((word) => word === '--help' || word === '-h')
  if (forHelp) refuseUnknown(words, commands)
  let chosen: { readonly action: Action; readonly group: Group | undefined; readonly values: Values } | undefined
  let text = ''
  const parser = configured(yargs(), columns)
    .version(version)
    .usage('mailmerge: send a message to every person on a list, once each\n\nUsage: mailmerge <command> [options]')
    .epilogue('`mailmerge <command> --help` lists the options of a command.')
    .updateStrings({ 'Positionals:': 'Arguments:', 'Not enough arguments following: %s': '%s' })
  const declare = (builder: Argv, action: Action, group?: Group): Argv =>
    builder.command({
      command: forHelp ? action.usage : wordOf(action),
      describe: action.describe,
      builder: (inner) => declareAction(inner, action, group, forHelp),
      handler: (values) => {
        chosen = { action, group, values }
      },
    })
  for (const command of commands) {
    if (!('commands' in command)) declare(parser, command)
    else {
      parser.command({
        command: command.usage,
        describe: `${command.describe}: ${command.commands.map(wordOf).join(', ')}`,
        builder: (inner) => {
          declareGroup(inner, command)
          for (const action of command.commands) declare(inner, action, command)
          return inner
        },
        handler: () => {
          throw unknownAction(
            command,
            words.slice(1).find((word) => !word.startsWith('-')),
          )
        },
      })
    }
  }
  try {
    await parser.parse(words, {}, (_error, _values, output) => {
      text = output
    })
  } catch (error) {
    // The only thing that yargs itself finds wrong, in the words set above.
    if (error instanceof Error && error.name === 'YError')
      throw valueMissing(error.message, words, commands, GLOBAL_OPTIONS)
    throw error
  }
  if (chosen !== undefined) {
    const { action, group, values } = chosen
    checkOptions(action, group, GLOBAL_OPTIONS, values, argv)
    return {
      kind: 'command',
      command: action,
      args: new Arguments({ ...values, ...positionals(action, group, values) }),
    }
  }
  if (text !== '') return { kind: 'text', text }
  refuseUnknown(words, commands)
  throw noCommand(argv)
}

type Values = Readonly<Record<string, unknown>> & { readonly _: readonly (string | number)[] }

function configured(parser: Argv, columns: number): Argv {
  return (
    parser
      // In a help the name would be repeated before every command of the list.
      .scriptName('')
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
      // The name of an option and its words say better what kind of value it has.
      .usageConfiguration({ 'hide-types': true })
      .wrap(Math.min(Math.max(columns, 60), 110))
      .help()
      .alias('help', 'h')
      .fail((message, error) => {
        throw error ?? new UsageError(message)
      })
  )
}

/** Options that every command takes may come before it. */
function commandFirst(argv: readonly string[]): readonly string[] {
  let i = 0
  while (i < argv.length) {
    const name = argv[i]?.replace(/^--/, '') ?? ''
    if (name === 'config') i += 2
    else if (name.startsWith('config=') || (argv[i]?.startsWith('--') && GLOBAL_OPTIONS[name]?.type === 'boolean')) i++
    else break
  }
  const command = argv[i]
  return command === undefined || command.startsWith('-') ? argv : [command, ...argv.slice(0, i), ...argv.slice(i + 1)]
}

function refuseUnknown(words: readonly string[], commands: readonly Command[]): void {
  const word = words.find((part) => !part.startsWith('-'))
  if (word !== undefined && commands.every((command) => wordOf(command) !== word)) throw unknownCommand(word, commands)
}

function declareGroup(builder: Argv, group: Group): void {
  builder.usage(`Usage: mailmerge ${group.usage} <command> [options]\n\n${group.describe}`)
  builder.group(['help', 'version'], 'Everywhere:')
  builder.epilogue(
    [group.epilogue, `\`mailmerge ${group.usage} <command> --help\` lists the options of a command.`]
      .filter((part) => part !== undefined)
      .join('\n\n'),
  )
}

/**
 * Options for yargs. Words are left to `positionals`, since yargs loses a `-` among them; what a value may be is left to
 * `checkOptions`, whose sentences name the nearest one.
 */
function declareAction(builder: Argv, action: Action, group: Group | undefined, forHelp: boolean): Argv {
  const named = (name: string, option: Option): string => (forHelp ? nameInHelp(name, option) : name)
  for (const [name, option] of Object.entries(action.options))
    builder.option(named(name, option), { group: 'Options:', ...forYargs(option) })
  for (const [name, option] of Object.entries(GLOBAL_OPTIONS))
    builder.option(named(name, option), { ...forYargs(option), group: 'Everywhere:' })
  if (!forHelp) return builder
  builder.usage(`Usage: mailmerge ${usageOf(action, group)} [options]\n\n${action.describe}`)
  for (const [name, { describe }] of Object.entries(action.positionals ?? {}))
    builder.positional(name, { describe, type: 'string' })
  builder.group(['help', 'version'], 'Everywhere:')
  return action.epilogue === undefined ? builder : builder.epilogue(action.epilogue)
}

/** `csv FILE`, `duplicates error|skip|all`, `dry-run`: yargs has no place of its own for the word of a value. */
function nameInHelp(name: string, option: Option): string {
  const word = valueWord(option)
  return word === undefined ? name : `${name} ${word}`
}

function forYargs({ choices: _, ...option }: Option): Option {
  return option.type === 'boolean' ? option : { requiresArg: true, ...option }
}

function usageOf(action: Action, group: Group | undefined): string {
  return group === undefined ? action.usage : `${wordOf(group)} ${action.usage}`
}

/** The words behind the command, by the names in its usage: `<address>`, `[run]`, `[paths..]`. */
function positionals(action: Action, group: Group | undefined, { _ }: Values): Values | Record<string, unknown> {
  const words = _.slice(group === undefined ? 1 : 2).map(String)
  const usage = usageOf(action, group)
  const values: Record<string, unknown> = {}
  for (const part of action.usage.split(' ').slice(1)) {
    const name = part.replace(/[[\]<>.]/g, '')
    if (part.includes('..') && words.length > 0) values[camel(name)] = words.splice(0)
    else {
      const word = words.shift()
      if (word === undefined && part.startsWith('<')) throw wordMissing(part, action, usage)
      if (word !== undefined) values[camel(name)] = word
    }
  }
  const [extra] = words
  if (extra !== undefined) throw oneWordTooMany(extra, action, usage)
  return values
}
