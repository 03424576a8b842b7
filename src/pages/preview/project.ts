/**
 * A project as it is saved now: its list and template opened as a run opens them, a row of it made into a message, and the
 * plan of its list. Owns one such version from its opening to its end; the steps are those of a run.
 */
import type { AccountForecast } from '../../campaign/accounts/forecast.ts'
import type { MergeRequest } from '../../campaign/merge.ts'
import { type Case, CaseFinder } from '../../campaign/plan/cases.ts'
import type { MessageGroup } from '../../campaign/plan/one-message.ts'
import { planRows } from '../../campaign/plan/plan.ts'
import { groupKeyOf } from '../../campaign/plan/recipient.ts'
import type { CheckedRow, RowRenderer } from '../../campaign/plan/render-row.ts'
import { templatesOf, usedColumns } from '../../campaign/run/content.ts'
import { createRun, openInputs, type RunInputs } from '../../campaign/run/inputs.ts'
import { leftOutBy } from '../../campaign/run/left-out.ts'
import { type OpenMerge, openMerge } from '../../campaign/run/open-merge.ts'
import { accountForecast } from '../../check/account-forecast.ts'
import type { Settings } from '../../config/settings.ts'
import { DataError, type Problem, problemsOf } from '../../errors.ts'
import type { PlanCounts, SkipKind } from '../../ledger/records.ts'
import { newRunId } from '../../ledger/run-id.ts'
import type { Message } from '../../message/message.ts'
import type { Row } from '../../source/source.ts'
import { BranchTrace } from '../../template/engine/branches.ts'
import type { RowMark } from '../wire.ts'
import { hasRowAdvice } from './findings.ts'
import { createLabeller } from './label.ts'
import { RowStore } from './row-store.ts'

export interface Project extends AsyncDisposable {
  readonly settings: Settings
  readonly inputs: RunInputs
  readonly rows: RowStore
  /** For people: the account that sends the message; undefined where there is one alone. */
  accountOf(checked: CheckedRow): string | undefined
  /** Numbers of the rows that are one message with that row, itself among them, as far as the list is read. */
  rowsOf(row: number): readonly number[]
  /** @throws DataError that says what is wrong with the row or the template. */
  message(row: Row): Promise<{ readonly checked: CheckedRow; readonly message: Message }>
  /**
   * Reads, checks and plans the whole list, and fills `rows` on the way. `onRows` is called after each piece.
   * @throws DataError for a list that cannot be read to its end.
   */
  plan(onRows: () => void, signal: AbortSignal): Promise<PlannedList>
}

/** What a run would find in the list, in numbers. */
export interface PlannedList {
  readonly counts: PlanCounts
  readonly skipped: ReadonlyMap<SkipKind, number>
  /** The suppressed rows by the reason of their suppression. */
  readonly suppressed: ReadonlyMap<string, number>
  /** What each of several accounts sends. */
  readonly accounts: readonly AccountForecast[] | undefined
  /** The rows to look at. */
  readonly cases: readonly Case[]
}

export type PreviewRequest = Omit<MergeRequest, 'mode'>

/** @throws MailmergeError for what keeps a run from being planned. */
export async function openProject(settings: Settings, request: PreviewRequest): Promise<Project> {
  const asked: MergeRequest = { ...request, mode: 'dry-run' }
  const branches = new BranchTrace()
  const inputs = await openInputs(settings, asked, {}, branches)
  const { name, content, emailColumn, group } = inputs
  const again = request.again ?? false
  const options = { mode: asked.mode, content, campaign: name, again, group, emailColumn, ...NO_RUN }
  const merge = await openMerge(settings, options, {}).catch(async (error: unknown) => {
    await inputs[Symbol.asyncDispose]()
    throw error
  })
  const rows = new RowStore()
  return {
    ...{ settings, inputs, rows },
    accountOf: ({ account }) => account ?? accountWords(merge.accounts),
    rowsOf: (row) => inputs.grouping?.messageOf({ number: row, data: {} }).map(({ number }) => number) ?? [row],
    async message(row) {
      const { renderer, clock } = merge
      const now = clock.now()
      const group = groupOf(row, inputs)
      const first = group?.rows[0] ?? row
      const checked = await checkedMessage(renderer, first, now, group)
      // The plan goes on with marks of its own rows alone.
      branches.take()
      const { key, address, data, variant, account, rows } = checked
      const planned = { recipient: 0, row: first.number, occurrence: 1, attempts: 0 }
      const due = { ...planned, key, address, data, rows, variant, account }
      return { checked, message: await renderer.render(due, now) }
    },
    plan: (onRows, signal) => planInto(rows, merge, inputs, asked, { branches, onRows, signal }),
    async [Symbol.asyncDispose]() {
      await merge[Symbol.asyncDispose]()
      await inputs[Symbol.asyncDispose]()
      rows.close()
    },
  }
}

/** The message that a row is part of, without those of its rows that are bad by themselves; the row itself is in it in any case. */
function groupOf(row: Row, { grouping }: RunInputs): MessageGroup | undefined {
  if (grouping === undefined) return undefined
  const { column, rules } = grouping
  const rows = grouping.messageOf(row).filter(({ number, problems }) => number === row.number || problems === undefined)
  return { key: groupKeyOf(row.data, rules), column, rows }
}

