/** Addresses that secrets are sent to. Owns which of them are safe: nobody may be between. */
import { isIP } from 'node:net'

/** https, or http on this very machine, where nobody is between. */
export function isSafeEndpoint(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.hash !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackName(url.hostname))
}

/** A name of this machine, as `URL.hostname` has it. */
export function isLoopbackName(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true
  return isIP(hostname) === 4 && hostname.startsWith('127.')
}
