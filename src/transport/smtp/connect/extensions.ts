/** What a server offers, as its EHLO says it. Owns reading the keywords; case does not matter in them. */

export interface Extensions {
  /** As the server wrote them, for people. */
  readonly lines: readonly string[]
  readonly pipelining: boolean
  readonly eightBitMime: boolean
  readonly smtputf8: boolean
  readonly size: boolean
  /** Largest message in bytes; 0 when it names none (RFC 1870 section 4). */
  readonly maxSize: number
  readonly dsn: boolean
  readonly requireTls: boolean
  /** Messages a connection, recipients a message, and their domains a connection (RFC 9422). */
  readonly maxMessages?: number | undefined
  readonly maxRecipients?: number | undefined
  readonly maxDomains?: number | undefined
}

export function readExtensions(lines: readonly string[]): Extensions {
  const words = lines.map((line) => line.trim().split(/\s+/))
  const find = (keyword: string): readonly string[] | undefined =>
    words.find(([word]) => word?.toUpperCase() === keyword)
  const limit = (name: string): number | undefined => {
    const text = find('LIMITS')?.find((word) => word.toUpperCase().startsWith(`${name}=`))
    const value = Number(text?.slice(name.length + 1))
    return Number.isInteger(value) && value > 0 ? value : undefined
  }
  const size = find('SIZE')
  const maxMessages = limit('MAILMAX')
  const maxRecipients = limit('RCPTMAX')
  const maxDomains = limit('RCPTDOMAINMAX')
  return {
    lines: lines.map((line) => line.replace(/[^\u0020-\u007E]/g, ' ').slice(0, 200)),
    pipelining: find('PIPELINING') !== undefined,
    eightBitMime: find('8BITMIME') !== undefined,
    smtputf8: find('SMTPUTF8') !== undefined,
    size: size !== undefined,
    dsn: find('DSN') !== undefined,
    requireTls: find('REQUIRETLS') !== undefined,
    maxSize: Math.max(0, Number(size?.[1]) || 0),
    maxMessages,
    maxRecipients,
    maxDomains,
  }
}
