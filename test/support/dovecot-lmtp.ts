/** A Dovecot of the test's own that takes mail over LMTP: one Maildir a user, and whoever is no user is refused. */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { needProgram } from './debian-package.ts'
import { answers, freePort } from './postfix.ts'

export interface DovecotLmtp {
  readonly port: number
  /** The socket file that it listens on too. */
  readonly socket: string
  /** Mails of a user, as they stand in the Maildir. */
  mails(user: string): readonly string[]
  log(): string
  stop(): Promise<void>
}

/** Starts it with these users, or says why it cannot be had here. */
export async function startDovecotLmtp(users: readonly string[]): Promise<DovecotLmtp | { readonly skipped: string }> {
  const missing = needProgram('/usr/lib/dovecot/lmtp', ['dovecot-core', 'dovecot-lmtpd'])
  if (missing !== undefined) return { skipped: missing }
  if (process.getuid?.() !== 0) return { skipped: 'Dovecot wants to be started by root' }
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-dovecot-'))
  chmodSync(dir, 0o755)
  mkdirSync(join(dir, 'run'))
  mkdirSync(join(dir, 'mail'))
  chmodSync(join(dir, 'mail'), 0o777)
  writeFileSync(join(dir, 'users'), users.map((user) => `${user}:{PLAIN}x::::::\n`).join(''))
  const port = await freePort()
  writeFileSync(join(dir, 'dovecot.conf'), configuration(dir, port))
  const child = spawn('dovecot', ['-F', '-c', join(dir, 'dovecot.conf')], { stdio: 'ignore' })
  await answers(port)
  return {
    port,
    socket: join(dir, 'run', 'lmtp-test'),
    mails(user) {
      const folder = join(dir, 'mail', user, 'new')
      return existsSync(folder) ? readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1')) : []
    },
    log: () => (existsSync(join(dir, 'log')) ? readFileSync(join(dir, 'log'), 'utf8') : ''),
    async stop() {
      const ended = new Promise((resolve) => child.once('close', resolve))
      child.kill('SIGTERM')
      await ended
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function configuration(dir: string, port: number): string {
  return [
    `base_dir = ${dir}/run`,
    `log_path = ${dir}/log`,
    'protocols = lmtp',
    'ssl = no',
    'default_internal_user = dovecot',
    'default_login_user = dovenull',
    'auth_mechanisms = plain',
    'auth_username_format = %Lu',
    `mail_location = maildir:${dir}/mail/%u`,
    'first_valid_uid = 1',
    `passdb {\n  driver = passwd-file\n  args = scheme=PLAIN ${dir}/users\n}`,
    `userdb {\n  driver = passwd-file\n  args = ${dir}/users\n  default_fields = uid=nobody gid=nogroup home=${dir}/mail/%u\n}`,
    `service lmtp {\n  inet_listener lmtp {\n    address = 127.0.0.1\n    port = ${port}\n  }\n  unix_listener lmtp-test {\n    mode = 0666\n  }\n}`,
    '',
  ].join('\n')
}
