/** What a person can get wrong: each ends with its own exit code and a sentence to act on, and nothing is sent. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LETTER, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'

const LIST = 'name,email,file\nAda,ada@example.com,a.txt\nBob,bob@example.com,a.txt\nEve,eve@example.com,a.txt\n'
const root = process.getuid?.() === 0

type Files = Readonly<Record<string, string | Buffer>>

interface Wrong {
  readonly what: string
  /** Files in the place of, or beside, a project that would run. */
  readonly files?: Files
  readonly arrange?: (dir: string) => void
  /** Options behind `run`, unless `command` has the whole line. */
  readonly args?: readonly string[]
  readonly command?: readonly string[]
  readonly env?: NodeJS.Dict<string>
  readonly code: number
  /** Each must be in what is said: what is wrong, where, what to do. */
  readonly says: readonly (string | RegExp)[]
  /** The server is met, and nothing is handed to it. */
  readonly connects?: boolean
  readonly skip?: boolean
}

const list = (text: string | Buffer): Files => ({ 'list.csv': text })
const template = (text: string): Files => ({ 'templates/letter.txt': text })
const config = (text: string): Files => ({ 'mailmerge.yaml': `csv: list.csv\ntemplate: letter\n${text}` })
const attaching = (path: string): Files =>
  template(`---\nfrom: a@example.org\nsubject: Hi\nattachments: [${JSON.stringify(path)}]\n---\nDear {{name}}\n`)

