/** Runs a Dovecot out of a folder of its own. Owns what every Dovecot of the tests has in common. */
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { needProgram } from './debian-package.ts'

export interface RunningDovecot {
  /** Resolves when it has ended. */
  stop(): Promise<void>
}

/** Why one cannot be had here; undefined where it can. `part` is the program that must be there, as `imap`. */
export function needDovecot(part: 'auth' | 'imap' | 'lmtp'): string | undefined {
  const missing = needProgram(`/usr/lib/dovecot/${part}`, ['dovecot-core', 'dovecot-imapd', 'dovecot-lmtpd'])
  if (missing !== undefined) return missing
  return process.getuid?.() === 0 ? undefined : 'Dovecot wants to be started by root'
}

/** Starts it in `dir`, which it may read whole; `users` are lines of a passwd file, `settings` of dovecot.conf. */
export function runDovecot(dir: string, users: readonly string[], settings: readonly string[]): RunningDovecot {
  mkdirSync(join(dir, 'run'), { recursive: true })
  chmodSync(dir, 0o755)
  writeFileSync(join(dir, 'users'), users.map((line) => `${line}\n`).join(''))
  const common = [
    `base_dir = ${dir}/run`,
    `log_path = ${dir}/log`,
    'listen = 127.0.0.1',
    'ssl = no',
    'disable_plaintext_auth = no',
    'default_internal_user = dovecot',
    'default_login_user = dovenull',
    'first_valid_uid = 1',
    'first_valid_gid = 1',
    'auth_mechanisms = plain login',
    `passdb {\n  driver = passwd-file\n  args = scheme=PLAIN ${dir}/users\n}`,
  ]
  writeFileSync(join(dir, 'dovecot.conf'), [...common, ...settings, ''].join('\n'))
  const child = spawn('dovecot', ['-F', '-c', join(dir, 'dovecot.conf')], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}
