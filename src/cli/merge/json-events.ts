/** Events as programs read them with --json: one object a line, in the words of the results file. Owns the names. */

import type { MergeEvent } from '../../campaign/events.ts'
import { limitWords } from '../../config/units.ts'
import { given } from '../../given.ts'
import { rowFields } from '../../report/json.ts'
import { pauseWords, stopWords, waitsUntil } from '../../report/reasons.ts'

/** The object of one event. Each count stands by its own name and again, together, in `counts`. */
export function eventFields(event: MergeEvent): Readonly<Record<string, unknown>> {
  switch (event.event) {
    case 'planned':
      return {
        event: event.event,
        run: event.run,
        campaign: event.campaign,
        rows: event.rows,
        to_send: event.toSend,
        ...event.counts,
        counts: event.counts,
        ...given({ messages: event.messages }),
        skipped_by: event.skipped,
        copies_deferred: event.copies.deferred,
      }
    case 'progress':
      return {
        event: event.event,
        run: event.run,
        ...event.counts,
        counts: event.counts,
        ...given({ messages: event.messages }),
        messages_per_second: rounded(event.rate),
        lanes: event.lanes,
        retrying: event.retrying,
        quota: event.quota === undefined ? null : { limit: limitWords(event.quota), left: event.quota.left },
        seconds_left: event.secondsLeft === undefined ? null : rounded(event.secondsLeft),
      }
    case 'paused':
      return {
        event: event.event,
        run: event.run,
        reason: pauseWords(event.reason),
        until: event.until?.toISOString() ?? null,
        ...given({ account: event.account }),
      }
    case 'summary':
      return {
        event: event.event,
        run: event.run,
        campaign: event.campaign,
        rows: event.rows,
        ...event.counts,
        counts: event.counts,
        ...given({ messages: event.messages }),
        copies_deferred: event.copies.deferred,
        copies_refused: event.copies.refused,
        copies_in_doubt: event.copies.in_doubt,
        seconds: rounded(event.seconds),
        messages_per_second: rounded(event.rate),
        exit_code: event.exitCode,
        reports: event.reports,
        mails: event.mails ?? null,
        ...(event.variants === undefined ? {} : { variants: Object.fromEntries(event.variants) }),
        ...given({ accounts: event.accounts && Object.fromEntries(event.accounts) }),
        stopped: event.stopped === undefined ? null : stopWords(event.stopped),
        ...given({ waits_until: waitsUntil(event.stopped)?.toISOString() }),
      }
    default:
      return { event: event.event, ...rowFields(event) }
  }
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}
