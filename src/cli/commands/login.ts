/** `mailmerge login`: signs in to a mailbox by OAuth2. Parses and prints; the signing in is in oauth/. */

import type { OAuthProvider, Settings } from '../../config/settings.ts'
import { docsPage } from '../../docs-page.ts'
import { LoginError, UsageError } from '../../errors.ts'
import { given } from '../../given.ts'
import type { OAuthClient } from '../../oauth/client.ts'
import type { DeviceCode } from '../../oauth/device.ts'
import type { Tokens } from '../../oauth/token-file.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Action, Arguments, Context } from '../command.ts'
import { settingsFor } from '../settings-options.ts'
import { hasBrowser, openBrowser } from '../terminal/browser.ts'
import { moment, shortPath } from '../terminal/format.ts'
import { askLine, canAsk } from '../terminal/prompt.ts'

export const login: Action = {
  usage: 'login [name]',
  describe: 'Sign in to a mailbox with OAuth2: google, microsoft, or your own provider',
  epilogue: [
    'Examples:',
    '  mailmerge login microsoft --user ada@example.com',
    '  mailmerge login google --no-open      to open the address on any machine',
    '',
    `${docsPage('login')} explains how to get a client id.`,
  ].join('\n'),
  positionals: { name: { describe: 'Provider; default smtp.oauth2, or imap.oauth2' } },
  options: {
    user: { type: 'string', value: 'ADDRESS', describe: 'Address of the mailbox; default smtp.user, or imap.user' },
    'client-id': { type: 'string', value: 'ID', describe: 'Client id; default oauth2.NAME.clientId' },
    device: { type: 'boolean', describe: 'Sign in on another device, with a short code' },
    'no-open': { type: 'boolean', describe: 'Print the address and open no browser' },
    status: { type: 'boolean', describe: 'Show who is signed in, and until when' },
    remove: { type: 'boolean', describe: 'Remove the sign-in, and revoke it at the provider' },
  },
  async run(args, context) {
    if (args.flag('status') && args.flag('remove'))
      throw new UsageError('--status and --remove cannot both be given', { hint: 'Give one of them.' })
    const settings = await settingsFor(args, context)
    const user = args.text('user') ?? settings.oauth2.user
    if (args.flag('status') && (user === undefined || (args.text('name') ?? settings.oauth2.used) === undefined)) {
      throw new LoginError('nobody is signed in: no provider and mailbox are set', {
        hint: 'Name them: mailmerge login google --user you@example.com --status',
      })
    }
    const provider = await providerFor(args, settings)
    if (user === undefined) {
      throw new UsageError('there is no mailbox to sign in to', {
        hint: `Give it: mailmerge login ${provider.name} --user you@example.com, or set smtp.user in mailmerge.yaml.`,
      })
    }
    if (args.flag('status')) return showStatus(provider, user, context)
    if (args.flag('remove')) return remove(provider, user, context)
    return signIn(provider, user, settings, args, context)
  },
}

async function providerFor(args: Arguments, { oauth2 }: Settings): Promise<OAuthProvider> {
  const name = args.text('name') ?? oauth2.used
  if (name === undefined) {
    throw new UsageError('login needs the name of a provider', {
      hint: `There are ${Object.keys(oauth2.providers).join(', ')}; others can be defined under oauth2 in mailmerge.yaml.`,
    })
  }
  const { oauthProvider } = await import('../../config/oauth-provider.ts')
  return { ...oauthProvider(name, oauth2.providers), ...given({ clientId: args.text('clientId') }) }
}

async function signIn(
  provider: OAuthProvider,
  user: string,
  settings: Settings,
  args: Arguments,
  context: Context,
): Promise<number> {
  const { io, out } = context
  const [{ oauthClient }, { closeTokenFolder, tokenPath, writeTokens }] = await Promise.all([
    import('../../oauth/client.ts'),
    import('../../oauth/token-file.ts'),
  ])
  const client = await oauthClient(provider)
  const device = args.flag('device') || prefersDevice(client, args, context)
  const tokens = device
    ? await byDevice(client, user, context)
    : await byBrowser(client, user, !args.flag('noOpen') && hasBrowser(io), context)
  const path = tokenPath(provider, user)
  await closeTokenFolder(provider)
  await writeTokens(path, tokens)
  if (out.json) out.result(JSON.stringify({ event: 'signed_in', ...facts(tokens, path) }))
  else if (!out.quiet) {
    out.result(`signed in at ${escapeInvisible(provider.name)} for ${escapeInvisible(user)}`)
    out.info(`the tokens are in ${shortPath(path, io.cwd)}, which only you can read`)
    if (tokens.refresh === undefined) {
      out.info(
        out.style(
          'yellow',
          `there is no refresh token: this sign-in ends ${moment(tokens.expiresAt)} and must be renewed`,
        ),
      )
    }
    if (settings.oauth2.used !== provider.name || settings.oauth2.user !== user)
      out.info(
        `to send with it, set smtp.user: ${escapeInvisible(user)} and smtp.oauth2: ${escapeInvisible(provider.name)}`,
      )
    else out.info('next: mailmerge verify')
  }
  return 0
}

/** Where no browser can be opened here, a code on another device is the shorter way. */
function prefersDevice({ server }: OAuthClient, args: Arguments, { io }: Context): boolean {
  if (args.flag('noOpen') || hasBrowser(io)) return server.authorization_endpoint === undefined
  return server.device_authorization_endpoint !== undefined
}

