/** Finds addresses, codes and plain words in what other software wrote. Owns these readings; judges nothing. */

const ADDRESS =
  /[A-Za-z0-9.!#$%&*+/=?^_{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{1,62}/g

/** Addresses in a text, lower-cased, each once. */
export function addressesIn(text: string): readonly string[] {
  return [...new Set([...text.slice(0, 100_000).matchAll(ADDRESS)].map(([address]) => address.toLowerCase()))]
}

/** The words of an HTML text. */
export function plain(html: string): string {
  return html
    .replace(/<(style|script)\b[\s\S]{0,50000}?<\/\1>/gi, ' ')
    .replace(/<(br|p|div|tr|li|h\d)\b[^>]{0,500}>/gi, '\n')
    .replace(/<[^>]{0,500}>/g, '')
    .replace(/&nbsp;/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&#0*39;|&apos;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&')
}

/** Enhanced status: of its own field, or what the server itself said where that is more exact. */
export function statusOf(field: string, text: string): string {
  const own = /\b([245]\.\d{1,3}\.\d{1,3})\b/.exec(field)?.[1] ?? ''
  const said = /(?:^|[\s#(:<-])([245]\.\d{1,3}\.\d{1,3})(?![\d.])/.exec(text)?.[1] ?? ''
  // A class of its own (5.0.0) is worth less than what the server itself said.
  if (own === '' || (/^[45]\.0\.0$/.test(own) && said !== '' && said[0] === own[0])) return said || own
  return own
}

export function smtpCodeOf(text: string): number | undefined {
  const code = /(?:^|[\s:(<>"'-])([2-5][0-5]\d)(?=[\s:.\-#)])/.exec(text)?.[1]
  return code === undefined ? undefined : Number(code)
}
