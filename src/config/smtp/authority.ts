/** The certificate of a private authority. Owns reading its file; trusts nobody. */
import { readFileSync } from 'node:fs'
import { ConfigError } from '../../errors.ts'
import { systemWords } from '../../fs/system-errors.ts'

/** The PEM text of `path`, which the setting `key` names. @throws ConfigError when it cannot be read. */
export function readAuthority(path: string, key: 'smtp.ca' | 'imap.ca'): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new ConfigError(`the file ${path} of ${key} cannot be read: ${systemWords(cause)}`, {
      cause,
      hint: 'It should hold the certificate of the authority as PEM.',
    })
  }
}
