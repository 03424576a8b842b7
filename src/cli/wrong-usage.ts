/** What is wrong with a command line, and what was probably meant. Owns the sentences for wrong usage; parses nothing. */
import { didYouMean, nearest } from '../did-you-mean.ts'
import { UsageError } from '../errors.ts'
import { type Action, type Command, type Group, type Option, wordOf } from './command.ts'

export type Options = Readonly<Record<string, Option>>

/** The word for the value of an option. */
export function valueWord({ value, choices }: Option): string | undefined {
  return value ?? choices?.join('|')
}

export function noCommand(argv: readonly string[]): UsageError {
  return new UsageError(argv.length === 0 ? 'there is no command' : `there is no command before ${argv[0]}`, {
    hint: 'mailmerge --help lists the commands. mailmerge init makes a project to try.',
  })
}

export function unknownCommand(word: string, commands: readonly Command[]): UsageError {
  return new UsageError(`there is no command '${word}'`, {
    hint: didYouMean(
      word,
      commands.map(wordOf),
      'mailmerge --help lists the commands.',
      (guess) => `mailmerge ${guess}`,
    ),
  })
}

/** A group was given alone, or with a word that none of its commands has. */
export function unknownAction(group: Group, word: string | undefined): UsageError {
  const [name, actions] = [wordOf(group), group.commands.map(wordOf)]
  if (word === undefined)
    return new UsageError(`<command> is missing after mailmerge ${name}`, { hint: `It can be ${oneOf(actions)}.` })
  return new UsageError(`there is no command '${name} ${word}'`, {
    hint: didYouMean(word, actions, `There are ${actions.join(', ')}.`, (guess) => `mailmerge ${name} ${guess}`),
  })
}

/** `name` is an option without its value, or the letter of one. */
export function valueMissing(
  name: string,
  words: readonly string[],
  commands: readonly Command[],
  global: Options,
): UsageError {
  const command = commands.find((one) => wordOf(one) === words[0])
  const actions = command === undefined ? [] : 'commands' in command ? command.commands : [command]
  const options = Object.entries(Object.assign({}, global, ...actions.map((one) => one.options)) as Options)
  const option = options.find(([known, { alias }]) => known === name || alias === name)?.[1]
  const flag = name.length === 1 ? `-${name}` : `--${name}`
  const word = option === undefined ? undefined : valueWord(option)
  return new UsageError(`${flag} needs a value`, { hint: `Write ${flag} ${word ?? 'VALUE'}.` })
}

export function wordMissing(word: string, { positionals }: Action, usage: string): UsageError {
  const what = positionals?.[word.slice(1, -1)]?.describe
  return new UsageError(`${word} is missing after mailmerge ${usage.split(' ').filter(isPlain).join(' ')}`, {
    hint: `Its form is: mailmerge ${usage} [options].${what === undefined ? '' : ` ${word} is: ${what}.`}`,
  })
}

export function oneWordTooMany(word: string, { options }: Action, usage: string): UsageError {
  const asList = options['csv'] !== undefined && /\.(csv|tsv|txt|xlsx|ods|json|ndjson|jsonl)$/i.test(word)
  return new UsageError(`'${word}' is one word too many for mailmerge ${usage.split(' ').filter(isPlain).join(' ')}`, {
    hint: asList
      ? `Did you mean --csv ${word}?`
      : `Its form is: mailmerge ${usage} [options]. Put quotes around values with spaces.`,
  })
}

function isPlain(word: string): boolean {
  return /^[\w-]+$/.test(word)
}

/** What yargs lets pass: unknown options, options given twice, texts for numbers, values that are not among the choices. */
export function checkOptions(
  action: Action,
  group: Group | undefined,
  global: Options,
  values: Readonly<Record<string, unknown>>,
  argv: readonly string[],
): void {
  const options: Options = { ...global, ...action.options }
  const names = new Map<string, string>(Object.keys(options).map((name) => [camel(name), name]))
  for (const key of Object.keys(values)) {
    if (key === '_' || key === '$0' || key === 'help' || key === 'version' || names.has(key)) continue
    throw unknownOption(typed(key, argv), options, action, group)
  }
  for (const [key, name] of names) {
    const option = options[name]
    const value = values[key]
    if (option !== undefined && value !== undefined) checkValue(`--${name}`, option, value)
  }
}

function checkValue(flag: string, option: Option, value: unknown): void {
  if (Array.isArray(value) && option.type !== 'array') {
    throw new UsageError(`${flag} is given ${value.length} times`, { hint: 'Give it once.' })
  }
  if (option.type === 'number' && !Number.isFinite(value)) {
    throw new UsageError(`${flag} needs a number`, { hint: `Write ${flag} ${option.value ?? 'N'}, with digits.` })
  }
  const texts = Array.isArray(value) ? value : [value]
  const words = option.choices
  const stray = words === undefined ? undefined : texts.find((text) => !words.includes(text))
  if (words !== undefined && stray !== undefined && stray !== '') {
    const guess = nearest(String(stray), words.map(String))
    throw new UsageError(`${flag} cannot be '${stray}'`, {
      hint: `${guess === undefined ? '' : `Did you mean ${guess}? `}It can be ${oneOf(words)}.`,
    })
  }
  if (texts.includes('') && option.requiresArg !== false)
    throw new UsageError(`${flag} is empty`, { hint: `Give it a value, or leave ${flag} out.` })
}

/** The name of an option as yargs keeps it: `dryRun`. */
export function camel(name: string): string {
  return name.replace(/(?<!-)-+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** The option as it was typed. */
function typed(key: string, argv: readonly string[]): string {
  const flag = argv.find((part) => part.startsWith('-') && camel(part.replace(/^-+/, '').split('=')[0] ?? '') === key)
  return flag?.split('=')[0] ?? (key.length === 1 ? `-${key}` : `--${key}`)
}

function unknownOption(flag: string, options: Options, action: Action, group: Group | undefined): UsageError {
  const command = group === undefined ? wordOf(action) : `${wordOf(group)} ${wordOf(action)}`
  const word = flag.replace(/^-+/, '')
  const sibling = group?.commands.find((one) => one.options[word] !== undefined)
  if (group !== undefined && sibling !== undefined) {
    return new UsageError(`${flag} is an option of mailmerge ${wordOf(group)} ${wordOf(sibling)}`, {
      hint: `mailmerge ${command} --help lists the options of ${wordOf(action)}.`,
    })
  }
  return new UsageError(`${command} has no option ${flag}`, {
    hint: meantOption(flag, word, options, `mailmerge ${command} --help lists the options.`),
  })
}

/** A value glued to a letter (`-tinvite`), the beginning of a name (`--test`), or a slip of a letter. */
function meantOption(flag: string, word: string, options: Options, otherwise: string): string {
  const letters = Object.values(options).flatMap(({ alias }) => alias ?? [])
  const glued = /^-[a-z]./.test(flag) ? letters.find((letter) => letter === word[0]) : undefined
  if (glued !== undefined) return `Did you mean -${glued} ${word.slice(1)}?`
  const names = Object.keys(options).filter((name) => options[name]?.hidden !== true)
  const begun = word.length > 1 ? names.filter((name) => name.startsWith(word)) : []
  if (begun.length > 0 && begun.length < 5) return `Did you mean ${oneOf(begun.map((name) => `--${name}`))}?`
  return didYouMean(word, names, otherwise, (guess) => `--${guess}`)
}

/** `error, skip or all` */
function oneOf(words: readonly unknown[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}
