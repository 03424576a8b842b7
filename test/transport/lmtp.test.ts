/** What became of each recipient of a message, as an LMTP server answers for each of them (RFC 2033). */
import { afterEach, describe, expect, test } from 'vitest'
import type { Outcome } from '../../src/transport/transport.ts'
import { type Rule, type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'
import { deliverAll, letter } from './smtp-lane.ts'

const [OWN, COPY, OTHER] = ['own@example.com', 'copy@example.com', 'other@example.com']
let server: ScriptedServer

afterEach(() => server.close())

/** The outcome of one message to all three; `rcpt` and `end` answer for each of them. */
async function deliverOne(script: { readonly rcpt?: Rule; readonly end?: Rule }): Promise<Outcome | undefined> {
  server = await startScriptedServer({ lmtp: true, ...script })
  const messages = [letter(1, { to: [OWN, COPY, OTHER] })]
  const { outcomes } = await deliverAll(server.port, 1, { settings: { lmtp: true }, messages, lanes: 1 })
  return outcomes.get(1)?.at(-1)
}

/** Answers at the end of data, by recipient. */
function answering(answers: Readonly<Record<string, ReturnType<Rule>>>): Rule {
  return ({ recipient }) => answers[recipient]
}

const answer = (address: string, code: number | undefined) =>
  code === undefined ? { address, reply: undefined } : { address, reply: expect.objectContaining({ code }) }

describe('the row went', () => {
  test('and so did its copies: there is nothing else to say', async () => {
    expect(await deliverOne({})).toMatchObject({ kind: 'accepted', copies: undefined })
  })

  test.each<[string, Parameters<typeof deliverOne>[0], readonly unknown[]]>([
    ['a copy was refused at its end', { end: answering({ [COPY]: '550 5.2.1 closed' }) }, [answer(COPY, 550)]],
    ['a copy has to wait', { end: answering({ [OTHER]: '452 4.2.2 full' }) }, [answer(OTHER, 452)]],
    [
      'a copy was refused before: the answers belong to the others',
      {
        rcpt: ({ line }) => (line.includes(COPY) ? '550 5.1.1 unknown' : undefined),
        end: answering({ [OTHER]: '452 4.2.2 full' }),
      },
      [answer(COPY, 550), answer(OTHER, 452)],
    ],
    [
      'the connection broke before the copies were answered',
      { end: answering({ [COPY]: { drop: true } }) },
      [answer(COPY, undefined), answer(OTHER, undefined)],
    ],
    [
      'the server answered one copy and fell silent',
      { end: answering({ [OTHER]: { silence: true } }) },
      [answer(OTHER, undefined)],
    ],
    [
      'the server left in the middle: its 421 is for the rest',
      { end: answering({ [COPY]: { close: '421 4.3.2 going down' } }) },
      [answer(COPY, 421), answer(OTHER, 421)],
    ],
  ])('%s', async (_, script, copies) => {
    expect(await deliverOne(script)).toMatchObject({ kind: 'accepted', copies })
  })
})

describe('the row did not go', () => {
  test('and nor did its copies: it is tried again with them', async () => {
    const end = answering({ [OWN]: '452 4.2.2 full', [COPY]: '452 4.2.2 full', [OTHER]: '550 5.2.1 closed' })
    expect(await deliverOne({ end })).toMatchObject({ kind: 'deferred', copies: undefined })
  })

  test('but a copy did: what became of each copy is kept, so that none goes twice', async () => {
    const end = answering({ [OWN]: '452 4.2.2 full', [OTHER]: '452 4.2.2 full' })
    expect(await deliverOne({ end })).toMatchObject({
      kind: 'deferred',
      copies: [answer(COPY, 250), answer(OTHER, 452)],
    })
  })

  test('and the copies were never answered: they are in doubt', async () => {
    const end = answering({ [OWN]: '550 5.2.1 closed', [COPY]: { drop: true } })
    expect(await deliverOne({ end })).toMatchObject({
      kind: 'rejected',
      copies: [answer(COPY, undefined), answer(OTHER, undefined)],
    })
  })
})