const LISTS: readonly Wrong[] = [
  { what: 'no such list', args: ['--csv', 'lst.csv'], code: 66, says: ['lst.csv', 'list.csv'] },
  { what: 'a folder as list', args: ['--csv', 'templates'], code: 66, says: ['templates', /folder|directory/] },
  { what: 'an empty list', files: list(''), code: 65, says: ['list.csv', /empty/] },
  { what: 'a list of blank lines', files: list('\n\n\n'), code: 65, says: ['list.csv'] },
  { what: 'a header and no row', files: list('name,email,file\n'), code: 65, says: ['list.csv', 'no rows'] },
  {
    what: 'a bad address in row 3',
    files: list(LIST.replace('eve@example.com', 'eve@@example.com')),
    code: 65,
    says: [/list\.csv:4.*row 3.*email/, 'eve@@example.com', '--skip-bad'],
  },
  {
    what: 'no address in row 2',
    files: list(LIST.replace('bob@example.com', '')),
    code: 65,
    says: [/row 2.*email.*empty/],
  },
  {
    what: 'two addresses in a cell',
    files: list(LIST.replace('bob@example.com', '"bob@example.com, eve@example.com"')),
    code: 65,
    says: [/row 2.*email/],
  },
  {
    what: 'SMTP commands in an address',
    files: list(LIST.replace('bob@example.com', '"bob@example.com>\r\nRCPT TO:<x@example.net"')),
    code: 65,
    says: [/row 2.*email/],
  },
  {
    what: 'a column that the template needs and the list has not',
    files: list('nmae,email,file\nAda,ada@example.com,a.txt\n'),
    code: 65,
    says: ['letter.txt', 'name', 'nmae', /line \d|:\d/],
  },
  {
    what: 'no column with addresses',
    files: list('name,where\nAda,London\n'),
    code: 65,
    says: [/address column|emailColumn/],
  },
  {
    what: 'a row with too many cells',
    files: list(`${LIST}Zoë,zoe@example.com,a.txt,more\n`),
    code: 65,
    says: [/list\.csv:5.*row 4/],
  },
  { what: 'a row with too few cells', files: list(`${LIST}Zoë\n`), code: 65, says: [/list\.csv:5.*row 4/] },
  {
    what: 'one column name twice',
    files: list('name,email,email\nAda,ada@example.com,b@example.com\n'),
    code: 65,
    says: ['email (2)', 'email (3)', 'emailColumn'],
  },
  {
    what: 'a quote that is never closed',
    files: list(LIST.replace('Bob', '"Bob')),
    code: 65,
    says: ['list.csv', /quote/],
  },
  {
    what: 'a binary file as list',
    files: list(Buffer.from(Array.from({ length: 4000 }, (_, i) => (i * 37) % 256))),
    code: 65,
    says: ['list.csv', /binary|not text|no text|no table/],
  },
  {
    what: 'a picture as list',
    files: list(Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex')),
    code: 65,
    says: ['list.csv'],
  },
  {
    what: 'a list that may not be read',
    arrange: (dir) => chmodSync(join(dir, 'list.csv'), 0),
    code: 66,
    says: ['list.csv', /permission|not allowed|may not/],
    skip: root,
  },
  {
    what: 'a key column that is not there',
    args: ['--key', 'emial'],
    code: 78,
    says: ['emial', "Did you mean 'email'"],
  },
  { what: 'no list at all', files: { 'mailmerge.yaml': 'template: letter\n' }, code: 64, says: ['list', '--csv'] },
  {
    what: 'a workbook that is none',
    files: { 'list.xlsx': 'PK\u0003\u0004 not a workbook' },
    args: ['--csv', 'list.xlsx'],
    code: 65,
    says: ['list.xlsx'],
  },
  {
    what: 'a line break in a name that goes into a header',
    files: list(LIST.replace('Bob', '"Bob\r\nBcc: x@example.net"')),
    code: 65,
    says: [/row 2/, /subject/i, /line break/],
  },
]

const TEMPLATES: readonly Wrong[] = [
  { what: 'no such template', args: ['-t', 'leter'], code: 66, says: ['leter', 'letter'] },
  {
    what: 'no template at all',
    files: { 'mailmerge.yaml': 'csv: list.csv\n' },
    code: 64,
    says: ['template', '--template'],
  },
  {
    what: 'a block that is never closed',
    files: template('---\nfrom: a@example.org\nsubject: Hi\n---\n{{#if name}}Dear\n'),
    code: 65,
    says: [/letter\.txt:5/, '{{#if}} is not closed', '{{/if}}'],
  },
  {
    what: 'a tag that is never closed',
    files: template('---\nfrom: a@example.org\nsubject: Hi\n---\n\nDear {{name\n'),
    code: 65,
    says: [/letter\.txt.*\b6\b/],
  },
  {
    what: 'a name that no column has',
    files: template('---\nfrom: a@example.org\nsubject: Hi\n---\nDear {{nam}}\n'),
    code: 65,
    says: [/letter\.txt:5/, 'nam', 'Did you mean'],
  },
  {
    what: 'a helper that is not there',
    files: template('---\nfrom: a@example.org\nsubject: Hi\n---\nDear {{shout name}}\n'),
    code: 65,
    says: [/letter\.txt:5/, 'shout'],
  },
  {
    what: 'no subject',
    files: template('---\nfrom: a@example.org\n---\nDear {{name}}\n'),
    code: 65,
    says: ["the template 'letter' has no subject", 'templates/letter.txt', 'subject:'],
  },
  {
    what: 'no sender',
    files: template('---\nsubject: Hi\n---\nDear {{name}}\n'),
    code: 65,
    says: ["the template 'letter' has no sender", 'templates/letter.txt', 'from:'],
  },
  {
    what: 'a sender that is not an address',
    files: template('---\nfrom: Ada Lovelace\nsubject: Hi\n---\nDear {{name}}\n'),
    code: 65,
    says: ['from', 'Ada Lovelace'],
  },
  {
    what: 'a field that messages do not have',
    files: template('---\nfrom: a@example.org\nsubjct: Hi\n---\nDear {{name}}\n'),
    code: 65,
    says: ['letter.txt', 'subjct', 'subject'],
  },
  {
    what: 'a head that is no YAML',
    files: template('---\nfrom: a@example.org\nsubject: "Hi\n---\nDear {{name}}\n'),
    code: 65,
    says: ['letter.txt', /:\d|line \d/],
  },
  {
    what: 'a missing attachment',
    files: attaching('no.pdf'),
    code: 65,
    says: ['rows 1-3', 'no.pdf', 'does not exist'],
  },
  {
    what: 'an attachment outside the project',
    files: attaching('../../etc/passwd'),
    code: 65,
    says: ['rows 1-3', '../../etc/passwd', 'stay in it'],
  },
  { what: 'an absolute attachment', files: attaching('/etc/passwd'), code: 65, says: ['/etc/passwd'] },
  { what: 'a folder as attachment', files: attaching('templates'), code: 65, says: ['templates', /folder|no file/] },
  {
    what: 'an attachment that a cell leads out of the project',
    files: {
      ...attaching('files/{{file}}'),
      ...list(LIST.replace('Bob,bob@example.com,a.txt', 'Bob,bob@example.com,../../../etc/passwd')),
      'files/a.txt': 'a',
    },
    code: 65,
    says: [/row 2/, "goes up with '..'"],
  },
  {
    what: 'a link out of the project as attachment',
    files: attaching('link'),
    arrange: (dir) => symlinkSync('/etc/passwd', join(dir, 'link')),
    code: 65,
    says: ['link', /outside/],
  },
]

const SETTINGS: readonly Wrong[] = [
  { what: 'a config that is no YAML', files: config('smtp: {host: [\n'), code: 78, says: [/mailmerge\.yaml:\d/] },
  {
    what: 'a key that settings do not have',
    files: config('concurency: 4\n'),
    code: 78,
    says: ['mailmerge.yaml', 'concurency', 'concurrency'],
  },
  {
    what: 'a value of the wrong type',
    files: config('concurrency: many\n'),
    code: 78,
    says: [/mailmerge\.yaml:3/, 'concurrency', /number/],
  },
  { what: 'a port out of range', files: config('smtp: { port: 99999 }\n'), code: 78, says: ['port', /65.?535/] },
  { what: 'a rate that is none', files: config('rate: fast\n'), code: 78, says: ['rate', '10/s'] },
  {
    what: 'a service that nobody knows',
    files: config('smtp: { service: gmial }\n'),
    code: 78,
    says: ['gmial', 'gmail'],
  },
  { what: 'a config that is not there', args: ['--config', 'no.yaml'], code: 66, says: ['no.yaml'] },
  {
    what: 'an environment of the wrong type',
    env: { MAILMERGE_CONCURRENCY: 'many' },
    code: 78,
    says: ['MAILMERGE_CONCURRENCY'],
  },
  { what: 'an address of a server that is none', args: ['--smtp', 'mail example'], code: 78, says: ['smtp://'] },
]

const USAGE: readonly Wrong[] = [
  { what: 'an option that is not there', args: ['--tempalte', 'x'], code: 64, says: ['--tempalte', '--template'] },
  { what: 'a command that is not there', command: ['rnu'], code: 64, says: ['rnu', 'mailmerge run'] },
  { what: 'no command', command: [], code: 64, says: ['mailmerge --help'] },
  { what: 'a word too many', args: ['list.csv'], code: 64, says: ['list.csv', 'one word too many'] },
  { what: 'an option without its value', args: ['--csv'], code: 64, says: ['--csv needs a value'] },
  { what: 'an option given twice', args: ['--campaign', 'a', '--campaign', 'b'], code: 64, says: ['--campaign'] },
  { what: 'two ways at once', args: ['--dry-run', '--sandbox'], code: 64, says: ['--dry-run and --sandbox'] },
  { what: 'a report of an unknown kind', args: ['--report', 'r.docx'], code: 64, says: ['r.docx', '.csv'] },
  { what: 'a report in a folder that is not there', args: ['--report', 'none/r.csv'], code: 73, says: ['none/r.csv'] },
  {
    what: 'a folder as report',
    args: ['--report', 'r.csv'],
    arrange: (dir) => mkdirSync(join(dir, 'r.csv')),
    code: 73,
    says: ['r.csv'],
  },
  {
    what: 'a report that may not be written',
    args: ['--report', 'locked/r.csv'],
    arrange: (dir) => {
      mkdirSync(join(dir, 'locked'))
      chmodSync(join(dir, 'locked'), 0o555)
    },
    code: 73,
    says: ['locked/r.csv'],
    skip: root,
  },
  { what: 'a ledger that is none', args: ['--ledger', 'list.csv'], code: 73, says: ['list.csv', /ledger/] },
  {
    what: 'a ledger in a place that is a file',
    args: ['--ledger', 'list.csv/l.db'],
    code: 73,
    says: ['list.csv/l.db'],
  },
  { what: 'a run that is not there', command: ['resume', 'no-such-run'], code: 66, says: ['no-such-run'] },
]

let sink: RecordingSink
let silent: Server
let http: Server
const sockets = new Set<{ destroy(): void }>()

/** A server that greets with `greeting`, whatever it hears. */
function greeter(greeting: string): Promise<Server> {
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write(greeting)
  })
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)))
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

