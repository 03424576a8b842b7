/**
 * The socket of a lane after login. Owns writing to the kernel, the time limit for silence, and the reason for its end; knows
 * nothing of SMTP.
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { systemWords } from '../../fs/system-errors.ts'

export interface ConnectionListener {
  received(chunk: Buffer): void
  /** The time given by `expectWithin` has passed. */
  silent(): void
  closed(reason: string): void
}

export class Connection {
  readonly #socket: Socket | TLSSocket
  readonly #listener: ConnectionListener
  readonly #deadline: Deadline
  #closeReason = 'the server closed the connection'

  /** `shortest`: the shortest time that will be given, in milliseconds. */
  constructor(socket: Socket | TLSSocket, shortest: number, listener: ConnectionListener) {
    this.#socket = socket
    this.#listener = listener
    this.#deadline = new Deadline(shortest, () => listener.silent())
  }

  /** Bytes can still be written to the server. */
  get open(): boolean {
    return !this.#socket.destroyed
  }

  start(): void {
    const socket = this.#socket
    if (socket.destroyed) return this.#listener.closed(this.#closeReason)
    socket.on('data', (chunk: Buffer) => this.#listener.received(chunk))
    socket.on('error', (error) => {
      this.#closeReason = `the connection broke: ${systemWords(error)}`
    })
    socket.once('end', () => socket.destroy())
    socket.once('close', () => this.#listener.closed(this.#closeReason))
    this.#deadline.start()
    socket.resume()
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** Writes one of many pieces; resolves when the kernel wants more, or when the connection is closed. */
  async writePiece(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket
    if (socket.write(bytes)) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        socket.removeListener('drain', done)
        socket.removeListener('close', done)
        resolve()
      }
      socket.once('drain', done)
      socket.once('close', done)
    })
  }

  /** From now on, something must arrive within this time. */
  expectWithin(milliseconds: number): void {
    this.#deadline.set(milliseconds)
  }

  /** No reply is expected: silence has no limit. */
  expectNothing(): void {
    this.#deadline.clear()
  }

  /** Breaks the connection; the listener gets `closed` with this reason. */
  cut(reason: string): void {
    this.#closeReason = reason
    this.#socket.destroy()
  }

  /** Breaks the connection and stops its timer. */
  stop(): void {
    this.#deadline.stop()
    this.#socket.destroy()
  }
}

/**
 * How long a server may be silent (RFC 5321 section 4.5.3.2): one coarse timer a connection, whose ticks are counted, so that
 * asking costs nothing a message, and so that a machine that slept or a loop that was busy is not taken for a slow server.
 */
class Deadline {
  readonly #tick: number
  readonly #expired: () => void
  #left = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  /** `shortest`: the shortest limit that will be asked for, in milliseconds. Limits are kept to an eighth of it. */
  constructor(shortest: number, expired: () => void) {
    this.#tick = Math.max(10, Math.min(1000, shortest / 8))
    this.#expired = expired
  }

  start(): void {
    this.#timer = setInterval(() => this.#count(), this.#tick)
  }

  /** Starts again with that many milliseconds. */
  set(milliseconds: number): void {
    this.#left = milliseconds / this.#tick + 1
  }

  clear(): void {
    this.#left = Number.POSITIVE_INFINITY
  }

  stop(): void {
    this.clear()
    clearInterval(this.#timer)
  }

  #count(): void {
    if (--this.#left > 0) return
    this.clear()
    this.#expired()
  }
}
