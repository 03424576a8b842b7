/**
 * What the name servers say of a sender: SPF (RFC 7208), DKIM keys (RFC 6376), DMARC (RFC 7489) and where its mail goes.
 * Owns asking and reading the records; judges nobody. What is not answered in time is unknown.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { DkimKey } from '../../config/settings.ts'
import { systemWords } from '../../fs/system-errors.ts'
import { createMailDomains, type MailDomain, type MailResolver } from '../../message/address/dns.ts'

/** The part of node's resolver that is needed. */
export interface SenderResolver extends MailResolver {
  resolveTxt(name: string): Promise<readonly (readonly string[])[]>
}

/** Records of one kind: those found, perhaps none, or why nobody knows. */
export type TextAnswer = { readonly found: readonly string[] } | { readonly unknown: string }

export interface DkimRecord extends DkimKey {
  readonly answer: TextAnswer
  /** The key in the record belongs to the private key that signs; undefined where the private key cannot be read. */
  readonly matches?: boolean | undefined
  /** Bits of an RSA key. */
  readonly bits?: number | undefined
  readonly revoked: boolean
}

export interface SenderRecords {
  readonly fromDomain: string
  readonly envelopeDomain: string
  /** SPF records of the envelope's domain. */
  readonly spf: TextAnswer
  readonly dkim: readonly DkimRecord[]
  /** DMARC records, and the domain that they were found at: the sender's or one above it. */
  readonly dmarc: TextAnswer & { readonly domain?: string }
  readonly mail: MailDomain
}

export interface Sender {
  readonly fromDomain: string
  readonly envelopeDomain: string
  readonly dkim: readonly DkimKey[]
  readonly root: string
}

/** Asks with limits of its own: at most about `timeout` milliseconds for each record. */
export function systemResolver(timeout = 5_000): SenderResolver {
  return new Resolver({ timeout: Math.max(1, Math.floor(timeout / 2)), tries: 2 })
}

/** Never rejects: what cannot be found out is unknown. */
export async function lookUpSender(sender: Sender, resolver: SenderResolver, timeout = 5_000): Promise<SenderRecords> {
  const { fromDomain, envelopeDomain, root } = sender
  const ask = (name: string): Promise<TextAnswer> => texts(resolver, name, timeout)
  const [spf, dkim, dmarc, mail] = await Promise.all([
    ask(envelopeDomain).then((answer) => only(answer, /^v=spf1(?:\s|$)/i)),
    Promise.all(sender.dkim.map((key) => dkimRecord(key, root, ask))),
    dmarcRecord(fromDomain, ask),
    createMailDomains({ resolver, timeout })(fromDomain),
  ])
  return { fromDomain, envelopeDomain, spf, dkim, dmarc, mail }
}

async function texts(resolver: SenderResolver, name: string, timeout: number): Promise<TextAnswer> {
  const { promise, resolve: settle } = Promise.withResolvers<TextAnswer>()
  const timer = setTimeout(() => settle({ unknown: `no answer in ${timeout} ms` }), timeout)
  resolver.resolveTxt(name).then(
    (records) => settle({ found: records.map((parts) => parts.join('')) }),
    (error: unknown) => {
      const { code } = error as NodeJS.ErrnoException
      const none = code === 'ENOTFOUND' || code === 'ENODATA'
      settle(none ? { found: [] } : { unknown: `the name server cannot say: ${systemWords(error)}` })
    },
  )
  return promise.finally(() => clearTimeout(timer))
}

function only(answer: TextAnswer, look: RegExp): TextAnswer {
  return 'found' in answer ? { found: answer.found.filter((text) => look.test(text.trim())) } : answer
}

/** The record of the domain, or of the nearest domain above it that has one; a top-level domain is not asked. */
async function dmarcRecord(
  domain: string,
  ask: (name: string) => Promise<TextAnswer>,
): Promise<TextAnswer & { readonly domain?: string }> {
  const labels = domain.split('.')
  for (let from = 0; from <= Math.max(0, labels.length - 2); from++) {
    const name = labels.slice(from).join('.')
    const answer = only(await ask(`_dmarc.${name}`), /^v=DMARC1\s*(?:;|$)/i)
    if (!('found' in answer)) return answer
    if (answer.found.length > 0) return { ...answer, domain: name }
  }
  return { found: [] }
}

async function dkimRecord(key: DkimKey, root: string, ask: (name: string) => Promise<TextAnswer>): Promise<DkimRecord> {
  const answer = await ask(`${key.selector}._domainkey.${key.domain}`)
  const record = 'found' in answer ? answer.found.find((text) => tagsOf(text).has('p')) : undefined
  const published = tagsOf(record ?? '')
    .get('p')
    ?.replace(/\s/g, '')
  const own = publicKeys(resolve(root, key.key))
  return {
    ...key,
    answer,
    revoked: published === '',
    matches: own === undefined || published === undefined ? undefined : own.forms.includes(published),
    bits: own?.bits,
  }
}

/** `v=DKIM1; k=rsa; p=...` by its tags. */
export function tagsOf(record: string): ReadonlyMap<string, string> {
  const tags = record.split(';').map((part) => {
    const [name = '', ...value] = part.split('=')
    return [name.trim().toLowerCase(), value.join('=').trim()] as const
  })
  return new Map(tags)
}

/** The forms in which the public half of a private key may stand in a record; undefined where it cannot be read. */
function publicKeys(
  path: string,
): { readonly forms: readonly string[]; readonly bits?: number | undefined } | undefined {
  try {
    const key = createPublicKey(createPrivateKey(readFileSync(path)))
    const spki = key.export({ type: 'spki', format: 'der' })
    // RFC 8463 section 4: the 32 bytes of an Ed25519 key alone.
    if (key.asymmetricKeyType === 'ed25519') return { forms: [spki.subarray(-32).toString('base64')] }
    const bits = key.asymmetricKeyDetails?.modulusLength
    const pkcs1 = key.export({ type: 'pkcs1', format: 'der' })
    return {
      forms: [spki.toString('base64'), pkcs1.toString('base64')],
      bits,
    }
  } catch {
    return undefined
  }
}
