/** `mailmerge schedule run-due`: runs what is due and reports it. The work is in schedule/run-due.ts. */
import { resolve } from 'node:path'
import type { PlannedEvent } from '../../../campaign/events.ts'
import type { Settings } from '../../../config/settings.ts'
import { UsageError } from '../../../errors.ts'
import { given } from '../../../given.ts'
import type { DueOccurrences } from '../../../schedule/due.ts'
import type { occurrenceFields } from '../../../schedule/fields.ts'
import type { Work } from '../../../schedule/unfinished.ts'
import { escapeInvisible } from '../../../text/visible.ts'
import type { Action, Arguments, Context } from '../../command.ts'
import { eventFields } from '../../merge/json-events.ts'
import { watchSignals } from '../../merge/signals.ts'
import { exitCodeOf, summaryLines } from '../../merge/summary.ts'
import { LEDGER_OPTION, settingsFor } from '../../settings-options.ts'
import { showError } from '../../terminal/errors.ts'
import { count, dateTimeWords } from '../../terminal/format.ts'
import type { Output } from '../../terminal/output.ts'
import { withLedger } from '../../with-ledger.ts'
import { scheduleNamed } from './find-schedule.ts'
import { wallWords } from './time-words.ts'

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
  const fields = await import('../../../schedule/fields.ts')
  const { runDue: run } = await import('../../../schedule/run-due.ts')
  const { loadSettings } = await import('../../../config/load.ts')
  const name = args.text('name')
  const signals = watchSignals(io.signals, {
    onFirst: () => out.info('stopping after the messages in flight. Press Ctrl+C again to stop at once.'),
  })
  let planned: PlannedEvent | undefined
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
          onMissed: (due) => showMissed(due, out, fields.occurrenceFields),
          onNotice: ({ what, hint }) => out.error(`${escapeInvisible(what)}. ${hint}`),
          onWork: (work) => {
            out.info(workWords(work))
            planned = undefined
            return {
              signal: signals.signal,
              abort: signals.abort,
              note: (text) => out.info(escapeInvisible(text)),
              onEvent: (event) => {
                if (event.event === 'planned') planned = event
                if (out.json) out.result(JSON.stringify(eventFields(event)))
              },
            }
          },
          onEnd: (_work, result) => {
            const { summary, error } = result
            if (summary !== undefined && !out.json && !(out.quiet && summary.outcome === 'done')) {
              for (const line of summaryLines(summary, 'send', out, io.cwd, planned)) out.result(line)
            }
            if (result.kind === 'waiting') {
              const when = dateTimeWords(result.until, settings.timeZone)
              out.info(`the next message is to be sent ${when}; run-due and mailmerge serve continue then`)
            } else if (result.kind === 'held') out.info(escapeInvisible(result.error.message))
            else if (error !== undefined) showError(error, out)
          },
        },
      )
    })
    if (results.length === 0) out.info('nothing is due')
    // A run that a signal stopped before its end says by which. What another process sends has its exit code there.
    const own = results.filter(({ kind }) => kind !== 'held')
    const codes = own.map(({ summary, error }) => error?.exitCode ?? exitCodeOf(summary, signals.exitCode))
    return codes.length === 0 ? (signals.exitCode ?? 0) : Math.max(...codes)
  } finally {
    signals.dispose()
  }
}

/** Missed occurrences that have a line each; of more there is one line in all. */
const LISTED = 3

function showMissed(
  { claimed, missed, unlisted }: DueOccurrences,
  out: Output,
  fieldsOf: typeof occurrenceFields,
): void {
  const [oldest] = missed
  const newest = missed.at(-1)
  if (oldest === undefined || newest === undefined) return
  if (out.json) {
    if (unlisted !== undefined) out.result(JSON.stringify({ event: 'missed_before', ...unlisted }))
    for (const { occurrence, reason } of missed) {
      out.result(JSON.stringify({ event: 'missed', ...fieldsOf(occurrence), reason }))
    }
  }
  const name = oldest.occurrence.schedule
  const hint = claimed.length > 0 ? '' : `. mailmerge schedule run-due ${name} --late ok sends the last one`
  if (missed.length <= LISTED) {
    for (const { occurrence, reason } of missed) {
      out.error(`${name}: ${wallWords(occurrence.wall)} was missed: ${reason}${hint}`)
    }
    return
  }
  const many = `${unlisted?.more === true ? 'more than ' : ''}${count(missed.length + (unlisted?.count ?? 0))}`
  const from = wallWords(unlisted?.first ?? oldest.occurrence.wall)
  out.error(
    `${name}: ${many} occurrences were missed and not sent, from ${from} to ${wallWords(newest.occurrence.wall)}: ` +
      `mailmerge was not running then${hint}`,
  )
}

function workWords(work: Work): string {
  if (work.kind === 'run') return `run ${work.run}: ${work.campaign}`
  return `${work.occurrence.schedule}: ${wallWords(work.occurrence.wall)}`
}

function ownFlags(args: Arguments, { ledger }: Settings): { readonly ledger: string; readonly config?: string } {
  const config = args.text('config')
  return { ledger, ...given({ config: config === undefined ? undefined : resolve(config) }) }
}
