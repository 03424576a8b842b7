/** A mailbox over a real socket: who logs in, and what is said when a server refuses, goes away, or answers no more. */
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ImapSettings } from '../../src/config/settings.ts'
import { LoginError, UnreachableError } from '../../src/errors.ts'
import { withMailbox } from '../../src/imap/client.ts'
import { Secret } from '../../src/secret.ts'

/** What the server says to a command; undefined closes the connection, an empty text says nothing. */
let answer: (tag: string, command: string) => string | undefined
let commands: string[]
let sockets: Socket[]
let server: Server

beforeEach(async () => {
  commands = []
  sockets = []
  answer = (tag, command) =>
    command.startsWith('CAPABILITY')
      ? `* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n${tag} OK done\r\n`
      : command.startsWith('LOGOUT')
        ? `* BYE\r\n${tag} OK done\r\n`
        : `${tag} OK done\r\n`
  server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write('* OK ready\r\n')
    let rest = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      rest += text
      for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
        const [tag = '', ...words] = rest.slice(0, end).split(' ')
        rest = rest.slice(end + 2)
        commands.push(words.join(' '))
        const said = answer(tag, words.join(' '))
        if (said === undefined) socket.destroy()
        else if (said !== '') socket.write(said)
      }
    })
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
})
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
})

function settings(): ImapSettings {
  const { port } = server.address() as { port: number }
  return {
    host: '127.0.0.1',
    port,
    security: 'none',
    user: 'ada',
    password: () => Promise.resolve(new Secret('sesame')),
    verifyCertificate: true,
  }
}

const isLogin = (command: string): boolean => /^(LOGIN|AUTHENTICATE)/.test(command)

test('logs in, gives what the work gives, and logs out', async () => {
  expect(await withMailbox(settings(), async (client) => client.noop().then(() => 'done'))).toBe('done')
  expect(commands.filter(isLogin)).toHaveLength(1)
  expect(commands.at(-1)).toBe('LOGOUT')
})

test('a refused login is tried once, and the error names who and where, not the password', async () => {
  const usual = answer
  answer = (tag, command) =>
    isLogin(command) ? `${tag} NO [AUTHENTICATIONFAILED] wrong sesame\r\n` : usual(tag, command)
  const error: unknown = await withMailbox(settings(), () => Promise.resolve()).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(LoginError)
  expect((error as LoginError).message).toBe('127.0.0.1 refused the login of ada')
  expect(commands.filter(isLogin)).toHaveLength(1)
})

test('a server that is not there cannot be reached', async () => {
  const gone = settings()
  await new Promise((resolve) => server.close(resolve))
  const error: unknown = await withMailbox(gone, () => Promise.resolve()).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(UnreachableError)
  expect((error as Error).message).toMatch(/^the mailbox at 127\.0\.0\.1:\d+ cannot be reached: /)
})

test('a connection that breaks in the middle of the work is reported as the mailbox that went away', async () => {
  const usual = answer
  answer = (tag, command) => (command.startsWith('CREATE') ? undefined : usual(tag, command))
  const work = withMailbox(settings(), (client) => client.mailboxCreate('Sent'))
  await expect(work).rejects.toThrow(/^the mailbox at 127\.0\.0\.1 went away: /)
})

test('an error of the work itself stays what it is, and the connection is closed', async () => {
  const own = new LoginError('of the work', { hint: 'nothing' })
  await expect(withMailbox(settings(), () => Promise.reject(own))).rejects.toBe(own)
  await new Promise((resolve) => (sockets[0]?.closed ? resolve(undefined) : sockets[0]?.once('close', resolve)))
})

test('a server that answers no more is left when the signal says so', async () => {
  const usual = answer
  const abort = new AbortController()
  answer = (tag, command) => {
    if (!command.startsWith('CREATE')) return usual(tag, command)
    abort.abort(new Error('enough'))
    return ''
  }
  await expect(withMailbox(settings(), (client) => client.mailboxCreate('Sent'), abort.signal)).rejects.toThrow(
    'enough',
  )
})
