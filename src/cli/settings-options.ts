/** Options that settings can hold too, and how they become settings. Shared by every command that needs settings. */
import type { Flags } from '../config/load.ts'
import type { Settings } from '../config/settings.ts'
import { given } from '../given.ts'
import { escapeInvisible } from '../text/visible.ts'
import { checkZone } from '../time-zone.ts'
import type { Arguments, Context, Option } from './command.ts'
import { listFlags } from './list-options.ts'
import type { Io } from './terminal/io.ts'
import { askSecret, canAsk } from './terminal/prompt.ts'

export const LEDGER_OPTION: Readonly<Record<string, Option>> = {
  ledger: {
    type: 'string',
    value: 'PATH',
    describe: 'Where runs are recorded; default .mailmerge/ledger.db beside the config',
  },
}

export const SMTP_OPTION: Readonly<Record<string, Option>> = {
  smtp: {
    type: 'string',
    value: 'URL',
    describe: 'smtp://user@host:587, smtps://host; default from config, else localhost:25',
  },
}

/** When messages may go, and how far apart: also those of schedules. */
export const HOURS_OPTIONS: Readonly<Record<string, Option>> = {
  window: {
    type: 'array',
    string: true,
    value: 'HOURS',
    describe: "Send only within these hours: 'Mon-Fri 09:00-17:00'; repeatable; always for any time",
  },
  pause: { type: 'string', value: 'TIME', describe: 'Pause between two messages: 5s, or 5-12s for a random one' },
}

/** Options of how messages go out: also those of resume and retry. */
export const DELIVERY_OPTIONS: Readonly<Record<string, Option>> = {
  ...SMTP_OPTION,
  concurrency: { type: 'number', value: 'N', describe: 'Maximum number of SMTP connections; default 5' },
  rate: {
    type: 'array',
    string: true,
    value: 'N/s',
    describe: "Limit such as 10/s, 500/day or '500 recipients/day'; repeatable, all hold",
  },
  ...HOURS_OPTIONS,
  'retry-for': { type: 'string', value: 'TIME', describe: 'How long to retry deferred rows; default 4h' },
  grace: {
    type: 'string',
    value: 'TIME',
    describe: 'How long to wait, when stopped, for messages in flight; default 30s',
  },
  metrics: { type: 'string', value: 'FILE', describe: 'Write metrics of the run to this file, for Prometheus' },
}

/** Runs that have a start time. */
export const LATE_OPTION: Readonly<Record<string, Option>> = {
  late: {
    type: 'string',
    value: 'TIME|ok',
    describe: 'How late a planned run may still begin, or ok for any time; default 1h',
  },
}

/** Ctrl+C typed where the terminal makes no signal of it. */
function interrupt({ signals }: Io): void {
  if (signals?.emit('SIGINT') === false) signals.exit(130)
}

function zoneFlag(args: Arguments): string | undefined {
  const zone = args.text('tz')
  return zone === undefined ? undefined : checkZone(zone)
}

/** When messages may go, and how far apart, as flags. */
export function hoursFlags(args: Arguments): Pick<Flags, 'window' | 'pause'> {
  return given({ window: args.texts('window'), pause: args.text('pause') })
}

/** How messages go out, as flags for the settings of this process or of one that it starts. */
export function deliveryFlags(args: Arguments): Flags {
  return given({
    smtp: args.text('smtp'),
    concurrency: args.number('concurrency'),
    rate: args.texts('rate'),
    ...hoursFlags(args),
    retryFor: args.text('retryFor'),
    grace: args.text('grace'),
    late: args.text('late'),
  })
}

/** Settings of the project that the command was given in. @throws ConfigError, InputError, UsageError */
export async function settingsFor(args: Arguments, { io, out }: Context): Promise<Settings> {
  const { loadSettings } = await import('../config/load.ts')
  const flags: Flags = {
    ...listFlags(args),
    ...deliveryFlags(args),
    ...given({
      config: args.text('config'),
      csv: args.text('csv'),
      data: args.text('data'),
      template: args.text('template'),
      campaign: args.text('campaign'),
      ledger: args.text('ledger'),
      metrics: args.text('metrics'),
      tz: zoneFlag(args),
    }),
  }
  const askPassword = (account: string): Promise<string> =>
    out.holdLive(() =>
      askSecret(io, `Password for ${escapeInvisible(account)}: `, { onInterrupt: () => interrupt(io) }),
    )
  return loadSettings({
    cwd: io.cwd,
    env: io.env,
    flags,
    note: (text) => out.info(escapeInvisible(text)),
    ...(canAsk(io) ? { askPassword } : {}),
  })
}
