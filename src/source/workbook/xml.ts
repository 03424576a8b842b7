/**
 * XML read as it comes in, for the parts of a spreadsheet. Owns its limits (no document type, bounded depth and texts);
 * has no vocabulary of its own.
 */
import { TextDecoder } from 'node:util'
import { SaxesParser } from 'saxes'
import { DataError } from '../../errors.ts'

const MAX_DEPTH = 100
/** Characters without a tag between them. */
const MAX_SILENCE = 4 << 20

export type Attributes = Readonly<Record<string, string>>

/** What a reader of one vocabulary does. Names come without their prefix. */
export interface XmlHandler {
  open(name: string, attributes: Attributes): void
  close?(name: string): void
  text?(text: string): void
}

/**
 * Feeds `handler`, and yields after every chunk so that what was gathered can be taken away.
 * @param place the file and part, for messages.
 * @throws DataError when the text is not well-formed, or beyond the limits.
 */
export async function* readXml(
  chunks: AsyncIterable<Uint8Array>,
  place: string,
  handler: XmlHandler,
): AsyncGenerator<void> {
  const parser = new SaxesParser<{ xmlns: false; position: false }>({ xmlns: false, position: false })
  let depth = 0
  let silence = 0
  parser.on('doctype', () => {
    throw new DataError(`${place} declares a document type, which no spreadsheet does`, {
      hint: 'Save the list as CSV and give that.',
    })
  })
  parser.on('error', (error) => {
    throw new DataError(`${place} is damaged: ${error.message}`, {
      hint: 'Open the file in a spreadsheet program and save it again, or save the list as CSV.',
      cause: error,
    })
  })
  parser.on('opentag', ({ name, attributes }) => {
    silence = 0
    if (++depth > MAX_DEPTH) throw new DataError(`${place} is nested too deeply`, { hint: 'Save the list as CSV.' })
    handler.open(local(name), attributes)
  })
  parser.on('closetag', ({ name }) => {
    silence = 0
    depth--
    handler.close?.(local(name))
  })
  if (handler.text !== undefined) parser.on('text', (text) => handler.text?.(text))
  let decoder: TextDecoder | undefined
  for await (const chunk of chunks) {
    decoder ??= new TextDecoder(encodingOf(chunk))
    const text = decoder.decode(chunk, { stream: true })
    silence += text.length
    if (silence > MAX_SILENCE) {
      throw new DataError(`${place} holds a text of more than ${MAX_SILENCE >> 20} million characters`, {
        hint: 'Save the list as CSV and give that.',
      })
    }
    parser.write(text)
    yield
  }
  parser.close()
  yield
}

/** Reads a whole small part. */
export async function readWholeXml(
  chunks: AsyncIterable<Uint8Array>,
  place: string,
  handler: XmlHandler,
): Promise<void> {
  for await (const _ of readXml(chunks, place, handler));
}

function local(name: string): string {
  const colon = name.indexOf(':')
  return colon === -1 ? name : name.slice(colon + 1)
}

/** The two encodings that the spreadsheet standards allow. */
function encodingOf(start: Uint8Array): string {
  if (start[0] === 0xff && start[1] === 0xfe) return 'utf-16le'
  if (start[0] === 0xfe && start[1] === 0xff) return 'utf-16be'
  return 'utf-8'
}
