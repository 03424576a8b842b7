/** What tests of lanes need: settings, messages, and a feed that writes down what it was given. */
import type { SmtpSettings } from '../../src/config/settings.ts'
import type { Message } from '../../src/message/message.ts'
import { createSmtpTransport } from '../../src/transport/smtp/smtp-transport.ts'
import type { Feed, Job, LaneEnd, Outcome, ServerTraits } from '../../src/transport/transport.ts'

export function smtpSettings(port: number, more: Partial<SmtpSettings> = {}): SmtpSettings {
  return {
    host: '127.0.0.1',
    port,
    security: 'none',
    verifyCertificate: true,
    allowPlainLogin: false,
    lmtp: false,
    pipelining: 'auto',
    // Lanes count ticks of their own process, which is the server's too: a slow machine makes none of these run out.
    timeouts: { connect: 2000, greeting: 500, command: 160, data: 160, endOfData: 160 },
    ...more,
  }
}

export function letter(
  number: number,
  more: { readonly to?: readonly string[]; readonly body?: string; readonly size?: number } = {},
): Message {
  const body = more.body ?? `Message number ${number}.\r\n`
  const head = `Message-ID: <${number}@test>\r\nSubject: ${number}\r\n\r\n`
  const chunks = [Buffer.from(head + body, 'latin1')]
  if (more.size !== undefined) chunks.push(Buffer.from(`${'x'.repeat(70)}\r\n`.repeat(Math.ceil(more.size / 72))))
  return {
    id: `<${number}@test>`,
    envelope: { from: 'sender@example.org', to: more.to ?? [`r${number}@example.com`] },
    chunks,
    size: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    eightBit: false,
    smtputf8: false,
  }
}

export interface Delivered {
  /** Outcomes by message number, in the order told; `unsent` messages are tried again. */
  readonly outcomes: ReadonlyMap<number, readonly Outcome[]>
  readonly ends: readonly LaneEnd[]
  readonly memory: ServerTraits
  /** Kinds of the last outcomes, by number. */
  readonly final: Readonly<Record<number, string>>
}

interface NumberedJob extends Job {
  readonly number: number
}

export interface DeliverAllOptions {
  readonly settings?: Partial<SmtpSettings>
  readonly messages?: readonly Message[]
  readonly memory?: ServerTraits
  /** Lanes at most, one after the other. */
  readonly lanes?: number
  /** Called with the number when the attempt begins; may be slow, may reject. */
  readonly begin?: (number: number) => Promise<void>
  readonly abortAfter?: number
}

/** Delivers messages 1 to n over one lane at a time, opening another when one ends, as the engine does. */
export async function deliverAll(port: number, count: number, options: DeliverAllOptions = {}): Promise<Delivered> {
  const outcomes = new Map<number, Outcome[]>()
  const ends: LaneEnd[] = []
  let memory: ServerTraits = options.memory ?? {}
  const transport = createSmtpTransport(smtpSettings(port, options.settings), {
    memory: {
      get: () => Promise.resolve(memory),
      set: (_server, changed) => {
        memory = changed
        return Promise.resolve()
      },
    },
  })
  const waiting: NumberedJob[] = Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    message: options.messages?.[index] ?? letter(index + 1),
  }))
  const begun = new Set<number>()
  const feed: Feed<NumberedJob> = {
    next: () => waiting.shift(),
    begin(job) {
      begun.add(job.number)
      return options.begin?.(job.number) ?? Promise.resolve()
    },
    end(job, outcome) {
      outcomes.set(job.number, [...(outcomes.get(job.number) ?? []), outcome])
      if (outcome.kind === 'unsent') waiting.unshift(job)
    },
  }
  for (let lane = 0; lane < (options.lanes ?? 6) && waiting.length > 0; lane++) {
    const opened = await transport.open()
    if (options.abortAfter !== undefined) setTimeout(() => opened.abort(), options.abortAfter)
    ends.push(await opened.run(feed))
  }
  const final: Record<number, string> = {}
  for (const [number, told] of outcomes) final[number] = told.at(-1)?.kind ?? ''
  return { outcomes, ends, memory, final }
}
