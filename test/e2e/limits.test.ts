/** Limits of servers, of the machine and of the user, with the whole program, killed and started again and beside itself. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { newestResults } from '../support/results.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'
import { until } from '../support/serving.ts'
import { expectNobodyLostOrTwice, isPlanned, truthOf } from '../support/truth.ts'

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts')
const addressesOf = (rows: number): readonly string[] =>
  Array.from({ length: rows }, (_, at) => `p${at + 1}@example.com`)

let project: Project
let sink: RecordingSink | undefined
let server: ScriptedServer | undefined

afterEach(async () => {
  project.remove()
  await sink?.close()
  await server?.close()
  sink = server = undefined
})

function prepare(rows: number, port: number, more = ''): void {
  project = makeProject({
    'list.csv': listOf(rows),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nsmtp:\n  host: 127.0.0.1\n  port: ${port}\n${more}`,
  })
}

const received = (address: string): number => sink?.recipients.get(address) ?? 0

/** A letter to the person of the row, to a desk, and to somebody whom nobody sees. */
const COPIED = LETTER.replace('subject:', 'cc: desk@example.org\nbcc: file@example.org\nsubject:')

test.each([
  ['60/hour', LETTER, 1],
  ['180 recipients/hour', COPIED, 3],
])(
  'a quota of %s is never exceeded, however often the run is killed and gone on with',
  {
    timeout: 90_000,
  },
  async (rate, letter, recipients) => {
    sink = await startRecordingSink({ delay: 10 })
    prepare(200, sink.port, `rate: ${rate}\nconcurrency: 3\n`)
    project.write('templates/letter.txt', letter)
    const kills = 4
    for (let kill = 0; kill < kills; kill++) {
      const { child, ended } = project.start((await isPlanned(project)) ? ['resume'] : ['run', '--yes'])
      const before = sink.ids.size
      const until = Date.now() + 8000
      while (sink.ids.size < before + 8 && Date.now() < until) await new Promise((go) => setTimeout(go, 5))
      child.kill('SIGKILL')
      await ended
    }
    const { child, ended } = project.start(['resume'])
    // What is left of the quota goes at once; the rest of the list would take hours.
    await new Promise<void>((resolve) => {
      child.stderr?.on('data', (text: string) => /is used up/.test(text) && resolve())
      void ended.then(() => resolve())
    })
    child.kill('SIGTERM')
    const { code, stderr } = await ended
    expect(code, stderr).toBe(143)
    expect(stderr).toMatch(
      /waiting: the quota of (60|180 recipients)\/hour is used up, until|stopped: the quota of (60|180 recipients)\/hour is used up until/,
    )
    const all = [...sink.recipients.values()].reduce((sum, count) => sum + count, 0)
    expect(all).toBeLessThanOrEqual(60 * recipients)
    // A kill costs what was reserved and not yet handed over: at most one message a lane.
    expect(all).toBeGreaterThanOrEqual((60 - kills * 4) * recipients)
    expect([...sink.ids.values()].reduce((sum, count) => sum + count, 0) * recipients).toBe(all)
    const truth = await truthOf(project)
    expect(truth.rows).toBe(200)
    expect(Math.max(...sink.ids.values())).toBe(1)
  },
)

test('what is left of a quota is reported in what it counts, and a second campaign finds it', async () => {
  sink = await startRecordingSink()
  prepare(4, sink.port, "rate: [50/day, '16 recipients/day']\n")
  project.write('templates/letter.txt', COPIED)
  const first = await project.run(['run', '--yes', '--json'])
  expect(first.code, first.stderr).toBe(0)
  // Twelve are gone: one more message of three goes, and no other.
  project.write('templates/letter.txt', COPIED.replace('this is', 'this too is'))
  const second = await project.run(['run', '--yes', '--json', '--campaign', 'another'])
  expect(second.code, second.stderr).toBe(75)
  const events = second.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events.findLast(({ event }) => event === 'progress')?.quota).toEqual({ limit: '16 recipients/day', left: 1 })
  expect(events.at(-1)).toMatchObject({
    event: 'summary',
    sent: 1,
    deferred: 3,
    stopped: expect.stringMatching(/^the quota of 16 recipients\/day has 1 left, too few for the next message until 2/),
  })
  expect([...sink.recipients.entries()].filter(([address]) => address.endsWith('@example.org'))).toEqual([
    ['desk@example.org', 5],
    ['file@example.org', 5],
  ])
})

