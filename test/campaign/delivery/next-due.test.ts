/** What a delivery does once all that was due is done. */
import { describe, expect, test } from 'vitest'
import { lateRow, stepUntil } from '../../../src/campaign/delivery/next-due.ts'

const NOW = new Date('2027-01-31T09:00:00Z')
const at = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000)
const rules = { retryFor: 3_600_000, patience: undefined, waited: 0 }

describe('the next step', () => {
  test('is the end where neither a row nor a copy waits', () => {
    expect(stepUntil({ row: undefined, copy: undefined }, NOW, rules)).toEqual({ kind: 'end' })
  })

  test.each([
    [at(60), undefined, 60_000],
    [undefined, at(30), 30_000],
    [at(60), at(30), 30_000],
    [at(10), at(30), 10_000],
    [at(-5), at(30), -5_000],
  ])('is to wait for the earlier of row %s and copy %s', (row, copy, ms) => {
    expect(stepUntil({ row, copy }, NOW, rules)).toEqual({ kind: 'wait', ms })
  })

  test('leaves what is deferred to a later run where nothing is tried again, and sends what is due', () => {
    const once = { ...rules, retryFor: 0 }
    expect(stepUntil({ row: at(1), copy: undefined }, NOW, once)).toEqual({
      kind: 'halt',
      reason: { kind: 'deferred' },
    })
    expect(stepUntil({ row: NOW, copy: undefined }, NOW, once)).toEqual({ kind: 'wait', ms: 0 })
  })

  test('does not wait beyond its patience, which counts from the beginning', () => {
    const due = { row: at(60), copy: undefined }
    const patient = { ...rules, patience: 90_000 }
    expect(stepUntil(due, NOW, { ...patient, waited: 30_000 })).toEqual({ kind: 'wait', ms: 60_000 })
    const reason = { kind: 'waiting', until: at(60) }
    expect(stepUntil(due, NOW, { ...patient, waited: 30_001 })).toEqual({ kind: 'halt', reason })
  })
})

test('a row that is found long after its time is late, and a copy never is', () => {
  const due = { row: at(-61), copy: at(-7200) }
  expect(lateRow(due, NOW, 60_000)).toEqual({ kind: 'late', startTime: at(-61) })
  expect(lateRow(due, NOW, 61_000)).toBeUndefined()
  expect(lateRow(due, NOW, undefined)).toBeUndefined()
  expect(lateRow({ row: undefined, copy: at(-7200) }, NOW, 0)).toBeUndefined()
})
