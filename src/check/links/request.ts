/**
 * Asks whether a link leads anywhere. Owns the guard: no address of a private network, before a connection and at every redirect, and
 * the connection goes to the address that was checked.
 */
import { lookup } from 'node:dns/promises'
import http from 'node:http'
import https from 'node:https'
import { BlockList, isIP, isIPv6 } from 'node:net'

export type LinkAnswer =
  | { readonly kind: 'good' }
  /** An answer of 400 or more. */
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'refused'; readonly why: 'private' | 'redirects' | 'scheme' }
  | { readonly kind: 'failed'; readonly code: string }

export interface LinkOptions {
  /** Milliseconds for one request. */
  readonly timeout: number
  /** Addresses of a host name. */
  readonly resolve: (host: string) => Promise<readonly string[]>
  readonly isPublic: (address: string) => boolean
  readonly signal?: AbortSignal | undefined
}

/** How the program asks. */
export const ASK: LinkOptions = { timeout: 10_000, resolve: addressesOf, isPublic: isPublicAddress }

const REDIRECTS = 3

async function addressesOf(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

/** Special-purpose addresses of IPv4 (RFC 6890 and its successors), and those within the global addresses of IPv6. */
const SPECIAL = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  SPECIAL.addSubnet(net, bits, 'ipv4')
// Teredo and others, documentation, 6to4.
for (const [net, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  SPECIAL.addSubnet(net, bits, 'ipv6')
const GLOBAL = new BlockList()
GLOBAL.addSubnet('2000::', 3, 'ipv6')

/** Whether an IP address is one of the public internet. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false
  if (!isIPv6(address)) return !SPECIAL.check(address, 'ipv4')
  return GLOBAL.check(address, 'ipv6') && !SPECIAL.check(address, 'ipv6')
}

/** Asks by HEAD, and by GET where that is not known; never rejects for what the other side does. */
export async function askLink(link: string, options: LinkOptions = ASK): Promise<LinkAnswer> {
  let url = new URL(link)
  for (let step = 0; step <= REDIRECTS; step++) {
    const answer = await askOnce(url, options)
    if (!('location' in answer)) return answer
    if (!URL.canParse(answer.location, url.href)) return { kind: 'failed', code: 'bad-redirect' }
    url = new URL(answer.location, url)
  }
  return { kind: 'refused', why: 'redirects' }
}

async function askOnce(url: URL, options: LinkOptions): Promise<LinkAnswer | { readonly location: string }> {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { kind: 'refused', why: 'scheme' }
  try {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const addresses = isIP(host) === 0 ? await options.resolve(host) : [host]
    const [address] = addresses
    // A name with a private address among its own could lead there at the next connection.
    if (address === undefined || !addresses.every(options.isPublic)) return { kind: 'refused', why: 'private' }
    const head = await request(url, 'HEAD', address, options)
    const { status, location } =
      head.status === 405 || head.status === 501 ? await request(url, 'GET', address, options) : head
    if (status >= 300 && status < 400 && location !== undefined) return { location }
    return status < 400 ? { kind: 'good' } : { kind: 'status', status }
  } catch (error) {
    return { kind: 'failed', code: String((error as NodeJS.ErrnoException).code ?? 'failed') }
  }
}

interface Head {
  readonly status: number
  readonly location: string | undefined
}

function request(url: URL, method: 'HEAD' | 'GET', address: string, { timeout, signal }: LinkOptions): Promise<Head> {
  const { promise, resolve, reject } = Promise.withResolvers<Head>()
  const timer = setTimeout(() => sent.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })), timeout)
  const sent = (url.protocol === 'https:' ? https : http).request(
    url,
    {
      method,
      agent: false,
      signal,
      // The connection goes to the address that was checked, whatever the name means by now.
      lookup: (_host, asked, answer) => {
        const family = isIPv6(address) ? 6 : 4
        if (asked.all === true) answer(null, [{ address, family }])
        else answer(null, address, family)
      },
      headers: { 'user-agent': 'mailmerge check', accept: '*/*' },
    },
    (response) => {
      const { statusCode = 0, headers } = response
      // The words are not read.
      response.destroy()
      resolve({ status: statusCode, location: headers.location })
    },
  )
  sent.on('error', reject)
  sent.end()
  return promise.finally(() => clearTimeout(timer))
}
