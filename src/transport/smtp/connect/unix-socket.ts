/** A server on this machine that listens on a socket file, as mail stores do for LMTP. Owns the way there. */
import { connect, type Socket } from 'node:net'

/** True for a host that is a path. */
export function isSocketPath(host: string): boolean {
  return host.startsWith('/')
}

/** @throws the error of the system, with its code: `ENOENT`, `EACCES`, `ECONNREFUSED`; `ETIMEDOUT` after `timeout` ms. */
export function connectToSocket(path: string, timeout: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error(`${path} does not answer`), { code: 'ETIMEDOUT' }))
    }, timeout)
    const fail = (error: Error): void => {
      clearTimeout(timer)
      reject(error)
    }
    socket.once('error', fail)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', fail)
      resolve(socket)
    })
  })
}
