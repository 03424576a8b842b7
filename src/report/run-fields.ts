/** A run as programs read it, in `status --json` and from `serve`. Owns the names. */
import { given } from '../given.ts'
import type { RunRecord, StatusCounts } from '../ledger/records.ts'

export function runFields(run: RunRecord, counts: StatusCounts, atWork?: boolean): Readonly<Record<string, unknown>> {
  return {
    run: run.id,
    campaign: run.campaign.name,
    generation: run.campaign.generation,
    state: run.state,
    paused: run.state === 'ready' && run.requested === 'pause',
    started_at: run.startedAt.toISOString(),
    not_before: run.notBefore?.toISOString() ?? null,
    ended_at: run.endedAt?.toISOString() ?? null,
    source: run.source,
    template: run.template,
    ...given({ at_work: atWork }),
    rows: Object.values(counts).reduce((sum, count) => sum + count, 0),
    ...counts,
  }
}
