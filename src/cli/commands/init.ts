/** `mailmerge init`: a project that runs at once in the sandbox. Never overwrites a file. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, dirname, join, relative, resolve } from 'node:path'
import { OutputError } from '../../errors.ts'
import { makeFolder } from '../../fs/folder.ts'
import { folderWords, isSystemError, outputWords } from '../../fs/system-errors.ts'
import { shellWord } from '../../text/shell-word.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Action } from '../command.ts'

/** Files whose being there already keeps nobody from a new project. */
const YIELDING: readonly string[] = ['.gitignore', '.mailmerge/mailmerge.schema.json']

export const init: Action = {
  usage: 'init [dir]',
  describe: 'Create a project that runs: configuration, template, list',
  positionals: { dir: { describe: 'Folder to create it in; default: this one' } },
  options: {},
  async run(args, { io, out }) {
    const { starterFiles } = await import('./starter.ts')
    const folder = resolve(io.cwd, args.text('dir') ?? '.')
    const shown = relative(io.cwd, folder) || '.'
    const files = await starterFiles()
    const there = Object.keys(files).filter((name) => existsSync(join(folder, name)))
    const clashing = there.filter((name) => !YIELDING.includes(name))
    if (clashing.length > 0) {
      throw new OutputError(
        `${shown === '.' ? 'this folder' : escapeInvisible(shown)} has ${clashing.join(', ')} already`,
        {
          hint: 'Nothing was written. Name another folder: mailmerge init newsletter',
        },
      )
    }
    const made = Object.entries(files).filter(([name]) => !there.includes(name))
    for (const [name, text] of made) await writeNew(join(folder, name), text, join(shown, name))
    if (out.json) {
      out.result(JSON.stringify({ folder, files: made.map(([name]) => name) }))
      return 0
    }
    out.info(`created a project in ${escapeInvisible(shown)}:`)
    for (const [name] of made) out.info(`  ${name}`)
    if (there.includes('.gitignore')) out.info('your .gitignore stays as it is: add .mailmerge/ and .env to it')
    out.info('')
    out.info('next:')
    const own = commandWord(io.env)
    const steps: readonly (readonly [string, string])[] = [
      ...(shown === '.' ? [] : ([[`cd ${shellWord(shown)}`, '']] as const)),
      [`${own} run --sandbox`, 'deliver to a built-in inbox'],
      [`${own} run --dry-run`, 'the same as .eml files'],
      [`${own} run --test-to YOUR-ADDRESS`, 'send all of it to yourself, through your own server'],
      [`${own} run`, 'ask, then send'],
    ]
    const width = Math.max(...steps.map(([command]) => command.length))
    for (const [command, what] of steps) out.info(`  ${what === '' ? command : `${command.padEnd(width)}  # ${what}`}`)
    return 0
  },
}

/**
 * How this program can be called from any folder: by its name where the shell finds it, else by its path. Never by npx, which
 * outside of this checkout would fetch somebody else's package of that name.
 */
function commandWord(env: NodeJS.Dict<string>): string {
  const names = process.platform === 'win32' ? ['mailmerge.cmd', 'mailmerge.exe'] : ['mailmerge']
  // What npx puts on the path is gone when it has ended.
  const folders = env['npm_command'] === 'exec' ? [] : (env['PATH'] ?? '').split(delimiter)
  if (folders.some((folder) => folder !== '' && names.some((name) => existsSync(join(folder, name)))))
    return 'mailmerge'
  return `node ${shellWord(resolve(import.meta.dirname, '../../../bin/mailmerge.js'))}`
}

async function writeNew(path: string, text: string, shown: string): Promise<void> {
  try {
    makeFolder(dirname(path))
    await writeFile(path, text, { flag: 'wx' })
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    const [what, why] =
      cause.syscall === 'mkdir'
        ? [`the folder ${dirname(shown)} cannot be made`, folderWords(cause)]
        : [`${shown} cannot be written`, outputWords(cause)]
    throw new OutputError(`${escapeInvisible(what)}: ${why}`, {
      cause,
      hint: 'Name another folder, or one that is yours to write to: mailmerge init newsletter',
    })
  }
}
