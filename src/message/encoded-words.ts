/** Encoded words (RFC 2047) made readable again. Owns reading alone; writing them is in header.ts. */

/** Beyond it a header is not read: what people look at is shorter. */
const LONGEST = 2000

/**
 * A header's text as its reader sees it; words that cannot be read stay as they are.
 *
 * @example decodeWords('=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=') // 'Grüße'
 */
export function decodeWords(text: string): string {
  return (
    text
      .slice(0, LONGEST)
      // White space between two of them only parts them (RFC 2047 section 6.2).
      .replace(/(\?=)\s+(?==\?)/g, '$1')
      .replace(
        /=\?([\w-]{1,40})(?:\*[\w-]*)?\?([BQbq])\?([^?\s]{0,1000})\?=/g,
        (whole, charset: string, kind: string, data: string) => {
          const bytes = kind.toLowerCase() === 'b' ? Buffer.from(data, 'base64') : quotedBytes(data)
          try {
            return new TextDecoder(charset).decode(bytes)
          } catch {
            return whole
          }
        },
      )
  )
}

/** The subject of a message whose head is in these bytes; empty where there is none. */
export function subjectOf(octets: Uint8Array): string {
  const head = Buffer.from(octets.subarray(0, 16_384)).toString('utf8').split('\r\n\r\n')[0] ?? ''
  const field = /^subject:((?:.*)(?:\r\n[ \t].*)*)/im.exec(head)?.[1] ?? ''
  return decodeWords(field.replace(/\r\n/g, '').trim())
}

function quotedBytes(data: string): Buffer {
  const bytes = data
    .replaceAll('_', ' ')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1')
}
