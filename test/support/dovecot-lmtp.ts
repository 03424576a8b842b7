/** A Dovecot of the test's own that takes mail over LMTP: one Maildir a user, and whoever is not a user is refused. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, freePort } from './postfix.ts'
import { needDovecot, runDovecot } from './run-dovecot.ts'

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
  const missing = needDovecot('lmtp')
  if (missing !== undefined) return { skipped: missing }
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-dovecot-'))
  mkdirSync(join(dir, 'mail'))
  chmodSync(join(dir, 'mail'), 0o777)
  const port = await freePort()
  const dovecot = runDovecot(
    dir,
    users.map((user) => `${user}:{PLAIN}x::::::`),
    [
      'protocols = lmtp',
      'auth_username_format = %Lu',
      `mail_location = maildir:${dir}/mail/%u`,
      `userdb {\n  driver = passwd-file\n  args = ${dir}/users\n  default_fields = uid=nobody gid=nogroup home=${dir}/mail/%u\n}`,
      `service lmtp {\n  inet_listener lmtp {\n    address = 127.0.0.1\n    port = ${port}\n  }\n  unix_listener lmtp-test {\n    mode = 0666\n  }\n}`,
    ],
  )
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
      await dovecot.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
