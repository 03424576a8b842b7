/** One connection of the scripted server: reads commands and content, does what the script orders, writes down the rest. */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Action, Notebook, Recorded, Rule, ScriptedServerOptions, Step } from './scripted-server.ts'

const EXTENSIONS = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES']

export function converse(socket: Socket, connection: number, options: ScriptedServerOptions, notebook: Notebook): void {
  new Conversation(socket, connection, options, notebook).start()
}

class Conversation {
  readonly #connection: number
  readonly #options: ScriptedServerOptions
  readonly #notebook: Notebook
  #socket: Socket
  #rest: Buffer = Buffer.alloc(0)
  /** Content taken so far; what could be the start of its end stays in `#rest`. */
  #held: Buffer[] = []
  #heldSize = 0
  #from: string | undefined
  #to: string[] = []
  #message = 0
  #mode: 'command' | 'auth' | 'login' | 'content' = 'command'
  #loginLines = 0
  /** The content was answered before its end. */
  #answered = false
  /** A reply is on its way: nothing more is read, and later replies wait in `#pending`, until it is out. */
  #blocked = false
  readonly #pending: (() => void)[] = []
  #merged = ''

  constructor(socket: Socket, connection: number, options: ScriptedServerOptions, notebook: Notebook) {
    this.#socket = socket
    this.#connection = connection
    this.#options = options
    this.#notebook = notebook
  }

  start(): void {
    this.#listen(this.#socket)
    this.#act(this.#options.greeting?.(this.#step('')), '220 scripted ESMTP')
    this.#release()
  }

