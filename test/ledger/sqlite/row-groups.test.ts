/** Rows put together by their key outside of memory, whatever their order. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type GroupedRow, RowGroups } from '../../../src/ledger/sqlite/row-groups.ts'

let groups: RowGroups

const row = (number: number, key: string, more: Partial<GroupedRow> = {}): GroupedRow => ({
  ...{ number, key, address: key, line: number + 1, data: `{"cells":{"n":${number}}}` },
  ...{ problems: undefined, skip: undefined, ...more },
})

beforeEach(() => {
  groups = new RowGroups()
})
afterEach(() => groups[Symbol.dispose]())

test('groups come in the order of their first rows, each with its rows in the order of the list', () => {
  groups.add([row(1, 'b'), row(2, 'a'), row(3, 'c')])
  groups.add([row(4, 'a'), row(5, 'b'), row(6, 'a')])
  groups.end()
  const found = groups.groupsIn(0, groups.last)
  expect(found).toEqual([
    { key: 'b', first: 1, rows: 2 },
    { key: 'a', first: 2, rows: 3 },
    { key: 'c', first: 3, rows: 1 },
  ])
  expect(found.map((group) => groups.rowsOf(group).map(({ number }) => number))).toEqual([[1, 5], [2, 4, 6], [3]])
  expect(groups.groupOf(6)).toEqual(found[1])
})

test('rows that are left out are in no group, and stand in their places', () => {
  const skip = { kind: 'unselected', detail: '--where x=1' } as const
  groups.add([row(1, 'a', { skip, data: '' }), row(2, 'a'), row(3, 'a')])
  groups.end()
  expect(groups.groupOf(1)).toBeUndefined()
  groups.leaveOut([3], { kind: 'bad', detail: 'why' })
  groups.leaveOutMessage(2, { kind: 'suppressed', detail: 'manual' })
  expect(groups.rowsIn(0, 3).map(({ number, first, skip }) => [number, first, skip?.kind])).toEqual([
    [1, undefined, 'unselected'],
    [2, 2, 'suppressed'],
    [3, 2, 'bad'],
  ])
})

test('a message may begin at another row than its group, and keeps what is kept for it', () => {
  groups.add([row(1, 'a'), row(2, 'b'), row(3, 'a'), row(4, 'a')])
  groups.end()
  groups.leaveOut([1], { kind: 'bad', detail: 'why' })
  groups.begin(1, 3, 'a@x.org')
  groups.keep(3, 'whole')
  expect(groups.rowsIn(2, 4)).toMatchObject([
    { number: 3, first: 1, head: 3, sentTo: 'a@x.org', kept: 'whole' },
    { number: 4, first: 1, head: 3, sentTo: 'a@x.org', kept: undefined },
  ])
})

test('as many rows as may come, in any order, are each in one group', () => {
  const keys = 37
  for (let from = 1; from <= 5000; from += 500)
    groups.add(Array.from({ length: 500 }, (_, at) => row(from + at, `k${((from + at) * 7919) % keys}`)))
  groups.end()
  const found = groups.groupsIn(0, groups.last)
  expect(found).toHaveLength(keys)
  expect(found.reduce((sum, { rows }) => sum + rows, 0)).toBe(5000)
  for (const group of found)
    for (const { number } of groups.rowsOf(group)) expect(`k${(number * 7919) % keys}`).toBe(group.key)
})
