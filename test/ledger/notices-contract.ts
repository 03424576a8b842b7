/** Notices: the last of each subject, given once, and owed while the work is on. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { backend, later, ledger, NOW } from './harness.ts'

let another: Ledger
const notice = (about: string) => ({ about, facts: JSON.stringify({ about }) })

export function noticesContract(): void {
  describe('notices', () => {
    beforeEach(async () => {
      another = await backend.open()
    })
    afterEach(() => another.close())

    test('one is owed from the beginning of the work until its end is recorded', async () => {
      await ledger.notices.expect('a')
      expect(await another.notices.owed()).toEqual(['a'])
      expect(await another.notices.take(NOW, later(60), 10)).toEqual([])
      await ledger.notices.record('a', notice('ended'))
      expect(await another.notices.owed()).toEqual([])
      // Of what nobody expects nothing is recorded.
      await ledger.notices.record('a', notice('another end'))
      await ledger.notices.record('b', notice('ended'))
      expect((await another.notices.take(NOW, later(60), 10)).map(({ facts }) => facts)).toEqual([
        notice('ended').facts,
      ])
    })

    test('one process takes it, and another only when that one has had its time', async () => {
      await ledger.notices.expect('a')
      await ledger.notices.record('a', notice('ended'))
      const [taken] = await ledger.notices.take(NOW, later(60), 10)
      expect(await another.notices.take(later(59), later(119), 10)).toEqual([])
      if (taken !== undefined) await ledger.notices.given(taken, 'webhook')
      expect(await another.notices.take(later(60), later(120), 10)).toEqual([
        { subject: 'a', number: 1, facts: notice('ended').facts, given: ['webhook'] },
      ])
      if (taken !== undefined) await another.notices.close(taken)
      expect(await another.notices.take(later(500), later(560), 10)).toEqual([])
    })

    test('a newer one takes its place, the same one again is dropped, and without one nothing is owed any more', async () => {
      const record = async (about: string | undefined): Promise<void> => {
        await ledger.notices.expect('a')
        await ledger.notices.record('a', about === undefined ? undefined : notice(about))
      }
      await record('stopped')
      const [first] = await ledger.notices.take(NOW, later(60), 10)
      await record('ended')
      // What was done about the older one says nothing of the newer.
      if (first !== undefined) await ledger.notices.close(first)
      const [second] = await ledger.notices.take(NOW, later(60), 10)
      expect(second).toMatchObject({ number: 2, facts: notice('ended').facts })
      if (second !== undefined) await ledger.notices.close(second)
      await record('ended')
      await record(undefined)
      expect(await ledger.notices.owed()).toEqual([])
      expect(await ledger.notices.take(later(500), later(560), 10)).toEqual([])
    })
  })
}
