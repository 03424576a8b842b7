/**
 * The `sendmail` command as a transport: Postfix, Exim, OpenSMTPD, msmtp and others have one. Owns the command line and the
 * reading of its exit codes (sysexits.h).
 */

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { ConfigError, type MailmergeError, OutputError } from '../errors.ts'
import { outputWords, systemWords } from '../fs/system-errors.ts'
import type { Message } from '../message/message.ts'
import type { Reply } from '../replies/reply.ts'
import { oneLine } from '../text/visible.ts'
import { unixLines } from './mailbox-form.ts'
import { type Handed, oneByOne } from './one-by-one.ts'
import type { Lane, Outcome, Transport } from './transport.ts'

export interface SendmailOptions {
  /** Default: where systems have it, else `sendmail` in the path. */
  readonly path?: string
  /** Further arguments, before the recipients. */
  readonly args?: readonly string[]
}

const PLACES = ['/usr/sbin/sendmail', '/usr/lib/sendmail', '/usr/local/sbin/sendmail']
/** What it says is cut to this. */
const SAID = 1000

/** Codes that speak for good of this message or recipient. */
const REJECTED: Readonly<Record<number, Reply>> = {
  65: { code: 554, enhanced: '5.6.0', text: 'it does not take the message (EX_DATAERR)' },
  67: { code: 550, enhanced: '5.1.1', text: 'it does not know the recipient (EX_NOUSER)' },
  68: { code: 550, enhanced: '5.1.2', text: 'it does not know the host (EX_NOHOST)' },
  77: { code: 550, enhanced: '5.7.1', text: 'it does not allow it (EX_NOPERM)' },
}

const NOT_FOUND = 'is not found'
/** Codes that say that it was called wrongly or is set up wrongly: no message will get through. */
const WRONG: Readonly<Record<number, string>> = {
  64: 'does not understand how it was called (EX_USAGE)',
  72: 'misses a file of the system (EX_OSFILE)',
  78: 'is not configured (EX_CONFIG)',
  126: 'cannot be run',
  127: NOT_FOUND,
}

export function createSendmailTransport({ path, args = [] }: SendmailOptions = {}): Transport {
  const program = path ?? PLACES.find((place) => existsSync(place)) ?? 'sendmail'
  let broken: MailmergeError | undefined

  async function handOver(message: Message, _job: unknown, signal: AbortSignal): Promise<Handed> {
    let input: FileHandle
    try {
      input = await spooled(message)
    } catch (cause) {
      broken = new OutputError(`no file for ${program} can be made in ${tmpdir()}: ${outputWords(cause)}`, {
        cause,
        hint: 'Free some space there, or name another folder in the environment: TMPDIR=/path.',
      })
      return { outcome: { kind: 'unsent', reason: broken.message }, lost: broken.message }
    }
    try {
      const ended = await call(program, [...argumentsFor(message, args)], input.fd, signal)
      const { outcome, wrong } = outcomeOf(ended)
      if (wrong === undefined) return { outcome }
      broken = new ConfigError(`${program} ${wrong}`, {
        hint: 'Try it by hand: echo test | sendmail -i -- you@example.com. Set its path with transport: sendmail:/path.',
      })
      return { outcome, lost: broken.message }
    } finally {
      await input.close()
    }
  }

  return {
    name: `sendmail ${program}`,
    async open(): Promise<Lane> {
      if (broken !== undefined) throw broken
      checkProgram(program)
      return oneByOne(handOver)
    },
    async verify() {
      checkProgram(program)
      return {
        server: `sendmail ${program}`,
        secure: true,
        tls: 'nothing leaves this machine',
        authenticated: false,
        extensions: [],
      }
    },
    async close() {},
  }
}

/** @throws ConfigError for what is not a program, where the system looks for programs. */
function checkProgram(program: string): void {
  const folders = program.includes('/') ? [''] : (process.env['PATH'] ?? '').split(delimiter)
  if (folders.some((folder) => isProgram(join(folder, program)))) return
  const there = program.includes('/') && existsSync(program)
  throw new ConfigError(
    there ? `${program} is not a program that this user may run` : `there is no program ${program}`,
    {
      hint: 'Set its path with transport: sendmail:/path.',
    },
  )
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** `--` ends the options, so that no address can be one; `-i` lets a line of one dot be. */
function argumentsFor({ envelope }: Message, args: readonly string[]): readonly string[] {
  return ['-i', '-f', envelope.from === '' ? '<>' : envelope.from, ...args, '--', ...envelope.to]
}

/**
 * The message in a file that has no name any more. Over a pipe the command would take what came before a crash of ours for
 * the whole message.
 */
async function spooled(message: Message): Promise<FileHandle> {
  const path = join(tmpdir(), `mailmerge-${randomBytes(9).toString('hex')}.eml`)
  const file = await open(path, 'wx', 0o600)
  try {
    for (const piece of unixLines(message.chunks)) await file.appendFile(piece)
  } catch (error) {
    await file.close()
    await rm(path, { force: true })
    throw error
  }
  await file.close()
  // Opened again, to be read from its beginning.
  const input = await open(path, 'r')
  await rm(path, { force: true })
  return input
}

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly said: string
  /** It never began. */
  readonly error?: NodeJS.ErrnoException
}

function call(program: string, args: readonly string[], input: number, signal: AbortSignal): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: [input, 'ignore', 'pipe'] })
    let said = ''
    const stop = (): void => void child.kill('SIGKILL')
    signal.addEventListener('abort', stop, { once: true })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < SAID) said += text.slice(0, SAID - said.length)
    })
    const end = (ended: Omit<Ended, 'said'>): void => {
      signal.removeEventListener('abort', stop)
      resolve({ ...ended, said: oneLine(said) })
    }
    child.once('error', (error) => end({ code: null, signal: null, error }))
    child.once('close', (code, killed) => end({ code, signal: killed }))
  })
}

/** `wrong` when nothing will get through. */
function outcomeOf({ code, signal, said, error }: Ended): { readonly outcome: Outcome; readonly wrong?: string } {
  if (error !== undefined) {
    const wrong = error.code === 'ENOENT' ? NOT_FOUND : `cannot be run: ${systemWords(error)}`
    return { outcome: { kind: 'unsent', reason: `sendmail ${wrong}` }, wrong }
  }
  if (code === 0) return { outcome: { kind: 'accepted', reply: { code: 250, text: said || 'taken by sendmail' } } }
  if (code === null)
    return { outcome: { kind: 'in_doubt', reason: `sendmail was killed by ${signal ?? 'a signal'} while it worked` } }
  const wrong = WRONG[code]
  if (wrong !== undefined) {
    const reason = said === '' ? wrong : `${wrong}: ${said}`
    return { outcome: { kind: 'unsent', reason: `sendmail ${reason}` }, wrong: reason }
  }
  const reply = REJECTED[code]
  if (reply !== undefined)
    return { outcome: { kind: 'rejected', stage: 'end-of-data', reply: { ...reply, text: said || reply.text } } }
  // EX_TEMPFAIL asks to be tried again; what the others mean differs from program to program, and none of them took it.
  const text = said || (code === 75 ? 'it asks to try again (EX_TEMPFAIL)' : `it ended with code ${code}`)
  return { outcome: { kind: 'deferred', stage: 'end-of-data', reply: { code: 451, enhanced: '4.3.0', text } } }
}