test('a row with more recipients than a rate ever lets through is reported before anything is sent', async () => {
  sink = await startRecordingSink()
  prepare(3, sink.port, 'rate: 2 recipients/s\n')
  project.write(
    'list.csv',
    'name,email,copy\nAda,a@example.com,\nBob,b@example.com,x@example.org\nCy,c@example.com,"x@example.org, y@example.org"\n',
  )
  project.write('templates/letter.txt', LETTER.replace('subject:', 'cc: "{{copy}}"\nsubject:'))
  const { code, stderr } = await project.run(['run', '--yes'])
  expect(code, stderr).toBe(65)
  expect(stderr).toContain('row 3')
  expect(stderr).toContain(
    'the message has 3 recipients, and the rate of 2 recipients/s never lets that many through at once',
  )
  expect(stderr).toContain('raise the rate')
  expect(sink.ids.size).toBe(0)
  const checked = await project.run(['check', '--json'])
  expect(checked.stdout).toContain('"too-many-recipients"')
  const others = await project.run(['run', '--yes', '--skip-bad'])
  expect(others.code, others.stderr).toBe(0)
  expect(received('a@example.com') + received('b@example.com')).toBe(2)
})

test('two runs of one campaign at once: one works, the other says who, and nobody gets it twice', async () => {
  // No message is answered before one of the two gave up: neither can be done while the other still starts.
  const oneEnded = Promise.withResolvers<void>()
  sink = await startRecordingSink({ gate: () => oneEnded.promise })
  prepare(150, sink.port)
  const both = [project.start(['run', '--yes']), project.start(['run', '--yes'])]
  await Promise.race(both.map(({ ended }) => ended))
  oneEnded.resolve()
  const ends = await Promise.all(both.map(({ ended }) => ended))
  expect(ends.map(({ code }) => code).sort()).toEqual([0, 75])
  const refused = ends.find(({ code }) => code === 75)
  expect(refused?.stderr).toMatch(/being worked on by process \d+ on /)
  expectNobodyLostOrTwice(await truthOf(project), addressesOf(150), received)
})

