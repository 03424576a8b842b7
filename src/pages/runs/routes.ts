/** What the page of runs asks for, and what a person can ask of a run there. Owns its addresses. */

import { parseRowRanges } from '../../campaign/plan/select.ts'
import { cancelMerge, pauseMerge } from '../../campaign/run/control.ts'
import type { Settings } from '../../config/settings.ts'
import { UsageError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { json, type Route } from '../route.ts'
import { RUN_ACTIONS, type RunAction, type RunsView } from '../wire.ts'
import type { RunReader } from './runs.ts'

export interface RunRoutesOptions {
  readonly settings: Settings
  readonly ledger: Ledger
  readonly reader: RunReader
  /** Whether a run that is asked for is resumed by this process. */
  readonly resumes: boolean
  /** Something was asked for: the pages hear of it at once. */
  readonly onChange: () => void
}

/** What a page asks of a process is not waited for: the page sees when it is done. */
const AT_ONCE = AbortSignal.abort()

export function runRoutes(options: RunRoutesOptions): readonly Route[] {
  const { settings, ledger, reader, resumes, onChange } = options
  const act = async (run: string, action: RunAction): Promise<void> => {
    switch (action) {
      case 'pause':
        await pauseMerge(settings, run, AT_ONCE)
        return
      case 'cancel':
        await cancelMerge(settings, run, AT_ONCE)
        return
      case 'retry':
      case 'resume':
        if (!resumes) {
          throw new UsageError('the page of one run resumes no run', {
            hint: `Give the command: mailmerge ${action} ${run}`,
          })
        }
        if (action === 'retry') await ledger.deliveries.retryFailed(run)
        await ledger.runs.request(run, 'resume')
    }
  }
  return [
    {
      method: 'GET',
      path: /^\/api\/runs$/,
      answer: async () => json({ ...(await reader.list()), resumes } satisfies RunsView),
    },
    {
      method: 'GET',
      path: /^\/api\/suppressions$/,
      answer: async ({ query }) => json(await reader.suppressions(query)),
    },
    {
      method: 'GET',
      path: /^\/api\/runs\/([\w-]{1,64})$/,
      async answer({ match: [run = ''] }) {
        const view = await reader.run(run)
        return view === undefined ? undefined : json(view)
      },
    },
    {
      method: 'POST',
      path: /^\/api\/runs\/([\w-]{1,64})\/(\w+)$/,
      async answer({ match: [run = '', name], body }) {
        if ((await ledger.runs.find(run)) === undefined) return undefined
        if (name === 'in_doubt') await decide(ledger, run, body, resumes)
        else {
          const action = RUN_ACTIONS.find((one) => one === name)
          if (action === undefined) return undefined
          await act(run, action)
        }
        onChange()
        return json({ run })
      },
    },
  ]
}

/** Rows that are to be sent again are sent by the process at work, or by ours where it resumes runs. */
async function decide(ledger: Ledger, run: string, body: unknown, resumes: boolean): Promise<void> {
  const { decision, rows } = (body ?? {}) as { readonly decision?: unknown; readonly rows?: unknown }
  if (decision !== 'keep' && decision !== 'resend') {
    throw new UsageError('a decision on rows in doubt is keep or resend')
  }
  const ranges = typeof rows === 'string' ? parseRowRanges(rows) : undefined
  const decided = await ledger.deliveries.resolveInDoubt(run, decision, { at: new Date(), rows: ranges })
  const record = await ledger.runs.find(run)
  if (!resumes || decision === 'keep' || decided === 0 || record === undefined) return
  if (!(await ledger.campaigns.isClaimed(record.campaign))) await ledger.runs.request(run, 'resume')
}
