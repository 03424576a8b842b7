/** A long wire: a TCP proxy that holds every byte back for a while in each direction, and limits no throughput. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { median } from './measure.ts'

export interface DelayingProxy {
  readonly port: number
  close(): void
}

/** @param oneWay milliseconds in each direction; the connection itself takes one way too. */
export async function startDelayingProxy(target: number, oneWay: number): Promise<DelayingProxy> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (near) => {
    sockets.add(near)
    near.on('close', () => sockets.delete(near))
    near.on('error', () => {})
    near.pause()
    setTimeout(() => {
      const far = connect({ port: target, host: '127.0.0.1', noDelay: true })
      far.on('error', () => near.destroy())
      far.once('connect', () => {
        delayed(near, far, oneWay)
        delayed(far, near, oneWay)
        near.resume()
      })
    }, oneWay)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function delayed(from: Socket, to: Socket, oneWay: number): void {
  // Timers of one length fire in the order in which they were set.
  from.on('data', (chunk) => setTimeout(() => to.writable && to.write(chunk), oneWay))
  from.on('end', () => setTimeout(() => to.end(), oneWay))
  from.on('close', () => setTimeout(() => to.destroy(), oneWay))
}

/** What a round trip through it to an SMTP server takes, in milliseconds: the median of some NOOPs, one after the other. */
export async function roundTrip(port: number): Promise<number> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const heard = (): Promise<unknown> => once(socket, 'data')
  await heard()
  const times: number[] = []
  for (let time = 0; time < 41; time++) {
    const asked = performance.now()
    socket.write('NOOP\r\n')
    await heard()
    times.push(performance.now() - asked)
  }
  socket.destroy()
  return median(times)
}
