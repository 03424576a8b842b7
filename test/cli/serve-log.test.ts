import { expect, test } from 'vitest'
import { serveLog } from '../../src/cli/commands/serve-log.ts'
import type { Output } from '../../src/cli/terminal/output.ts'
import { fakeIo } from './fake-io.ts'

function logged(options: { readonly terminal: boolean; readonly json?: boolean }): readonly string[] {
  const io = fakeIo({ terminal: options.terminal })
  const log = serveLog({ io, out: { json: options.json ?? false } as Output }, 'UTC')
  log('info', 'due', { schedule: 'news', wall: '2027-01-04T09:00', campaign: 'news-2027-01-04' })
  log('info', 'waiting', {
    schedule: 'news',
    wall: '2027-01-04T09:00',
    sent: 3,
    deferred: 2,
    stopped: 'the next row …',
  })
  log('warning', 'not finished', { campaign: 'launch', reason: 'no \u001b[31mroute', hint: 'Try later.' })
  log('warning', 'something new', { to_send: 3 })
  return io.stderr.text.trimEnd().split('\n')
}

test('a person at a terminal reads words', () => {
  const lines = logged({ terminal: true }).map((line) => line.replace(/^\d\d:\d\d {2}/, ''))
  expect(lines).toEqual([
    'news 2027-01-04 09:00: due',
    'news 2027-01-04 09:00: 3 sent, 2 waiting; the next row …',
    'warning: launch: not finished: no \\u001b[31mroute. Try later.',
    'warning: something new: to send 3',
  ])
})

test.each([{ terminal: false }, { terminal: true, json: true }])('a program reads JSON: %j', (options) => {
  const [first] = logged(options).map((line) => JSON.parse(line))
  expect(first).toMatchObject({ level: 'info', event: 'due', schedule: 'news', wall: '2027-01-04T09:00' })
  expect(Date.parse(first.time)).toBeGreaterThan(0)
})