/** @throws DataError that names the row which is to blame, where it is another row of the message. */
async function checkedMessage(
  renderer: RowRenderer,
  first: Row,
  now: Date,
  group: MessageGroup | undefined,
): Promise<CheckedRow> {
  try {
    return await renderer.check(first, now, undefined, group)
  } catch (error) {
    for (const row of group?.rows ?? []) {
      const { number } = row
      try {
        await renderer.check(row, now, undefined, group && { ...group, rows: [row] })
      } catch (cause) {
        const problems = problemsOf(cause, 'bad-row').map((problem) => ({ ...problem, row: number }))
        throw new DataError(problems[0]?.message ?? '', { problems, cause })
      }
    }
    throw error
  }
}

/** Not a follow-up, not a test, and of no run that is known. */
const NO_RUN = { after: undefined, testTo: undefined, ledger: undefined } as const

interface Planning {
  readonly branches: BranchTrace
  readonly onRows: () => void
  readonly signal: AbortSignal
}

async function planInto(
  rows: RowStore,
  merge: OpenMerge,
  inputs: RunInputs,
  request: MergeRequest,
  { branches, onRows, signal }: Planning,
): Promise<PlannedList> {
  const { ledger, settings, renderer, follow, clock } = merge
  const { source, content, emailColumn, selector, excluded, grouping, now } = inputs
  const runId = newRunId(now, clock.random)
  await createRun(merge, runId, inputs, request)
  const name = createLabeller(source.columns, emailColumn)
  const used = usedColumns(templatesOf(content))
  const columns = source.columns.filter((column) => used.has(column))
  const finder = new CaseFinder(branches, columns, source.columns)
  const waiting: (() => void)[] = []
  const mark = (row: number | undefined, word: RowMark): void => {
    if (row !== undefined) waiting.push(() => rows.mark(row, word))
  }
  const { counts } = await planRows({
    ...{
      ledger,
      runId,
      source,
      renderer,
      selector,
      excluded,
      now,
      follow,
      signal,
      key: settings.key,
      duplicates: settings.duplicates,
    },
    // What would stop a run is shown row by row, and the others all the same.
    skipBad: true,
    startTimes: undefined,
    waits: false,
    used: usedColumns(
      templatesOf(content),
      emailColumn,
      settings.key,
      settings.groupBy,
      ...(content.split?.columns ?? []),
    ),
    leftOut: await leftOutBy(merge, request.again ?? false),
    grouping: grouping && { ...grouping, history: undefined },
    observer: {
      onChecked({ number, data }, { rendered, address, variant }) {
        finder.see(number, data, rendered, variant)
        if (hasRowAdvice(data, address)) mark(number, 'warning')
      },
      onProblem: ({ row, severity }: Problem) => {
        branches.take()
        mark(row, severity === 'error' ? 'problem' : 'warning')
      },
      onSkipped: ({ number }, { kind }) => {
        if (kind === 'hidden' || kind === 'unselected') mark(number, kind)
      },
      async onBatch(batch) {
        rows.add(batch, (row) => ({
          name: name(row.data),
          address: renderer.identify(row).address || cellOf(row, emailColumn),
        }))
        for (const say of waiting.splice(0)) say()
        onRows()
        // Whoever looks at a row meanwhile comes first.
        await new Promise((resolve) => setImmediate(resolve))
      },
    },
  })
  const skipWord: Partial<Record<string, RowMark>> = {
    suppressed: 'suppressed',
    'sent-before': 'sent',
    duplicate: 'duplicate',
  }
  const suppressed = new Map<string, number>()
  rows.messageOf =
    grouping &&
    ((row) => {
      const group = grouping.groups.groupOf(row)
      return group && { row: group.first, rows: group.rows }
    })
  for await (const results of ledger.results.rows(runId)) {
    for (const { row, skip } of results) {
      if (skip?.kind === 'suppressed') suppressed.set(skip.detail, (suppressed.get(skip.detail) ?? 0) + 1)
      const word = skip === undefined ? undefined : skipWord[skip.kind]
      if (word !== undefined) rows.mark(row, word, word === 'duplicate' ? Number(skip?.detail) || undefined : undefined)
    }
    signal.throwIfAborted()
  }
  const skippedRows = await ledger.results.skipCounts(runId)
  const accounts = await accountForecast(merge, { runId, messages: counts.messages.deferred, now: clock.now() })
  return { counts, skipped: skippedRows, suppressed, accounts, cases: finder.found() }
}

/** The only account, or those that share the rows. */
function accountWords({ list }: OpenMerge['accounts']): string | undefined {
  const names = list.flatMap(({ name }) => name ?? [])
  if (names.length < 2) return names[0]
  return `${names.join(' or ')}: known when it is sent`
}

/** An address that is not one is shown as it is written. */
function cellOf({ data }: Row, column: string | undefined): string {
  return column === undefined ? '' : String(data[column] ?? '').slice(0, 100)
}
