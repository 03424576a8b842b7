/**
 * A draft in a mailbox as a template: `--template 'imap:Drafts/Subject'`. Owns finding the draft and the copy of it that the run is made
 * of; what a mail means as a template is in `template/files/mail-file.ts`.
 */
import { join } from 'node:path'
import type { ImapFlow } from 'imapflow'
import type { Settings } from '../../config/settings.ts'
import { nearest } from '../../did-you-mean.ts'
import { ConfigError, InputError } from '../../errors.ts'
import { writeFileAtomically } from '../../fs/atomic.ts'
import { makeFolder } from '../../fs/folder.ts'
import { withMailbox } from '../../imap/client.ts'

const SCHEME = 'imap:'
/** Drafts whose subjects are looked at. */
const MOST_DRAFTS = 10_000
/** Characters of a subject that become the name of the template. */
const NAME_LENGTH = 60

export function isInMailbox(template: string): boolean {
  return template.startsWith(SCHEME)
}

/**
 * Fetches the draft: the newest with that subject. Its copy, in `.mailmerge/drafts`, is readable by its user alone.
 * @returns the path of the copy, a template like any other; it has the same name for the same draft.
 * @throws ConfigError without a mailbox, InputError for a folder or draft that is not there.
 */
export async function fetchDraft({ imap, root }: Settings, template: string): Promise<string> {
  if (imap === undefined) {
    throw new ConfigError(`the template '${template}' is in a mailbox, and none is set`, {
      hint: 'Set imap: in mailmerge.yaml.',
    })
  }
  const { subject, bytes } = await withMailbox(imap, (client) => find(client, template))
  const folder = join(root, '.mailmerge', 'drafts')
  makeFolder(folder, { mode: 0o700 })
  const path = join(folder, `${nameOf(subject)}.eml`)
  writeFileAtomically(path, bytes, { mode: 0o600, ifAbsent: false })
  return path
}

async function find(client: ImapFlow, template: string): Promise<{ readonly subject: string; readonly bytes: Buffer }> {
  const { folder, subject } = await parted(client, template)
  const lock = await client.getMailboxLock(folder, { readOnly: true })
  try {
    const known: string[] = []
    let newest: number | undefined
    const { exists } = client.mailbox === false ? { exists: 0 } : client.mailbox
    if (exists > 0) {
      const range = `${Math.max(1, exists - MOST_DRAFTS)}:*`
      for await (const { uid, envelope } of client.fetch(range, { envelope: true, uid: true })) {
        const own = (envelope?.subject ?? '').trim()
        known.push(own)
        if (own === subject && (newest === undefined || uid > newest)) newest = uid
      }
    }
    if (newest === undefined) {
      const guess = nearest(subject, known)
      throw new InputError(`there is no mail with the subject '${subject}' in '${folder}'`, {
        hint: guess === undefined ? 'Save the draft there first.' : `Did you mean '${guess}'?`,
      })
    }
    const message = await client.fetchOne(String(newest), { source: true }, { uid: true })
    if (message === false || message.source === undefined) {
      throw new InputError(`the draft '${subject}' went away while it was read`, { hint: 'Give the command again.' })
    }
    return { subject, bytes: message.source }
  } finally {
    lock.release()
  }
}

/** The folder and the subject: of `INBOX/Drafts/A/B` the longest beginning that is a folder is it. */
async function parted(
  client: ImapFlow,
  template: string,
): Promise<{ readonly folder: string; readonly subject: string }> {
  const words = template.slice(SCHEME.length)
  const folders = await client.list()
  const paths = folders.map(({ path }) => path).sort((one, other) => other.length - one.length)
  const folder = paths.find((path) => words.startsWith(`${path}/`))
  // Each language has its own name for it.
  const marked = words.startsWith('Drafts/')
    ? folders.find(({ specialUse }) => specialUse === '\\Drafts')?.path
    : undefined
  const found = folder ?? marked
  const subject = unquoted(words.slice(folder === undefined ? 'Drafts/'.length : folder.length + 1))
  if (found !== undefined && subject !== '') return { folder: found, subject }
  throw new InputError(`'${template}' does not name a folder of the mailbox and a subject`, {
    hint: `Write 'imap:FOLDER/SUBJECT'. The folders are ${paths.toSorted().slice(0, 20).join(', ')}.`,
  })
}

function unquoted(text: string): string {
  return (/^"(.*)"$/s.exec(text.trim())?.[1] ?? text).trim()
}

/** A file name that says which draft it is. */
function nameOf(subject: string): string {
  const words = subject
    .normalize('NFC')
    .replace(/\{\{[^{}]{0,200}\}\}/g, '')
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .slice(0, NAME_LENGTH)
    .replace(/^-|-$/g, '')
    .toLowerCase()
  return words === '' ? 'draft' : words
}
