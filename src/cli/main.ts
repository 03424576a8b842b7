/** The program `mailmerge`: reads the command line, runs the command, turns errors into exit codes. Does not know what a merge is. */
import { Console } from 'node:console'
import { readFile } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import { onStrayError } from '../template/helpers/late-failure.ts'
import type { Arguments, Context } from './command.ts'
import { GLOBAL_OPTIONS, parseCommandLine } from './command-line.ts'
import { COMMANDS } from './commands.ts'
import { COMPLETE_FLAG, completions, projectNames } from './completion.ts'
import { showError } from './terminal/errors.ts'
import { type Io, processIo } from './terminal/io.ts'
import { Output, type OutputOptions } from './terminal/output.ts'
import { noCommand } from './wrong-usage.ts'

/**
 * Runs one command.
 * @returns the exit code, which is also set on the process when `io` is its own.
 */
export async function main(argv: readonly string[], io?: Io): Promise<number> {
  if (io !== undefined) return runCommand(argv, io)
  silenceSqliteWarning()
  consoleToStderr()
  keepHeapSmall()
  const own = processIo()
  onStrayError((error) => process.exit(showError(error, new Output(own, outputFlags(argv)))))
  process.exitCode = await runCommand(argv, own)
  return process.exitCode
}

async function runCommand(argv: readonly string[], io: Io): Promise<number> {
  // Until the command line is understood, only its plain words can say how to speak.
  let out = new Output(io, outputFlags(argv))
  try {
    if (argv[0] === COMPLETE_FLAG) {
      for (const word of await completions(argv.slice(2), COMMANDS, GLOBAL_OPTIONS, projectNames({ io })))
        out.result(word)
      return 0
    }
    const version = await ownVersion()
    if (argv.length === 0) return await showHelp(io, out, version)
    const parsed = await parseCommandLine(argv, COMMANDS, version, io.stdout.columns ?? 80)
    if (parsed.kind === 'text') {
      out.result(parsed.text)
      return 0
    }
    const { command, args } = parsed
    out = new Output(io, outputOptions(args))
    const context: Context = { io, out, version }
    const code = await command.run(args, context)
    out.checkStdout()
    return code
  } catch (error) {
    out.flush()
    out.endLive()
    return showError(error, out)
  }
}

/** The program alone: a person sees what it can do, a script that it forgot a word. */
async function showHelp(io: Io, out: Output, version: string): Promise<number> {
  const help = await parseCommandLine(['--help'], COMMANDS, version, io.stdout.columns ?? 80)
  const text = help.kind === 'text' ? help.text : ''
  if (io.stdout.isTTY === true) {
    out.result(text)
    return 0
  }
  out.error(`${text}\n`)
  return showError(noCommand([]), out)
}

/** What the plain words of a command line say before it is understood. */
function outputFlags(argv: readonly string[]): OutputOptions {
  const has = (flag: string): boolean => argv.includes(flag)
  return { color: !has('--no-color'), verbose: has('--verbose'), json: has('--json') }
}

function outputOptions(args: Arguments): OutputOptions {
  return {
    color: !args.flag('noColor'),
    quiet: args.flag('quiet'),
    verbose: args.flag('verbose'),
    json: args.flag('json'),
  }
}

async function ownVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** Standard output holds results alone, whatever a project's own helpers print. */
function consoleToStderr(): void {
  const stderr = new Console(process.stderr)
  const { log, info, debug, dir, table, count, timeEnd } = stderr
  Object.assign(console, { log, info, debug, dir, table, count, timeEnd })
}

/** Node.js calls its own SQLite experimental; that is nothing a user of this program can act on. */
function silenceSqliteWarning(): void {
  const { emitWarning } = process
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).includes('SQLite is an experimental feature')) return
    Reflect.apply(emitWarning, process, [warning, ...rest])
  }) as typeof process.emitWarning
}

/**
 * On a machine with much memory V8 lets garbage pile up for as long as it likes, ten times what a long run needs. Said
 * before the heap has grown, this makes it collect in time: the young generation stays as small as it begins, the old one
 * is swept when it has grown by three tenths. `--optimize-for-size` does so too, but halts for full collections many times
 * as long. A program that uses the library decides for itself.
 */
function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--heap-growing-percent=30')
}

if (import.meta.main) await main(process.argv.slice(2))
