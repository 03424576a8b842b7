/** Results files and events as a reader takes them. Owns no judgement. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'

export interface Result {
  readonly row: string
  readonly key: string
  readonly address: string
  readonly status: string
  readonly reason: string
  readonly smtp_code: string
  readonly response: string
  readonly message_id: string
  readonly attempts: string
  readonly first_attempt_at: string
  readonly finished_at: string
}

export interface Event {
  readonly event: string
  readonly run: string
  readonly row: number
  readonly address: string
  readonly rows: number
  readonly to_send: number
  readonly exit_code: number
  readonly mails: string
  readonly counts: Readonly<Record<string, number>>
}

export function readResults(path: string): readonly Result[] {
  return parse(readFileSync(path, 'utf8'), { columns: true })
}

/** Results of the newest run of a project. */
export function newestResults(dir: string): readonly Result[] {
  const runs = join(dir, '.mailmerge', 'runs')
  const newest = existsSync(runs) ? readdirSync(runs).sort().at(-1) : undefined
  if (newest === undefined) throw new Error(`no run left results in ${dir}`)
  return readResults(join(runs, newest, 'results.csv'))
}

/** How many rows ended in each state. */
export function statuses(results: readonly Result[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { status } of results) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

/** Every line of stdout as an event; a line that is none breaks the test. */
export function eventsOf(stdout: string): readonly Event[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** `.eml` files of a folder, by name. */
export function mailsIn(dir: string): ReadonlyMap<string, Buffer> {
  const names = readdirSync(dir).filter((name) => name.endsWith('.eml'))
  return new Map(names.sort().map((name) => [name, readFileSync(join(dir, name))]))
}
