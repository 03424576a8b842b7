/** Postfix's own test server with each of its fault flags: what each does to a row. */
import { describe, expect, test } from 'vitest'
import type { SmtpSettings } from '../../src/config/settings.ts'
import { UnreachableError } from '../../src/errors.ts'
import { noSmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { deliverAll, letter } from './smtp-lane.ts'

const COUNT = 3
const PATIENT = { connect: 20_000, greeting: 20_000, command: 20_000, data: 20_000, endOfData: 20_000 }
const missing = noSmtpSink()

interface Came {
  /** The last word on each message. */
  readonly told: string
  /** How the lanes ended, each way once. */
  readonly lanes: string
  /** Messages that it heard to their end, whatever it said to them. */
  readonly heard: number
}

async function deliver(flags: readonly string[], settings: Partial<SmtpSettings> = {}, size?: number): Promise<Came> {
  const sink = await startSmtpSink(flags)
  try {
    const messages = Array.from({ length: COUNT }, (_, at) => letter(at + 1, size === undefined ? {} : { size }))
    const { outcomes, ends } = await deliverAll(sink.port, COUNT, {
      lanes: COUNT,
      messages,
      settings: { timeouts: PATIENT, ...settings },
    })
    const told = [...outcomes.values()].map((all) => {
      const last = all.at(-1)
      return last === undefined ? '' : 'stage' in last ? `${last.kind} at ${last.stage}` : last.kind
    })
    const heard = sink.ids()
    // Nothing twice, whatever it said.
    if (new Set(heard).size < heard.length) throw new Error(`heard twice: ${heard.join(' ')}`)
    return { told: once(told), lanes: once(ends.map(({ kind }) => kind)), heard: heard.length }
  } finally {
    await sink.stop()
  }
}

const once = (words: readonly string[]): string => [...new Set(words)].sort().join(', ')

const ALL_TAKEN: Came = { told: 'accepted', lanes: 'drained', heard: COUNT }
const unheard = (told: string, lanes = 'drained'): Came => ({ told, lanes, heard: 0 })
const heard = (told: string, lanes = 'drained'): Came => ({ told, lanes, heard: COUNT })

describe.skipIf(missing !== undefined)(`smtp-sink${missing === undefined ? '' : `: ${missing}`}`, () => {
  test.concurrent.each([
    // Refused for good.
    ['-f MAIL', unheard('rejected at mail')],
    ['-f RCPT', unheard('rejected at rcpt', 'drained, limit')],
    ['-f DATA', unheard('rejected at data', 'drained, limit')],
    ['-f .', heard('rejected at end-of-data')],
    ['-f EHLO', ALL_TAKEN],
    ['-f QUIT', ALL_TAKEN],
    ['-f RSET', ALL_TAKEN],
    // Refused for now.
    ['-r MAIL', unheard('deferred at mail')],
    ['-r RCPT', unheard('deferred at rcpt', 'drained, limit')],
    ['-r DATA', unheard('deferred at data', 'drained, limit')],
    ['-r .', heard('deferred at end-of-data')],
    ['-r QUIT', ALL_TAKEN],
    // Hung up on without a word.
    ['-q MAIL', unheard('unsent', 'lost')],
    ['-q RCPT', unheard('unsent', 'lost')],
    ['-q DATA', unheard('unsent', 'lost')],
    ['-q .', heard('in_doubt', 'lost')],
    ['-q QUIT', ALL_TAKEN],
    // Hung up on with 421.
    ['-Q MAIL', unheard('unsent', 'throttled')],
    ['-Q RCPT', unheard('unsent', 'throttled')],
    ['-Q DATA', unheard('unsent', 'throttled')],
    ['-Q .', heard('deferred at end-of-data', 'throttled')],
    ['-Q QUIT', ALL_TAKEN],
    // Slow, and odd but right.
    ['-p -W .:1', ALL_TAKEN],
    ['-p -W RCPT:1', ALL_TAKEN],
    ['-w 1', ALL_TAKEN],
    ['-H 1', ALL_TAKEN],
    ['-T 1', ALL_TAKEN],
    ['-p', ALL_TAKEN],
    ['-e', ALL_TAKEN],
    ['-E', ALL_TAKEN],
    ['-P', ALL_TAKEN],
    ['-8', ALL_TAKEN],
    ['-n 1', ALL_TAKEN],
  ] as const)('%s', async (flags, came) => {
    expect(await deliver(flags.split(' '))).toEqual(came)
  })

  test.concurrent.each(['-f CONNECT', '-r CONNECT', '-q CONNECT', '-Q CONNECT', '-q EHLO', '-Q EHLO', '-f EHLO,HELO'])(
    '%s -> no lane opens, and nothing is said of any row',
    async (flags) => {
      await expect(deliver(flags.split(' '))).rejects.toThrow(UnreachableError)
    },
  )

  // Whether the lane hears of the hanging up before it leaves is chance.
  test.concurrent.each(['0', '1'])('-A %s: refused behind 354 without being read, and hung up on', async (delay) => {
    expect(await deliver(['-A', delay])).toMatchObject({ told: 'rejected at end-of-data', heard: 0 })
  })

  // It resets the connection right behind its reply: where a write meets the reset before the reply is read, that is lost.
  test.concurrent('-A 0 with content that is longer than any buffer -> its word counts if it is heard, else unsent', async () => {
    const { told, heard } = await deliver(['-A', '0'], {}, 8_000_000)
    expect(['rejected at end-of-data', 'rejected at end-of-data, unsent', 'unsent']).toContain(told)
    expect(heard).toBe(0)
  })

  // It offers pipelining and answers what came behind a command that it delays before that command.
  test.concurrent.each(['.', 'RCPT', 'MAIL'])(
    '-W %s:1, which puts replies out of order -> nothing twice, called sent only what it heard',
    async (command) => {
      const { told, heard } = await deliver(['-W', `${command}:1`])
      expect(told).toBe(command === '.' ? 'accepted, in_doubt' : 'accepted')
      expect(heard).toBe(COUNT)
    },
  )

  test.concurrent('-H 1 -T 1000 with long content -> waited for', async () => {
    expect(await deliver(['-H', '1', '-T', '4000'], {}, 300_000)).toEqual(ALL_TAKEN)
  })

  test.concurrent('-L, which is LMTP', async () => {
    expect(await deliver(['-L'], { lmtp: true })).toEqual(ALL_TAKEN)
  })
})
