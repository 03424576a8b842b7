/**
 * The parts of a zipped document, unpacked as they are read. Owns the caps that keep a small file from becoming a huge one;
 * never knows a document format.
 */
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { type Entry, fromBufferPromise, openPromise, type ZipFile } from 'yauzl'
import { DataError, InputError } from '../../errors.ts'
import type { Input } from '../input/input.ts'

/** Bytes of a document that does not come from a plain file, and so has to be held in memory. */
const MAX_HELD = 64 << 20
const MAX_PARTS = 10_000
/** How a zip names what is not compressed. */
const STORED = 0
/** A part beyond this size must not be more than this many times its packed size. */
const FREE_SIZE = 16 << 20
const MAX_RATIO = 200
/** No honest sheet of a list comes near this. */
const MAX_PART = 4 * 2 ** 30

export class Zip {
  readonly name: string
  /** Names of the parts, lower case: they differ in case between writers. */
  readonly parts: ReadonlySet<string>
  readonly #open: () => Promise<ZipFile>

  private constructor(name: string, parts: ReadonlySet<string>, open: () => Promise<ZipFile>) {
    this.name = name
    this.parts = parts
    this.#open = open
  }

  /** @throws DataError when the file is not a zip, or damaged; InputError when it changed while it was read. */
  static async open(input: Input): Promise<Zip> {
    const open = await opener(input)
    const parts = new Set<string>()
    const file = await open().catch((error: unknown) => {
      throw damaged(input.name, error)
    })
    try {
      if (file.entryCount > MAX_PARTS) throw tooLarge(input.name, `it has ${file.entryCount} parts`)
      for await (const entry of file.eachEntry()) parts.add(entry.fileName.toLowerCase())
    } catch (error) {
      throw damaged(input.name, error)
    } finally {
      file.close()
    }
    return new Zip(input.name, parts, open)
  }

  /**
   * The whole document again with one part changed; the others are unpacked and packed again as they are.
   * @throws DataError as `read` does.
   */
  async *rewrite(
    part: string,
    change: (bytes: AsyncIterable<Buffer>) => AsyncIterable<string>,
  ): AsyncGenerator<Buffer> {
    const { ZipFile: ZipWriter } = await import('yazl')
    const writer = new ZipWriter()
    const output = Readable.from(writer.outputStream)
    const file = await this.#open()
    try {
      for await (const entry of file.eachEntry()) {
        const { fileName } = entry
        const mtime = entry.getLastModDate()
        if (fileName.endsWith('/')) {
          writer.addEmptyDirectory(fileName, { mtime })
          continue
        }
        const options = { mtime, compress: entry.compressionMethod !== STORED }
        writer.addReadStreamLazy(fileName, options, (give) => {
          const bytes = this.#unpacked(file, entry)
          const content = fileName.toLowerCase() === part.toLowerCase() ? change(bytes) : bytes
          give(
            undefined,
            Readable.from(content, { objectMode: false }).on('error', (error) => output.destroy(error)),
          )
        })
      }
      writer.end()
      yield* output
    } catch (error) {
      throw damaged(this.name, error)
    } finally {
      file.close()
    }
  }

  /** The bytes of one part. @throws DataError when it is not there, damaged, or unpacks to far too much. */
  async *read(part: string): AsyncGenerator<Buffer> {
    const wanted = part.toLowerCase()
    const file = await this.#open()
    try {
      for await (const entry of file.eachEntry()) {
        if (entry.fileName.toLowerCase() !== wanted) continue
        yield* this.#unpacked(file, entry)
        return
      }
      throw new DataError(`${this.name} is damaged: it has no part ${part}`, {
        hint: 'Save it again, or save it as CSV.',
      })
    } catch (error) {
      throw damaged(this.name, error)
    } finally {
      file.close()
    }
  }

  async *#unpacked(file: ZipFile, entry: Entry): AsyncGenerator<Buffer> {
    const { fileName, uncompressedSize: size, compressedSize, generalPurposeBitFlag } = entry
    if ((generalPurposeBitFlag & 1) === 1) {
      throw new DataError(`${this.name} is protected with a password`, { hint: 'Save it without one, or as CSV.' })
    }
    if (size > MAX_PART || (size > FREE_SIZE && size > compressedSize * MAX_RATIO)) {
      throw tooLarge(this.name, `${fileName} would unpack from ${compressedSize} to ${size} bytes`)
    }
    yield* await file.openReadStreamPromise(entry)
  }
}

async function opener(input: Input): Promise<() => Promise<ZipFile>> {
  const options = { autoClose: false }
  const { path } = input
  if (path === undefined) {
    const parts: Uint8Array[] = []
    let size = 0
    for await (const chunk of input.chunks()) {
      size += chunk.length
      if (size > MAX_HELD) throw tooLarge(input.name, `a workbook from a pipe may have ${MAX_HELD >> 20} MiB`)
      parts.push(chunk)
    }
    const whole = Buffer.concat(parts)
    return () => fromBufferPromise(whole, options)
  }
  const before = await stat(path)
  return async () => {
    const now = await stat(path)
    if (now.size !== before.size || now.mtimeMs !== before.mtimeMs || now.ino !== before.ino) {
      throw new InputError(`${input.name} changed while it was read`, {
        hint: 'Wait until it is written completely, then give the command again. Nothing was sent.',
      })
    }
    return openPromise(path, options)
  }
}

function tooLarge(name: string, why: string): DataError {
  return new DataError(`${name} is refused: ${why}`, { hint: 'Save the list as CSV and give that.' })
}

function damaged(name: string, error: unknown): Error {
  if (error instanceof DataError || error instanceof InputError) return error
  return new DataError(`${name} is damaged: ${error instanceof Error ? error.message : String(error)}`, {
    hint: 'Open it in a spreadsheet program and save it again, or save the list as CSV.',
    cause: error,
  })
}
