/** What we stand on in nodemailer. When one of these fails, a new version changed it: look at authenticated-socket.ts. */
import { once } from 'node:events'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import { afterEach, describe, expect, test } from 'vitest'
import { type AuthenticatedSocket, NODEMAILER_INTERNALS, openSocket } from '../../src/transport/smtp/connect/socket.ts'
import { makeCertificate } from '../support/certificates.ts'
import { type ScriptedServer, type ScriptedServerOptions, startScriptedServer } from '../support/scripted-server.ts'
import { smtpSettings } from './smtp-lane.ts'

let server: ScriptedServer
let taken: AuthenticatedSocket | undefined
afterEach(async () => {
  taken?.socket.destroy()
  await server?.close()
})

test.each(NODEMAILER_INTERNALS)('its connection has %s', (name) => {
  expect(name in new SMTPConnection({})).toBe(true)
})

test('its connection listens to its socket by those of them that are listeners, and by no others', async () => {
  server = await startScriptedServer()
  const connection = new SMTPConnection({ host: '127.0.0.1', port: server.port, ignoreTLS: true })
  await new Promise<void>((resolve) => connection.connect(() => resolve()))
  const fields = connection as unknown as Record<string, unknown>
  const known = new Set(NODEMAILER_INTERNALS.map((name) => fields[name]).filter((value) => typeof value === 'function'))
  const socket = connection._socket
  if (!socket) throw new Error('there is no socket')
  for (const event of ['data', 'error', 'close', 'timeout']) {
    const theirs = socket
      .rawListeners(event)
      .map((listener) => (listener as { listener?: unknown }).listener ?? listener)
    // Node itself listens to some of them: its functions have names that nodemailer's do not have.
    expect(
      theirs.some((listener) => known.has(listener as () => void)),
      event,
    ).toBe(true)
  }
  connection.close()
})

const WAYS: readonly (readonly [string, ScriptedServerOptions, 'none' | 'starttls' | 'tls'])[] = [
  ['in clear', {}, 'none'],
  ['after STARTTLS', { tls: await makeCertificate('localhost') }, 'starttls'],
  ['in TLS', { tls: { ...(await makeCertificate('localhost')), implicit: true } }, 'tls'],
]

describe.each(WAYS)('a socket taken over %s', (_way, options, security) => {
  async function take(more: ScriptedServerOptions = {}): Promise<AuthenticatedSocket> {
    server = await startScriptedServer({ ...options, ...more })
    taken = await openSocket(smtpSettings(server.port, { host: 'localhost', security, verifyCertificate: false }))
    return taken
  }

  test('has the EHLO of this very connection', async () => {
    const { extensions } = await take({ secureExtensions: ['PIPELINING', 'X-INSIDE'], extensions: ['X-OUTSIDE'] })
    expect(extensions.lines).toEqual(security === 'none' ? ['X-OUTSIDE'] : ['PIPELINING', 'X-INSIDE'])
  })

  test('has no listener of nodemailer and no timeout, and is paused', async () => {
    const { socket } = await take()
    expect(socket.listenerCount('data')).toBe(0)
    expect(socket.listenerCount('timeout')).toBe(0)
    expect(socket.timeout ?? 0).toBe(0)
    expect(socket.isPaused()).toBe(true)
    const names = [...socket.rawListeners('close'), ...socket.rawListeners('end'), ...socket.rawListeners('error')]
    expect(names.filter((listener) => /_on[A-Z]\w+\(/.test(String(listener)))).toEqual([])
  })

  test('is ours alone: what the server says goes to us, and nothing is said but by us', async () => {
    const { socket } = await take({ rset: () => '250 2.0.0 ours' })
    const heard = once(socket, 'data')
    socket.write('RSET\r\n')
    socket.resume()
    expect(String(await heard)).toBe('250 2.0.0 ours\r\n')
    // Anything that nodemailer still had to say would have come before the answer to this.
    const second = once(socket, 'data')
    socket.write('RSET\r\n')
    await second
    expect(server.commands.slice(security === 'starttls' ? 3 : 1)).toEqual(['RSET', 'RSET'])
  })

  test('may break before anybody works with it, and ends nobody', async () => {
    const { socket } = await take()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.destroy(new Error('broken'))
    await closed
    expect(socket.destroyed).toBe(true)
  })
})
