/** What notices changes of a ledger reads it for pages that listen, and not otherwise. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { openSqliteLedger } from '../../../src/ledger/sqlite/sqlite.ts'
import { EventHub } from '../../../src/pages/events.ts'
import { watchRuns } from '../../../src/pages/runs/watch.ts'

test('the ledger is read only while a page listens, which then hears of what changed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailmerge-watch-'))
  const ledger = await openSqliteLedger(join(folder, 'ledger.db'))
  const events = new EventHub()
  const server = createServer((_, response) => events.subscribe(response, undefined))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const reads = vi.spyOn(ledger.runs, 'list')
  const watch = watchRuns(ledger, events)
  try {
    for (let times = 0; times < 5; times++) watch.look()
    expect(reads).not.toHaveBeenCalled()

    const { port } = server.address() as AddressInfo
    const page = await new Promise<IncomingMessage>((done) => get({ port }, done))
    let heard = ''
    page.setEncoding('utf8').on('data', (text: string) => {
      heard += text
    })
    await ledger.suppressions.add([
      { address: 'ada@example.com', hash: 'x', group: '', reason: 'manual', addedAt: new Date() },
    ])
    await expect.poll(() => heard, { timeout: 20_000 }).toContain('event: runs')
    expect(reads).toHaveBeenCalled()
  } finally {
    watch.close()
    events.close()
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
    await ledger.close()
    rmSync(folder, { recursive: true })
  }
})
