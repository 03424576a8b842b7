/** Ctrl+C and its kin. */
import { expect, test } from 'vitest'
import { watchSignals } from '../../../src/cli/merge/signals.ts'
import { FakeSignals } from '../fake-io.ts'

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])('%s asks to finish what is in flight, then to stop at once, then ends with %i', (name, code) => {
  const source = new FakeSignals()
  const told: string[] = []
  let now = 0
  const tell = { onFirst: () => told.push('first'), onSecond: () => told.push('second') }
  const signals = watchSignals(source, tell, () => {
    now += 1000
    return now
  })
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

test('what comes at once after a signal is its echo, by npx or a closed terminal', () => {
  const source = new FakeSignals()
  let now = 0
  const signals = watchSignals(source, {}, () => now)
  source.emit('SIGINT')
  now = 20
  source.emit('SIGINT')
  expect([signals.signal.aborted, signals.abort.aborted]).toEqual([true, false])
  now = 500
  source.emit('SIGINT')
  expect(signals.abort.aborted).toBe(true)
  signals.dispose()
})

test('a terminal that is closed stops the run once, however often it hangs up', () => {
  const source = new FakeSignals()
  let now = 0
  const signals = watchSignals(source, {}, () => now)
  for (now = 0; now < 5000; now += 1000) source.emit('SIGHUP')
  expect([signals.signal.aborted, signals.abort.aborted, signals.exitCode]).toEqual([true, false, 143])
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
