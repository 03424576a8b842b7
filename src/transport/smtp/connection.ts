/**
 * The socket of a lane after login. Owns when octets are given to the kernel, how long its silence is borne, and why it was
 * cut; knows no word of SMTP.
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { systemWords } from '../../fs/system-errors.ts'
import { Deadline } from './deadline.ts'

export interface WireListener {
  octets(chunk: Buffer): void
  /** The time that was given by `within` is over. */
  silent(): void
  /** It is no more. */
  closed(reason: string): void
}

export class Wire {
  readonly #socket: Socket | TLSSocket
  readonly #listener: WireListener
  readonly #deadline: Deadline
  #closeReason = 'the server closed the connection'

  /** `shortest`: the shortest time that will be given, in milliseconds. */
  constructor(socket: Socket | TLSSocket, shortest: number, listener: WireListener) {
    this.#socket = socket
    this.#listener = listener
    this.#deadline = new Deadline(shortest, () => listener.silent())
  }

  /** What is written still has a way to the server. */
  get open(): boolean {
    return !this.#socket.destroyed
  }

  start(): void {
    const socket = this.#socket
    if (socket.destroyed) return this.#listener.closed(this.#closeReason)
    socket.on('data', (chunk: Buffer) => this.#listener.octets(chunk))
    socket.on('error', (error) => {
      this.#closeReason = `the connection broke: ${systemWords(error)}`
    })
    socket.once('end', () => socket.destroy())
    socket.once('close', () => this.#listener.closed(this.#closeReason))
    this.#deadline.start()
    socket.resume()
  }

  write(octets: string | Uint8Array): void {
    this.#socket.write(octets)
  }

  /** Writes one of many pieces; resolves when the kernel wants more, or when the connection is no more. */
  async writePiece(octets: Uint8Array): Promise<void> {
    const socket = this.#socket
    if (socket.write(octets)) return
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

  /** From now on, something must be heard within so many milliseconds. */
  within(milliseconds: number): void {
    this.#deadline.set(milliseconds)
  }

  /** Nothing need be heard. */
  atLeisure(): void {
    this.#deadline.clear()
  }

  /** Breaks the connection; `closed` is told with this reason. */
  cut(reason: string): void {
    this.#closeReason = reason
    this.#socket.destroy()
  }

  /** Breaks the connection and waits for nothing more. */
  stop(): void {
    this.#deadline.stop()
    this.#socket.destroy()
  }
}
