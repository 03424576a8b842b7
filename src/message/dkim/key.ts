/** The private keys of DKIM. Owns reading them and saying what is wrong with one; signs nothing. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { domainToASCII } from 'node:url'
import type { DkimKey } from '../../config/settings.ts'
import { ConfigError } from '../../errors.ts'
import { isSystemError, systemWords } from '../../fs/system-errors.ts'

/** A key that can sign. */
export interface LoadedKey {
  readonly key: KeyObject
  readonly algorithm: 'rsa-sha256' | 'ed25519-sha256'
  /** In A-labels. */
  readonly domain: string
  readonly selector: string
}

/** RFC 8301 section 3.2: less is not trusted. */
const LEAST_BITS = 1024
const NAME = /^(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*$/

/** @throws ConfigError when the file is not an RSA or Ed25519 key of enough bits, or domain or selector are not names. */
export function loadDkimKey({ domain, selector, key: path }: DkimKey, root: string): LoadedKey {
  const key = privateKey(path, readKey(path, root))
  const type = key.asymmetricKeyType
  if (type !== 'rsa' && type !== 'ed25519') {
    throw new ConfigError(`the DKIM key ${path} is of type ${type}`, {
      hint: `DKIM knows RSA and Ed25519 keys. ${howToMake(path)}`,
    })
  }
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && bits < LEAST_BITS) {
    throw new ConfigError(`the DKIM key ${path} has ${bits} bits, which receivers do not trust`, {
      hint: `Make one of 2048 bits. ${howToMake(path)}`,
    })
  }
  const ascii = /[^\u0000-\u007F]/.test(domain) ? domainToASCII(domain) : domain
  if (!NAME.test(ascii) || !NAME.test(selector)) {
    throw new ConfigError(`the DKIM domain '${domain}' or selector '${selector}' is not a name`, {
      hint: 'Receivers look for the public key at SELECTOR._domainkey.DOMAIN, so both are parts of a DNS name.',
    })
  }
  return { key, algorithm: type === 'rsa' ? 'rsa-sha256' : 'ed25519-sha256', domain: ascii, selector }
}

function readKey(path: string, root: string): string {
  try {
    return readFileSync(resolve(root, path), 'latin1')
  } catch (cause) {
    const absent = isSystemError(cause) && cause.code === 'ENOENT'
    throw new ConfigError(
      `the DKIM key ${path} ${absent ? 'does not exist' : `cannot be read: ${systemWords(cause)}`}`,
      {
        cause,
        hint: absent ? howToMake(path) : 'Set dkim.key to a PEM file that this user may read.',
      },
    )
  }
}

function privateKey(path: string, pem: string): KeyObject {
  if (/BEGIN (?:RSA )?PUBLIC KEY|BEGIN CERTIFICATE/.test(pem) && !pem.includes('PRIVATE KEY'))
    throw new ConfigError(`the DKIM key ${path} is the public half, and the private one signs`, {
      hint: 'Set dkim.key to the file of the private key; the public half goes into the DNS.',
    })
  if (/BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(pem))
    throw new ConfigError(`the DKIM key ${path} is protected by a passphrase`, {
      hint: `Write it without one and readable by you alone: openssl pkey -in ${path} -out plain.pem`,
    })
  if (pem.includes('BEGIN OPENSSH PRIVATE KEY'))
    throw new ConfigError(`the DKIM key ${path} is in the form of OpenSSH`, {
      hint: `DKIM keys are PEM files. ${howToMake(path)}`,
    })
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new ConfigError(`the DKIM key ${path} is not a private key in PEM form`, {
      cause,
      hint: `The file begins with -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----. ${howToMake(path)}`,
    })
  }
}

function howToMake(path: string): string {
  return `A new one: openssl genrsa -out ${path} 2048`
}
