/**
 * A list that a command writes. Owns running it and the rule that the output of a command that failed is not a list, however
 * whole it looks; never reads rows.
 */
import { spawn } from 'node:child_process'
import { InputError } from '../../errors.ts'
import { systemWords } from '../../fs/system-errors.ts'
import { fromStream, type Input } from '../input/input.ts'

/** What a command says on its error output is shown up to here. */
const SHOWN = 300

/**
 * Starts the command line by the shell. Its exit is judged once its last byte is read, before any row is sent.
 * @throws InputError when it cannot be started or fails.
 */
export function openCommand(command: { readonly line: string; readonly folder: string }): Promise<Input> {
  return fromStream('the output of data.command', { stem: 'command', extension: '' }, output(command))
}

async function* output({
  line,
  folder,
}: {
  readonly line: string
  readonly folder: string
}): AsyncGenerator<Uint8Array> {
  const child = spawn(line, { cwd: folder, shell: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (complaint.length < SHOWN) complaint += text
  })
  const ended = new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(`cannot be started: ${systemWords(error)}`))
    child.once('close', (code, signal) => {
      resolve(code === 0 ? undefined : `ended with ${signal ?? `code ${code}`}`)
    })
  })
  let whole = false
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array
    whole = true
  } finally {
    if (!whole) child.kill()
  }
  const fault = await ended
  if (fault === undefined) return
  const said = complaint.trim().slice(0, SHOWN)
  throw new InputError(`data.command ${fault}${said === '' ? '' : `: ${said}`}`, {
    hint: 'Run it by hand in the project folder and see what it prints. Nothing was sent.',
  })
}
