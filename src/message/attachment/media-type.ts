/** Media types of files, by name and by content. Owns no list of its own: `mime` knows names, `file-type` signatures. */
import { isAscii, isUtf8 } from 'node:buffer'
import mime from 'mime'

/** By the ending of the name where it is known, else by the content: text is text, all else bytes. */
export async function typeOfFile(name: string, content: Uint8Array): Promise<string> {
  const byName = mime.getType(name)
  if (byName !== null) return isText(byName) && isBinary(content) ? BINARY : byName
  // Loaded by those who need it: few files come without an ending.
  const { fileTypeFromBuffer } = await import('file-type')
  // The library may fail on a signature whose file goes on wrongly; then it is not a file of that type.
  const byContent = await fileTypeFromBuffer(content).catch(() => undefined)
  return byContent?.mime ?? plainType(content)
}

/** The same for content that a template made, at once. */
export function typeOfContent(name: string, content: Uint8Array): string {
  return mime.getType(name) ?? plainType(content)
}

/** `.pdf` for `application/pdf`; empty when there is no usual ending. */
export function endingOf(type: string): string {
  const ending = mime.getExtension(type)
  return ending === null ? '' : `.${ending}`
}

function isText(type: string): boolean {
  return type.startsWith('text/')
}

/** The type with its charset, where the content of a text is UTF-8 and says more than ASCII. */
export function withCharset(type: string, content: Uint8Array): string {
  if (!isText(type) || /;\s*charset\s*=/i.test(type) || isAscii(content) || !isUtf8(content)) return type
  return `${type}; charset=utf-8`
}

function plainType(content: Uint8Array): string {
  return isBinary(content) ? BINARY : 'text/plain'
}

/** A NUL is in no text, and other control characters only in one that is otherwise right. */
function isBinary(content: Uint8Array): boolean {
  const head = content.subarray(0, 4_096)
  if (head.includes(0)) return true
  const controls = head.filter((byte) => byte < 32 && !TEXT_CONTROLS.has(byte)).length
  // The head may end within a letter: then its last bytes are not asked.
  const isWhole =
    content.length === head.length
      ? isUtf8(head)
      : [0, 1, 2, 3].some((cut) => isUtf8(head.subarray(0, head.length - cut)))
  return controls > 0 && (!isWhole || controls * 10 > head.length)
}

const BINARY = 'application/octet-stream'
/** Tab, line feed, vertical tab, form feed, carriage return, the end mark of DOS, escape. */
const TEXT_CONTROLS: ReadonlySet<number> = new Set([9, 10, 11, 12, 13, 26, 27])
