/** What tests of the delivery need: a real ledger, a transport that answers on order, and time that passes when told to. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, vi } from 'vitest'
import type { Clock } from '../../../src/campaign/clock.ts'
import type { SendingAccount } from '../../../src/campaign/delivery/account-delivery.ts'
import { type DeliverOptions, type DeliveryEnd, deliver } from '../../../src/campaign/delivery/deliver.ts'
import type { DeliverySettings } from '../../../src/config/settings.ts'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import type { Campaign, ResultRow } from '../../../src/ledger/records.ts'
import { openSqliteLedger, type SqliteLedgerOptions } from '../../../src/ledger/sqlite/sqlite.ts'
import type { Message } from '../../../src/message/message.ts'
import type { Reply } from '../../../src/replies/reply.ts'
import type { Feed, Job, Lane, LaneEnd, Outcome, Transport } from '../../../src/transport/transport.ts'

export const OK: Outcome = { kind: 'accepted', reply: { code: 250, enhanced: '2.0.0', text: 'taken' } }

export function rejected(text: string, stage: 'mail' | 'rcpt' | 'end-of-data' = 'rcpt') {
  return { kind: 'rejected', stage, reply: replyOf(text) } as const satisfies Outcome
}

export function deferred(text: string) {
  return { kind: 'deferred', stage: 'end-of-data', reply: replyOf(text) } as const satisfies Outcome
}

/** `550 5.1.1 unknown` as a reply. */
export function replyOf(line: string): Reply {
  const [, code, enhanced, text = ''] = /^(\d{3}) (?:(\d\.\d+\.\d+) )?(.*)$/.exec(line) ?? []
  return { code: Number(code), text, ...(enhanced === undefined ? {} : { enhanced }) }
}

/** One message at a lane's end. */
export interface Try {
  readonly to: string
  readonly recipients: number
  /** Which try for this address, from 1. */
  readonly attempt: number
  readonly lane: number
  /** Which message of this lane, from 1. */
  readonly message: number
  /** Milliseconds of the monotonic clock. */
  readonly at: number
}

/** An outcome; or the end of the lane, with the message untried. */
export type Answer = Outcome | { readonly lane: LaneEnd; readonly outcome?: Outcome }

export interface Script {
  /** Milliseconds that a message takes. */
  readonly takes?: number
  /** Ask for the next message before the one before is answered, as a lane that pipelines does. */
  readonly ahead?: boolean
  /** Milliseconds after which the server hangs up on a lane that waits for a message. */
  readonly idle?: number
  /** Milliseconds that a connection takes. */
  readonly connects?: number
  /** Asked when a message is about to be handed over. Default: accepted. */
  readonly answer?: (attempt: Try) => Answer
  /** Throws when no lane may be opened now. */
  readonly open?: (live: number) => void
}

export interface ScriptedTransport extends Transport {
  /** Every message that was begun, in order; refused ones among them. */
  readonly tries: Try[]
  /** Moments at which lanes were asked for, those that were refused too. */
  readonly opens: number[]
  readonly most: { lanes: number; inFlight: number }
  /** Handed over and answered 2xx, by address. */
  readonly accepted: Map<string, number>
}

