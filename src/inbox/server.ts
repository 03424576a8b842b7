/**
 * The SMTP server behind `--sandbox`: takes every message over a real socket and keeps it as a file. Owns the receiving
 * side of the conversation and its bounds; it relays nothing and listens on this machine only.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { OutputError } from '../errors.ts'
import { type InboxStore, openInboxStore } from './store.ts'

export interface InboxOptions {
  /** Folder for the messages; made when it is not there. */
  readonly dir: string
  /** A loopback address; default 127.0.0.1. */
  readonly host?: string
  /** Default: any free port. */
  readonly port?: number
}

export interface Inbox {
  readonly host: string
  readonly port: number
  readonly dir: string
  /** Messages taken so far. */
  readonly received: number
  /** Waits until all that was taken is on the disk. */
  close(): Promise<void>
}

const MAX_COMMAND = 4096
const MAX_MESSAGE = 100 * 1024 * 1024
const MAX_RECIPIENTS = 1000

/** @throws OutputError when the folder cannot be made or the port is taken. */
export async function startInbox(options: InboxOptions): Promise<Inbox> {
  const host = options.host ?? '127.0.0.1'
  const store = await openInboxStore(options.dir)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    new Receiver(socket, store).start()
  })
  await listen(server, host, options.port ?? 0)
  const { port } = server.address() as AddressInfo
  let closing: Promise<void> | undefined
  return {
    host,
    port,
    dir: options.dir,
    get received() {
      return store.count
    },
    close() {
      closing ??= new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }).then(() => store.close())
      return closing
    },
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new OutputError(`the sandbox cannot listen on ${host}:${port}`, { cause, hint: 'Choose another port.' })),
    )
    server.listen(port, host, resolve)
  })
}

/** One client. States: commands, content, over. */
class Receiver {
  readonly #socket: Socket
  readonly #store: InboxStore
  #from: string | undefined
  #to: string[] = []
  #rest: Buffer = Buffer.alloc(0)
  #content: Buffer[] | undefined
  #contentSize = 0
  /** The last bytes of the content so far, so that the end is seen across chunks. */
  #tail = '\r\n'
  #busy = false

  constructor(socket: Socket, store: InboxStore) {
    this.#socket = socket
    this.#store = store
  }