  #listen(socket: Socket): void {
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
      this.#work()
    })
  }

  #step(line: string, more: Partial<Step> = {}): Step {
    const secure = this.#socket instanceof TLSSocket
    return { connection: this.#connection, message: this.#message, line, octets: 0, recipient: '', secure, ...more }
  }

  // ---- saying ------------------------------------------------------------------------------------------------------

  /** Replies come in the order of the commands (RFC 2920, 3.2), however late or slow the one before is. */
  #inTurn(reply: () => void): void {
    if (this.#blocked) this.#pending.push(reply)
    else reply()
  }

  #unblock(): void {
    this.#blocked = false
    while (!this.#blocked) {
      const reply = this.#pending.shift()
      if (reply === undefined) return this.#work()
      reply()
    }
  }

  #write(text: string): void {
    this.#inTurn(() => this.#send(text))
  }

  #send(text: string): void {
    if (this.#socket.destroyed) return
    const { pieces = 'whole' } = this.#options
    if (pieces === 'whole') this.#socket.write(text, 'latin1')
    else if (pieces === 'merged') this.#merged += text
    else this.#trickle(text, pieces === 'bytes' ? () => 1 : () => 1 + Math.floor(Math.random() * 7))
  }

  #trickle(text: string, size: () => number): void {
    let at = 0
    const next = (): void => {
      if (at >= text.length || this.#socket.destroyed) return this.#unblock()
      const end = at + size()
      this.#socket.write(text.slice(at, end), 'latin1', () => setImmediate(next))
      at = end
    }
    this.#blocked = true
    next()
  }

  #release(): void {
    if (this.#merged !== '' && !this.#socket.destroyed) this.#socket.write(this.#merged, 'latin1')
    this.#merged = ''
  }

  /** Does an action; true when what was asked is to be done. */
  #act(action: Action, usual: string): boolean {
    if (action === undefined || typeof action === 'string') {
      this.#write(`${action ?? usual}\r\n`)
      return /^[23]/.test(action ?? usual)
    }
    if ('drop' in action) this.#socket.destroy()
    else if ('reset' in action) this.#socket.resetAndDestroy()
    else if ('stall' in action) this.#socket.pause()
    else if ('close' in action) {
      this.#write(`${action.close}\r\n`)
      this.#inTurn(() => {
        this.#release()
        this.#socket.end()
      })
    } else if ('mute' in action) return true
    else if ('twice' in action) {
      this.#write(`${usual}\r\n${usual}\r\n`)
      return true
    } else if ('raw' in action) {
      this.#write(action.raw)
      return /^[23]/.test(action.raw)
    } else if ('after' in action) {
      const reply = action.reply ?? usual
      this.#inTurn(() => {
        this.#blocked = true
        setTimeout(() => {
          this.#pending.unshift(() => this.#send(`${reply}\r\n`))
          this.#unblock()
        }, action.after)
      })
      return /^[23]/.test(reply)
    }
    return false
  }

  // ---- hearing -----------------------------------------------------------------------------------------------------

  #work(): void {
    while (!this.#blocked && !this.#socket.destroyed) {
      if (this.#mode === 'content') {
        if (!this.#takeContent()) break
        continue
      }
      const end = this.#rest.indexOf('\r\n')
      if (end < 0) break
      const line = this.#rest.toString('utf8', 0, end)
      this.#rest = this.#rest.subarray(end + 2)
      this.#line(line)
    }
    this.#release()
  }

  #line(line: string): void {
    this.#notebook.commands.push(line)
    if (!(this.#socket instanceof TLSSocket)) this.#notebook.clearCommands.push(line)
    if (this.#options.refusePipelining && this.#rest.length > 0) {
      this.#act({ close: '500 5.5.1 Pipelining not supported' }, '')
      return
    }
    if (this.#mode === 'auth') this.#authReply(line)
    else if (this.#mode === 'login') {
      if (--this.#loginLines > 0) this.#write('334 UGFzc3dvcmQ6\r\n')
      else this.#authReply(line)
    } else this.#command(line)
  }

  #command(line: string): void {
    const options = this.#options
    const order = (rule: Rule | undefined, usual: string): boolean => this.#act(rule?.(this.#step(line)), usual)
    switch (line.split(' ')[0]?.toUpperCase()) {
      case 'EHLO':
      case 'LHLO':
        order(options.ehlo, this.#offer())
        return
      case 'HELO':
        order(options.helo, '250 scripted')
        return
      case 'STARTTLS':
        if (order(options.starttls, '220 go')) this.#secure()
        return
      case 'AUTH':
        this.#auth(line)
        return
      case 'MAIL':
        this.#message++
        this.#answered = false
        if (this.#from !== undefined) this.#write('503 5.5.1 nested MAIL command\r\n')
        else if (order(options.mail, '250 2.1.0 ok')) this.#from = /<(.*?)>/.exec(line)?.[1] ?? ''
        return
      case 'RCPT':
        if (this.#from === undefined) this.#write('503 5.5.1 MAIL first\r\n')
        else if (order(options.rcpt, '250 2.1.5 ok')) this.#to.push(/<(.*)>/.exec(line)?.[1] ?? '')
        return
      case 'DATA':
        if (this.#to.length === 0 && options.data === undefined) this.#write('503 5.5.1 no valid recipients\r\n')
        else if (order(options.data, '354 go on')) this.#mode = 'content'
        return
      case 'RSET':
        this.#from = undefined
        this.#to = []
        order(options.rset, '250 2.0.0 ok')
        return
      case 'QUIT':
        if (order(options.quit, '221 2.0.0 bye')) {
          this.#inTurn(() => {
            this.#release()
            this.#socket.end()
          })
        }
        return
      default:
        this.#notebook.strays.push(line)
        this.#write('500 5.5.2 what?\r\n')
    }
  }

  #offer(): string {
    const {
      extensions = EXTENSIONS,
      secureExtensions = extensions,
      authMechanisms = ['PLAIN', 'LOGIN'],
    } = this.#options
    const secure = this.#socket instanceof TLSSocket
    const keywords = [...(secure ? secureExtensions : extensions)]
    if (this.#options.auth !== undefined) keywords.push(`AUTH ${authMechanisms.join(' ')}`)
    if (this.#options.tls !== undefined && !secure) keywords.push('STARTTLS')
    const lines = ['scripted', ...keywords]
    return lines.map((text, at) => `250${at === lines.length - 1 ? ' ' : '-'}${text}`).join('\r\n')
  }

  #secure(): void {
    const { tls } = this.#options
    if (tls === undefined) return
    const plain = this.#socket
    plain.removeAllListeners('data')
    this.#rest = Buffer.alloc(0)
    this.#socket = new TLSSocket(plain, { isServer: true, key: tls.key, cert: tls.cert })
    this.#listen(this.#socket)
  }

  #auth(line: string): void {
    if (/^AUTH LOGIN/i.test(line)) {
      this.#mode = 'login'
      this.#loginLines = 2
      this.#write('334 VXNlcm5hbWU6\r\n')
    } else this.#authReply(line)
  }

  #authReply(line: string): void {
    const action = this.#options.auth?.(this.#step(line))
    this.#mode = typeof action === 'string' && action.startsWith('334') ? 'auth' : 'command'
    this.#act(action, '235 2.7.0 welcome')
  }

  // ---- content -----------------------------------------------------------------------------------------------------

  /** False when the end has not come yet. */
  #takeContent(): boolean {
    const end = this.#rest.indexOf('\r\n.\r\n')
    const atOnce = this.#heldSize === 0 && this.#rest.subarray(0, 3).toString() === '.\r\n'
    if (end < 0 && !atOnce) {
      const keep = Math.min(4, this.#rest.length)
      this.#held.push(this.#rest.subarray(0, this.#rest.length - keep))
      this.#heldSize += this.#rest.length - keep
      this.#rest = this.#rest.subarray(this.#rest.length - keep)
      this.#partOfContent()
      return false
    }
    const whole = Buffer.concat([...this.#held, this.#rest.subarray(0, atOnce ? 0 : end + 2)])
    this.#held = []
    this.#heldSize = 0
    this.#rest = this.#rest.subarray(atOnce ? 3 : end + 5)
    this.#mode = 'command'
    this.#wholeMessage(Buffer.from(whole.toString('latin1').replace(/(^|\r\n)\./g, '$1'), 'latin1'))
    return true
  }

  #partOfContent(): void {
    if (this.#answered || this.#heldSize === 0) return
    const action = this.#options.content?.(this.#step('', { octets: this.#heldSize }))
    if (action === undefined) return
    this.#answered = true
    this.#act(action, '')
  }

  #wholeMessage(octets: Buffer): void {
    const options = this.#options
    const answers: string[] = []
    const recorded: Recorded = {
      id: /^message-id:\s*(\S+)/im.exec(octets.toString('latin1'))?.[1] ?? '',
      from: this.#from ?? '',
      to: [...this.#to],
      octets,
      connection: this.#connection,
      answers,
    }
    const behind = this.#rest.length > 0
    this.#notebook.whole.push(recorded)
    let kept = this.#answered
    for (const recipient of options.lmtp ? this.#to : ['']) {
      if (this.#answered) break
      const action = options.end?.(this.#step('', { octets: octets.length, recipient }))
      const done = this.#act(action, '250 2.0.0 taken')
      const lost = typeof action === 'object' && ('silence' in action || 'drop' in action || 'reset' in action)
      const farewell = typeof action === 'object' && 'close' in action && action.close.startsWith('2')
      if (done || lost || farewell || (typeof action === 'object' && 'raw' in action)) kept = true
      answers.push(answerOf(action))
    }
    if (kept) this.#notebook.messages.push(recorded)
    if (kept || options.keepEnvelope !== true) {
      this.#from = undefined
      this.#to = []
    }
    if (!behind) return
    if (options.refuseBehindData) {
      const lines = this.#rest.toString('latin1').split('\r\n').length - 1
      this.#write('503 5.5.1 Bad sequence of commands - pipelined after end of DATA\r\n'.repeat(lines))
    }
    if (options.refuseBehindData || options.swallowBehindData) this.#rest = Buffer.alloc(0)
  }
}

/** What the server meant as its answer. */
function answerOf(action: Action): string {
  if (typeof action === 'string') return action
  if (action === undefined || 'mute' in action || 'twice' in action) return '250 2.0.0 taken'
  if ('close' in action) return action.close
  if ('raw' in action) return action.raw.trim()
  if ('after' in action) return action.reply ?? '250 2.0.0 taken'
  return ''
}
