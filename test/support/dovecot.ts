/** A Dovecot of the test's own: one mailbox over IMAP, kept as a Maildir. */
import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, freePort } from './postfix.ts'
import { PASSWORD, USER } from './real-server.ts'
import { needDovecot, runDovecot } from './run-dovecot.ts'

export interface Dovecot {
  readonly port: number
  readonly user: string
  readonly password: string
  readonly maildir: string
  /** Puts a message into INBOX, as a delivery would. */
  deliver(octets: string | Buffer): void
  /** Gives every message another UID, as a restored backup does. */
  forgetUids(): void
  stop(): Promise<void>
}

export interface DovecotOptions {
  /** A Maildir that somebody else delivers into, and whose it is; one of its own without it. */
  readonly maildir?: string
  readonly owner?: { readonly uid: number; readonly gid: number }
}

let delivered = 0

/** Starts it, or says why it cannot be had here. */
export async function startDovecot(options: DovecotOptions = {}): Promise<Dovecot | { readonly skipped: string }> {
  const missing = needDovecot('imap')
  if (missing !== undefined) return { skipped: missing }
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-dovecot-'))
  const maildir = options.maildir ?? join(dir, 'mail')
  const owner = options.owner ?? { uid: idOf('-u', 'nobody'), gid: idOf('-g', 'nogroup') }
  for (const folder of ['', 'cur', 'new', 'tmp']) {
    mkdirSync(join(maildir, folder), { recursive: true })
    chownSync(join(maildir, folder), owner.uid, owner.gid)
  }
  const port = await freePort()
  const dovecot = runDovecot(
    dir,
    [`${USER}:{PLAIN}${PASSWORD}`],
    [
      'protocols = imap',
      `mail_location = maildir:${maildir}`,
      `userdb {\n  driver = static\n  args = uid=${owner.uid} gid=${owner.gid} home=${dir}\n}`,
      `service imap-login {\n  inet_listener imap {\n    port = ${port}\n  }\n  inet_listener imaps {\n    port = 0\n  }\n}`,
    ],
  )
  await answers(port)
  return {
    port,
    user: USER,
    password: PASSWORD,
    maildir,
    deliver(octets) {
      const path = join(maildir, 'new', `${Math.floor(Date.now() / 1000)}.M${++delivered}P${process.pid}.test`)
      writeFileSync(path, octets)
      chownSync(path, owner.uid, owner.gid)
    },
    forgetUids: () => {
      for (const name of ['dovecot-uidlist', 'dovecot.index', 'dovecot.index.log', 'dovecot.index.cache'])
        rmSync(join(maildir, name), { force: true })
    },
    async stop() {
      await dovecot.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function idOf(what: '-u' | '-g', name: string): number {
  return what === '-u'
    ? Number(execFileSync('id', ['-u', name], { encoding: 'utf8' }))
    : Number(execFileSync('getent', ['group', name], { encoding: 'utf8' }).split(':')[2])
}
