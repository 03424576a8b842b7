/**
 * A plan in which all rows of a key are one message. Owns the two passes that this takes: the list is read once and its rows are
 * put together outside of memory, then each message is checked in the place of its first row. What a row or a message is, the
 * renderer says.
 */
import { setImmediate as immediate } from 'node:timers/promises'
import { DataError, type Problem, problemsOf } from '../../errors.ts'
import type { PlannedRow, PriorMessage, SkipKind, SkipReason } from '../../ledger/records.ts'
import type { GroupedRow, PlacedRow, RowGroup } from '../../ledger/sqlite/row-groups.ts'
import { cellText } from '../../source/cells/cell.ts'
import { problemsIn, type Row, type RowData } from '../../source/source.ts'
import { laterOf } from '../clock.ts'
import type { Followed } from '../run/follow-up.ts'
import { differing, type MessageGroup } from './one-message.ts'
import type { Grouping, PlanOptions } from './plan-options.ts'
import type { ProblemList } from './problem-list.ts'
import { groupKeyOf, type RowIdentity, rowError } from './recipient.ts'
import type { StartTimes } from './recipient-time.ts'
import type { Recorder } from './recorder.ts'
import type { CheckedRow } from './render-row.ts'
import { restoreRow, storeRow } from './row-data.ts'

/** Rows that one message may be made of, and bytes of their cells: more is a list grouped by the wrong column. */
const MOST_ROWS = 10_000
const MOST_BYTES = 16_000_000
/** Rows that are planned at once, unless their messages are large. */
const PAGE_ROWS = 250
const PAGE_BYTES = 4_000_000

/** Reasons for which a whole message is not sent; a row that is left out for any other reason is in no message. */
const OF_MESSAGE: ReadonlySet<SkipKind> = new Set(['suppressed', 'sent-before', 'follow-up'])

/** Before the number of a row whose key is not known: it is a group of its own. */
const WITHOUT_KEY = '\u0001row '

/** Plans the rows of the source. Gives their number. */
export async function planGroups(
  options: PlanOptions,
  grouping: Grouping,
  bad: ProblemList,
  recorder: Recorder,
): Promise<number> {
  const rows = await gather(options, grouping)
  grouping.groups.end()
  const plan = new GroupPlan(options, grouping, bad, await grouping.choose?.())
  for (let after = 0; after < grouping.groups.last; ) {
    options.signal?.throwIfAborted()
    const { to, planned } = await plan.page(after)
    for (const one of planned) recorder.add(one)
    after = to
    await recorder.flushFull()
    await options.observer.onBatch?.([], rows)
    // Signals and other work get their turn.
    await immediate()
  }
  return rows
}

/** Reads the list: which rows take part, what is wrong with each by itself, and their keys. */
async function gather(options: PlanOptions, { groups, rules }: Grouping): Promise<number> {
  const { source, observer, renderer } = options
  let rows = 0
  for await (const batch of source.rows()) {
    options.signal?.throwIfAborted()
    const excluded = await options.excluded?.(batch)
    const gathered: GroupedRow[] = []
    for (const row of batch) {
      const found: Problem[] = []
      const skip = excluded?.get(row.number) ?? orProblems(found, () => options.selector(row))
      if (skip !== undefined) observer.onSkipped?.(row, skip)
      else found.unshift(...problemsIn(row, options.used))
      const own = renderer.identify(row)
      const isKnown = skip !== undefined || own.key !== ''
      const key = isKnown ? own.key : orProblems(found, () => groupKeyOf(row.data, rules))
      gathered.push({
        number: row.number,
        key: key ?? `${WITHOUT_KEY}${row.number}`,
        address: own.address,
        line: row.line,
        data: skip === undefined ? storeRow(row.data, []) : '',
        problems: found.length === 0 ? undefined : JSON.stringify(found),
        skip,
      })
    }
    groups.add(gathered)
    rows += batch.length
    await observer.onBatch?.(batch, rows)
  }
  return rows
}

function orProblems<T>(found: Problem[], work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    found.push(...problemsOf(error, 'bad-row'))
    return undefined
  }
}

/** A row that takes part, and what is wrong with it by itself. */
interface Member {
  readonly row: Row
  readonly problems: readonly Problem[]
}

/** The earlier message that is followed, where there is one and nothing prevents it. */
type Going = Exclude<Followed, { readonly stop: SkipReason }>

