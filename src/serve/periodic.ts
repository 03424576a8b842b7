/** What `mailmerge serve` does periodically beside its schedules. Owns the list; each job's work is its own module's. */

import { ingestReports } from '../bounces/bounces.ts'
import { READING_LIMIT_S } from '../bounces/reading-thread.ts'
import { giveNotices } from '../campaign/notify/notify.ts'
import type { Settings } from '../config/settings.ts'
import type { Log, PeriodicJob } from './serve.ts'

const BOUNCES_MS = 5 * 60_000
const NOTICES_MS = 30_000
const TOO_SLOW = {
  reason: `reading it took longer than ${READING_LIMIT_S} s`,
  hint: 'It is still in the mailbox, and is not read again. If it is a bounce, suppress its address by hand.',
}

export function periodicJobs(settings: Settings, log: Log): readonly PeriodicJob[] {
  return [
    ...(settings.imap === undefined ? [] : [bouncesJob(settings, log)]),
    ...(settings.notify === undefined ? [] : [noticesJob(settings, log)]),
  ]
}

/** Each process gives the notices of its own work; this gives those that one left which was killed. */
function noticesJob(settings: Settings, log: Log): PeriodicJob {
  return {
    name: 'notices',
    every: NOTICES_MS,
    run: (signal) => giveNotices(settings, { abort: signal, note: (text) => log('warning', 'note', { text }) }),
  }
}

/** Reads the mailbox that bounces, complaints, answers and unsubscribe mails arrive in. */
function bouncesJob(settings: Settings, log: Log): PeriodicJob {
  return {
    name: 'bounces',
    every: BOUNCES_MS,
    async run(signal) {
      let suppressed = 0
      try {
        const letters = await ingestReports(settings, { paths: [], signal }, (taken) => {
          suppressed += taken.filter(({ outcome }) => outcome === 'suppressed').length
          for (const { inbound, outcome } of taken) {
            if (outcome === 'unread') log('warning', 'message skipped', { message: inbound.file, ...TOO_SLOW })
          }
        })
        if (letters > 0) log('info', 'bounces read', { letters, suppressed })
      } catch (error) {
        if (!signal.aborted || error !== signal.reason) throw error
      }
    },
  }
}
