/**
 * Recipients of a message as a mail service reads them: from its fields, as it has no envelope. Owns that the fields name those whom the
 * envelope names, and nobody else.
 */

import { parseAddressList } from '../../message/address/list.ts'
import type { Message } from '../../message/message.ts'
import { ownText } from '../../template/marked-text.ts'

const HEAD_END = Buffer.from('\r\n\r\n')
const NAMING = /^(to|cc|bcc):/i

/**
 * The bytes of a message for such a service. Recipients whom no field names are added as Bcc, which the service takes off. Where a field
 * names somebody who is not to get it (a test, a copy sent later), To is the envelope and the fields are kept under another name.
 */
export function addressedBytes({ envelope, chunks }: Message): Buffer {
  const bytes = Buffer.concat(chunks)
  const at = bytes.indexOf(HEAD_END)
  const end = at < 0 ? bytes.length : at
  // Bytes as letters: nothing of the head is changed by reading and writing it.
  const fields = fieldsOf(bytes.toString('latin1', 0, end))
  const wanted = new Set(envelope.to.map(sameAddress))
  const named = new Set(fields.filter((field) => NAMING.test(field)).flatMap(addressesIn))
  const isForOthers = [...named].some((address) => !wanted.has(address))
  const blind = envelope.to.filter((address) => isForOthers || !named.has(sameAddress(address)))
  if (blind.length === 0) return bytes
  const line = Buffer.from(`${isForOthers ? 'To' : 'Bcc'}: ${blind.join(',\r\n ')}\r\n`)
  const head = isForOthers ? fields.map((field) => field.replace(NAMING, 'X-Original-$1:')) : fields
  return Buffer.concat([line, Buffer.from(head.join('\r\n'), 'latin1'), bytes.subarray(end)])
}

/** Fields with their folded lines. */
function fieldsOf(head: string): readonly string[] {
  return head.split(/\r\n(?![ \t])/)
}

function addressesIn(field: string): readonly string[] {
  const text = Buffer.from(field.slice(field.indexOf(':') + 1).replace(/\r\n/g, ''), 'latin1').toString('utf8')
  return parseAddressList(ownText(text)).mailboxes.map(({ wire }) => sameAddress(wire))
}

function sameAddress(address: string): string {
  const at = address.lastIndexOf('@')
  return `${address.slice(0, at)}${address.slice(at).toLowerCase()}`
}
