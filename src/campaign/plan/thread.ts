/** The thread that a follow-up goes on with. Owns how a message joins it; never reads the ledger. */
import { type MarkedText, ownText } from '../../template/marked-text.ts'
import type { Rendered } from '../../template/template.ts'

/** What a message goes on with (RFC 5322 section 3.6.4). */
export interface Thread {
  /** Message-IDs, the first message of the thread first. */
  readonly references: readonly string[]
  /** Subject of the first message; empty where it is not known any more. */
  readonly subject: string
}

/** The message in its thread; what the template itself sets of thread and subject takes precedence. */
export function threaded(rendered: Rendered, { references, subject }: Thread): Rendered {
  const named = new Set(rendered.headers.map(([name]) => name.toLowerCase()))
  const headers: (readonly [string, MarkedText])[] = [...rendered.headers]
  if (!named.has('in-reply-to')) headers.push(['In-Reply-To', ownText(references.at(-1) ?? '')])
  if (!named.has('references')) headers.push(['References', ownText(references.join(' '))])
  if (rendered.subject.trim() !== '' || subject === '') return { ...rendered, headers }
  return { ...rendered, headers, subject: /^re:/i.test(subject) ? subject : `Re: ${subject}` }
}
