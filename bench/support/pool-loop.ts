/**
 * The loop that a user would write without us: csv-parse, Handlebars and a pool of nodemailer. It keeps no record. Run as
 * `node pool-loop.ts list.csv port connections [attachment]`.
 */
import { createReadStream } from 'node:fs'
import { parse } from 'csv-parse'
import Handlebars from 'handlebars'
import { createTransport } from 'nodemailer'
import pLimit from 'p-limit'
import { FROM, HTML, SUBJECT, TEXT } from './workload.ts'

const [list = '', port = '', connections = '', attachment] = process.argv.slice(2)
const transport = createTransport({
  pool: true,
  host: '127.0.0.1',
  port: Number(port),
  maxConnections: Number(connections),
  maxMessages: Number.POSITIVE_INFINITY,
  ignoreTLS: true,
})
const subject = Handlebars.compile(SUBJECT, { noEscape: true })
const text = Handlebars.compile(TEXT, { noEscape: true })
const html = Handlebars.compile(HTML)
const limit = pLimit(Number(connections) * 2)
const pending = new Set<Promise<unknown>>()
for await (const row of createReadStream(list).pipe(parse({ columns: true }))) {
  const sending = limit(() =>
    transport.sendMail({
      from: FROM,
      to: row.email,
      subject: subject(row),
      text: text(row),
      html: html(row),
      ...(attachment === undefined ? {} : { attachments: [{ path: attachment }] }),
    }),
  ).finally(() => pending.delete(sending))
  pending.add(sending)
  if (pending.size > 1000) await Promise.race(pending)
}
await Promise.all(pending)
transport.close()