export function scriptedTransport(script: Script = {}): ScriptedTransport {
  const attempts = new Map<string, number>()
  const live = new Set<Lane>()
  let number = 0
  let inFlight = 0
  const transport: ScriptedTransport = {
    name: 'scripted',
    tries: [],
    opens: [],
    most: { lanes: 0, inFlight: 0 },
    accepted: new Map(),
    async open(signal) {
      transport.opens.push(performance.now())
      if (script.connects !== undefined) await pause(script.connects)
      signal?.throwIfAborted()
      script.open?.(live.size)
      const lane = scriptedLane(++number)
      live.add(lane)
      transport.most.lanes = Math.max(transport.most.lanes, live.size)
      return lane
    },
    verify: () => Promise.reject(new Error('not scripted')),
    close: () => Promise.resolve(),
  }

  function scriptedLane(id: number): Lane {
    const cut = new AbortController()
    const lane: Lane = {
      async run<J extends Job>(feed: Feed<J>): Promise<LaneEnd> {
        try {
          return await work(feed, id, cut.signal)
        } finally {
          live.delete(lane)
        }
      },
      abort: () => cut.abort(),
    }
    return lane
  }

  async function work<J extends Job>(feed: Feed<J>, lane: number, cut: AbortSignal): Promise<LaneEnd> {
    const gone = { kind: 'lost', reason: 'stopped' } as const
    let next = feed.next()
    for (let message = 1; ; message++) {
      const job = script.idle === undefined ? await next : await within(next, script.idle)
      if (job === 'idle') {
        Promise.resolve(next).then((late) => {
          if (late !== undefined) feed.end(late, { kind: 'unsent', reason: 'hung up' })
        })
        return { kind: 'idle', reason: 'hung up' }
      }
      if (job === undefined) return { kind: 'drained' }
      if (cut.aborted) {
        feed.end(job, { kind: 'unsent', reason: 'stopped' })
        return gone
      }
      const { to: all } = job.message.envelope
      const to = all[0] ?? ''
      const attempt = (attempts.get(to) ?? 0) + 1
      attempts.set(to, attempt)
      const tried = { to, recipients: all.length, attempt, lane, message, at: performance.now() }
      transport.tries.push(tried)
      inFlight++
      transport.most.inFlight = Math.max(transport.most.inFlight, inFlight)
      const answer = script.answer?.(tried) ?? OK
      const outcome = 'lane' in answer ? (answer.outcome ?? { kind: 'unsent', reason: 'lost' }) : answer
      const handsOver = outcome.kind !== 'unsent' && !('stage' in outcome && outcome.stage !== 'end-of-data')
      if (handsOver) {
        try {
          await feed.begin(job)
        } catch {
          inFlight--
          feed.end(job, { kind: 'unsent', reason: 'the attempt could not be recorded' })
          return gone
        }
      }
      const whole = await pause(script.takes ?? 0, cut)
      inFlight--
      if (!whole) {
        feed.end(job, handsOver ? { kind: 'in_doubt', reason: 'stopped' } : { kind: 'unsent', reason: 'stopped' })
        return gone
      }
      if (script.ahead && !('lane' in answer)) next = feed.next()
      if (outcome.kind === 'accepted') transport.accepted.set(to, (transport.accepted.get(to) ?? 0) + 1)
      feed.end(job, outcome)
      if ('lane' in answer) return answer.lane
      if (!script.ahead) next = feed.next()
    }
  }
  return transport
}

/** What comes within the time, else `idle`. */
function within<T>(next: T | Promise<T>, milliseconds: number): Promise<T | 'idle'> {
  const idle = new Promise<'idle'>((resolve) => setTimeout(() => resolve('idle'), milliseconds))
  return Promise.race([Promise.resolve(next), idle])
}

/** True when the time went by before the cut. */
function pause(milliseconds: number, cut?: AbortSignal): Promise<boolean> {
  if (cut?.aborted) return Promise.resolve(false)
  return new Promise((resolve) => {
    if (milliseconds === 0) setImmediate(() => resolve(cut?.aborted !== true))
    else setTimeout(() => resolve(true), milliseconds)
    cut?.addEventListener('abort', () => resolve(false))
  })
}

export const MINUTE = 60_000

/** Those that are open in a test of a file that calls `useHarness`. */
const opened: DeliveryHarness[] = []

/** In every test of the file time is held, and what the test opens is closed after it. */
export function useHarness(): void {
  beforeEach(holdTime)
  afterEach(async () => {
    vi.useRealTimers()
    for (const harness of opened.splice(0).reverse()) await harness.close()
  })
}

export interface DeliveryHarness {
  readonly path: string
  readonly ledger: Ledger
  readonly campaign: Campaign
  readonly runId: string
  /** Delivers what is due, and lets time pass until it ends. */
  deliver(transport: Transport, more?: More): Promise<DeliveryEnd>
  /** Delivers what is due; the test lets time pass. */
  start(transport: Transport, more?: More): Promise<DeliveryEnd>
  results(): Promise<readonly ResultRow[]>
  close(): Promise<void>
}

export type More = Partial<DeliverOptions> & {
  readonly settings?: Partial<DeliverySettings>
  readonly prepare?: SendingAccount['prepare']
  /** Whose quotas hold. */
  readonly account?: string
  readonly zoneOf?: SendingAccount['zoneOf']
}

export interface HarnessOptions extends SqliteLedgerOptions {
  /** Use the ledger of another harness, through a connection of its own. */
  readonly path?: string
  readonly name?: string
  /** Minutes from now until each row may go, from the first on; at once without it. */
  readonly startsIn?: readonly number[]
}

