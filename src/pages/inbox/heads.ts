/**
 * The heads of a great many messages, read once each from the first bytes of their files. Owns doing it in slices, so that
 * whoever asks meanwhile is answered, and with one buffer.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { MailFolder } from './folder.ts'
import { HEAD_BYTES, headOf, type MessageHead } from './head.ts'

/** A message whose head is read when it is first needed, or when there is time. */
export interface Headed {
  readonly folder: MailFolder
  readonly file: string
  head?: MessageHead
  /** The row of the list that it was made of. */
  row?: number | undefined
}

/** Milliseconds of reading between two looks at what else there is to do. */
const SLICE_MS = 8

export class Heads {
  readonly #buffer = Buffer.allocUnsafe(HEAD_BYTES)
  #reading: Promise<void> = Promise.resolve()
  #closed = false

  /** Those that are not read yet; after those that are being read. */
  readAll(entries: readonly Headed[]): Promise<void> {
    this.#reading = this.#reading.then(async () => {
      let until = performance.now() + SLICE_MS
      for (const entry of entries) {
        if (this.#closed) return
        await this.read(entry)
        if (performance.now() < until) continue
        await turn()
        until = performance.now() + SLICE_MS
      }
    })
    return this.#reading
  }

  /** A head, and the row, which may become known after it. A file that is gone has an empty one. */
  async read(entry: Headed): Promise<void> {
    entry.head ??= headOf(this.firstBytes(entry))
    if (entry.row === undefined) entry.row = await entry.folder.rowOf(entry.file, entry.head.messageId)
  }

  /** Valid until the next call. Small files of this machine are read faster at once than by way of other threads. */
  firstBytes({ folder, file }: Headed): Uint8Array {
    try {
      const opened = openSync(join(folder.path, file), 'r')
      try {
        return this.#buffer.subarray(0, readSync(opened, this.#buffer, 0, HEAD_BYTES, 0))
      } finally {
        closeSync(opened)
      }
    } catch {
      return new Uint8Array()
    }
  }

  close(): void {
    this.#closed = true
  }
}
