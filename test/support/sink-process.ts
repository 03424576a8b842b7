/** A sink as a process of its own, so that it can be killed: `sink-process.ts PORT FILE` writes each recipient down before it says 250. */
import { appendFileSync } from 'node:fs'
import { startRecordingSink } from './recording-sink.ts'

const [port, book = ''] = process.argv.slice(2)
await startRecordingSink({
  port: Number(port),
  delay: 1,
  answer: ({ to }) => {
    appendFileSync(book, `${to[0]}\n`)
    return undefined
  },
})
