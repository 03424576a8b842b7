/** File names made from data. Owns that they are safe on every system and stay in their folder. */

/** Devices of Windows, with or without an ending. */
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|com[\d¹²³]|lpt[\d¹²³])\s*(?:\.|$)/i
/** Control, separator and direction characters, but not the joiners that scripts and emoji need. */
const UNSEEN = /(?![\u200C\u200D])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu
const LONGEST = 200

/**
 * A name as a person gave it, made safe to show and to store: no path, no control or direction character, no name of a
 * device, at most 200 bytes with its ending kept.
 *
 * @example safeName('../Rechnung 2026/12?.pdf') // '.._Rechnung 2026_12_.pdf'
 */
export function safeName(name: string, otherwise = 'attachment'): string {
  const shown = name
    .slice(0, 2_000)
    .toWellFormed()
    .normalize('NFC')
    .replace(UNSEEN, '')
    .replace(/[\\/:*?"<>|\uFFFD]/g, '_')
    .trim()
    .replace(/(?<![. ])[. ]+$/, '')
  if (!/[^\p{C}\p{Z}._]/u.test(shown)) return otherwise
  const safe = RESERVED.test(shown) ? `_${shown}` : shown
  if (Buffer.byteLength(safe) <= LONGEST) return safe
  const ending = /\.[^.\s]{1,16}$/u.exec(safe)?.[0] ?? ''
  const stem = safe.slice(0, safe.length - ending.length)
  return cut(stem, LONGEST - Buffer.byteLength(ending)).replace(/(?<![. ])[. ]+$/, '') + ending
}

/**
 * `0003-ada@example.com.eml`: the row keeps names apart and in order, the address makes them findable.
 *
 * @param row Row of the source, from 1.
 */
export function safeFileName(row: number, address: string): string {
  const name = address
    .slice(0, 2_000)
    .toWellFormed()
    .normalize('NFC')
    .replace(/[^\p{L}\p{M}\p{N}@._+-]/gu, '_')
    .replace(/\.{2,}/g, '_')
  return `${String(row).padStart(4, '0')}-${cut(name, 180) || 'message'}.eml`
}

/** At most that many bytes of UTF-8, of whole characters. */
function cut(text: string, bytes: number): string {
  let out = ''
  let size = 0
  for (const character of text) {
    size += Buffer.byteLength(character)
    if (size > bytes) break
    out += character
  }
  return out
}
