/**
 * An OpenSMTPD of the test's own, without PIPELINING; it passes everything on to another port. No TLS either, and so no login:
 * the one of Debian 12 was made before OpenSSL 3 and fails in every handshake with it (OpenSMTPD#1239).
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, freePort } from './postfix.ts'
import { PASSWORD, type RealServer, type RelayOptions, USER } from './real-server.ts'
import { makeRoom, noRoom } from './room.ts'
import { unpackPackages } from './unpacked-package.ts'

export async function startOpenSmtpd(options: RelayOptions): Promise<RealServer | { readonly skipped: string }> {
  const impossible = noRoom()
  if (impossible !== undefined) return { skipped: impossible }
  const packages = unpackPackages(['opensmtpd', 'libevent-2.1-7'])
  if (typeof packages !== 'string') return packages
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-opensmtpd-'))
  const room = makeRoom({
    dir,
    packages,
    users: [
      { name: 'opensmtpd', id: 60_002 },
      { name: 'opensmtpq', id: 60_003 },
    ],
  })
  const port = await freePort()
  mkdirSync(join(dir, 'spool/smtpd'))
  chmodSync(join(dir, 'spool/smtpd'), 0o711)
  mkdirSync(join(dir, 'lib/opensmtpd/empty'), { recursive: true })
  writeFileSync(join(dir, 'smtpd.conf'), configuration(port, options))
  const program = join(packages, 'usr/sbin/smtpd')
  const child = room.start([program, '-d', '-f', join(dir, 'smtpd.conf')], join(dir, 'output'))
  const log = (): string => (existsSync(join(dir, 'output')) ? readFileSync(join(dir, 'output'), 'utf8') : '')
  await answers(port).catch((cause: unknown) => {
    child.kill('SIGKILL')
    throw new Error(`OpenSMTPD did not start: ${log()}`, { cause })
  })
  return {
    host: 'localhost',
    port,
    secure: false,
    ca: '',
    user: USER,
    password: PASSWORD,
    log,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function configuration(port: number, { relayTo, refuse }: RelayOptions): string {
  const filters = [
    ...(refuse?.rcpt === undefined
      ? []
      : [`filter "rcpt" phase rcpt-to match rcpt-to regex { "${refuse.rcpt}" } reject "550 5.1.1 no such user"`]),
    ...(refuse?.end === undefined
      ? []
      : [
          `filter "end" phase commit match mail-from regex { "${refuse.end}" } reject "554 5.7.1 this looks like spam"`,
        ]),
  ]
  const names = filters.map((line) => line.split(' ')[1])
  const chain = names.length === 0 ? '' : ` filter { ${names.join(', ')} }`
  return `${filters.join('\n')}
listen on 127.0.0.1 port ${port}${chain}
action "onward" relay host smtp+notls://127.0.0.1:${relayTo}
match from any for any action "onward"
`
}