/** A message that its rows make. */
interface Made {
  readonly checked: CheckedRow
  readonly rows: readonly Row[]
  readonly notBefore: Date | undefined
}

class GroupPlan {
  readonly #options: PlanOptions
  readonly #grouping: Grouping
  readonly #bad: ProblemList
  /** First rows of the messages of a sample. */
  readonly #chosen: ReadonlySet<number> | undefined
  #taken = 0
  /** Bytes of the messages made for the present page. */
  #bytes = 0

  constructor(options: PlanOptions, grouping: Grouping, bad: ProblemList, chosen: ReadonlySet<number> | undefined) {
    this.#options = options
    this.#grouping = grouping
    this.#bad = bad
    this.#chosen = chosen
  }

  /** Plans the next rows after row `after`, in the order of the list, up to row `to`. */
  async page(after: number): Promise<{ readonly to: number; readonly planned: readonly PlannedRow[] }> {
    const { groups } = this.#grouping
    const found = groups.groupsIn(after, after + PAGE_ROWS)
    const keys = found.map(({ key }) => key)
    const [history, followed] = [await this.#grouping.history?.(keys), await this.#options.follow?.find(keys)]
    /** Rows that begin a message, with the first row of their group. */
    const heads = new Map<RowIdentity, number>()
    const made = new Map<number, PlannedRow>()
    let to = after + PAGE_ROWS
    this.#bytes = 0
    for (const group of found) {
      const head = this.#isChosen(group) ? await this.#message(group, history, followed) : undefined
      if (head !== undefined) {
        made.set(head.row, head)
        if (head.data !== '') heads.set(head, group.first)
      }
      if (this.#bytes < PAGE_BYTES) continue
      to = group.first
      break
    }
    await this.#leaveOut(heads)
    return { to, planned: groups.rowsIn(after, to).map((row) => this.#planned(row, made)) }
  }

  /** The row as it is recorded: part of its message as that was found, or of none. */
  #planned(row: PlacedRow, made: ReadonlyMap<number, PlannedRow>): PlannedRow {
    const { number, skip, first, head = first } = row
    const key = row.key === WITHOUT_KEY + number ? '' : row.key
    const isInNone = skip !== undefined && !OF_MESSAGE.has(skip.kind)
    if (first === undefined || head === undefined || isInNone)
      return { row: number, key, address: row.address, data: '', skip, message: 'none' }
    if (number !== head) {
      const address = row.sentTo ?? row.address
      return { row: number, key, address, data: '', skip, message: { first: head, rows: undefined } }
    }
    const own = made.get(number) ?? keptRow(row.kept)
    return skip === undefined ? own : { ...own, data: '', skip }
  }

  #isChosen(group: RowGroup): boolean {
    const { first } = group
    const { groups, limit = Number.POSITIVE_INFINITY } = this.#grouping
    const option = this.#chosen?.has(first) === false ? '--sample' : this.#taken >= limit ? '--limit' : undefined
    if (option === undefined) {
      this.#taken++
      return true
    }
    const skip = { kind: 'unselected', detail: option } as const
    groups.leaveOutGroup(first, skip)
    for (const { number } of groups.rowsOf(group)) this.#options.observer.onSkipped?.({ number }, skip)
    return false
  }

  /** Makes the message of a group, and says why each row that is not in it is left out. Gives the row that begins the message. */
  async #message(
    group: RowGroup,
    history: ReadonlyMap<string, PriorMessage> | undefined,
    followed: ReadonlyMap<string, Followed> | undefined,
  ): Promise<PlannedRow | undefined> {
    const { groups, computed, column } = this.#grouping
    const { key } = group
    this.#bad.rendered += group.rows
    const members = group.rows > MOST_ROWS ? undefined : membersOf(groups.rowsOf(group))
    if (members === undefined || bytesOf(members) > MOST_BYTES) {
      this.#allBad(group, tooLarge(group, column))
      return undefined
    }
    const badAlone = members.filter(({ problems }) => problems.length > 0)
    for (const { row, problems } of badAlone) this.#rowBad(row, problems)
    const good = members.filter(({ problems }) => problems.length === 0).map(({ row }) => row)
    const prior = history?.get(key)
    const has = prior?.status === 'sent' || prior?.status === 'in_doubt'
    const [rows, late] = has ? parted(good, restoreRow(prior.data), computed) : [good, []]
    if (late.length > 0) groups.leaveOut(numbersOf(late), { kind: 'has-message', detail: prior?.status ?? '' })
    const { follow } = this.#options
    const earlier = follow === undefined ? undefined : (followed?.get(key) ?? { stop: follow.absent })
    if (earlier?.stop !== undefined) return this.#stopped(group, rows, earlier.stop)
    const made = await this.#make({ key, column, rows }, earlier)
    if (made === undefined) return undefined
    const inMessage = new Set(made.rows)
    const badOnes = [...badAlone.map(({ row }) => row), ...rows.filter((row) => !inMessage.has(row))]
    const [oneBad] = badOnes
    const head = made.rows[0]
    if (head === undefined) return undefined
    if (oneBad !== undefined && !this.#options.skipBad) {
      groups.leaveOut(numbersOf(made.rows), { kind: 'held-back', detail: String(oneBad.number) })
      return undefined
    }
    for (const { number } of badOnes) this.#bad.withoutBad.set(number, head.number)
    this.#options.observer.onChecked?.(head, made.checked)
    return this.#begin(group, made)
  }

  /** A row that is bad by itself is reported as such. */
  #rowBad(row: Row, problems: readonly Problem[]): void {
    const reason = this.#bad.addRow(row, problems, this.#options.source.name)
    this.#grouping.groups.leaveOut([row.number], reason)
  }

