/** That nothing is sent outside the sending hours, nor closer together, nor more a day, than was asked for. */
import { expect, test, vi } from 'vitest'
import { readHours, readRampUp } from '../../../src/config/sending-hours.ts'
import type { RampUp } from '../../../src/config/settings.ts'
import { pauseWords } from '../../../src/report/reasons.ts'
import type { SendingWindow } from '../../../src/sending-window.ts'
import {
  advance,
  deferred,
  MINUTE,
  moments,
  OK,
  openHarness,
  type ScriptedTransport,
  scriptedTransport,
  settleTurns,
  testClock,
  untilSettled,
  useHarness,
} from './delivery-harness.ts'

useHarness()

function hours(text: string): SendingWindow {
  const read = readHours(text)
  if ('wrong' in read) throw new Error(read.wrong)
  return { text, hours: read.value, holidays: [], zone: undefined, zoneColumn: undefined }
}

function ramp(text: string): RampUp {
  const read = readRampUp(text)
  if ('wrong' in read) throw new Error(read.wrong)
  return read.value
}

/** What the clock on the wall shows from now on. */
function setClock(time: string): void {
  vi.setSystemTime(new Date(time))
}

/** The clock on the wall at each message. */
function times(transport: ScriptedTransport): readonly string[] {
  const offset = Date.now() - performance.now()
  return moments(transport).map((at) => new Date(offset + at).toISOString())
}

test('a run outside its sending hours waits for them, and says until when', async () => {
  setClock('2026-11-27T18:00:00Z')
  const harness = await openHarness(3)
  const transport = scriptedTransport()
  const pauses: string[] = []
  const end = await harness.deliver(transport, {
    settings: { window: hours('Mon-Fri 09:00-17:00') },
    onPaused: (reason, until) => pauses.push(`${pauseWords(reason)} until ${until?.toISOString()}`),
  })
  expect(end).toMatchObject({ counts: { sent: 3 }, stopped: undefined })
  expect(pauses).toEqual(['outside the sending hours (Mon-Fri 09:00-17:00) until 2026-11-30T09:00:00.000Z'])
  for (const time of times(transport)) expect(time).toMatch(/^2026-11-30T09:00/)
})

test('no message begins when the sending hours are over; those on their way are finished', async () => {
  setClock('2026-11-27T16:59:58Z')
  const harness = await openHarness(20)
  const transport = scriptedTransport({ takes: 700 })
  const end = await harness.deliver(transport, { settings: { concurrency: 2, window: hours('Mon-Fri 09:00-17:00') } })
  expect(end.counts.sent).toBe(20)
  const all = times(transport)
  for (const time of all) expect(time).toMatch(/T(16:59|09:0)/)
  expect(all.filter((time) => time.startsWith('2026-11-27')).length).toBeGreaterThan(1)
  expect(all.filter((time) => time.startsWith('2026-11-30')).length).toBeGreaterThan(1)
  expect(transport.accepted.size).toBe(20)
})

test('a run that may not wait until then ends and can be resumed, and one that is stopped while it waits has sent nothing', async () => {
  setClock('2026-11-27T18:00:00Z')
  const harness = await openHarness(3)
  const transport = scriptedTransport()
  const settings = { window: hours('Mon-Fri 09:00-17:00') }
  const short = await harness.deliver(transport, { settings, patience: 30_000 })
  expect(short).toMatchObject({
    counts: { deferred: 3 },
    stopped: { kind: 'waiting', until: new Date('2026-11-30T09:00:00Z') },
  })
  const stop = new AbortController()
  const stopped = harness.start(transport, { settings, stop: stop.signal })
  await advance(5 * MINUTE)
  stop.abort()
  expect(await untilSettled(stopped)).toMatchObject({ counts: { deferred: 3 }, stopped: { kind: 'interrupted' } })
  expect(transport.tries).toHaveLength(0)
})

test('a clock that is set while a run waits is followed', async () => {
  setClock('2026-11-27T18:00:00Z')
  const harness = await openHarness(1)
  const transport = scriptedTransport()
  const end = harness.start(transport, { settings: { window: hours('Mon-Fri 09:00-17:00') } })
  await settleTurns()
  setClock('2026-11-30T09:00:01Z')
  await advance(2 * MINUTE)
  expect((await untilSettled(end)).counts.sent).toBe(1)
})

test('each recipient is written to in the sending hours of the own zone', async () => {
  setClock('2026-11-27T12:00:00Z')
  const harness = await openHarness(['paris@example.com', 'tokyo@example.com', 'york@example.com'])
  const transport = scriptedTransport()
  const zones: Readonly<Record<string, string>> = {
    'paris@example.com': 'Europe/Paris',
    'tokyo@example.com': 'Asia/Tokyo',
    'york@example.com': 'America/New_York',
  }
  const pauses: string[] = []
  const end = await harness.deliver(transport, {
    settings: { window: { ...hours('Mon-Fri 09:00-17:00'), zone: 'recipient' } },
    zoneOf: ({ address }) => zones[address] ?? '',
    onPaused: (reason) => pauses.push(reason.kind),
  })
  expect(end).toMatchObject({ counts: { sent: 3 }, stopped: undefined })
  const hourOf = times(transport).map((time, at) => [transport.tries[at]?.to, time.slice(0, 16)])
  expect(hourOf).toEqual([
    ['paris@example.com', '2026-11-27T12:00'],
    ['york@example.com', '2026-11-27T14:00'],
    ['tokyo@example.com', '2026-11-30T00:00'],
  ])
  expect(new Set(pauses)).toEqual(new Set(['window']))
})

