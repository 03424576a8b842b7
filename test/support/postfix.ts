/** A Postfix of the test's own: own folders, own port, STARTTLS, AUTH by Dovecot, one mailbox for everybody. */
import { execFile, execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeCertificate } from './certificates.ts'
import { needProgram } from './debian-package.ts'
import { PASSWORD, type RealServer, type RelayOptions, USER } from './real-server.ts'
import { needDovecot, type RunningDovecot, runDovecot } from './run-dovecot.ts'

export interface Postfix extends RealServer {
  /** Messages delivered so far. */
  mails(): readonly Buffer[]
  /** Where the Maildirs are that it delivers into, and whose they are. */
  readonly mailFolder: string
  readonly mailOwner: { readonly uid: number; readonly gid: number }
  /** Waits until that many are delivered. */
  waitFor(count: number): Promise<readonly Buffer[]>
  /** Stops it in order or at once, leaves it down for that long, starts it again. */
  restart(milliseconds: number, how: 'stop' | 'abort'): Promise<void>
}

export interface PostfixOptions {
  /** Lines for main.cf. */
  readonly settings?: readonly string[]
}

/** A Postfix that passes everything on to another port of this machine. */
export function startRelayingPostfix({
  relayTo,
  refuse,
}: RelayOptions): Promise<Postfix | { readonly skipped: string }> {
  const spurn = (pattern: string | undefined, access: string, answer: string): string =>
    pattern === undefined ? '' : `${access} regexp:{{/${pattern}/ ${answer}}}`
  return startPostfix({
    settings: [
      'virtual_mailbox_domains =',
      `relayhost = [127.0.0.1]:${relayTo}`,
      'disable_dns_lookups = yes',
      'smtp_host_lookup = native',
      `smtpd_recipient_restrictions = ${spurn(refuse?.rcpt, 'check_recipient_access', '550 5.1.1 no such user')}`,
      `smtpd_end_of_data_restrictions = ${spurn(refuse?.end, 'check_sender_access', '554 5.7.1 this looks like spam')}`,
    ],
  })
}

