/** Transports that come from outside: a module of the user's own, or the AWS SDK. Owns finding and loading them. */

import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { docsPage } from '../docs-page.ts'
import { ConfigError } from '../errors.ts'
import { foreignWords } from '../fs/system-errors.ts'
import { asPlugin, type NodemailerPlugin } from './nodemailer.ts'

/**
 * What a module gives: its default export, or the one called `transport`; a function is called with the options of the
 * config and may return a promise.
 * @throws ConfigError when there is no such module, it fails, or it does not export a transport.
 */
export async function pluginOf(specifier: string, options: unknown, root: string): Promise<NodemailerPlugin> {
  const module = await load(specifier, root, `npm install ${specifier}`)
  const found = exported(module)
  let made: unknown
  try {
    made = typeof found === 'function' ? await found(options ?? {}) : found
  } catch (cause) {
    throw new ConfigError(`the transport ${specifier} failed: ${foreignWords(cause)}`, {
      cause,
      hint: 'What it needs is set under transport.options.',
    })
  }
  return asPlugin(made, `the transport ${specifier}`)
}

function exported(module: Readonly<Record<string, unknown>>): unknown {
  const found = module['transport'] ?? module['default']
  // What TypeScript and bundlers make of a default export in CommonJS.
  if (typeof found === 'object' && found !== null && 'default' in found && !('send' in found)) return found.default
  return found
}

/** Amazon SES by its API. Retries of the SDK are off: it sends again what may have been taken. */
export async function sesPlugin(options: Readonly<Record<string, unknown>>, root: string): Promise<NodemailerPlugin> {
  const sdk = await load('@aws-sdk/client-sesv2', root, 'npm install @aws-sdk/client-sesv2')
  const { SESv2Client, SendEmailCommand } = sdk as {
    SESv2Client: new (config: unknown) => { send(command: unknown): Promise<unknown> }
    SendEmailCommand: new (input: unknown) => unknown
  }
  const sesClient = new SESv2Client({ ...options, maxAttempts: 1 })
  return { SES: { sesClient, SendEmailCommand } } as NodemailerPlugin
}

async function load(specifier: string, root: string, install: string): Promise<Readonly<Record<string, unknown>>> {
  const path = /^[./]|^[a-z]:[\\/]/i.test(specifier) ? resolve(root, specifier) : undefined
  if (path !== undefined && !existsSync(path))
    throw new ConfigError(`there is no transport ${specifier}`, {
      hint: 'Its path starts at the folder of the config.',
    })
  if (path !== undefined && statSync(path).isDirectory())
    throw new ConfigError(`the transport ${specifier} is a folder`, { hint: 'Name the module in it.' })
  let target: string
  try {
    target = path ?? createRequire(resolve(root, 'mailmerge.yaml')).resolve(specifier)
  } catch {
    throw new ConfigError(`the package ${specifier} is not installed`, { hint: `In the project: ${install}` })
  }
  try {
    return (await import(pathToFileURL(target).href)) as Readonly<Record<string, unknown>>
  } catch (cause) {
    throw new ConfigError(`the transport ${specifier} cannot be loaded: ${foreignWords(cause)}`, {
      cause,
      hint: `It is a JavaScript module that exports a transport; ${docsPage('transports')} shows one.`,
    })
  }
}
