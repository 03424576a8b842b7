/**
 * Notices that something changed in the ledger, whichever process did it, and says so to the pages. Reads little, and often, and
 * only while a page listens.
 */
import type { Ledger } from '../../ledger/ledger.ts'
import type { EventHub } from '../events.ts'

const LOOK_MS = 500

/** Watches until it is closed. */
export function watchRuns(ledger: Ledger, events: EventHub): { look(): void; close(): void } {
  let before = ''
  let looking = false
  const look = (): void => {
    if (looking || !events.isHeard) return
    looking = true
    stateOf(ledger)
      .then(
        (state) => {
          // The first look after a time without a page reports what changed meanwhile.
          if (state !== before) events.publish('runs', null)
          before = state
        },
        // What is wrong with the ledger is reported by those who work with it.
        () => {},
      )
      .finally(() => {
        looking = false
      })
  }
  const timer = setInterval(look, LOOK_MS)
  timer.unref()
  return { look, close: () => clearInterval(timer) }
}

/** All that a page shows of runs changes this text: their states, their counts, what their processes say. */
async function stateOf(ledger: Ledger): Promise<string> {
  const parts: unknown[] = [await ledger.suppressions.version()]
  for (const { id, state, requested, campaign } of (await ledger.runs.list()).slice(0, 100)) {
    parts.push(id, state, requested)
    if (state !== 'ready') continue
    const said = await ledger.runs.lastReport(id)
    parts.push(await ledger.results.counts(id), await ledger.campaigns.isClaimed(campaign), said?.at.getTime())
  }
  for (const { name } of await ledger.schedules.list()) {
    const [last] = await ledger.schedules.occurrences(name, 1)
    parts.push(name, last?.wall, last?.state)
  }
  return JSON.stringify(parts)
}
