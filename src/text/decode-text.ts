/**
 * The text of a file that a person wrote: a template, a configuration. Owns which encodings are read; lists, whose encoding
 * is found by their letters, have a reader of their own.
 */

export type DecodedText = { readonly text: string } | { readonly fault: string; readonly line: number }

/** What to do about a file that is not read. */
export const ENCODING_HINT = 'Save the file as UTF-8: most editors ask for the encoding under "Save as".'

/** UTF-8, with or without its mark, or UTF-16 by its mark. Anything else is a fault, said in words after the file's name. */
export function decodeText(bytes: Uint8Array): DecodedText {
  const [first, second] = bytes
  const name = first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8'
  let text: string
  try {
    text = new TextDecoder(name, { fatal: true }).decode(bytes)
  } catch {
    if (name === 'utf-8') return { fault: 'is not UTF-8', line: lineOfFault(bytes) }
    return { fault: 'is broken UTF-16', line: 1 }
  }
  const nul = text.indexOf('\0')
  if (nul >= 0) return { fault: 'is not a text in UTF-8', line: lineAt(text.slice(0, nul)) }
  return { text }
}

/** The line with the first byte that is not UTF-8. */
function lineOfFault(bytes: Uint8Array): number {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const strict = new TextDecoder('utf-8', { fatal: true })
  let line = 1
  for (let start = 0; start < all.length; line++) {
    const end = all.indexOf(10, start)
    try {
      strict.decode(all.subarray(start, end < 0 ? all.length : end))
    } catch {
      return line
    }
    if (end < 0) break
    start = end + 1
  }
  return line
}

function lineAt(before: string): number {
  return before.split('\n').length
}