  start(): void {
    this.#socket.setNoDelay(true)
    this.#socket.setTimeout(300_000, () => this.#socket.destroy())
    this.#socket.on('error', () => {})
    this.#socket.on('data', (chunk: Buffer) => {
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
      this.#work()
    })
    this.#reply('220 sandbox ESMTP mailmerge')
  }

  #reply(line: string): void {
    if (!this.#socket.destroyed) this.#socket.write(`${line}\r\n`)
  }

  #work(): void {
    while (!this.#busy && this.#rest.length > 0 && !this.#socket.destroyed) {
      if (this.#content !== undefined) {
        if (!this.#readContent(this.#content)) return
        continue
      }
      const end = this.#rest.indexOf('\r\n')
      if (end < 0) {
        if (this.#rest.length > MAX_COMMAND) this.#refuseAndClose('500 5.5.2 line too long')
        return
      }
      const line = this.#rest.toString('utf8', 0, end)
      this.#rest = this.#rest.subarray(end + 2)
      this.#command(line)
    }
  }

  #refuseAndClose(line: string): void {
    this.#reply(line)
    this.#socket.end()
    this.#rest = Buffer.alloc(0)
  }

  #command(line: string): void {
    if (/[\u0000-\u001F\u007F]/.test(line)) return this.#reply('501 5.5.2 control character in command')
    const [verb = ''] = line.split(' ', 1)
    switch (verb.toUpperCase()) {
      case 'EHLO':
        return this.#reply(
          [
            '250-sandbox',
            '250-PIPELINING',
            '250-8BITMIME',
            '250-SMTPUTF8',
            '250-ENHANCEDSTATUSCODES',
            `250 SIZE ${MAX_MESSAGE}`,
          ].join('\r\n'),
        )
      case 'HELO':
        return this.#reply('250 sandbox')
      case 'MAIL': {
        const path = /^MAIL FROM:\s*<([^>]*)>/i.exec(line)?.[1]
        if (this.#from !== undefined) return this.#reply('503 5.5.1 nested MAIL command')
        if (path === undefined) return this.#reply('501 5.1.7 no sender')
        this.#from = path
        return this.#reply('250 2.1.0 sender ok')
      }
      case 'RCPT': {
        const path = /^RCPT TO:\s{0,20}<((?:"(?:[^"\\]|\\.)*"|[^">])+)>/i.exec(line)?.[1]
        if (this.#from === undefined) return this.#reply('503 5.5.1 MAIL first')
        if (path === undefined) return this.#reply('501 5.1.3 no recipient')
        if (this.#to.length >= MAX_RECIPIENTS) return this.#reply('452 4.5.3 too many recipients')
        this.#to.push(path)
        return this.#reply('250 2.1.5 recipient ok')
      }
      case 'DATA':
        if (this.#to.length === 0) return this.#reply('503 5.5.1 RCPT first')
        this.#content = []
        this.#contentSize = 0
        this.#tail = '\r\n'
        return this.#reply('354 go on')
      case 'RSET':
        this.#reset()
        return this.#reply('250 2.0.0 forgotten')
      case 'NOOP':
        return this.#reply('250 2.0.0 ok')
      case 'QUIT':
        this.#reply('221 2.0.0 bye')
        this.#socket.end()
        return
      default:
        this.#reply('500 5.5.1 unknown command')
    }
  }

  /** Takes content up to CRLF.CRLF and nothing that only looks like it. False when more has to come. */
  #readContent(content: Buffer[]): boolean {
    const rest = this.#rest
    // The mark may begin in what came before.
    const joined = Buffer.concat([Buffer.from(this.#tail, 'latin1'), rest])
    const mark = joined.indexOf('\r\n.\r\n')
    if (mark < 0) {
      // What could be the start of the mark is kept back.
      this.#keep(content, rest)
      this.#tail = joined.subarray(Math.max(0, joined.length - 4)).toString('latin1')
      this.#rest = Buffer.alloc(0)
      return false
    }
    const used = mark + 2 - this.#tail.length
    if (used > 0) this.#keep(content, rest.subarray(0, used))
    this.#rest = rest.subarray(mark + 5 - this.#tail.length)
    this.#complete(content, used)
    return true
  }

  #keep(content: Buffer[], chunk: Buffer): void {
    this.#contentSize += chunk.length
    if (this.#contentSize <= MAX_MESSAGE) content.push(chunk)
  }

  #complete(content: Buffer[], used: number): void {
    let bytes = Buffer.concat(content)
    // Bytes of the mark that had already been taken.
    if (used < 0) bytes = bytes.subarray(0, bytes.length + used)
    const [from, to] = [this.#from ?? '', this.#to]
    const tooLarge = this.#contentSize > MAX_MESSAGE
    this.#content = undefined
    this.#reset()
    if (tooLarge) return this.#reply('552 5.3.4 message too large')
    const stored = this.#store.add({ from, to, bytes: unstuff(bytes) })
    if (!(stored instanceof Promise)) return this.#reply(`250 2.0.0 kept as ${stored}`)
    this.#busy = true
    stored.then(
      (name) => {
        this.#busy = false
        this.#reply(`250 2.0.0 kept as ${name}`)
        this.#work()
      },
      () => {
        this.#busy = false
        this.#reply('452 4.3.1 the disk is full')
        this.#work()
      },
    )
  }

  #reset(): void {
    this.#from = undefined
    this.#to = []
  }
}

/** Takes the dots off that the sender put before lines that begin with one (RFC 5321 section 4.5.2). */
function unstuff(bytes: Buffer): Buffer {
  if (bytes[0] !== 46 && !bytes.includes('\r\n.')) return bytes
  const text = bytes.toString('latin1')
  return Buffer.from((text.startsWith('.') ? text.slice(1) : text).replaceAll('\r\n.', '\r\n'), 'latin1')
}
