/** Which web addresses a setting may name. Owns that nothing secret goes over a line that others can read. */
import { isIP } from 'node:net'

/** https, or http on this very machine, where nobody is between. */
export function isSafeEndpoint(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.hash !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackName(url.hostname))
}

/** An address of this machine for the browser to come back to. */
export function isLoopbackAddress(text: string): boolean {
  const url = URL.parse(text)
  return (
    url !== null && url.protocol === 'http:' && isLoopbackName(url.hostname) && url.search === '' && url.hash === ''
  )
}

function isLoopbackName(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true
  return isIP(hostname) === 4 && hostname.startsWith('127.')
}