async function byDevice(client: OAuthClient, user: string, { out }: Context): Promise<Tokens> {
  const { signInByDevice } = await import('../../oauth/device.ts')
  const show = ({ url, urlWithCode, code, expiresAt }: DeviceCode): void => {
    if (out.json) {
      const event = { event: 'device_code', url, url_with_code: urlWithCode ?? null, code }
      out.result(JSON.stringify({ ...event, expires_at: expiresAt.toISOString() }))
      return
    }
    out.error(`Open ${out.style('bold', escapeInvisible(url))} on any device`)
    out.error(`and enter the code ${out.style('bold', escapeInvisible(code))}, good until ${moment(expiresAt)}.`)
    if (urlWithCode !== undefined) out.error(`Or open ${escapeInvisible(urlWithCode)}`)
    out.info('waiting ...')
  }
  return signInByDevice(client, { user, show })
}

async function byBrowser(client: OAuthClient, user: string, open: boolean, context: Context): Promise<Tokens> {
  const { io, out } = context
  const { signInByLoopback } = await import('../../oauth/loopback.ts')
  return signInByLoopback(client, {
    user,
    show(url) {
      if (out.json) out.result(JSON.stringify({ event: 'open', url }))
      else {
        out.error(
          open
            ? 'Your browser opens this address. If it does not, open it yourself:'
            : 'Open this address in a browser:',
        )
        out.error(escapeInvisible(url))
        if (canAsk(io))
          out.info('If the browser runs on another machine, its last page cannot be shown: paste its address here.')
        out.info('waiting ...')
      }
      out.flush()
      if (open) void openBrowser(url)
    },
    ...(canAsk(io) && !out.json ? { paste: pasteFrom(context) } : {}),
  })
}

/** Asks for the address of the last page, again and again until it is the right one. */
function pasteFrom({ io, out }: Context): (signal: AbortSignal) => Promise<string | undefined> {
  let asked = false
  return (signal) => {
    if (asked) out.error('that is not the address: it begins with http:// and contains code= and state=')
    asked = true
    return askLine(io, '', { signal, onInterrupt: () => io.signals?.exit(130) })
  }
}

async function showStatus(provider: OAuthProvider, user: string, { io, out }: Context): Promise<number> {
  const { nobodySignedIn, readTokens, tokenPath } = await import('../../oauth/token-file.ts')
  const path = tokenPath(provider, user)
  const tokens = await readTokens(path)
  if (tokens === undefined) {
    throw nobodySignedIn(provider.name, user)
  }
  if (out.json) {
    out.result(JSON.stringify({ event: 'status', ...facts(tokens, path) }))
    return 0
  }
  const lines: readonly (readonly [string, string])[] = [
    ['provider', tokens.provider],
    ['mailbox', tokens.user],
    ['since', moment(tokens.signedInAt)],
    ['token', `good until ${moment(tokens.expiresAt)}`],
    ['renewal', tokens.refresh === undefined ? 'none: sign in again by then' : 'by itself'],
    ['scopes', tokens.scopes.join(' ')],
    ['file', shortPath(path, io.cwd)],
  ]
  if (!out.quiet) for (const [name, value] of lines) out.result(`${name.padEnd(9)} ${escapeInvisible(value)}`)
  return 0
}

async function remove(provider: OAuthProvider, user: string, { io, out }: Context): Promise<number> {
  const { readTokens, removeTokens, tokenPath } = await import('../../oauth/token-file.ts')
  const path = tokenPath(provider, user)
  // A file that cannot be understood is removed all the same.
  const tokens = await readTokens(path).catch(() => undefined)
  const revoked = tokens === undefined ? false : await takeBack({ ...provider, clientId: tokens.clientId }, tokens)
  await removeTokens(path)
  if (out.json) out.result(JSON.stringify({ event: 'removed', provider: provider.name, user, revoked }))
  else if (!out.quiet) {
    out.result(
      tokens === undefined
        ? `nobody is signed in at ${escapeInvisible(provider.name)} for ${escapeInvisible(user)}`
        : `signed out at ${escapeInvisible(provider.name)} for ${escapeInvisible(user)}; ${shortPath(path, io.cwd)} is removed`,
    )
    if (tokens !== undefined && !revoked)
      out.info('the sign-in could not be revoked at the provider: revoke it in the settings of the account there')
  }
  return 0
}

async function takeBack(provider: OAuthProvider, tokens: Tokens): Promise<boolean> {
  const { oauthClient, revoke } = await import('../../oauth/client.ts')
  const client = await oauthClient(provider).catch(() => undefined)
  // Tokens go back only to where they came from.
  return client !== undefined && client.server.token_endpoint === tokens.tokenEndpoint && (await revoke(client, tokens))
}

/** What may be shown of tokens. */
function facts(tokens: Tokens, path: string): Readonly<Record<string, unknown>> {
  return {
    provider: tokens.provider,
    user: tokens.user,
    client_id: tokens.clientId,
    scopes: tokens.scopes,
    signed_in_at: tokens.signedInAt.toISOString(),
    expires_at: tokens.expiresAt.toISOString(),
    renews: tokens.refresh !== undefined,
    file: path,
  }
}
