/**
 * The SMTP server behind `--sandbox` and `inbox --smtp-port`: takes every message over a real socket and keeps it as a file.
 * Owns the receiving side of the conversation and its bounds; it relays nothing and listens on this machine only.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { OutputError } from '../errors.ts'
import { FAULT_REPLIES, type Faults, faultOf, type MessageFault } from './faults.ts'
import { type InboxStore, type IndexLine, openInboxStore } from './store.ts'

export interface InboxOptions {
  /** Folder for the messages; made when it is not there. */
  readonly dir: string
  /** A loopback address; default 127.0.0.1. */
  readonly host?: string
  /** Default: any free port. */
  readonly port?: number
  /** Faults that hold now, which may change at any time; none without it. */
  readonly faults?: () => Faults
  /** For the share of messages that meet a fault; a number from 0 to 1. */
  readonly random?: () => number
  /** Offers a login that any name and password pass, as programs under test may insist on one. */
  readonly anyLogin?: boolean
  /** Hears of each message when it is on the disk. */
  readonly onKept?: (line: IndexLine) => void
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
  const store = await openInboxStore(options.dir, options.onKept)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    new Receiver(socket, store, options).start()
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
      reject(new OutputError(`the inbox cannot listen on ${host}:${port}`, { cause, hint: 'Choose another port.' })),
    )
    server.listen(port, host, resolve)
  })
}

/** One client. States: commands, login, content, over. */
class Receiver {
  readonly #socket: Socket
  readonly #store: InboxStore
  readonly #options: InboxOptions
  #from: string | undefined
  #to: string[] = []
  #rest: Buffer = Buffer.alloc(0)
  #content: Buffer[] | undefined
  #contentSize = 0
  /** The last bytes of the content so far, so that the end is seen across chunks. */
  #tail = '\r\n'
  #busy = false
  /** Lines of a login that are still to come. */
  #loginLines = 0
  /** Answers that wait for their time, one after the other. */
  #answers: Promise<void> | undefined

  constructor(socket: Socket, store: InboxStore, options: InboxOptions) {
    this.#socket = socket
    this.#store = store
    this.#options = options
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

  #reply(line: string, last = false): void {
    const answer = (): void => {
      if (this.#socket.destroyed) return
      this.#socket.write(`${line}\r\n`)
      if (last) this.#socket.end()
    }
    const slow = this.#options.faults?.().slow ?? 0
    if (slow === 0 && this.#answers === undefined) return answer()
    this.#answers = (this.#answers ?? Promise.resolve()).then(() => setTimeout(slow * 1000)).then(answer)
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
      if (this.#loginLines > 0) this.#loginLine(line)
      else this.#command(line)
    }
  }

  #refuseAndClose(line: string): void {
    this.#reply(line, true)
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
            ...(this.#options.anyLogin ? ['250-AUTH PLAIN LOGIN'] : []),
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
      case 'AUTH':
        return this.#login(line)
      case 'QUIT':
        return this.#reply('221 2.0.0 bye', true)
      default:
        this.#reply('500 5.5.1 unknown command')
    }
  }

  /** RFC 4954. What is given is neither checked nor kept. */
  #login(line: string): void {
    const [, mechanism = '', initial] = line.split(' ')
    if (!this.#options.anyLogin) return this.#reply('500 5.5.1 unknown command')
    const all = { PLAIN: 1, LOGIN: 2 }[mechanism.toUpperCase()]
    if (all === undefined) return this.#reply('504 5.5.4 mechanism not known')
    this.#loginLines = initial === undefined || initial === '' ? all : all - 1
    this.#askLogin(all)
  }

  #loginLine(line: string): void {
    if (line === '*') {
      this.#loginLines = 0
      return this.#reply('501 5.7.0 login broken off')
    }
    this.#loginLines -= 1
    this.#askLogin(2)
  }

  /** LOGIN asks for the name, then for the password. */
  #askLogin(all: number): void {
    if (this.#loginLines === 0) return this.#reply('235 2.7.0 welcome, whoever you are')
    if (all === 1) return this.#reply('334 ')
    this.#reply(this.#loginLines === 2 ? '334 VXNlcm5hbWU6' : '334 UGFzc3dvcmQ6')
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
    const { faults, random = Math.random } = this.#options
    const fault = faults === undefined ? undefined : faultOf(faults(), to, random())
    const stored = this.#store.add({ from, to, bytes: unstuff(bytes), fault })
    if (!(stored instanceof Promise)) return this.#answer(stored, fault)
    this.#busy = true
    stored.then(
      (name) => {
        this.#busy = false
        this.#answer(name, fault)
        this.#work()
      },
      () => {
        this.#busy = false
        this.#reply('452 4.3.1 the disk is full')
        this.#work()
      },
    )
  }

  #answer(name: string, fault: MessageFault | undefined): void {
    const reply = fault === undefined ? `250 2.0.0 kept as ${name}` : FAULT_REPLIES[fault]
    if (reply === undefined) this.#socket.destroy()
    else this.#reply(reply)
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
