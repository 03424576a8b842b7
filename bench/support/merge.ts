/**
 * One merge by the library in a process of its own, reporting its memory and pace as lines of JSON:
 * `node merge.ts plan|deliver list.csv smtp-url [connections]`. The project is the working folder.
 */

import { runMerge } from '../../src/campaign/run/start.ts'
import { loadSettings } from '../../src/config/load.ts'

const STEP = 100_000

const [what = '', csv = '', smtp = '', concurrency = '5'] = process.argv.slice(2)
const settings = await loadSettings({
  cwd: process.cwd(),
  env: {},
  flags: { csv, template: 'seat', smtp, concurrency: Number(concurrency) },
})
let next = STEP
let began = performance.now()
const report = (fact: object): void => {
  process.stdout.write(
    `${JSON.stringify({ ...fact, at: performance.now() - began, rss: Math.round(process.memoryUsage.rss() / 1_048_576) })}\n`,
  )
}
await runMerge(
  settings,
  { mode: 'send' },
  {
    onRows(rows) {
      if (rows < next) return
      next = (Math.floor(rows / STEP) + 1) * STEP
      report({ step: 'planning', rows })
    },
    onEvent(event) {
      if (event.event === 'planned') {
        report({ step: 'planned', rows: event.rows })
        began = performance.now()
        next = STEP
      } else if (event.event === 'progress') {
        const rows = event.counts.sent
        if (rows < next) return
        next = (Math.floor(rows / STEP) + 1) * STEP
        report({ step: 'delivering', rows })
      } else if (event.event === 'summary') report({ step: 'done', rows: event.counts.sent, seconds: event.seconds })
    },
    confirm: () => Promise.resolve(what === 'deliver'),
  },
)
