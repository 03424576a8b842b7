/** Errors that cross to another thread, as structured clones do. */
import { expect, test } from 'vitest'
import {
  ConfigError,
  DataError,
  DefectError,
  errorOf,
  factsOf,
  InputError,
  LoginError,
  OutputError,
  UnfinishedError,
  UnreachableError,
  UsageError,
} from '../src/errors.ts'

test.each([
  UsageError,
  DataError,
  InputError,
  UnreachableError,
  DefectError,
  OutputError,
  UnfinishedError,
  LoginError,
  ConfigError,
])('%s is the same kind of error on the other side, with its hint and its problems', (Kind) => {
  const problems = [{ severity: 'error', code: 'bad-address', message: 'it has no @', row: 3 }] as const
  const error = new Kind('it is wrong', { hint: 'Fix it.', problems })
  const there = errorOf(structuredClone(factsOf(error)))
  expect(there).toBeInstanceOf(Kind)
  expect(there).toMatchObject({ message: 'it is wrong', hint: 'Fix it.', problems, exitCode: error.exitCode })
})
