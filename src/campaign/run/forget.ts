/**
 * Forgetting, with the files that a run leaves beside the ledger. Owns which files those are; what the ledger removes is
 * its own.
 */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Settings } from '../../config/settings.ts'
import { DataError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { Forgotten, Pruned } from '../../ledger/records.ts'
import { reportHead } from '../../report/head.ts'
import { writeReport } from '../../report/report.ts'
import { webCopies } from '../../source/web/web-list.ts'
import { readEntry } from '../../unsubscribe/suppression-list.ts'
import { openLedger } from './open-ledger.ts'
import { runFolder } from './open-merge.ts'

/** What was forgotten, and the results files that were written again without the person. */
export interface PersonForgotten extends Forgotten {
  readonly reports: readonly string[]
}

/**
 * Removes a person from the ledger and from the results files beside it, and copies of lists from the web.
 * @throws DataError when the text is not an address; UnfinishedError when a run is about to write to the person.
 */
export async function forgetPerson(settings: Settings, address: string): Promise<PersonForgotten> {
  const judged = readEntry(address)
  if ('fault' in judged || judged.entry.startsWith('@')) {
    throw new DataError(`'${address}' is not an address${'fault' in judged ? `: ${judged.fault}` : ''}`, {
      hint: 'Give one address: mailmerge forget ada@example.com',
    })
  }
  const ledger = await openLedger(settings, { existing: true })
  if (ledger === undefined) return { rows: 0, runs: [], suppressions: 0, reports: [] }
  try {
    const forgotten = await ledger.privacy.forget(judged.entry)
    await rm(webCopies(settings.root), { recursive: true, force: true })
    const reports: string[] = []
    for (const run of forgotten.runs) {
      const report = join(runFolder(settings, run), 'results.csv')
      if (existsSync(report) && (await rewritten(ledger, run, report))) reports.push(report)
    }
    return { ...forgotten, reports }
  } finally {
    await ledger.close()
  }
}

/** Removes campaigns that ended before a moment, with the files of their runs. */
export async function pruneRuns(settings: Settings, before: Date): Promise<Pruned> {
  const ledger = await openLedger(settings, { existing: true })
  if (ledger === undefined) return { campaigns: 0, runs: [] }
  try {
    const pruned = await ledger.privacy.prune(before)
    for (const run of pruned.runs) await rm(runFolder(settings, run), { recursive: true, force: true })
    return pruned
  } finally {
    await ledger.close()
  }
}

async function rewritten(ledger: Ledger, id: string, path: string): Promise<boolean> {
  if ((await ledger.runs.find(id)) === undefined) return false
  await writeReport(path, ledger.results.rows(id), await reportHead(ledger, id))
  return true
}
