/**
 * A program that runs regular expressions on hostile texts: what to run comes as JSON on standard input, the slow ones are JSON on
 * standard output. A program of its own, so that nothing else shares its thread; V8 ends what takes too long.
 */
import { stdin, stdout } from 'node:process'
import { text } from 'node:stream/consumers'
import { runInThisContext } from 'node:vm'
import { type Attack, attacksOn, attackText } from './regexp-attacks.ts'

/** A regular expression of the source, and what reaches it. */
export interface Suspect {
  readonly source: string
  readonly flags: string
  /** Characters of the longest text that it is given. */
  readonly longest: number
}

export interface RegexpWork {
  readonly suspects: readonly Suspect[]
  /** Milliseconds of the processor that one text may cost. */
  readonly limit: number
  /** Milliseconds of the clock after which the texts of one expression are given up. */
  readonly givenUp: number
}

/** An expression that takes long, and its worst text. */
export interface SlowRegexp {
  /** Its place among the suspects. */
  readonly suspect: number
  readonly attack: Attack
  /** Milliseconds of the processor; undefined where it was given up. */
  readonly cost: number | undefined
}

/** Characters of the texts that find out which attacks are worth a long one. */
const TRIAL = 3000
/** Attacks on one expression that are tried at full length: those that cost most in the trial, where that is worth it. */
const IN_EARNEST = 3
/** Milliseconds that a trial takes at least whose cost may grow faster than its text. */
const WORTH = 0.2

function costOf(expression: RegExp, subject: string): number {
  expression.lastIndex = 0
  const before = process.threadCpuUsage()
  if (expression.global) subject.replace(expression, '')
  else expression.exec(subject)
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1000
}

/** Its worst text and what that costs, where that is more than the limit. */
function judge(suspect: Suspect, { limit, givenUp }: RegexpWork): Omit<SlowRegexp, 'suspect'> | undefined {
  const expression = new RegExp(suspect.source, suspect.flags)
  let attack: Attack = { start: '', pump: '', end: '' }
  const run = (tried: Attack, length: number): number => {
    attack = tried
    return costOf(expression, attackText(tried, length))
  }
  const worst = within(givenUp, () => {
    const trials = attacksOn(suspect)
      .map((tried) => ({ tried, cost: run(tried, Math.min(TRIAL, suspect.longest)) }))
      .filter(({ cost }) => cost > WORTH)
      .sort((a, b) => b.cost - a.cost)
    const costs = trials.slice(0, IN_EARNEST).map(({ tried }) => ({ attack: tried, cost: run(tried, suspect.longest) }))
    return costs.sort((a, b) => b.cost - a.cost)[0]
  })
  if (worst === 'given up') return { attack, cost: undefined }
  return worst !== undefined && worst.cost > limit ? worst : undefined
}

/** V8 can end a regular expression in the middle of a text, but only within a script that has a time limit. */
function within<T>(milliseconds: number, work: () => T): T | 'given up' {
  try {
    Reflect.set(globalThis, 'regexpWork', work)
    return runInThisContext('regexpWork()', { timeout: milliseconds }) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'given up'
    throw error
  }
}

/** An expression that a module built when it was loaded, and where. */
export interface BuiltRegexp {
  readonly path: string
  readonly line: number
  readonly source: string
  readonly flags: string
}

/** Loads modules, and finds the expressions that they build. */
async function builtBy(modules: readonly string[]): Promise<readonly BuiltRegexp[]> {
  const found: BuiltRegexp[] = []
  globalThis.RegExp = new Proxy(RegExp, {
    construct(target, args, self) {
      const made: RegExp = Reflect.construct(target, args, self)
      const [, path, line] = /\/(src\/[\w/-]+\.ts):(\d+)/.exec(new Error().stack?.split('\n')[2] ?? '') ?? []
      if (path !== undefined) found.push({ path, line: Number(line), source: made.source, flags: made.flags })
      return made
    },
  })
  for (const module of modules) await import(module)
  return found
}

const work = JSON.parse(await text(stdin)) as RegexpWork | readonly string[]
const answer =
  'suspects' in work
    ? work.suspects.flatMap((suspect, at) => {
        const slow = judge(suspect, work)
        return slow === undefined ? [] : [{ suspect: at, ...slow }]
      })
    : await builtBy(work)
stdout.write(JSON.stringify(answer))
