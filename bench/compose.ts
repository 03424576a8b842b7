/**
 * Messages a second from a rendered row to bytes, beside nodemailer's MailComposer with the same content in the same
 * process: `node bench/compose.ts [seconds a round] [text|html|file|foreign|dkim]`. `joined` is composing and copying all
 * bytes into one buffer, which is what nodemailer gives; `whole` is rendering the row with its template and composing. With
 * DKIM the peer is crypto.sign alone, with as many signatures under way as there are threads. `node bench/compose.ts memory
 * [messages]` composes that many and shows what the process holds.
 */
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import MailComposer from 'nodemailer/lib/mail-composer'
import { createAttachmentStore } from '../src/message/attachment/attachment.ts'
import { createComposer } from '../src/message/compose.ts'
import type { Composer, Identity, Message } from '../src/message/message.ts'
import type { RowData } from '../src/source/source.ts'
import { loadTemplate } from '../src/template/load.ts'
import type { Rendered, Template } from '../src/template/template.ts'

const ROWS = 1_000
const ROUNDS = 3
/** Messages that are being made at the same time where a step is asynchronous. */
const AT_ONCE = 4 * availableParallelism()
const NOW = new Date('2026-01-02T03:04:05Z')
const SEED = '5f0c9e1ab37d4826a1f0'

const ENGLISH =
  'Dear {{name}}, your number is {{number}} and we meet in {{town}}. We are glad that you come and bring your friends.'
const GERMAN =
  'Liebe {{name}}, Ihre Nummer ist {{number}}, und wir treffen uns in {{town}}. Schöne Grüße aus München, bis übermorgen!'

const LIST: readonly RowData[] = Array.from({ length: ROWS }, (_, index) => ({
  email: `reader${index}@example.com`,
  name: `Reader ${index}`,
  number: String(10_000 + index),
  town: index % 2 === 0 ? 'Springfield' : 'Shelbyville',
}))

interface Case {
  readonly title: string
  readonly template: Template
  readonly composer: Composer
  readonly file?: string
}

function writeProject(root: string): void {
  const body = (line: string, octets: number, wrap: (text: string) => string): string =>
    Array.from({ length: Math.ceil(octets / line.length) }, () => wrap(line)).join('\n\n')
  const write = (name: string, line: string, html: boolean, more = ''): void => {
    const folder = join(root, 'templates', name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, 'message.yaml'),
      `from: The Society <society@example.org>\nto: "{{name}} <{{email}}>"\nsubject: "News for {{name}}"\n${more}`,
    )
    const plain = body(line, html ? 1_000 : 2_000, (text) => text)
    writeFileSync(join(folder, 'text.hbs'), plain)
    if (html)
      writeFileSync(
        join(folder, 'html.hbs'),
        body(line, 2_500, (text) => `<p>${text}</p>`),
      )
  }
  write('text', ENGLISH, false)
  write('html', ENGLISH, true)
  write('foreign', GERMAN, true)
  write('file', ENGLISH, true, 'attachments:\n  - path: terms.pdf\n')
  writeFileSync(join(root, 'terms.pdf'), Buffer.from(Uint8Array.from({ length: 1024 * 1024 }, (_, at) => at * at)))
}

