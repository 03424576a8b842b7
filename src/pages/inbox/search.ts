/** What a person types to find messages: words, and `from: to: cc: subject: row: has:attachment is: before: after:`. Owns this grammar. */
import type { MessageFault } from '../../inbox/faults.ts'

/** What is searched of a message; texts as `folded` gives them. */
export interface Searchable {
  readonly from: readonly string[]
  /** Of headers and envelope. */
  readonly to: readonly string[]
  readonly subject: string
  readonly row: number | undefined
  readonly at: Date
  readonly hasAttachment: boolean
  readonly isNew: boolean
  readonly fault: MessageFault | undefined
}

type Term = (message: Searchable) => boolean

/** A test of messages; undefined where every message passes. */
export function readSearch(text: string): Term | undefined {
  const terms = [...text.slice(0, 1000).matchAll(/(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))/gi)].flatMap(
    ([whole, name, quoted, plain]) => {
      const value = quoted ?? plain ?? ''
      const term = name === undefined ? undefined : termOf(name.toLowerCase(), value)
      return value === '' ? [] : [term ?? anywhere(whole.replaceAll('"', ''))]
    },
  )
  return terms.length === 0 ? undefined : (message) => terms.every((term) => term(message))
}

/** Undefined for a name that is not one of ours: it is a word like any other. */
function termOf(name: string, value: string): Term | undefined {
  const word = folded(value)
  switch (name) {
    case 'from':
      return ({ from }) => has(from, word)
    case 'to':
    case 'cc':
      return ({ to }) => has(to, word)
    case 'subject':
      return ({ subject }) => subject.includes(word)
    case 'row':
      return ({ row }) => row !== undefined && row === Number(value)
    case 'has':
      return word.startsWith('attach') ? ({ hasAttachment }) => hasAttachment : undefined
    case 'is':
      if (word === 'new') return ({ isNew }) => isNew
      return word === 'refused' ? ({ fault }) => fault !== undefined : undefined
    case 'before':
    case 'after': {
      const day = new Date(value)
      if (Number.isNaN(day.getTime())) return undefined
      return ({ at }) => (name === 'before' ? at < day : at >= day)
    }
    default:
      return undefined
  }
}

function anywhere(text: string): Term {
  const word = folded(text)
  return ({ from, to, subject }) => subject.includes(word) || has(to, word) || has(from, word)
}

function has(texts: readonly string[], word: string): boolean {
  return texts.some((text) => text.includes(word))
}

/** As it is compared: without case and without marks over letters. */
export function folded(text: string): string {
  if (/^[\u0000-\u007F]*$/.test(text)) return text.toLowerCase()
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
}