/** Starts it, or says why it cannot be had here. */
export async function startPostfix(options: PostfixOptions = {}): Promise<Postfix | { readonly skipped: string }> {
  const missing = needProgram('/usr/sbin/postfix', ['postfix']) ?? needDovecot('auth')
  if (missing !== undefined) return { skipped: missing }
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-postfix-'))
  chmodSync(dir, 0o755)
  const path = (...parts: string[]): string => join(dir, ...parts)
  const port = await freePort()
  const certificate = await makeCertificate('localhost')
  for (const folder of ['etc', 'queue', 'data', 'mail', 'dovecot']) mkdirSync(path(folder), { recursive: true })
  const [uid, gid] = [idOf('postfix', '-u'), idOf('postfix', '-g')]
  chownSync(path('data'), uid, gid)
  chownSync(path('mail'), uid, gid)
  // Where a message was cut off, a part of its start that has given up root has something to log.
  writeFileSync(path('postfix.log'), '')
  chownSync(path('postfix.log'), uid, gid)
  writeFileSync(path('key.pem'), certificate.key, { mode: 0o600 })
  writeFileSync(path('cert.pem'), certificate.cert)
  const dovecot = await startAuth(path('dovecot'))
  writeFileSync(
    path('etc', 'main.cf'),
    [...mainConfig(dir, uid, gid), ...(options.settings ?? [])].join('\n').concat('\n'),
  )
  writeFileSync(path('etc', 'master.cf'), masterConfig(port))
  const control = (order: 'start' | 'stop' | 'abort'): Promise<unknown> =>
    promisify(execFile)('postfix', ['-c', path('etc'), order], { timeout: 60_000 })
  await control('start')
  await answers(port)

  const mails = (): readonly Buffer[] => {
    const folder = path('mail', 'all', 'new')
    return existsSync(folder) ? readdirSync(folder).map((name) => readFileSync(join(folder, name))) : []
  }
  return {
    host: 'localhost',
    port,
    secure: true,
    ca: path('cert.pem'),
    user: USER,
    password: PASSWORD,
    mails,
    mailFolder: path('mail'),
    mailOwner: { uid, gid },
    async waitFor(count) {
      for (let waited = 0; waited < 30_000 && mails().length < count; waited += 100)
        await new Promise((resolve) => setTimeout(resolve, 100))
      return mails()
    },
    log: () => (existsSync(path('postfix.log')) ? readFileSync(path('postfix.log'), 'utf8') : ''),
    async restart(milliseconds, how) {
      await control(how)
      await new Promise((resolve) => setTimeout(resolve, milliseconds))
      await control('start')
    },
    async stop() {
      // It may be stopped already.
      await control('stop').catch(() => {})
      await dovecot.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function idOf(user: string, what: '-u' | '-g'): number {
  return Number(execFileSync('id', [what, user], { encoding: 'utf8' }).trim())
}

function mainConfig(dir: string, uid: number, gid: number): readonly string[] {
  return [
    'compatibility_level = 3.6',
    `queue_directory = ${dir}/queue`,
    `data_directory = ${dir}/data`,
    'command_directory = /usr/sbin',
    'daemon_directory = /usr/lib/postfix/sbin',
    'mail_owner = postfix',
    'setgid_group = postdrop',
    `maillog_file = ${dir}/postfix.log`,
    `maillog_file_prefixes = ${dir}`,
    'myhostname = mail.example.net',
    'mydestination =',
    'inet_interfaces = 127.0.0.1',
    'inet_protocols = ipv4',
    'mynetworks = 127.0.0.0/8',
    'virtual_mailbox_domains = static:all',
    `virtual_mailbox_base = ${dir}/mail`,
    'virtual_mailbox_maps = static:all/',
    'virtual_minimum_uid = 1',
    `virtual_uid_maps = static:${uid}`,
    `virtual_gid_maps = static:${gid}`,
    `smtpd_tls_cert_file = ${dir}/cert.pem`,
    `smtpd_tls_key_file = ${dir}/key.pem`,
    'smtpd_tls_security_level = may',
    'smtpd_tls_auth_only = yes',
    'smtpd_sasl_auth_enable = yes',
    'smtpd_sasl_type = dovecot',
    `smtpd_sasl_path = ${dir}/dovecot/run/auth-client`,
    'smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination',
    'smtputf8_enable = yes',
  ]
}

function masterConfig(port: number): string {
  const services = [
    `127.0.0.1:${port} inet n - n - 20 smtpd`,
    'pickup unix n - n 60 1 pickup',
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'verify unix - - n - 1 verify',
    'flush unix n - n 1000? 0 flush',
    'proxymap unix - - n - - proxymap',
    'smtp unix - - n - - smtp',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'discard unix - - n - - discard',
    'local unix - n n - - local',
    'virtual unix - n n - - virtual',
    'anvil unix - - n - 1 anvil',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'postlog unix-dgram n - n - 1 postlogd',
  ]
  return `${services.join('\n')}\n`
}

/** A Dovecot that only checks logins. */
async function startAuth(dir: string): Promise<RunningDovecot> {
  const socket = join(dir, 'run', 'auth-client')
  const dovecot = runDovecot(
    dir,
    [`${USER}:{PLAIN}${PASSWORD}`],
    [
      'protocols =',
      `userdb {\n  driver = static\n  args = uid=nobody gid=nogroup home=${dir}\n}`,
      `service auth {\n  unix_listener auth-client {\n    path = ${socket}\n    mode = 0666\n  }\n}`,
    ],
  )
  for (let waited = 0; waited < 10_000 && !existsSync(socket); waited += 50)
    await new Promise((resolve) => setTimeout(resolve, 50))
  return dovecot
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}

/** Waits until somebody answers on a port. */
export async function answers(port: number): Promise<void> {
  const until = Date.now() + 15_000
  while (Date.now() < until) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('data', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
      setTimeout(() => {
        socket.destroy()
        resolve(false)
      }, 2000)
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nobody answers on port ${port}`)
}
