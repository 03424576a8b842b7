/**
 * The seam between what is to be sent and how: SMTP, files, any other way. Owns the words of a delivery's outcome;
 * never knows rows, ledgers or reports.
 */
import type { MaybePromise } from '../maybe-promise.ts'
import type { Message } from '../message/message.ts'
import type { Reply, Stage } from '../replies/reply.ts'

/** What became of a copy (cc, bcc) where its row does not say it. */
export interface CopyOutcome {
  readonly address: string
  /** Undefined where the copy was handed over and never answered, which only LMTP can leave open for one of several. */
  readonly reply: Reply | undefined
}

/** How one attempt ended. */
export type Outcome =
  /** The server's own 2xx to this message's end of data. Nothing else is ever `accepted`. */
  | {
      readonly kind: 'accepted'
      readonly reply: Reply
      readonly copies?: readonly CopyOutcome[] | undefined
      /** What became of it, where it was not sent on its way. */
      readonly note?: 'drafted'
    }
  /** A 5xx, or a message that this server cannot take (too large, needs SMTPUTF8). `copies` where some went all the same. */
  | {
      readonly kind: 'rejected'
      readonly stage: Stage
      readonly reply: Reply
      readonly copies?: readonly CopyOutcome[] | undefined
    }
  /** A 4xx for this message: to be tried again later, without the copies where `copies` says what became of them. */
  | {
      readonly kind: 'deferred'
      readonly stage: Stage
      readonly reply: Reply
      readonly copies?: readonly CopyOutcome[] | undefined
    }
  /** The connection went before the end of data was handed over: nothing happened, may go again at once. */
  | { readonly kind: 'unsent'; readonly reason: string }
  /** The end of data was handed over and no reply that counts came back (RFC 1047). */
  | { readonly kind: 'in_doubt'; readonly reason: string }

/** A message on its way through a lane. The engine hangs what it needs on it. */
export interface Job {
  readonly message: Message
}

/**
 * Where a lane gets work and reports events. The order of calls for one job is `next`, then `begin`, then `end`; a job
 * that never began ends as `unsent`, or as rejected or deferred when the server said so first.
 */
export interface Feed<J extends Job = Job> {
  /**
   * The next job; `undefined` when there is none left for this lane. A promise means: none at the moment (rate, empty
   * queue); a lane must not hold back an end of data while it waits.
   */
  next(): MaybePromise<J | undefined>
  /**
   * Makes the attempt durable. Only when it resolves may the end of data be written; it resolves in the same commit as
   * every `end` reported before it, or a later one. When it rejects the ledger is broken: no end of data, ever.
   */
  begin(job: J): Promise<void>
  /** Reports the outcome; called exactly once for each job taken. */
  end(job: J, outcome: Outcome): void
}

/** Why a lane ended. */
export type LaneEnd =
  /** The feed had nothing more. */
  | { readonly kind: 'drained' }
  /** The server has a limit of messages a connection: open another at once. */
  | { readonly kind: 'limit'; readonly reply: Reply }
  /** The server asks for less: 421, 4.3.2, 4.7.x, throttling. Fewer lanes for a while. */
  | { readonly kind: 'throttled'; readonly reply: Reply }
  /** The server closed the connection while it was waiting for a message. */
  | { readonly kind: 'idle'; readonly reason: string }
  /** The connection broke, or a stage's time limit ran out. */
  | { readonly kind: 'lost'; readonly reason: string }
  /** The server answered what no server may; this lane trusts it no more and the next one pipelines less. */
  | { readonly kind: 'protocol'; readonly reason: string }

/** How a connection is encrypted: `TLSv1.3`, `TLS_AES_256_GCM_SHA384`. */
export interface Encryption {
  readonly protocol: string
  readonly cipher: string
}

/** One connection working through messages. */
export interface Lane {
  /** Undefined where the lane is not a connection of ours to a mail server. */
  readonly encryption?: Encryption | 'none' | undefined
  /** Works until the feed is empty or the connection is closed. Never rejects because of what a server does. */
  run<J extends Job>(feed: Feed<J>): Promise<LaneEnd>
  /** Cuts the connection at once. What was handed over and not answered becomes in doubt. */
  abort(): void
}

/** What a server said of itself, for `mailmerge verify`. */
export interface ServerReport {
  readonly server: string
  readonly greeting?: string | undefined
  readonly secure: boolean
  readonly tls?: string | undefined
  readonly authenticated: boolean
  readonly extensions: readonly string[]
  readonly size?: number | undefined
}

/** What a transport learnt of a server, kept from run to run by its `host:port`. */
export interface ServerTraits {
  /** Highest pipelining level that is safe: 0 lock-step, 1 grouped envelope, 2 across messages. */
  readonly pipelining?: 0 | 1 | 2
  /** After this the level may be tried again. */
  readonly pipeliningUntil?: Date
  readonly messagesPerConnection?: number
}

export interface Transport {
  /** For people: `smtp://mail.example.com:587`, `files in out/`. Holds no secret. */
  readonly name: string
  /** How many lanes make sense at most; undefined for no limit of its own. */
  readonly maxLanes?: number
  /**
   * Opens a lane.
   * @throws UnreachableError, LoginError; a temporary refusal (421, 454) is an UnreachableError too.
   */
  open(signal?: AbortSignal): Promise<Lane>
  verify(): Promise<ServerReport>
  close(): Promise<void>
}
