/** `mailmerge verify`: connects, logs in, says what the server offers. Sends nothing but a test notice that is asked for. */

import type { Account } from '../../campaign/accounts/accounts.ts'
import { UsageError } from '../../errors.ts'
import { given } from '../../given.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { ServerReport } from '../../transport/transport.ts'
import type { Action, Context } from '../command.ts'
import { SMTP_OPTION, settingsFor } from '../settings-options.ts'
import { count } from '../terminal/format.ts'

export const verify: Action = {
  usage: 'verify',
  describe: 'Connect, log in and show what the server offers; send nothing',
  options: {
    ...SMTP_OPTION,
    account: { type: 'string', value: 'NAME', describe: 'Only this account of mailmerge.yaml; default: all of them' },
    notify: { type: 'boolean', describe: 'Give a test notice too, as notify in mailmerge.yaml says' },
  },
  async run(args, context) {
    const { out } = context
    const settings = await settingsFor(args, context)
    if (args.flag('notify') && settings.notify === undefined) {
      throw new UsageError('no notices are set', { hint: 'Set notify.mail or notify.webhook in mailmerge.yaml.' })
    }
    const { everyAccount } = await import('../../campaign/accounts/accounts.ts')
    const only = args.text('account') === undefined ? undefined : settings.account
    const accounts = everyAccount(settings).filter(({ name }) => only?.by !== 'name' || name === only.name)
    // One that cannot be used keeps none of the others from being looked at.
    const failures: unknown[] = []
    for (const account of accounts) {
      try {
        await verifyAccount(account, context)
      } catch (error) {
        if (account.name !== undefined)
          out.info(`account ${account.name}: ${error instanceof Error ? error.message : error}`)
        failures.push(error)
      }
    }
    const [failure] = failures
    if (failure !== undefined) throw failure
    if (args.flag('notify')) {
      const { giveTestNotice, noticeTargets } = await import('../../campaign/notify/notify.ts')
      await giveTestNotice(settings)
      for (const target of noticeTargets(settings)) out.info(`a test notice was given: ${target}`)
    }
    return 0
  },
}

async function verifyAccount({ name, settings }: Account, context: Context): Promise<void> {
  const { out } = context
  const { openTransport } = await import('../../transport/open.ts')
  const dialogue = (line: string): void => out.info(out.style('dim', escapeInvisible(line)))
  const transport = await openTransport(settings, given({ dialogue: out.verbose ? dialogue : undefined }))
  try {
    const report = await transport.verify()
    if (out.json) out.result(JSON.stringify({ ...given({ account: name }), ...fields(report) }))
    else if (!out.quiet) {
      if (name !== undefined) out.result(`${'account'.padEnd(9)} ${name}`)
      for (const line of lines(report, context)) out.result(line)
    }
  } finally {
    await transport.close()
  }
}

function fields(report: ServerReport): Readonly<Record<string, unknown>> {
  return {
    server: report.server,
    greeting: report.greeting ?? null,
    secure: report.secure,
    tls: report.tls ?? null,
    authenticated: report.authenticated,
    extensions: report.extensions,
    size: report.size ?? null,
  }
}

function login({ authenticated, extensions }: ServerReport): string {
  if (authenticated) return 'accepted'
  return extensions.some((line) => /^AUTH\b/i.test(line))
    ? 'offered, but smtp.user is not set: the server may want one before it takes a message'
    : 'none'
}

/** Only what greets can offer something. */
function offers({ extensions, greeting }: ServerReport): string | undefined {
  if (extensions.length > 0) return extensions.map(escapeInvisible).join(' ')
  return greeting === undefined ? undefined : 'no extensions'
}

function lines(report: ServerReport, { out }: Context): readonly string[] {
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['server', escapeInvisible(report.server)],
    ['greeting', report.greeting === undefined ? undefined : escapeInvisible(report.greeting)],
    [
      'security',
      report.secure ? escapeInvisible(report.tls ?? 'TLS') : out.style('yellow', 'none: what is sent can be read'),
    ],
    ['login', login(report)],
    ['offers', offers(report)],
    ['message', report.size === undefined || report.size === 0 ? undefined : `at most ${count(report.size)} bytes`],
  ]
  return facts.filter((fact) => fact[1] !== undefined).map(([name, value]) => `${name.padEnd(9)} ${value}`)
}