  /**
   * The message of as many of these rows as can be one: those that cannot be a message even alone are bad, and left out. Undefined
   * where none is left, or all of them can be messages and together they cannot.
   */
  async #make(group: MessageGroup, earlier: Going | undefined): Promise<Made | undefined> {
    let { rows } = group
    for (;;) {
      if (rows.length === 0) return undefined
      try {
        return await this.#check({ ...group, rows }, earlier)
      } catch (error) {
        const good: Row[] = []
        for (const row of rows) if (await this.#isGoodAlone(row, group, earlier)) good.push(row)
        if (good.length === rows.length) {
          this.#together(rows, error)
          return undefined
        }
        rows = good
      }
    }
  }

  async #isGoodAlone(row: Row, group: MessageGroup, earlier: Going | undefined): Promise<boolean> {
    try {
      await this.#check({ ...group, rows: [row] }, earlier)
      return true
    } catch (error) {
      this.#rowBad(row, problemsOf(error, 'bad-row'))
      return false
    }
  }

  /** @throws DataError for rows that cannot be one message. */
  async #check(group: MessageGroup, earlier: Going | undefined): Promise<Made> {
    const { renderer, now, startTimes, waits } = this.#options
    const { rows } = group
    const [first] = rows
    if (first === undefined) throw new RangeError('a message needs a row')
    const times = await startTimes?.(rows)
    const start = startIn(times, first)
    for (const row of rows) {
      const own = startIn(times, row)
      if (own?.getTime() !== start?.getTime()) throw differing(group, row, 'time', timeText(start), timeText(own))
    }
    const checked = await renderer.check(first, now, earlier?.thread, group)
    return { checked, rows, notBefore: laterOf(waits ? start : undefined, earlier?.notBefore) }
  }

  /** Rows that are good one by one but not together: all have the same reason. */
  #together(rows: readonly Row[], error: unknown): void {
    const { source } = this.#options
    const problems = problemsOf(error, 'bad-row')
    const [problem] = problems
    for (const one of problems) {
      const row = rows.find(({ number }) => number === one.row) ?? rows[0]
      if (row !== undefined) this.#bad.addRow(row, [one], source.name)
    }
    this.#grouping.groups.leaveOut(numbersOf(rows), { kind: 'bad', detail: problem?.message ?? '' })
  }

  #allBad({ first }: RowGroup, error: DataError): void {
    const reason = this.#bad.addRow({ number: first }, error.problems, this.#options.source.name)
    this.#grouping.groups.leaveOutGroup(first, reason)
  }

  #stopped(group: RowGroup, rows: readonly Row[], stop: SkipReason): PlannedRow | undefined {
    const [first] = rows
    if (first === undefined) return undefined
    const { address } = this.#options.renderer.identify(first)
    this.#grouping.groups.leaveOut(numbersOf(rows), stop)
    for (const row of rows) this.#options.observer.onSkipped?.(row, stop)
    const message = { first: first.number, rows: rows.length }
    return this.#placed(group, { row: first.number, key: group.key, address, data: '', message })
  }

  #begin(group: RowGroup, { checked, rows, notBefore }: Made): PlannedRow | undefined {
    const [first] = rows
    if (first === undefined) return undefined
    const { address, data, variant, account } = checked
    const message = { first: first.number, rows: rows.length }
    return this.#placed(group, {
      row: first.number,
      key: group.key,
      address,
      data,
      notBefore,
      variant,
      account,
      message,
    })
  }

  /** Remembers where the message of a group begins, where that is not at its first row. */
  #placed({ first }: RowGroup, head: PlannedRow): PlannedRow {
    const { groups } = this.#grouping
    this.#bytes += head.data.length
    if (head.row !== first || head.address !== head.key) groups.begin(first, head.row, head.address)
    if (head.row !== first) groups.keep(head.row, JSON.stringify(head))
    return head
  }

  /** Those of the messages that are not sent although they are good. */
  async #leaveOut(heads: ReadonlyMap<RowIdentity, number>): Promise<void> {
    const leftOut = await this.#options.leftOut?.([...heads.keys()])
    for (const [head, skip] of leftOut ?? []) {
      const first = heads.get(head)
      if (first !== undefined) this.#grouping.groups.leaveOutMessage(first, skip)
    }
  }
}

