/**
 * What changed under a ledger since schedules last ran on it: the file itself, and the rules of the time zones. Owns
 * noticing it, once each; decides nothing.
 */
import { statSync } from 'node:fs'
import type { Ledger } from '../ledger/ledger.ts'
import type { Told } from './open-work.ts'

export interface GroundOptions {
  /** The last sign of life before now; without one the ledger is new, and nothing has changed. */
  readonly aliveAt: Date | undefined
  readonly now: Date
  /** Version of the time zone data, `2026b`; that of Node.js without it. */
  readonly zones?: string
}

export async function changedGround(ledger: Ledger, options: GroundOptions): Promise<readonly Told[]> {
  const { aliveAt, now, zones = process.versions['tz'] ?? 'unknown' } = options
  const told: Told[] = []
  const isNew = async (what: string): Promise<boolean> =>
    (await ledger.stamp(what, now)) === undefined && aliveAt !== undefined
  // A copy has a number of its own, wherever it is; a container that is made anew over the same volume has not.
  if (await isNew(`file ${statSync(ledger.location).ino}`)) {
    told.push({
      what: `the ledger is another file than it was at ${aliveAt?.toISOString()}: it was copied, moved or restored`,
      hint: 'If the other one is still in use, both send what is due: stop one of them.',
    })
  }
  if (await isNew(`zones ${zones}`)) {
    told.push({
      what: `the time zone data is ${zones} now`,
      hint: 'Schedules go by it from here on; runs planned with --at or --at-local keep their moment.',
    })
  }
  return told
}
