import { expect, test } from 'vitest'
import { OutputError } from '../../src/errors.ts'
import { readRunOptions } from '../../src/ledger/run-options.ts'

test('the options of a run come back as they were asked for, as earlier versions wrote them too', () => {
  const options = {
    template: 'invite',
    emailColumn: 'mail',
    variant: 'b',
    group: 'news',
    atLocal: '09:00',
    occurrence: 'news 2026-12-01T09:00',
    after: { campaign: 'first', wait: 86_400_000 },
  }
  expect(readRunOptions(JSON.stringify(options), 'r1')).toEqual(options)
  expect(readRunOptions('{}', 'r1')).toEqual({})
})

test('what a later version adds to the options of a run is left out, and what nobody wrote is an error that names the run', () => {
  expect(readRunOptions('{"template":"invite","colour":"red"}', 'r1')).toEqual({ template: 'invite' })
  expect(() => readRunOptions('{"after":"first"}', 'r1')).toThrow(OutputError)
  expect(() => readRunOptions('{"after":"first"}', 'r1')).toThrow(/run r1/)
})
