/**
 * Loaded into a program of ours by `NODE_OPTIONS=--import=...`: its threads take for ever over a message that holds the mark.
 * No real message is that slow any more.
 */
import { appendFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'

/** In the text of a message that takes for ever. */
export const SLOW_MARK = 'a text that takes for ever'

/** The environment of a program with this loaded; a line is added to `log` when such a message begins. */
export function slowReading(log: string): NodeJS.Dict<string> {
  return { NODE_OPTIONS: `--import=${pathToFileURL(import.meta.filename)}`, SLOW_READING_LOG: log }
}

const log = process.env['SLOW_READING_LOG']
if (!isMainThread && log !== undefined) {
  const decode = TextDecoder.prototype.decode
  TextDecoder.prototype.decode = function (...args) {
    const text = decode.apply(this, args)
    if (text.includes(SLOW_MARK)) {
      appendFileSync(log, 'begun\n')
      for (;;);
    }
    return text
  }
}
