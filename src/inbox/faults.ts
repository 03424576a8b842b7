/** Faults that the inbox shows on order, for people who test what sends to it. Owns their grammar and which message meets one. */
import { UsageError } from '../errors.ts'

/** Shares are from 0 to 1, of all messages from then on. */
export interface Faults {
  /** Answered 550 5.1.1. */
  readonly refuse: number
  /** Answered 451 4.7.1. */
  readonly defer: number
  /** The connection breaks after the end of the message, without an answer. */
  readonly drop: number
  /** Seconds that each answer waits. */
  readonly slow: number
  /** Only messages with a recipient whose address contains this; empty for all. */
  readonly match: string
}

export const NO_FAULTS: Faults = { refuse: 0, defer: 0, drop: 0, slow: 0, match: '' }

export const FAULT_KINDS = ['refuse', 'defer', 'drop'] as const
/** What a message meets at its end. */
export type MessageFault = (typeof FAULT_KINDS)[number]

/** The replies of RFC 5321 and RFC 3463; undefined where there is none. */
export const FAULT_REPLIES: Readonly<Record<MessageFault, string | undefined>> = {
  refuse: '550 5.1.1 no such person here (a fault on order)',
  defer: '451 4.7.1 try again later (a fault on order)',
  drop: undefined,
}

const SLOWEST = 600

/** The fault that a message meets, if any. @param draw a random number from 0 to 1. */
export function faultOf(faults: Faults, to: readonly string[], draw: number): MessageFault | undefined {
  const wanted = faults.match.toLowerCase()
  if (!to.some((address) => address.toLowerCase().includes(wanted))) return undefined
  let share = 0
  return FAULT_KINDS.find((kind) => {
    share += faults[kind]
    return draw < share
  })
}

/**
 * @example readFault('refuse=5%') // { refuse: 0.05 }
 * @example readFault('slow=2s') // { slow: 2 }
 * @throws UsageError
 */
export function readFault(text: string): Partial<Faults> {
  const [, kind = '', value = ''] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(text) ?? []
  if (kind === 'for' && value !== '') return { match: value }
  const number = Number(/^(\d+(?:\.\d+)?)\s*(?:%|s|sec|seconds?)?$/.exec(value)?.[1])
  if (kind === 'slow' && number >= 0 && number <= SLOWEST) return { slow: number }
  const share = FAULT_KINDS.find((one) => one === kind)
  if (share !== undefined && number >= 0 && number <= 100) return { [share]: number / 100 }
  throw new UsageError(`--fault ${text} is not a valid fault`, {
    hint: 'Write refuse=5%, defer=20%, drop=1%, slow=2s, or for=example.com: the addresses that meet them.',
  })
}

/** The faults that JSON of a program or of the page asks for. @throws UsageError naming the field that is wrong. */
export function faultsFrom(value: unknown): Faults {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>
  const numberAt = (name: keyof Faults, most: number): number => {
    const number = fields[name] ?? 0
    if (typeof number === 'number' && number >= 0 && number <= most) return number
    throw new UsageError(`the fault ${name} is not a number from 0 to ${most}`)
  }
  const match = fields['match'] ?? ''
  if (typeof match !== 'string') throw new UsageError('match is not a text')
  return {
    refuse: numberAt('refuse', 1),
    defer: numberAt('defer', 1),
    drop: numberAt('drop', 1),
    slow: numberAt('slow', SLOWEST),
    match: match.slice(0, 200),
  }
}
