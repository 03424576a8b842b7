/**
 * A SQLite ledger in a thread of its own: opens it, does what the messages say in the order in which they come, answers
 * each. Owns what cannot be sent, claims and half-read lists; `threaded-ledger.ts` is the other end.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { DefectError } from '../errors.ts'
import type { Claim, Ledger } from './ledger.ts'
import { openSqliteLedger } from './sqlite.ts'
import { packError, type ThreadReply, type ThreadRequest } from './thread-messages.ts'

type Method = (...args: readonly unknown[]) => unknown

const claims = new Map<number, Claim>()
const streams = new Map<number, AsyncIterator<unknown>>()
const opening = openSqliteLedger(String(workerData))
// Whoever sends the first message hears of it.
opening.catch(() => {})

async function answer(request: ThreadRequest): Promise<unknown> {
  const ledger = await opening
  switch (request.kind) {
    case 'call':
      return call(ledger, request.path, request.args)
    case 'claim': {
      const claim = await (call(ledger, ['claim'], request.args) as ReturnType<Ledger['claim']>)
      claims.set(request.id, claim)
      return claim.orphans
    }
    case 'release':
      return claims.get(request.claim)?.release()
    case 'stream':
      streams.set(
        request.id,
        (call(ledger, request.path, request.args) as AsyncIterable<unknown>)[Symbol.asyncIterator](),
      )
      return undefined
    case 'next': {
      const next = await streams.get(request.stream)?.next()
      if (next === undefined || next.done) streams.delete(request.stream)
      return next
    }
    case 'leave':
      await streams.get(request.stream)?.return?.()
      streams.delete(request.stream)
      return undefined
  }
}

function call(ledger: Ledger, path: readonly string[], args: readonly unknown[]): unknown {
  let owner: unknown = ledger
  let method: unknown = ledger
  for (const name of path) {
    owner = method
    method = (owner as Readonly<Record<string, unknown>>)[name]
  }
  if (typeof method !== 'function') throw new DefectError(`The ledger has no ${path.join('.')}`)
  return (method as Method).apply(owner, [...args])
}

parentPort?.on('message', (request: ThreadRequest) => {
  const { id } = request
  answer(request).then(
    (value) => parentPort?.postMessage({ id, value } satisfies ThreadReply),
    (error: unknown) => parentPort?.postMessage({ id, error: packError(error) } satisfies ThreadReply),
  )
})
