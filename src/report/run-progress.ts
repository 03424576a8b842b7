/** How a delivery is going, as its process says in the ledger once a second, for pages in other processes. Owns the form. */
import { z } from 'zod'
import type { RateLimit } from '../config/settings.ts'
import type { Runs } from '../ledger/ledger.ts'
import type { Lane } from '../transport/transport.ts'
import type { PauseReason } from './reasons.ts'

export interface RunProgress {
  readonly at: Date
  /** Where the messages go, without secrets. */
  readonly server: string
  /** Limits that it is held to. */
  readonly limits: readonly RateLimit[]
  /** Connections at work. */
  readonly lanes: number
  /** How they go, each by itself; undefined where the process that sends does not say it. */
  readonly connections: ConnectionsProgress | undefined
  /** Rows a second over the last seconds. */
  readonly rate: number
  /** Rows that the server deferred and that wait for another try. */
  readonly retrying: number
  /** Seconds to the end; undefined when that is not known. */
  readonly secondsLeft: number | undefined
  /** Why it waits now. */
  readonly pause: { readonly reason: PauseReason; readonly until: Date | undefined } | undefined
}

/** Connections of a delivery: all that are at work, or the first of a great many. */
export interface ConnectionsProgress {
  readonly lanes: readonly ConnectionProgress[]
  /** Connections that there may be where the server asks for nothing less. */
  readonly most: number
  /** The server asked for fewer. */
  readonly isHeldBack: boolean
}

interface ConnectionProgress {
  /** From 1. */
  readonly place: number
  /** Row whose message is on its way; undefined while it waits for one. */
  readonly row: number | undefined
  /** Milliseconds since a message was last begun, or its server last answered for one. */
  readonly quietMs: number
  /** Messages a second over the last seconds. */
  readonly rate: number
  /** Whose it is, where there are several accounts. */
  readonly account?: string | undefined
  /** Undefined where it is not a connection to a mail server, or the process that sends does not say it. */
  readonly encryption: Lane['encryption']
}

type Progress = Pick<RunProgress, 'lanes' | 'rate' | 'retrying'> & Partial<Pick<RunProgress, 'secondsLeft'>>

/** Connections that are described. */
const DESCRIBED = 50
/** Between two words in the ledger, in milliseconds. */
const EVERY_MS = 1000

/** What is said of a delivery; the ledger adds when. */
type Facts = Omit<RunProgress, 'at'>

const limit = z.object({ count: z.number(), seconds: z.number(), of: z.literal('recipients').exactOptional() })
const quota = limit.extend({ left: z.number(), isRampUp: z.literal(true).exactOptional() })
/** As `PauseReason` has them; the types of both are compared when the program is compiled. */
const reason = z.union([
  z.object({ kind: z.enum(['start-time', 'deferred']) }),
  z.object({ kind: z.literal('quota'), quota: quota.optional() }).transform(({ kind, quota }) => ({ kind, quota })),
  z.object({ kind: z.literal('window'), hours: z.string() }),
  z.object({ kind: z.enum(['slow-down', 'outage']), said: z.string() }),
])
const facts = z
  .object({
    server: z.string(),
    limits: z.array(limit).default([]),
    lanes: z.number(),
    connections: z
      .object({
        lanes: z.array(
          z
            .object({
              ...{ place: z.number(), row: z.number().optional(), quietMs: z.number(), rate: z.number() },
              account: z.string().optional(),
              encryption: z
                .union([z.literal('none'), z.object({ protocol: z.string(), cipher: z.string() })])
                .optional(),
            })
            .transform(({ row, encryption, account, ...lane }) => ({ ...lane, row, encryption, account })),
        ),
        most: z.number(),
        isHeldBack: z.boolean(),
      })
      .optional(),
    rate: z.number(),
    retrying: z.number().default(0),
    secondsLeft: z.number().optional(),
    pause: z
      .object({ reason, until: z.coerce.date().optional() })
      .transform(({ reason, until }) => ({ reason, until }))
      .optional(),
  })
  .transform(({ connections, secondsLeft, pause, ...rest }): Facts => ({ ...rest, connections, secondsLeft, pause }))

/** Writes the progress of one delivery, as often as it is worth it. Nothing that goes wrong with it stops a run. */
export class ProgressWriter {
  readonly #runs: Runs
  readonly #run: string
  readonly #server: string
  readonly #limits: readonly RateLimit[]
  readonly #now: () => Date
  #pause: RunProgress['pause']
  #written = Number.NEGATIVE_INFINITY

  constructor(runs: Runs, run: string, { server, limits }: Pick<RunProgress, 'server' | 'limits'>, now: () => Date) {
    this.#runs = runs
    this.#run = run
    this.#server = server
    this.#limits = limits
    this.#now = now
  }

  paused(reason: PauseReason, until: Date | undefined): void {
    this.#pause = { reason, until }
  }

  /** `connections` is asked only when it is written. */
  progress({ lanes, rate, retrying, secondsLeft }: Progress, connections: () => ConnectionsProgress): void {
    if (performance.now() - this.#written < EVERY_MS) return
    this.#written = performance.now()
    const now = this.#now()
    const until = this.#pause?.until
    // It waits no more once its time is over, or, where none is known, once messages go out.
    if (until === undefined ? rate > 0 : until < now) this.#pause = undefined
    const server = this.#server
    const said: Facts = {
      ...{ server, limits: this.#limits, lanes, rate, retrying, secondsLeft, pause: this.#pause },
      connections: described(connections()),
    }
    this.#runs.report(this.#run, JSON.stringify(said), now).catch(() => {})
  }

  /** The delivery is over: nobody is at it any more. */
  async end(): Promise<void> {
    await this.#runs.report(this.#run, undefined, this.#now()).catch(() => {})
  }
}

/** In few digits. */
function described({ lanes, ...rest }: ConnectionsProgress): ConnectionsProgress {
  return {
    ...rest,
    lanes: lanes.slice(0, DESCRIBED).map(({ quietMs, rate, ...lane }) => ({
      ...lane,
      quietMs: Math.round(quietMs),
      rate: Math.round(rate * 10) / 10,
    })),
  }
}

/** Undefined where no process said anything since the run was last left. */
export async function readProgress(runs: Runs, run: string): Promise<RunProgress | undefined> {
  const last = await runs.lastReport(run)
  if (last === undefined) return undefined
  const read = facts.safeParse(JSON.parse(last.facts))
  if (!read.success) return undefined
  return { at: last.at, ...read.data }
}
