/** Names of `.eml` files made from rows. Owns that they are safe on every system, unique by row, and stay in their folder. */

/** `0003-ada@example.com.eml`: the row keeps names apart and in order, the address makes them findable. */
export function safeFileName(row: number, address: string): string {
  let name = address
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}@._+-]/gu, '_')
    .replace(/\.{2,}/g, '_')
    .replace(/^[.-]+/, '_')
  while (Buffer.byteLength(name) > 180) name = name.slice(0, -1)
  return `${String(row).padStart(4, '0')}-${name || 'message'}.eml`
}
