/** What `mailmerge serve` does periodically beside its schedules. Owns the list; each job's work is its own module's. */

import { ingestReports } from '../bounces/bounces.ts'
import type { Settings } from '../config/settings.ts'
import type { Log, PeriodicJob } from './serve.ts'

const BOUNCES_MS = 5 * 60_000

export function periodicJobs(settings: Settings, log: Log): readonly PeriodicJob[] {
  return settings.imap === undefined ? [] : [bouncesJob(settings, log)]
}

/** Reads the mailbox that bounces, complaints, answers and unsubscribe mails arrive in. */
function bouncesJob(settings: Settings, log: Log): PeriodicJob {
  return {
    name: 'bounces',
    every: BOUNCES_MS,
    async run() {
      let suppressed = 0
      const letters = await ingestReports(settings, { paths: [] }, (taken) => {
        suppressed += taken.filter(({ outcome }) => outcome === 'suppressed').length
      })
      if (letters > 0) log('info', 'bounces read', { letters, suppressed })
    },
  }
}