test.each([40, 30, 24])(
  'with %i open files allowed there are fewer lanes, or a clear error: never a lost row',
  async (files) => {
    sink = await startRecordingSink({ delay: 5 })
    prepare(400, sink.port, 'concurrency: 60\n')
    const command = `ulimit -n ${files}; exec "${process.execPath}" "${MAIN}" run --yes`
    const child = spawn('/bin/sh', ['-c', command], { cwd: project.dir, stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const code = await new Promise<number | null>((done) => child.once('close', done))
    expect(stderr).not.toMatch(/\n {4}at /)
    if (code === 0) expect(stderr).toMatch(/fewer connections: too many open files/)
    else expect(stderr).toMatch(/too many open files|too many files are open|EMFILE|unable to open/)
    if (await isPlanned(project)) {
      expect((await project.run(['resume', '--concurrency', '5'])).code).toBe(0)
      expectNobodyLostOrTwice(await truthOf(project), addressesOf(400), received)
    }
  },
)

test('serve with few open files allowed refuses connections, reports it, and does its work meanwhile', async () => {
  sink = await startRecordingSink()
  prepare(5, sink.port)
  expect(
    (await project.run(['run', '--at', new Date(Date.now() + 2000).toISOString(), '--yes', '--detach'])).code,
  ).toBe(0)
  const command = `ulimit -n 60; exec "${process.execPath}" "${MAIN}" serve --port 0`
  const child = spawn('/bin/sh', ['-c', command], { cwd: project.dir, stdio: ['ignore', 'pipe', 'pipe'] })
  const sockets: Socket[] = []
  try {
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
    const { port, origin } = new URL(line.trim())
    const flood = setInterval(() => {
      const more = sockets.filter(({ closed }) => !closed).length < 100 ? 20 : 0
      for (let count = 0; count < more; count++) sockets.push(connect(Number(port), '127.0.0.1').on('error', () => {}))
    }, 50)
    try {
      await until(() => stderr.includes('"event":"finished"'), 'the run has ended')
    } finally {
      clearInterval(flood)
    }
    for (const socket of sockets) socket.destroy()
    expect(stderr).toContain('"event":"connections refused"')
    const isHealthy = () =>
      fetch(`${origin}/health`).then(
        ({ ok }) => ok,
        () => false,
      )
    await until(isHealthy, 'a request is answered')
    child.kill()
    expect((await once(child, 'exit'))[0]).toBe(0)
  } finally {
    child.kill('SIGKILL')
    for (const socket of sockets) socket.destroy()
  }
  expectNobodyLostOrTwice(await truthOf(project), addressesOf(5), received)
})

test('a server that allows three connections and says 421 to others: all is sent, no row is deferred', async () => {
  const open = new Set<number>()
  let refused = 0
  server = await startScriptedServer({
    greeting: ({ connection }) => {
      if (open.size < 3) {
        open.add(connection)
        return undefined
      }
      refused++
      return { close: '421 4.7.0 too many connections from your address' }
    },
    end: () => ({ after: 15 }),
    quit: ({ connection }) => {
      open.delete(connection)
      return undefined
    },
  })
  prepare(300, server.port, 'concurrency: 8\n')
  const { code, stderr } = await project.run(['run', '--yes'])
  expect(code, stderr).toBe(0)
  expect(stderr).toMatch(/fewer connections: .*421 4\.7\.0 too many connections/)
  expect(server.messages).toHaveLength(300)
  expect(refused).toBeLessThan(5)
  expect(newestResults(project.dir).every(({ attempts }) => attempts === '1')).toBe(true)
})

test("the row's own address refused has failed, a refused copy is reported, and the others still get theirs", async () => {
  server = await startScriptedServer({
    rcpt: ({ line }) => (/p2@|boss@/.test(line) ? '550 5.1.1 no such user' : undefined),
  })
  prepare(3, server.port)
  project.write('templates/letter.txt', LETTER.replace('subject:', 'cc: desk@example.org, boss@example.org\nsubject:'))
  const { code, stderr } = await project.run(['run', '--yes'])
  expect(code, stderr).toBe(1)
  const rows = newestResults(project.dir)
  expect(rows.map(({ status }) => status)).toEqual(['sent', 'failed', 'sent'])
  expect(rows[0]?.reason).toBe('copy to boss@example.org refused: 550 no such user')
  expect(rows[1]?.reason).toBe('mailbox unknown')
  // Nobody's copy of a message whose own address was refused.
  expect(server.messages.map(({ to }) => to)).toEqual([
    ['p1@example.com', 'desk@example.org'],
    ['p3@example.com', 'desk@example.org'],
  ])
})

/** Takes whatever is said, a number of bytes a second on each connection, and answers as a server would. */
async function startSlowSink(
  octetsPerSecond: number,
): Promise<{ port: number; taken: () => number; close: () => void }> {
  const sockets = new Set<Socket>()
  let taken = 0
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.write('220 slow\r\n')
    let content = false
    let tail = ''
    socket.on('data', (chunk) => {
      const text = tail + chunk.toString('latin1')
      tail = text.slice(-8)
      if (content) {
        if (text.includes('\r\n.\r\n')) {
          content = false
          tail = ''
          taken++
          socket.write('250 taken\r\n')
        } else {
          socket.pause()
          setTimeout(() => socket.resume(), (chunk.length * 1000) / octetsPerSecond)
        }
        return
      }
      for (const line of text.split('\r\n').slice(0, -1)) {
        tail = ''
        if (line === 'DATA') {
          content = true
          socket.write('354 go on\r\n')
        } else if (line === 'QUIT') socket.end('221 bye\r\n')
        else socket.write('250 ok\r\n')
      }
    })
  })
  await new Promise<void>((go) => server.listen(0, '127.0.0.1', go))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    taken: () => taken,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Runs the program and gives the most memory it ever had, in MB. */
async function peakOf(args: readonly string[]): Promise<{ code: number | null; stderr: string; peak: number }> {
  const { child, ended } = project.start(args)
  let peak = 0
  const look = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
    } catch {
      // It has ended.
    }
  }, 20)
  const { code, stderr } = await ended
  clearInterval(look)
  return { code, stderr, peak }
}

const ATTACHED = 32

test.skipIf(process.platform !== 'linux').each([
  ['one of 20 MB for everybody', 1, 20],
  ['one of 8 MB for each', ATTACHED, 8],
])(
  'large attachments on a slow link, %s: never more in memory than is on its way',
  { timeout: 120_000 },
  async (_what, files, megabytes) => {
    const slow = await startSlowSink(40_000_000)
    try {
      prepare(ATTACHED, slow.port, 'concurrency: 4\n')
      for (let file = 1; file <= files; file++) project.write(`files/${file}.bin`, '')
      const rows = Array.from(
        { length: ATTACHED },
        (_, at) => `Person ${at + 1},p${at + 1}@example.com,${(at % files) + 1}`,
      )
      project.write('list.csv', `name,email,file\n${rows.join('\n')}\n`)
      for (let file = 1; file <= files; file++)
        writeFileSync(`${project.dir}/files/${file}.bin`, randomBytes(megabytes * 1_000_000))
      project.write('templates/letter.txt', LETTER.replace('subject:', 'attachments: ["files/{{file}}.bin"]\nsubject:'))
      const { code, stderr, peak } = await peakOf(['run', '--yes'])
      expect(code, stderr).toBe(0)
      expect(slow.taken()).toBe(ATTACHED)
      // The program alone takes 145 MB; all messages together would be 600 MB and more.
      expect(peak).toBeLessThan(360)
    } finally {
      slow.close()
    }
  },
)
