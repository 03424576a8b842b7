/** The words that a shell may offer next. Owns finding them for a half-typed command line; never fails, and prints nothing. */
import {
  type Action,
  type Command,
  type Context,
  type Nameable,
  type Option,
  type Positional,
  wordOf,
} from './command.ts'
import type { Options } from './wrong-usage.ts'

/** What a script of `mailmerge completion` calls, with all words up to the cursor; the last one may be empty. */
export const COMPLETE_FLAG = '--get-yargs-completions'

/** Names of things in this project; empty where there is no project or it cannot be read. */
export type Names = (kind: Nameable) => Promise<readonly string[]>

/** `words` come after the program's name. Nothing is offered where a file or any text may follow: the shell knows better. */
export async function completions(
  words: readonly string[],
  commands: readonly Command[],
  global: Options,
  names: Names,
): Promise<readonly string[]> {
  // Some shells cannot hand over an empty word.
  const current = (words.at(-1) ?? '').replace(/^""$/, '')
  const offered = await offer(words.slice(0, -1), current, commands, global, names)
  return offered.filter((word) => word.startsWith(current) && !/\s/.test(word)).sort()
}

async function offer(
  before: readonly string[],
  current: string,
  commands: readonly Command[],
  global: Options,
  names: Names,
): Promise<readonly string[]> {
  const [first, second] = wordsAlone(before, global)
  const command = commands.find((one) => wordOf(one) === first)
  if (command === undefined)
    return first === undefined ? [...commands.map(wordOf), 'help', 'version', '--help', '--version'] : []
  if (!('commands' in command)) return offerInAction(before, current, command, 1, global, names)
  const action = command.commands.find((one) => wordOf(one) === second)
  if (action !== undefined) return offerInAction(before, current, action, 2, global, names)
  return second === undefined ? [...command.commands.map(wordOf), '--help'] : []
}

async function offerInAction(
  before: readonly string[],
  current: string,
  action: Action,
  depth: number,
  global: Options,
  names: Names,
): Promise<readonly string[]> {
  const options: Options = { ...global, ...action.options }
  const last = before.at(-1) ?? ''
  const open = last.startsWith('-') ? optionOf(last, options) : undefined
  if (open !== undefined && open.type !== 'boolean') return valuesOf(open, names)
  if (current.startsWith('-'))
    return [
      ...Object.keys(options)
        .filter((name) => isOffered(name, options, before))
        .map(flagOf),
      '--help',
    ]
  const at = wordsAlone(before, options).length - depth
  const positional = Object.values(action.positionals ?? {}).at(at)
  return positional === undefined || at < 0 ? [] : valuesOf(positional, names)
}

function isOffered(name: string, options: Options, before: readonly string[]): boolean {
  return options[name]?.hidden !== true && (options[name]?.type === 'array' || !before.includes(flagOf(name)))
}

function flagOf(name: string): string {
  return `--${name}`
}

async function valuesOf({ choices, names: kind }: Option | Positional, names: Names): Promise<readonly string[]> {
  if (choices !== undefined) return choices.map(String)
  return kind === undefined ? [] : names(kind)
}

function optionOf(flag: string, options: Options): Option | undefined {
  const name = flag.replace(/^-+/, '')
  return options[name] ?? Object.values(options).find(({ alias }) => alias === name)
}

/** The words that are neither options nor their values. */
function wordsAlone(words: readonly string[], options: Options): readonly string[] {
  return words.filter((word, i) => {
    if (word.startsWith('-')) return false
    const before = words[i - 1] ?? ''
    const open = before.startsWith('-') && !before.includes('=') ? optionOf(before, options) : undefined
    return open === undefined || open.type === 'boolean'
  })
}

/** Names in the project that the command is typed in. */
export function projectNames({ io }: Pick<Context, 'io'>): Names {
  return async (kind) => {
    try {
      const { loadSettings } = await import('../config/load.ts')
      const settings = await loadSettings({ cwd: io.cwd, env: io.env, flags: {} })
      if (kind === 'template') {
        const { templateNames } = await import('../template/files/find.ts')
        return templateNames(settings.root)
      }
      const { withLedger } = await import('./with-ledger.ts')
      return await withLedger(settings, async (ledger) => {
        if (ledger === undefined) return []
        if (kind === 'schedule') return (await ledger.schedules.list()).map(({ name }) => name)
        const runs = await ledger.runs.list()
        return kind === 'run' ? runs.map(({ id }) => id) : [...new Set(runs.map(({ campaign }) => campaign.name))]
      })
    } catch {
      // A shell that asks for words must not get a sentence.
      return []
    }
  }
}