test.each([false, true])('messages go one at a time with a random pause between them; pipelined: %s', async (ahead) => {
  const harness = await openHarness(12)
  const transport = scriptedTransport({ takes: 3000, ahead })
  const chances = [0, 0.5, 0.999]
  let drawn = 0
  const end = await harness.deliver(transport, {
    settings: { concurrency: 5, pause: { from: 5000, to: 12_000 } },
    clock: testClock(() => chances[drawn++ % chances.length] ?? 0),
  })
  expect(end.counts.sent).toBe(12)
  expect(transport.most).toEqual({ lanes: 1, inFlight: 1 })
  const all = moments(transport)
  // From the end of one, 3 s after its beginning, to the beginning of the next.
  const gaps = all.slice(1).map((at, before) => at - (all[before] ?? 0) - 3000)
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(5000)
  expect(Math.max(...gaps)).toBeLessThan(12_500)
  expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan(3000)
  // One connection is enough for all of them.
  expect(transport.opens).toHaveLength(1)
})

test('a message that the server refuses is followed by a pause too', async () => {
  const harness = await openHarness(4)
  const transport = scriptedTransport({ answer: ({ attempt }) => (attempt === 1 ? deferred('451 4.2.0 later') : OK) })
  await harness.deliver(transport, { settings: { pause: { from: 2000, to: 2000 } } })
  const all = moments(transport)
  for (const [at, moment] of all.slice(1).entries()) expect(moment - (all[at] ?? 0)).toBeGreaterThanOrEqual(2000)
})

test('a limit that rises holds each calendar day, over runs, and goes on with a later campaign', async () => {
  setClock('2026-11-27T10:00:00Z')
  const rampUp = ramp('4/day, +50 %/day, to 10/day')
  const one = await openHarness(14)
  const [first, second] = [scriptedTransport(), scriptedTransport()]
  const days = new Map<string, number>()
  const left: (number | undefined)[] = []
  const deliverDay = async (harness: typeof one, transport: typeof first, day: string) => {
    setClock(`${day}T10:00:00Z`)
    const before = transport.tries.length
    const end = await harness.deliver(transport, {
      settings: { rampUp, concurrency: 3 },
      onProgress: ({ quota, secondsLeft }) => {
        if (quota !== undefined) left.push(secondsLeft)
      },
    })
    days.set(day, (days.get(day) ?? 0) + transport.tries.length - before)
    return end
  }
  const friday = await deliverDay(one, first, '2026-11-27')
  // More than the day lets go: no number of seconds is right.
  expect(left.filter((seconds) => seconds !== undefined)).toEqual([])
  expect(friday.stopped).toEqual({
    kind: 'quota',
    quota: { count: 4, seconds: 86_400, left: 0, isRampUp: true },
    until: new Date('2026-11-28T00:00:00Z'),
  })
  // Given again on the same day, nothing goes.
  await deliverDay(one, first, '2026-11-27')
  // The days between have no message, and do not count.
  await deliverDay(one, first, '2026-11-30')
  await deliverDay(one, first, '2026-12-01')
  const two = await openHarness(20, { path: one.path, name: 'two' })
  await deliverDay(two, second, '2026-12-01')
  await deliverDay(two, second, '2026-12-02')
  expect([...days]).toEqual([
    ['2026-11-27', 4],
    ['2026-11-30', 6],
    ['2026-12-01', 9],
    ['2026-12-02', 10],
  ])
})

test('what is left of a day at its end is not taken over into the next', async () => {
  setClock('2026-11-27T23:59:00Z')
  const harness = await openHarness(12)
  const transport = scriptedTransport({ takes: 20_000 })
  const settings = { rampUp: ramp('5/day, +1/day'), concurrency: 1 }
  const end = harness.start(transport, { settings })
  await advance(15 * MINUTE)
  const all = times(transport)
  expect(all.filter((time) => time.startsWith('2026-11-27')).length).toBeLessThanOrEqual(5)
  expect(all.filter((time) => time.startsWith('2026-11-28'))).toHaveLength(6)
  expect((await untilSettled(end)).stopped).toMatchObject({ kind: 'quota', until: new Date('2026-11-29T00:00:00Z') })
})

test('a limit that is used up outside the sending hours does not end a run that waits for them', async () => {
  setClock('2026-11-27T16:30:00Z')
  const harness = await openHarness(6)
  const transport = scriptedTransport()
  const settings = { rampUp: ramp('3/day, +1/day'), window: hours('Mon-Fri 09:00-16:30') }
  const end = await harness.deliver(transport, { settings })
  // The next day that has messages is Monday; the rest is for Tuesday, in its hours.
  expect(end.stopped).toMatchObject({ kind: 'quota', until: new Date('2026-12-01T09:00:00Z') })
  expect(times(transport).map((time) => time.slice(0, 10))).toEqual(['2026-11-30', '2026-11-30', '2026-11-30'])
})