/** A planned run over these addresses (or a number of them) in a ledger of its own. */
export async function openHarness(
  people: number | readonly string[],
  options: HarnessOptions = {},
): Promise<DeliveryHarness> {
  const dir = options.path === undefined ? mkdtempSync(join(tmpdir(), 'mailmerge-delivery-')) : undefined
  const path = options.path ?? join(dir ?? '', 'ledger.db')
  const ledger = await openSqliteLedger(path, {
    boot: { bootId: 'test', uptime: () => performance.now() / 1000 },
    ...options,
  })
  const name = options.name ?? 'test'
  const campaign = await ledger.campaigns.open(name)
  const runId = `run-${name}`
  const now = new Date()
  await ledger.runs.create({
    id: runId,
    campaign,
    startedAt: now,
    source: 'list.csv',
    template: 'letter',
    templateHash: 'x',
    columns: ['email'],
    options: {},
  })
  const startTime = (at: number): { readonly notBefore?: Date } => {
    const minutes = options.startsIn?.[at]
    return minutes === undefined ? {} : { notBefore: new Date(now.getTime() + minutes * MINUTE) }
  }
  const addresses =
    typeof people === 'number' ? Array.from({ length: people }, (_, at) => `p${at + 1}@example.com`) : people
  const rows = addresses.map((address, at) => ({ row: at + 1, key: address, address, data: '{}', ...startTime(at) }))
  await ledger.plans.add(runId, rows)
  await ledger.plans.complete(runId, { duplicates: 'skip' })

  const start = async (transport: Transport, more: More = {}): Promise<DeliveryEnd> => {
    const { settings, prepare, account, zoneOf, ...others } = more
    return deliver({
      ledger,
      runId,
      accounts: [
        {
          name: undefined,
          transport,
          prepare: prepare ?? (({ address, row }) => letterTo(address, row)),
          zoneOf,
          quotaName: account ?? 'ada@mail.example.com',
          settings: { concurrency: 5, rates: [], retryFor: 4 * 3_600_000, grace: 30_000, ...settings },
        },
      ],
      group: name,
      zone: 'UTC',
      counts: await ledger.results.counts(runId),
      clock: testClock(),
      ...others,
    })
  }
  const harness: DeliveryHarness = {
    path,
    ledger,
    campaign,
    runId,
    start,
    deliver: (transport, more) => untilSettled(start(transport, more)),
    async results() {
      const rows: ResultRow[] = []
      for await (const batch of ledger.results.rows(runId)) rows.push(...batch)
      return rows
    },
    async close() {
      await ledger.close()
      if (dir !== undefined) rmSync(dir, { recursive: true, force: true })
    },
  }
  opened.push(harness)
  return harness
}

/** The clocks as they are at the moment, be they faked or not; chance is always in the middle unless told otherwise. */
export function testClock(random: () => number = () => 0.5): Clock {
  return { now: () => new Date(), monotonic: () => performance.now(), random }
}

export function letterTo(address: string, number: number, size = 100, copies: readonly string[] = []): Message {
  const chunks = [Buffer.from(`Message-ID: <${number}@test>\r\n\r\nHello.\r\n`)]
  return {
    id: `<${number}@test>`,
    envelope: { from: 'author@example.org', to: [address, ...copies] },
    chunks,
    size,
    eightBit: false,
    smtputf8: false,
  }
}

/** Waits and clocks stand still from now on, and pass only with `untilSettled` and `advance`. Immediates and intervals are real. */
export function holdTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'], now: 1_790_000_000_000 })
}

/** Lets everything happen that needs no time. */
export async function settleTurns(): Promise<void> {
  for (let at = 0; at < 8; at++) await turn()
}

/** Lets time pass from wait to wait until the promise is settled. Throws when nobody waits and nothing ends: a stall. */
export async function untilSettled<T>(promise: Promise<T>): Promise<T> {
  let ended = false
  const end = (): void => {
    ended = true
  }
  promise.then(end, end)
  for (let idle = 0, steps = 0; !ended; steps++) {
    if (steps > 100_000) throw new Error('busy: time passes and passes, and the delivery does not end')
    await settleTurns()
    if (ended) break
    if (vi.getTimerCount() > 0) {
      idle = 0
      vi.advanceTimersToNextTimer()
    } else if (++idle > 2000) throw new Error('stalled: nothing is waited for, and the delivery does not end')
  }
  return promise
}

/** Lets that much time pass. */
export async function advance(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds
  for (;;) {
    await settleTurns()
    const before = performance.now()
    if (before >= end) return
    const step = Math.min(end - before, 50)
    vi.advanceTimersByTime(step)
  }
}

/** When each message was put to the server. */
export function moments(transport: { readonly tries: readonly Try[] }): readonly number[] {
  return transport.tries.map(({ at }) => at)
}

/** The most that fell into any window of that many milliseconds. */
export function mostWithin(moments: readonly number[], milliseconds: number): number {
  let most = 0
  let from = 0
  for (const [at, moment] of moments.entries()) {
    while (moment - (moments[from] ?? 0) >= milliseconds) from++
    most = Math.max(most, at - from + 1)
  }
  return most
}
