/** Ctrl+C and its kin. */
import { expect, test } from 'vitest'
import { watchSignals } from '../../src/cli/signals.ts'
import { FakeSignals } from './fake-io.ts'

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 143],
])('%s asks to finish what is in flight, then to stop at once, then ends with %i', (name, code) => {
  const source = new FakeSignals()
  const told: string[] = []
  const signals = watchSignals(source, { onFirst: () => told.push('first'), onSecond: () => told.push('second') })
  const state = (): readonly unknown[] => [signals.signal.aborted, signals.abort.aborted, source.exits.length]
  expect([state(), signals.exitCode]).toEqual([[false, false, 0], undefined])
  source.emit(name)
  expect([state(), signals.exitCode]).toEqual([[true, false, 0], code])
  source.emit(name)
  expect(state()).toEqual([true, true, 0])
  source.emit(name)
  expect(source.exits).toEqual([code])
  expect(told).toEqual(['first', 'second'])
  signals.dispose()
})

test('the first signal says how the program ends', () => {
  const source = new FakeSignals()
  const signals = watchSignals(source)
  source.emit('SIGTERM')
  source.emit('SIGINT')
  expect(signals.exitCode).toBe(143)
  signals.dispose()
})

test('nothing listens any more when the work is done', () => {
  const source = new FakeSignals()
  watchSignals(source).dispose()
  expect(source.eventNames()).toEqual([])
})
