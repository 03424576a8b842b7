/**
 * Whether a domain takes mail at all (RFC 5321 section 5.1, RFC 7505). Owns the cache and the limits of asking; what it
 * cannot find out it says to be unknown, and never stands in the way of sending.
 */
import { Resolver } from 'node:dns/promises'
import pLimit from 'p-limit'
import { BoundedMap } from '../../bounded-map.ts'
import { systemWords } from '../../fs/system-errors.ts'

/** What a domain's name servers say. */
export type MailDomain =
  | { readonly kind: 'mx'; readonly hosts: readonly string[] }
  /** No MX record, but an address: mail goes to the host itself. */
  | { readonly kind: 'address' }
  /** The domain says that it does not accept mail. */
  | { readonly kind: 'null-mx' }
  /** There is no such domain, or it has neither MX nor address. */
  | { readonly kind: 'none' }
  /** Nobody answered in time, or the name server failed. */
  | { readonly kind: 'unknown'; readonly reason: string }

/** The part of node's resolver that is needed; rejections carry node's codes (`ENOTFOUND`, `ENODATA`, `ETIMEOUT`). */
export interface MailResolver {
  resolveMx(domain: string): Promise<readonly { readonly exchange: string; readonly priority: number }[]>
  resolve4(domain: string): Promise<readonly string[]>
  resolve6(domain: string): Promise<readonly string[]>
}

export interface MailDomainOptions {
  readonly resolver?: MailResolver
  /** Milliseconds for one domain. Default 5,000. */
  readonly timeout?: number
  /** Domains asked for at once. Default 16. */
  readonly concurrency?: number
}

/** Domains whose answer is remembered. */
const KEPT_DOMAINS = 10_000

/**
 * A function from a domain (A-labels) to what is known of it; each is asked for once, and it never rejects.
 *
 * @example (await createMailDomains()('gmail.com')).kind // 'mx'
 */
export function createMailDomains(options: MailDomainOptions = {}): (domain: string) => Promise<MailDomain> {
  const timeout = options.timeout ?? 5_000
  const resolver = options.resolver ?? new Resolver({ timeout: Math.max(1, Math.floor(timeout / 2)), tries: 2 })
  const limit = pLimit(options.concurrency ?? 16)
  const answers = new BoundedMap<string, Promise<MailDomain>>(KEPT_DOMAINS)

  return (domain) => {
    const name = domain.toLowerCase().replace(/\.$/, '')
    let answer = answers.get(name)
    if (answer === undefined) {
      answer = limit(() => inTime(ask(resolver, name), timeout))
      answers.set(name, answer)
      // What was not found out may be asked for again.
      answer.then(({ kind }) => kind === 'unknown' && answers.get(name) === answer && answers.delete(name))
    }
    return answer
  }
}

async function ask(resolver: MailResolver, domain: string): Promise<MailDomain> {
  const records = await answerOf(resolver.resolveMx(domain))
  if ('reason' in records) return { kind: 'unknown', reason: records.reason }
  const hosts = [...records.found].sort((a, b) => a.priority - b.priority).map(({ exchange }) => exchange)
  if (hosts.length > 0)
    return hosts.every((host) => host === '' || host === '.') ? { kind: 'null-mx' } : { kind: 'mx', hosts }
  const addresses = await Promise.all([answerOf(resolver.resolve4(domain)), answerOf(resolver.resolve6(domain))])
  if (addresses.some((answer) => 'found' in answer && answer.found.length > 0)) return { kind: 'address' }
  for (const answer of addresses) if ('reason' in answer) return { kind: 'unknown', reason: answer.reason }
  return { kind: 'none' }
}

type Answer<T> = { readonly found: readonly T[] } | { readonly reason: string }

/** Nothing found is an answer; a server that failed is none. */
async function answerOf<T>(asked: Promise<readonly T[]>): Promise<Answer<T>> {
  try {
    return { found: await asked }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTFOUND' || code === 'ENODATA') return { found: [] }
    return { reason: `the name server cannot say: ${systemWords(error)}` }
  }
}

function inTime(answer: Promise<MailDomain>, timeout: number): Promise<MailDomain> {
  const { promise, resolve } = Promise.withResolvers<MailDomain>()
  const timer = setTimeout(() => resolve({ kind: 'unknown', reason: `no answer in ${timeout} ms` }), timeout)
  answer.then(resolve, (error: unknown) => resolve({ kind: 'unknown', reason: systemWords(error) }))
  return promise.finally(() => clearTimeout(timer))
}
