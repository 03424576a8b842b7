/**
 * The heartbeat of the processes that run the schedules of a ledger, and what changed since the last one: the file itself,
 * and the rules of the time zones. Owns noticing each change once; decides nothing.
 */
import { statSync } from 'node:fs'
import type { Ledger } from '../ledger/ledger.ts'
import type { Notice } from './unfinished.ts'

/** The name under which they are noted. */
const ALIVE = 'schedules alive'

/** Records that schedules run. Returns when this was last recorded; undefined where it never was. */
export function recordHeartbeat(ledger: Ledger, now: Date): Promise<Date | undefined> {
  return ledger.timestamps.replace(ALIVE, now)
}

/**
 * The first sign of life of a process: with the notices that it must show. For a new ledger nothing has changed. `zones` is
 * the version of the time zone data, `2026b`.
 */
export async function startHeartbeat(
  ledger: Ledger,
  now: Date,
  zones = process.versions['tz'] ?? 'unknown',
): Promise<{ readonly aliveAt: Date | undefined; readonly changed: readonly Notice[] }> {
  const aliveAt = await recordHeartbeat(ledger, now)
  const changed: Notice[] = []
  const isNew = async (what: string): Promise<boolean> =>
    (await ledger.timestamps.replace(what, now)) === undefined && aliveAt !== undefined
  // A copy has a number of its own, wherever it is; a container created again over the same volume has not.
  if (await isNew(`file ${statSync(ledger.location).ino}`)) {
    changed.push({
      what: `the ledger is another file than it was at ${aliveAt?.toISOString()}: it was copied, moved or restored`,
      hint: 'If the other one is still in use, both send what is due: stop one of them.',
    })
  }
  if (await isNew(`zones ${zones}`)) {
    changed.push({
      what: `the time zone data is ${zones} now`,
      hint: 'Schedules go by it from here on; runs planned with --at or --at-local keep their moment.',
    })
  }
  return { aliveAt, changed }
}
