import { afterEach, describe, expect, test } from 'vitest'
import {
  type Action,
  type ScriptedServer,
  type ScriptedServerOptions,
  type Step,
  startScriptedServer,
} from '../support/scripted-server.ts'
import { deliverAll, letter } from './smtp-lane.ts'

let server: ScriptedServer
afterEach(() => server.close())

const LEVELS = [0, 1, 2] as const
const PIECES = ['whole', 'bytes', 'random'] as const

/** Does an action at the n-th message of the first connection only. */
function at(message: number, action: Action): (step: Step) => Action {
  return (step) => (step.connection === 1 && step.message === message ? action : undefined)
}

async function serve(options: ScriptedServerOptions): Promise<number> {
  server = await startScriptedServer(options)
  return server.port
}

function received(): string[] {
  return server.messages.map(({ id }) => id)
}

const all = (count: number): string[] => Array.from({ length: count }, (_, index) => `<${index + 1}@test>`)

describe.each(LEVELS)('pipelining level %i', (level) => {
  describe.each(PIECES)('replies in pieces: %s', (pieces) => {
    test('every message arrives once, whole and in order', async () => {
      const port = await serve({ pieces })
      const { final, ends } = await deliverAll(port, 8, { settings: { pipelining: level } })
      expect(received()).toEqual(all(8))
      expect(server.messages.map(({ octets }) => octets.toString())).toEqual(
        Array.from({ length: 8 }, (_, index) => Buffer.concat(letter(index + 1).chunks as Buffer[]).toString()),
      )
      expect(new Set(Object.values(final))).toEqual(new Set(['accepted']))
      expect(ends.map(({ kind }) => kind)).toEqual(['drained'])
      expect(server.commands.filter((line) => line === 'RSET')).toEqual([])
    })

    test.each([
      [
        'MAIL refused for good -> that row is rejected, the others arrive',
        { mail: at(3, '550 5.7.1 no') },
        'rejected',
        'mail',
      ],
      ['MAIL deferred -> that row is deferred', { mail: at(3, '451 4.3.0 later') }, 'deferred', 'mail'],
      ['RCPT refused for good -> rejected', { rcpt: at(3, '550 5.1.1 unknown') }, 'rejected', 'rcpt'],
      ['RCPT deferred -> deferred', { rcpt: at(3, '450 4.2.0 greylisted') }, 'deferred', 'rcpt'],
      ['DATA refused -> rejected', { data: at(3, '554 5.5.1 no') }, 'rejected', 'data'],
      ['end of data refused -> rejected', { end: at(3, '554 5.7.1 spam') }, 'rejected', 'end-of-data'],
      ['end of data deferred -> deferred', { end: at(3, '451 4.7.1 later') }, 'deferred', 'end-of-data'],
      ['an unknown 571 at the end of data -> rejected', { end: at(3, '571 5.7.1 no') }, 'rejected', 'end-of-data'],
      ['an unknown 571 to RCPT -> rejected', { rcpt: at(3, '571 no') }, 'rejected', 'rcpt'],
      ['an unknown 466 to RCPT -> deferred', { rcpt: at(3, '466 later') }, 'deferred', 'rcpt'],
    ] as const)('%s', async (_name, script, kind, stage) => {
      const port = await serve({ pieces, ...script })
      const { outcomes, final } = await deliverAll(port, 6, { settings: { pipelining: level } })
      expect(outcomes.get(3)).toEqual([expect.objectContaining({ kind, stage })])
      expect(received()).toEqual(all(6).filter((id) => id !== '<3@test>'))
      expect(Object.values(final).filter((one) => one === 'accepted')).toHaveLength(5)
    })
  })

  describe('a connection that is cut', () => {
    test.each([
      ['at MAIL', { mail: at(3, { drop: true }) }],
      ['at RCPT', { rcpt: at(3, { drop: true }) }],
      ['at DATA', { data: at(3, { drop: true }) }],
    ] as const)('%s -> nothing is in doubt, the message goes again and arrives once', async (_where, script) => {
      const port = await serve(script)
      const { final, outcomes } = await deliverAll(port, 5, { settings: { pipelining: level } })
      expect([...received()].sort()).toEqual(all(5))
      expect(Object.values(final)).toEqual(['accepted', 'accepted', 'accepted', 'accepted', 'accepted'])
      expect(outcomes.get(3)?.[0]?.kind).toBe('unsent')
    })

    test('after the end of data and before its answer -> in doubt, and never sent again', async () => {
      const port = await serve({ end: at(3, { drop: true }) })
      const { outcomes, final } = await deliverAll(port, 5, { settings: { pipelining: level } })
      expect(outcomes.get(3)?.map(({ kind }) => kind)).toEqual(['in_doubt'])
      expect(received().filter((id) => id === '<3@test>')).toHaveLength(1)
      expect(Object.values(final).filter((kind) => kind === 'in_doubt')).toHaveLength(1)
      expect(Object.values(final).filter((kind) => kind === 'accepted')).toHaveLength(4)
    })

    test('in the middle of long content -> nothing is in doubt, it goes again', async () => {
      const port = await serve({
        content: (step) => (step.connection === 1 && step.octets > 100_000 ? { drop: true } : undefined),
      })
      const { outcomes, final } = await deliverAll(port, 2, {
        settings: { pipelining: level },
        messages: [letter(1), letter(2, { size: 16_000_000 })],
      })
      expect(outcomes.get(2)?.map(({ kind }) => kind)).toEqual(['unsent', 'accepted'])
      expect(final).toEqual({ 1: 'accepted', 2: 'accepted' })
    })
  })

  describe('421 at any place ends the lane, and costs only the message that it answered', () => {
    test.each([
      ['at MAIL', { mail: at(3, { close: '421 4.3.2 closing' }) }, 'unsent'],
      ['at RCPT', { rcpt: at(3, { close: '421 4.3.2 closing' }) }, 'unsent'],
      ['at DATA', { data: at(3, { close: '421 4.3.2 closing' }) }, 'unsent'],
      ['at the end of data', { end: at(3, { close: '421 4.3.2 closing' }) }, 'deferred'],
    ] as const)('%s', async (_where, script, kind) => {
      const port = await serve(script)
      const { outcomes, ends } = await deliverAll(port, 5, { settings: { pipelining: level } })
      expect(outcomes.get(3)?.[0]?.kind).toBe(kind)
      expect(ends[0]?.kind).toBe('throttled')
      expect([...received()].sort()).toEqual(all(5).filter((id) => kind !== 'deferred' || id !== '<3@test>'))
    })
  })

  describe('an answer to the end of data that is none -> in doubt, never sent', () => {
    test.each(['221 2.0.0 bye', '354 go on', 'garbage', '25', '2500 x', '250x', '999 what', '', '150 wait'])(
      '%j',
      async (answer) => {
        const port = await serve({ end: at(3, { raw: `${answer}\r\n` }) })
        const { outcomes, ends } = await deliverAll(port, 5, { settings: { pipelining: level } })
        expect(outcomes.get(3)?.map(({ kind }) => kind)).toEqual(['in_doubt'])
        expect(ends[0]?.kind).toBe('protocol')
        expect(received().filter((id) => id === '<3@test>')).toHaveLength(1)
      },
    )
  })

  test('all recipients refused and DATA answered 354 -> not one octet of content, not even a lone dot', async () => {
    const port = await serve({ rcpt: at(3, '550 5.1.1 unknown'), data: () => '354 go on' })
    const { outcomes } = await deliverAll(port, 5, { settings: { pipelining: level } })
    expect(outcomes.get(3)).toEqual([expect.objectContaining({ kind: 'rejected', stage: 'rcpt' })])
    expect(server.messages.filter(({ octets, to }) => octets.length === 0 || to.length === 0)).toEqual([])
    expect([...received()].sort()).toEqual(all(5).filter((id) => id !== '<3@test>'))
  })

  test('a double reply shifts nothing: no message is taken for another', async () => {
    const port = await serve({ end: at(3, { raw: '250 2.0.0 taken\r\n250 2.0.0 taken\r\n' }) })
    const { outcomes, final } = await deliverAll(port, 6, { settings: { pipelining: level } })
    for (const id of new Set(received())) expect(received().filter((other) => other === id)).toHaveLength(1)
    // Each message that is called sent was received; none that was received whole and answered is called unsent for good.
    for (const [number, kind] of Object.entries(final))
      if (kind === 'accepted') expect(received()).toContain(`<${number}@test>`)
    expect(outcomes.size).toBe(6)
  })

  test('silence after the end of data -> in doubt when its time is over', async () => {
    const port = await serve({ end: at(2, { silence: true }) })
    const { outcomes } = await deliverAll(port, 3, { settings: { pipelining: level } })
    expect(outcomes.get(2)?.map(({ kind }) => kind)).toEqual(['in_doubt'])
    expect(outcomes.get(3)?.at(-1)?.kind).toBe('accepted')
  })

  test('silence at RCPT -> tried again elsewhere', async () => {
    const port = await serve({ rcpt: at(2, { silence: true }) })
    const { final } = await deliverAll(port, 3, { settings: { pipelining: level } })
    expect(Object.values(final)).toEqual(['accepted', 'accepted', 'accepted'])
    expect([...received()].sort()).toEqual(all(3))
  })

  test('content is written only after its start is durable', async () => {
    const port = await serve({})
    const seen: number[] = []
    await deliverAll(port, 4, {
      settings: { pipelining: level },
      begin: async (number) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        seen.push(number)
        expect(received()).not.toContain(`<${number}@test>`)
      },
    })
    expect(seen).toEqual([1, 2, 3, 4])
  })

  test('a ledger that breaks before the end of data -> the message is not sent', async () => {
    const port = await serve({})
    const { outcomes } = await deliverAll(port, 3, {
      settings: { pipelining: level },
      lanes: 1,
      begin: (number) => (number === 2 ? Promise.reject(new Error('disk full')) : Promise.resolve()),
    })
    expect(received()).toEqual(['<1@test>'])
    expect(outcomes.get(2)?.map(({ kind }) => kind)).toEqual(['unsent'])
  })

  test('dots at line starts arrive as they were', async () => {
    const body = '.\r\n..\r\n...dots\r\n.first\r\nlast.\r\n'
    const port = await serve({})
    await deliverAll(port, 1, { settings: { pipelining: level }, messages: [letter(1, { body })] })
    expect(server.messages[0]?.octets.toString().endsWith(body)).toBe(true)
  })

  test('a copy that is refused is reported; the own address that is refused takes the message with it', async () => {
    const port = await serve({ rcpt: (step) => (step.line.includes('bad@') ? '550 5.1.1 unknown' : undefined) })
    const messages = [
      letter(1, { to: ['a@example.com', 'bad@example.com'] }),
      letter(2, { to: ['bad@example.com', 'c@example.com'] }),
      letter(3),
    ]
    const { outcomes } = await deliverAll(port, 3, { settings: { pipelining: level }, messages })
    expect(outcomes.get(1)).toEqual([
      expect.objectContaining({ kind: 'accepted', copies: [expect.objectContaining({ address: 'bad@example.com' })] }),
    ])
    expect(outcomes.get(2)).toEqual([expect.objectContaining({ kind: 'rejected', stage: 'rcpt' })])
    expect(server.messages.map(({ to }) => to)).toEqual([['a@example.com'], ['r3@example.com']])
  })

  test('a message larger than SIZE is refused without a word to the server', async () => {
    const port = await serve({ extensions: ['PIPELINING', 'SIZE 1000'] })
    const { outcomes } = await deliverAll(port, 2, {
      settings: { pipelining: level },
      messages: [letter(1, { size: 5000 }), letter(2)],
    })
    expect(outcomes.get(1)).toEqual([
      expect.objectContaining({ kind: 'rejected', reply: expect.objectContaining({ code: 552, enhanced: '5.3.4' }) }),
    ])
    expect(received()).toEqual(['<2@test>'])
  })

  test('a limit of messages a connection (452 4.5.3) -> a new connection, no row deferred, the limit remembered', async () => {
    const port = await serve({ mail: (step) => (step.message > 3 ? '452 4.5.3 Too many messages sent' : undefined) })
    const { outcomes, final, memory } = await deliverAll(port, 10, { settings: { pipelining: level }, lanes: 10 })
    expect([...received()].sort()).toEqual([...all(10)].sort())
    expect(new Set(Object.values(final))).toEqual(new Set(['accepted']))
    expect([...outcomes.values()].flat().filter(({ kind }) => kind === 'deferred')).toEqual([])
    expect(memory.messagesPerConnection).toBe(3)
  })
})