function keptRow(kept: string | undefined): PlannedRow {
  if (kept === undefined) throw new RangeError('the row that begins a message is not known')
  const head = JSON.parse(kept) as PlannedRow
  return head.notBefore === undefined ? head : { ...head, notBefore: new Date(head.notBefore) }
}

function membersOf(rows: readonly GroupedRow[]): readonly Member[] {
  return rows.map(({ number, line, data, problems }) => ({
    row: { number, line, data: restoreRow(data).cells },
    problems: problems === undefined ? [] : (JSON.parse(problems) as readonly Problem[]),
  }))
}

function bytesOf(members: readonly Member[]): number {
  return members.reduce((sum, { row }) => sum + Object.values(row.data).reduce<number>(addLength, 0), 0)
}

function addLength(sum: number, cell: unknown): number {
  return sum + (typeof cell === 'string' ? cell.length : 8)
}

function tooLarge({ key, rows }: RowGroup, column: string): DataError {
  const message = `${rows.toLocaleString('en-US')} rows have the ${column} '${key.slice(0, 60)}', too many for one message`
  return rowError('too-many-rows', message, column, {
    hint: `A message is made of ${MOST_ROWS.toLocaleString('en-US')} rows and 16 MB at most. Is it the right column?`,
  })
}

function numbersOf(rows: readonly Row[]): readonly number[] {
  return rows.map(({ number }) => number)
}

/** @throws DataError for a row that has no start time. */
function startIn(times: Awaited<ReturnType<StartTimes>> | undefined, { number }: Row): Date | undefined {
  const time = times?.get(number)
  if (time instanceof DataError) throw time
  return time
}

function timeText(at: Date | undefined): string {
  return at?.toISOString() ?? ''
}

/**
 * The rows that a message was made of, and those that it was made without: a row is the same as one of the message when the cells
 * of all columns that both have are. Computed columns do not count.
 */
function parted(
  rows: readonly Row[],
  { cells, others = [] }: ReturnType<typeof restoreRow>,
  computed: ReadonlySet<string>,
): readonly [inMessage: readonly Row[], late: readonly Row[]] {
  const [first] = rows
  const columns = Object.keys(cells).filter((column) => first && column in first.data && !computed.has(column))
  if (columns.length === 0) return [[], rows]
  const print = (data: RowData): string => JSON.stringify(columns.map((column) => cellText(data[column])))
  const left = new Map<string, number>()
  for (const data of [cells, ...others.map(([, other]) => other)]) {
    const same = print(data)
    left.set(same, (left.get(same) ?? 0) + 1)
  }
  const [inMessage, late]: [Row[], Row[]] = [[], []]
  for (const row of rows) {
    const same = print(row.data)
    const count = left.get(same) ?? 0
    left.set(same, count - 1)
    ;(count > 0 ? inMessage : late).push(row)
  }
  return [inMessage, late]
}
