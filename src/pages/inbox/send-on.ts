/** Sends a message of the inbox on, through the server of the project. Owns that it goes to one address, with its bytes as they are. */

import { randomUUID } from 'node:crypto'
import { sendingSettings } from '../../campaign/accounts/accounts.ts'
import type { Settings } from '../../config/settings.ts'
import { DataError, UnreachableError } from '../../errors.ts'
import { parseRecipient } from '../../message/address/address.ts'
import type { Message } from '../../message/message.ts'
import { answerWords } from '../../replies/reply.ts'
import { openTransport } from '../../transport/open.ts'
import type { Outcome } from '../../transport/transport.ts'
import type { ReadMessage } from '../message/read.ts'
import type { TestView } from '../wire.ts'

/** @throws DataError for a refusal, and for what is not one address; what the transport throws. */
export async function sendOn(settings: Settings, message: ReadMessage, from: string, to: string): Promise<TestView> {
  const parsed = parseRecipient(to)
  if ('fault' in parsed) throw new DataError(`'${to}' is not an address: ${parsed.fault}`)
  const address = parsed.mailbox.wire
  const began = Date.now()
  const transport = await openTransport(sendingSettings(settings))
  try {
    const outcome = await oneOutcome(transport, messageOf(message, { from, to: [address] }))
    if (outcome?.kind === 'accepted')
      return { messages: 1, server: settings.smtp.host, address, seconds: (Date.now() - began) / 1000 }
    if (outcome?.kind === 'rejected' || outcome?.kind === 'deferred') {
      throw new DataError(`the server did not accept the message: ${answerWords(outcome.reply)}`)
    }
    throw new UnreachableError(`the message may not have been sent: ${outcome?.reason ?? 'the server said nothing'}`)
  } finally {
    await transport.close()
  }
}

async function oneOutcome(
  transport: Awaited<ReturnType<typeof openTransport>>,
  message: Message,
): Promise<Outcome | undefined> {
  const lane = await transport.open()
  let job: { readonly message: Message } | undefined = { message }
  let outcome: Outcome | undefined
  await lane.run({
    next() {
      const next = job
      job = undefined
      return next
    },
    begin: () => Promise.resolve(),
    end(_, ended) {
      outcome = ended
    },
  })
  return outcome
}

/** Whoever wrote it: with the line ends that the wire wants. */
function messageOf({ bytes }: ReadMessage, envelope: Message['envelope']): Message {
  const text = Buffer.from(bytes)
    .toString('latin1')
    .replace(/\r\n|\r|\n/g, '\r\n')
  const whole = Buffer.from(text.endsWith('\r\n') ? text : `${text}\r\n`, 'latin1')
  const head = text.slice(0, Math.max(0, text.indexOf('\r\n\r\n')))
  return {
    id: `<${randomUUID()}@localhost>`,
    envelope,
    chunks: [whole],
    size: whole.length,
    eightBit: /[\u0080-\u00FF]/.test(text),
    smtputf8: /[\u0080-\u00FF]/.test(head),
  }
}
