/** Media types of files, by name and by content. Owns no list of its own: `mime` knows names, `file-type` signatures. */
import mime from 'mime'

/** The ending of a name has the say; without one that is known, the content; text is text, all else octets. */
export async function typeOfFile(name: string, content: Uint8Array): Promise<string> {
  const byName = mime.getType(name)
  if (byName !== null) return isText(byName) && holdsNul(content) ? 'application/octet-stream' : byName
  // Loaded by those who need it: few files come without an ending.
  const { fileTypeFromBuffer } = await import('file-type')
  // The library may fail on a signature whose file goes on wrongly; then it is no file of that type.
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

function plainType(content: Uint8Array): string {
  return holdsNul(content) ? 'application/octet-stream' : 'text/plain'
}

function holdsNul(content: Uint8Array): boolean {
  return content.subarray(0, 4_096).includes(0)
}