beforeAll(async () => {
  sink = await startRecordingSink()
  http = await greeter('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
  silent = await greeter('554 no service for you\r\n')
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  http.close()
  silent.close()
  await sink.close()
})

function arranged({ files, arrange }: Wrong): Project {
  const project = makeProject({
    'list.csv': LIST,
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': 'csv: list.csv\ntemplate: letter\n',
  })
  for (const [path, content] of Object.entries(files ?? {})) {
    if (typeof content === 'string') project.write(path, content)
    else writeFileSync(join(project.dir, path), content)
  }
  arrange?.(project.dir)
  return project
}

function judge(wrong: Wrong, { code, stdout, stderr }: Awaited<ReturnType<Project['run']>>): void {
  expect(code, stderr).toBe(wrong.code)
  for (const words of wrong.says)
    expect(stderr).toMatch(words instanceof RegExp ? words : new RegExp(RegExp.escape(words)))
  expect(stderr).toMatch(/^mailmerge: /m)
  expect(stderr + stdout).not.toMatch(/^\s+at .*:\d+|node:internal|\[object|undefined|should not have happened/m)
  expect(stdout).toBe('')
}

test.each([...LISTS, ...TEMPLATES, ...SETTINGS, ...USAGE].filter(({ skip }) => skip !== true))(
  '$what: exit $code, said so that one can act on it, nothing sent',
  async (wrong) => {
    const project = arranged(wrong)
    const before = sink.connections
    try {
      const args = wrong.command ?? ['run', ...(wrong.args ?? [])]
      const env = {
        MAILMERGE_SMTP_URL: wrong.args?.includes('--smtp') ? '' : `smtp://127.0.0.1:${sink.port}`,
        ...wrong.env,
      }
      judge(wrong, await project.run(args, env))
      expect(sink.connections).toBe(before)
    } finally {
      project.remove()
    }
  },
)

test.each<Wrong & { readonly url: () => string }>([
  {
    what: 'a port that nobody listens on',
    url: () => 'smtp://127.0.0.1:1',
    code: 69,
    says: ['127.0.0.1:1', /refused|nobody listens/],
  },
  {
    what: 'a host that does not exist',
    url: () => 'smtp://mail.invalid:25',
    code: 69,
    says: ['mail.invalid', 'is not known'],
  },
  {
    what: 'a server that does not speak SMTP',
    url: () => `smtp://127.0.0.1:${portOf(http)}`,
    code: 69,
    says: [/SMTP/, 'HTTP/1.1'],
  },
  {
    what: 'a server that wants nobody',
    url: () => `smtp://127.0.0.1:${portOf(silent)}`,
    code: 69,
    says: ['554', 'no service for you'],
  },
  {
    what: 'TLS where the server speaks none',
    url: () => `smtps://127.0.0.1:${sink.port}`,
    code: 69,
    says: [/TLS/],
  },
  {
    what: 'a certificate authority that is not there',
    files: config('smtp: { ca: no.pem }\n'),
    url: () => `smtp://localhost:${sink.port}`,
    code: 78,
    says: ['no.pem', 'PEM'],
  },
  {
    what: 'a login without TLS',
    url: () => `smtp://ada:secret-canary@127.0.0.1:${sink.port}`,
    code: 78,
    says: [/TLS|password/],
  },
])('$what: exit $code, said so that one can act on it, nothing sent', async (wrong) => {
  const project = arranged(wrong)
  try {
    const { code, stdout, stderr } = await project.run(['run', '--smtp', wrong.url(), '--retry-for', '0'])
    judge(wrong, { code, stderr, stdout: '', signal: null })
    // What was planned is kept and can be gone on with: nothing is lost by a wrong port.
    expect(stdout).toContain('3 waiting of 3 rows')
    expect(stderr).toContain('mailmerge resume')
    expect(stdout + stderr).not.toContain('secret-canary')
    expect(sink.ids.size).toBe(0)
  } finally {
    project.remove()
  }
})