async function makeCases(root: string): Promise<Readonly<Record<string, Case>>> {
  const attachments = createAttachmentStore({ root })
  const composer = createComposer({ attachments, boundarySeed: SEED, root })
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync(join(root, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const dkim = [{ domain: 'example.org', selector: 's1', key: 'key.pem' }]
  const signing = createComposer({ attachments, boundarySeed: SEED, root, dkim })
  const template = (name: string): Promise<Template> => loadTemplate(name, { root })
  return {
    text: { title: '(a) text', template: await template('text'), composer },
    html: { title: '(b) text and HTML', template: await template('html'), composer },
    file: { title: '(c) with 1 MB shared', template: await template('file'), composer, file: join(root, 'terms.pdf') },
    foreign: { title: '(d) not ASCII', template: await template('foreign'), composer },
    dkim: { title: '(e) DKIM RSA-2048', template: await template('html'), composer: signing },
  }
}

const identities: readonly Identity[] = LIST.map((row, index) => ({
  messageId: `<${index.toString(36).padStart(27, 'x')}@example.org>`,
  date: NOW,
  recipient: String(row['email']),
}))

function render(template: Template, index: number): Rendered {
  return template.render(LIST[index % ROWS]!, { row: index + 1, campaign: 'bench', now: NOW })
}

interface Speed {
  /** Messages a second by the clock on the wall. */
  readonly rate: number
  /** Messages a second of processor time, of all threads: what others do on the machine falls out of it. */
  readonly perCore: number
}

/** How often `work` is done, `atOnce` of it at a time, for that many seconds. */
async function measureSpeed(seconds: number, atOnce: number, work: (index: number) => unknown): Promise<Speed> {
  let done = 0
  const started = performance.now()
  const processor = process.cpuUsage()
  const until = started + seconds * 1_000
  const one = async (): Promise<void> => {
    while (performance.now() < until) {
      for (let turn = 0; turn < 20; turn++) {
        const result = work(done++ % ROWS)
        if (result instanceof Promise) await result
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  const { user, system } = process.cpuUsage(processor)
  return { rate: done / ((performance.now() - started) / 1_000), perCore: done / ((user + system) / 1e6) }
}

/** What nodemailer is given: the same texts, for the same reader. */
function buildTheirs(rendered: Rendered, index: number, file: string | undefined): Promise<Buffer> {
  const row = LIST[index]!
  return new MailComposer({
    from: { name: 'The Society', address: 'society@example.org' },
    to: { name: String(row['name']), address: String(row['email']) },
    subject: rendered.subject,
    date: NOW,
    messageId: identities[index]!.messageId,
    ...(rendered.text === undefined ? {} : { text: rendered.text }),
    ...(rendered.html === undefined ? {} : { html: rendered.html }),
    ...(file === undefined ? {} : { attachments: [{ path: file, filename: 'terms.pdf' }] }),
  })
    .compile()
    .build()
}

const joined = (message: Message): Buffer => Buffer.concat(message.chunks)

type Figure = 'compose' | 'joined' | 'whole' | 'peer'

async function measure(one: Case, seconds: number, peer: (rendered: readonly Rendered[]) => Promise<Speed>) {
  const { composer, template } = one
  const rendered = LIST.map((_, index) => render(template, index))
  const compose = (index: number): Message | Promise<Message> => composer.compose(rendered[index]!, identities[index]!)
  const join = (index: number): unknown => {
    const message = compose(index)
    return message instanceof Promise ? message.then(joined) : joined(message)
  }
  const whole = (index: number): unknown => composer.compose(render(template, index), identities[index]!)
  const lanes = (await isAsync(compose)) ? AT_ONCE : 1
  const figures: Readonly<Record<Figure, () => Promise<Speed>>> = {
    compose: () => measureSpeed(seconds, lanes, compose),
    joined: () => measureSpeed(seconds, lanes, join),
    whole: () => measureSpeed(seconds, lanes, whole),
    peer: () => peer(rendered),
  }
  const best: Record<Figure, Speed> = { compose: NONE, joined: NONE, whole: NONE, peer: NONE }
  // In turns, so that whatever else the machine does falls on all.
  for (let round = 0; round < ROUNDS; round++) {
    for (const figure of Object.keys(figures) as Figure[]) {
      const { rate, perCore } = await figures[figure]()
      const { rate: fastest, perCore: leanest } = best[figure]
      best[figure] = { rate: Math.max(rate, fastest), perCore: Math.max(perCore, leanest) }
    }
  }
  return best
}

const NONE: Speed = { rate: 0, perCore: 0 }

/** Files are read with the first message; after that most kinds are made at once. */
async function isAsync(compose: (index: number) => Message | Promise<Message>): Promise<boolean> {
  await compose(0)
  return compose(0) instanceof Promise
}

/** Signatures alone, of as many bytes as the signed header fields of a message have. */
function signatures(seconds: number): Promise<Speed> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const data = Buffer.alloc(900, 'x')
  return measureSpeed(seconds, AT_ONCE, () => {
    return new Promise<Buffer>((resolve, reject) =>
      sign('sha256', data, privateKey, (error, octets) => (error === null ? resolve(octets) : reject(error))),
    )
  })
}

async function speed(seconds: number, only: string | undefined): Promise<void> {
  await inProject(async (cases) => {
    for (const [name, one] of Object.entries(cases)) {
      if (only !== undefined && only !== name) continue
      const isSigning = name === 'dkim'
      const peer = (rendered: readonly Rendered[]): Promise<Speed> =>
        isSigning
          ? signatures(seconds)
          : measureSpeed(seconds, 1, (index) => buildTheirs(rendered[index]!, index, one.file))
      const { size } = await one.composer.compose(render(one.template, 0), identities[0]!)
      const best = await measure(one, seconds, peer)
      const digits = isSigning ? 2 : 1
      process.stdout.write(`${one.title}, ${size} bytes; ${isSigning ? 'crypto.sign alone' : 'nodemailer'}`)
      process.stdout.write(` ${Math.round(best.peer.rate)}/s\n`)
      for (const figure of ['compose', 'joined', 'whole'] as const) {
        const { rate, perCore } = best[figure]
        const times = `${(rate / best.peer.rate).toFixed(digits)} times`
        const byProcessor = `${(perCore / best.peer.perCore).toFixed(digits)} by processor time`
        process.stdout.write(
          `  ${figure.padEnd(8)}${String(Math.round(rate)).padStart(7)}/s  ${times}, ${byProcessor}\n`,
        )
      }
    }
  })
}

async function memory(count: number): Promise<void> {
  await inProject(async (cases) => {
    for (const one of [cases['html']!, cases['file']!]) {
      await one.composer.compose(render(one.template, 0), identities[0]!)
      const seen: string[] = []
      for (let index = 0; index < count; index++) {
        // A name of its own for each, so that nothing that is remembered can help or grow.
        const row = { ...LIST[index % ROWS], name: `Reader ${index}`, email: `reader${index}@example.com` }
        const rendered = one.template.render(row, { row: index + 1, campaign: 'bench', now: NOW })
        await one.composer.compose(rendered, { ...identities[index % ROWS]!, recipient: row.email })
        if (index % Math.ceil(count / 10) === 0) seen.push((process.memoryUsage.rss() / 1e6).toFixed(0))
      }
      process.stdout.write(`${one.title}: ${count} messages, resident MB ${seen.join(' ')}\n`)
    }
  })
}

async function inProject(work: (cases: Readonly<Record<string, Case>>) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'mailmerge-bench-'))
  try {
    writeProject(root)
    await work(await makeCases(root))
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const [first = '1', second] = process.argv.slice(2)
if (first === 'memory') await memory(Number(second ?? '1000000'))
else await speed(Number(first), second)
