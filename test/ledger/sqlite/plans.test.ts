import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { insertAllRecipients, insertRecipients, moveRecipients } from '../../../src/ledger/sqlite/plan-queries.ts'
import * as sql from '../../../src/ledger/sqlite/queries.ts'
import { migrations } from '../../../src/ledger/sqlite/schema.ts'

/** How SQLite goes about a statement, step by step. */
function stepsOf(statement: string): readonly string[] {
  const database = new DatabaseSync(':memory:')
  try {
    for (const migration of migrations) database.exec(migration.sql)
    return database
      .prepare(`EXPLAIN QUERY PLAN ${statement}`)
      .all()
      .map(({ detail }) => String(detail))
  } finally {
    database.close()
  }
}

const WHOLE_RUN = 'SEARCH %s USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)'

test.each([
  ['a list planned again', moveRecipients, 'p'],
  ['new recipients', insertRecipients, 'n'],
  ['a list of new recipients', insertAllRecipients, 'n'],
  ['the counts of a run', sql.countRows, 'n'],
  ['the results of a run', sql.resultRows, 'n'],
])('%s: each row of the plan is read once, and everything else by its key', (_what, statement, plan) => {
  const reads = stepsOf(statement).filter((step) => /^(SEARCH|SCAN)/.test(step) && step !== 'SCAN n')
  expect(reads[0]).toBe(WHOLE_RUN.replace('%s', plan))
  for (const read of reads.slice(1)) {
    expect(read).toMatch(/rowid=\?|\(campaign=\? AND key=\? AND occurrence=\?\)|\(recipient=\?\)/)
  }
})

test('results are read in the order of the plan, without sorting', () => {
  expect(stepsOf(sql.resultRows).filter((step) => step.includes('TEMP B-TREE'))).toEqual([])
})
