/** Sends the list beside this file into the sandbox, from a program. */
import { loadSettings, runMerge } from 'mailmerge'

const settings = await loadSettings({
  cwd: import.meta.dirname,
  env: process.env,
  flags: { csv: `${import.meta.dirname}/list.csv`, template: 'hello' },
})
const summary = await runMerge(
  settings,
  { mode: 'sandbox' },
  {
    onEvent(event) {
      if (event.event === 'sent') console.log(`${event.address}: ${event.smtpCode} ${event.response}`)
    },
  },
)
console.log(`${summary.counts.sent} of ${summary.rows} sent`)
