/**
 * Servers that nobody thought of: any number of faults at any place, in any packets, at any level of pipelining. Whatever they
 * do, what is reported of each message is true, and every lane ends.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Action, type Rule, type ScriptedServerOptions, startScriptedServer } from '../support/scripted-server.ts'
import { deliverAll, letter } from './smtp-lane.ts'
import { expectTruth } from './smtp-truth.ts'

/** Servers tried. The long form: MAILMERGE_TEST_FUZZ=20000. */
const SERVERS = Number(process.env['MAILMERGE_TEST_FUZZ'] ?? 200)
const MESSAGES = 6
const LANES = 10
/** Ticks of this process: short, since many of these servers say nothing. */
const TIMEOUTS = { connect: 2000, greeting: 2000, command: 160, data: 160, endOfData: 160 }

const PLACES = ['mail', 'rcpt', 'data', 'end', 'rset', 'quit'] as const
type Place = (typeof PLACES)[number]

interface Fault {
  readonly place: Place
  readonly connection: number
  readonly message: number
  readonly action: Action
}

const reply = fc.constantFrom(
  '421 4.3.2 closing',
  '421 too many messages in this connection',
  '450 4.2.0 greylisted',
  '452 4.5.3 Too many messages sent',
  '451 4.7.1 later',
  '503 5.5.1 nested MAIL command',
  '550 5.1.1 unknown',
  '554 5.7.1 spam',
  '250 2.0.0 ok',
  '221 2.0.0 bye',
)
const garbage = fc.constantFrom(
  'what?\r\n',
  '\r\n',
  '25\r\n',
  '250x\r\n',
  '999 no\r\n',
  '250-a\r\n550 b\r\n',
  '\0\xFF\r\n',
  '354\r\n',
  '221 bye\r\n',
)
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: reply },
  { weight: 2, arbitrary: reply.map((line) => ({ close: line })) },
  { weight: 2, arbitrary: garbage.map((raw) => ({ raw })) },
  { weight: 2, arbitrary: fc.constant({ drop: true as const }) },
  { weight: 1, arbitrary: fc.constant({ reset: true as const }) },
  { weight: 1, arbitrary: fc.constant({ silence: true as const }) },
  { weight: 2, arbitrary: fc.constant({ mute: true as const }) },
  { weight: 2, arbitrary: fc.constant({ twice: true as const }) },
  { weight: 1, arbitrary: fc.constant({ after: 5 }) },
)
const fault: fc.Arbitrary<Fault> = fc.record({
  place: fc.constantFrom(...PLACES),
  connection: fc.integer({ min: 1, max: 3 }),
  message: fc.integer({ min: 1, max: MESSAGES }),
  action,
})

/**
 * One fault in the number of replies is always seen. Two on one connection can make up for each other (a reply too few and one
 * too many), or look like a server that is slow (two too few): nobody can tell that from outside.
 */
function miscountsTwice(faults: readonly Fault[]): boolean {
  const miscounts = ({ action }: Fault): boolean =>
    typeof action === 'object' && ('twice' in action || 'silence' in action || 'mute' in action)
  return [1, 2, 3].some((at) => faults.filter((one) => one.connection === at && miscounts(one)).length > 1)
}

function scriptOf(faults: readonly Fault[], options: ScriptedServerOptions): ScriptedServerOptions {
  const rule =
    (place: Place): Rule =>
    ({ connection, message }) =>
      faults.find((one) => one.place === place && one.connection === connection && one.message === message)?.action
  return { ...options, ...Object.fromEntries(PLACES.map((place) => [place, rule(place)])) }
}

test(`${SERVERS} servers with faults of any kind at any place -> what is reported of each message is true`, {
  timeout: 60_000 + SERVERS * 2_000,
}, async () => {
  const server = fc.record({
    faults: fc.array(fault, { maxLength: 4 }),
    level: fc.constantFrom(0 as const, 1 as const, 2 as const),
    pieces: fc.constantFrom('whole' as const, 'bytes' as const, 'random' as const, 'merged' as const),
    keepEnvelope: fc.boolean(),
    behind: fc.constantFrom({}, {}, {}, { refuseBehindData: true }, { swallowBehindData: true }),
    long: fc.boolean(),
    copies: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(server, async ({ faults, level, pieces, keepEnvelope, behind, long, copies }) => {
      fc.pre(!miscountsTwice(faults))
      const scripted = await startScriptedServer(scriptOf(faults, { pieces, keepEnvelope, ...behind }))
      try {
        const messages = Array.from({ length: MESSAGES }, (_, at) =>
          letter(at + 1, {
            ...(long && at % 2 === 0 ? { size: 200_000 } : {}),
            ...(copies ? { to: [`r${at + 1}@example.com`, `copy${at + 1}@example.com`] } : {}),
          }),
        )
        const delivered = await deliverAll(scripted.port, MESSAGES, {
          messages,
          lanes: LANES,
          settings: { pipelining: level, timeouts: TIMEOUTS },
        })
        expectTruth(scripted, delivered)
        // At most one message of a lane can be in doubt.
        const doubtful = [...delivered.outcomes.values()].flat().filter(({ kind }) => kind === 'in_doubt').length
        expect(doubtful).toBeLessThanOrEqual(delivered.ends.length)
      } finally {
        await scripted.close()
      }
    }),
    { numRuns: SERVERS, endOnFailure: false },
  )
})