describe('servers that do not bear what they offer', () => {
  test('Haraka: commands behind the end of data are refused -> level 1 from then on, each message once', async () => {
    const port = await serve({ refuseBehindData: true })
    const { memory, final } = await deliverAll(port, 12)
    expect([...received()].sort()).toEqual([...all(12)].sort())
    expect(new Set(Object.values(final))).toEqual(new Set(['accepted']))
    expect(memory.pipelining).toBe(1)
  })

  test('commands behind the end of data are swallowed -> level 1 from then on, nothing lost', async () => {
    const port = await serve({ swallowBehindData: true })
    const { memory, final } = await deliverAll(port, 6)
    expect([...received()].sort()).toEqual(all(6))
    expect(new Set(Object.values(final))).toEqual(new Set(['accepted']))
    expect(memory.pipelining).toBe(1)
  })

  test('old Postfix: a refused message leaves its sender behind -> nothing goes out under it', async () => {
    const port = await serve({ keepEnvelope: true, end: at(3, '554 5.7.1 spam') })
    const messages = Array.from({ length: 6 }, (_, index) => {
      const message = letter(index + 1)
      return { ...message, envelope: { ...message.envelope, from: `s${index + 1}@example.org` } }
    })
    const { outcomes } = await deliverAll(port, 6, { messages })
    expect(outcomes.get(3)?.map(({ kind }) => kind)).toEqual(['rejected'])
    for (const { id, from, octets } of server.messages) {
      expect(from).toBe(`s${id.slice(1, -6)}@example.org`)
      expect(octets.length).toBeGreaterThan(0)
    }
    expect([...received()].sort()).toEqual(all(6).filter((id) => id !== '<3@test>'))
  })

  test('grouped commands are never answered -> one command at a time from then on', async () => {
    const port = await serve({ mail: (step) => (step.connection === 1 ? { silence: true } : undefined) })
    const { memory, final } = await deliverAll(port, 3)
    expect(memory.pipelining).toBe(0)
    expect(Object.values(final)).toEqual(['accepted', 'accepted', 'accepted'])
  })

  test('without PIPELINING every command waits for its reply', async () => {
    const port = await serve({ extensions: ['8BITMIME'] })
    await deliverAll(port, 3)
    expect(received()).toEqual(all(3))
  })

  test('a refusal in the middle of long content counts, and is not in doubt', async () => {
    const port = await serve({
      content: (step) => (step.connection === 1 && step.octets > 300_000 ? '552 5.3.4 too large' : undefined),
    })
    const { outcomes } = await deliverAll(port, 1, { messages: [letter(1, { size: 6_000_000 })], lanes: 1 })
    expect(outcomes.get(1)).toEqual([
      expect.objectContaining({ kind: 'rejected', reply: expect.objectContaining({ code: 552 }) }),
    ])
  })

  test.each([
    ['a reply line of a megabyte', `250 ${'x'.repeat(1_000_000)}`],
    ['a reply of ten thousand lines', '250-x\r\n'.repeat(10_000)],
    ['two codes in one reply', '250-one\r\n550 two\r\n'],
  ])('%s -> protocol error', async (_name, raw) => {
    const port = await serve({ mail: at(2, { raw }) })
    const { ends, final } = await deliverAll(port, 3)
    expect(ends[0]?.kind).toBe('protocol')
    expect(Object.values(final)).toEqual(['accepted', 'accepted', 'accepted'])
  })

  test('abort leaves in doubt only what was handed over', async () => {
    const port = await serve({ end: () => ({ after: 400 }) })
    const { outcomes } = await deliverAll(port, 5, { lanes: 1, abortAfter: 150 })
    expect([...outcomes.values()].flat().filter(({ kind }) => kind === 'in_doubt')).toHaveLength(1)
  })
})

test('an unknown 260 at the end of data is an acceptance', async () => {
  const port = await serve({ end: at(2, '260 fine') })
  const { final } = await deliverAll(port, 3)
  expect(Object.values(final)).toEqual(['accepted', 'accepted', 'accepted'])
})
