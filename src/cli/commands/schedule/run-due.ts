/** `mailmerge schedule run-due`: runs what is due and reports it. The work is in schedule/run-due.ts. */
import { resolve } from 'node:path'
import type { Settings } from '../../../config/settings.ts'
import { UsageError } from '../../../errors.ts'
import { given } from '../../../given.ts'
import { escapeInvisible } from '../../../text/visible.ts'
import type { Action, Arguments, Context } from '../../command.ts'
import { eventFields } from '../../merge/json-events.ts'
import { watchSignals } from '../../merge/signals.ts'
import { exitCodeOf, summaryLines } from '../../merge/summary.ts'
import { LEDGER_OPTION, settingsFor } from '../../settings-options.ts'
import { withLedger } from '../../with-ledger.ts'
import { scheduleNamed, wallWords } from './find-schedule.ts'

export const runDue: Action = {
  usage: 'run-due [name]',
  describe: 'Send what is due now, then return; for a crontab',
  positionals: { name: { describe: 'Only this schedule; default all', names: 'schedule' } },
  options: {
    late: { type: 'string', value: 'ok', describe: 'Send the last occurrence that was missed or failed' },
    ...LEDGER_OPTION,
  },
  run: sendDue,
}

/** Gives the exit code: the gravest of what was due. */
async function sendDue(args: Arguments, context: Context): Promise<number> {
  const { io, out } = context
  const settings = await settingsFor(args, context)
  const late = args.text('late')
  if (late !== undefined && late !== 'ok') {
    throw new UsageError(`--late ${escapeInvisible(late)} is set when a schedule is added`, {
      hint: 'run-due --late ok sends what was missed or failed last.',
    })
  }
  if (late === 'ok' && args.text('name') === undefined) {
    throw new UsageError('--late ok needs the name of a schedule', {
      hint: 'What was missed may be old: name the schedule. mailmerge schedule list shows them.',
    })
  }
  const { occurrenceFields } = await import('../../../schedule/fields.ts')
  const { runDue: run } = await import('../../../schedule/run-due.ts')
  const { loadSettings } = await import('../../../config/load.ts')
  const name = args.text('name')
  const signals = watchSignals(io.signals, {
    onFirst: () => out.info('stopping after the messages in flight. Press Ctrl+C again to stop at once.'),
  })
  try {
    const results = await withLedger(settings, async (ledger) => {
      if (name !== undefined) await scheduleNamed(ledger, name)
      if (ledger === undefined) return []
      return run(
        {
          ledger,
          settings,
          settingsWith: (flags) =>
            loadSettings({ cwd: settings.root, env: io.env, flags: { ...flags, ...ownFlags(args, settings) } }),
          ...given({ name }),
          anyLate: late === 'ok',
          signal: signals.signal,
        },
        {
          onMissed: ({ occurrence, reason }) => {
            if (out.json) out.result(JSON.stringify({ event: 'missed', ...occurrenceFields(occurrence), reason }))
            out.error(
              `${occurrence.schedule}: ${wallWords(occurrence.wall)} was missed: ${reason}. ` +
                `mailmerge schedule run-due ${occurrence.schedule} --late ok sends the last one`,
            )
          },
          onNotice: ({ what, hint }) => out.error(`${escapeInvisible(what)}. ${hint}`),
          onWork: (work) => {
            if (work.kind === 'occurrence') out.info(`${work.occurrence.schedule}: ${wallWords(work.occurrence.wall)}`)
            else out.info(`run ${work.run}: ${work.campaign}`)
            return {
              signal: signals.signal,
              abort: signals.abort,
              note: (text) => out.info(escapeInvisible(text)),
              ...(out.json ? { onEvent: (event) => out.result(JSON.stringify(eventFields(event))) } : {}),
            }
          },
          onEnd: (_work, { summary, error }) => {
            if (summary !== undefined && !out.json && !(out.quiet && summary.outcome === 'done')) {
              for (const line of summaryLines(summary, 'send', out, io.cwd)) out.result(line)
            }
            if (error !== undefined) out.error(`mailmerge: ${escapeInvisible(error.message)}`)
            if (error?.hint !== undefined) out.error(`hint: ${escapeInvisible(error.hint)}`)
            for (const problem of error?.problems.slice(0, 10) ?? []) {
              out.error(`  row ${problem.row ?? '-'}: ${escapeInvisible(problem.message)}`)
            }
          },
        },
      )
    })
    if (results.length === 0) out.info('nothing is due')
    // A run that a signal stopped before its end says by which.
    const codes = results.map(({ summary, error }) => error?.exitCode ?? exitCodeOf(summary, signals.exitCode))
    return results.length === 0 ? (signals.exitCode ?? 0) : Math.max(...codes)
  } finally {
    signals.dispose()
  }
}

function ownFlags(args: Arguments, { ledger }: Settings): { readonly ledger: string; readonly config?: string } {
  const config = args.text('config')
  return { ledger, ...given({ config: config === undefined ? undefined : resolve(config) }) }
}
