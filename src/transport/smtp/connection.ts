/**
 * The socket of a lane after login. Owns writing to the kernel, the time limit for silence, and the reason for its end; knows
 * nothing of SMTP.
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { systemWords } from '../../fs/system-errors.ts'
import { Deadline } from './deadline.ts'

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
