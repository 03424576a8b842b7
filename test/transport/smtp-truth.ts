/** What must hold after any delivery to a scripted server, whatever that server did. */
import { expect } from 'vitest'
import type { ScriptedServer } from '../support/scripted-server.ts'
import type { Delivered } from './smtp-lane.ts'

/**
 * Nothing twice, each under its own envelope, no octet of content where commands belong, sent only what the server took with
 * its own 2xx, unsent or refused only what it never took.
 */
export function expectTruth(server: ScriptedServer, { outcomes }: Delivered): void {
  const times = new Map<string, number>()
  for (const { id, from, to } of server.whole) {
    times.set(id, (times.get(id) ?? 0) + 1)
    const number = id.slice(1, id.indexOf('@'))
    expect({ from, to: to[0] }, id).toEqual({ from: 'sender@example.org', to: `r${number}@example.com` })
  }
  expect(server.strays).toEqual([])
  for (const [number, told] of outcomes) {
    const id = `<${number}@test>`
    const kinds = told.map(({ kind }) => kind)
    const last = kinds.at(-1)
    expect(
      kinds.slice(0, -1).every((kind) => kind === 'unsent'),
      `${id}: ${kinds}`,
    ).toBe(true)
    if (last === 'accepted') {
      const [message] = server.whole.filter((one) => one.id === id)
      expect(times.get(id), id).toBe(1)
      expect(
        message?.answers.some((answer) => answer.startsWith('2')),
        id,
      ).toBe(true)
    } else if (last !== 'in_doubt') {
      expect(
        server.messages.some((one) => one.id === id),
        `${id} ended ${last}`,
      ).toBe(false)
    }
  }
}
