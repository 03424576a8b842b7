import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import {
  type AttachmentStoreOptions,
  createAttachmentStore,
  withOwnNames,
} from '../../src/message/attachment/attachment.ts'
import { safeFileName, safeName } from '../../src/message/files/file-name.ts'
import type { RenderedAttachment, RenderedInline } from '../../src/template/template.ts'
import { marked, value as rowValue } from '../support/marked.ts'

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

let base = ''
let root = ''
const file = (path: string, more: Partial<Extract<RenderedAttachment, { kind: 'file' }>> = {}): RenderedAttachment => ({
  kind: 'file',
  path: marked(path),
  ...more,
})
const store = (options: Partial<AttachmentStoreOptions> = {}) => createAttachmentStore({ root, ...options })
const load = async (path: string, more = {}, options = {}) => await store(options).load([file(path, more)], [])

/** The code of the first problem, or `fine`. */
async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'fine'
  } catch (error) {
    if (!(error instanceof DataError)) throw error
    return error.problems[0]?.code ?? 'no problem'
  }
}

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'mailmerge-attachment-'))
  root = join(base, 'project')
  for (const folder of ['docs', 'docs/sub', '.git', 'invoices']) mkdirSync(join(root, folder), { recursive: true })
  mkdirSync(join(base, 'elsewhere'))
  writeFileSync(join(base, 'elsewhere/secret.txt'), 'outside')
  writeFileSync(join(root, 'docs/terms.pdf'), '%PDF-1.4 terms')
  writeFileSync(join(root, 'docs/a.txt'), 'a')
  writeFileSync(join(root, 'docs/b.txt'), 'b')
  writeFileSync(join(root, 'docs/sub/c.txt'), 'c')
  writeFileSync(join(root, 'docs/seal'), PNG)
  writeFileSync(join(root, 'docs/noise'), Buffer.from([1, 0, 2, 0]))
  writeFileSync(join(root, 'docs/[x].txt'), 'brackets')
  writeFileSync(join(root, 'docs/one, two.txt'), 'comma')
  writeFileSync(join(root, '.env'), 'PASSWORD=x')
  writeFileSync(join(root, '.git/config'), 'x')
  writeFileSync(join(root, 'list.csv'), 'email\n')
  for (const number of [1, 2, 3]) writeFileSync(join(root, `invoices/${number}.pdf`), `invoice ${number}`)
  symlinkSync(join(base, 'elsewhere/secret.txt'), join(root, 'docs/link.txt'))
  symlinkSync(join(root, 'docs/a.txt'), join(root, 'docs/inner.txt'))
  symlinkSync(join(root, '.env'), join(root, 'docs/env.txt'))
  symlinkSync('/dev/zero', join(root, 'docs/zero'))
  symlinkSync(join(root, 'docs/circle'), join(root, 'docs/circle'))
  execFileSync('mkfifo', [join(root, 'docs/pipe')])
})
afterAll(() => rmSync(base, { recursive: true, force: true }))

test('files of several rows have names of their own, whatever the case of their letters', async () => {
  const parts = await store().load(
    [
      file('docs/a.txt', { name: 'Label.txt' }),
      file('docs/b.txt', { name: 'label.txt' }),
      file('docs/sub/c.txt', { name: 'Label.txt' }),
    ],
    [],
  )
  expect(withOwnNames(parts).map(({ name }) => name)).toEqual(['Label.txt', 'label (2).txt', 'Label (3).txt'])
  expect(parts.map(({ name }) => name)).toEqual(['Label.txt', 'label.txt', 'Label.txt'])
})

describe('nothing is attached from outside the fence', () => {
  test.each([
    ['', 'attachment-outside'],
    ['../elsewhere/secret.txt', 'attachment-outside'],
    ['docs/../../elsewhere/secret.txt', 'attachment-outside'],
    ['docs\\..\\..\\elsewhere\\secret.txt', 'attachment-outside'],
    ['/etc/passwd', 'attachment-outside'],
    ['/no/such/file', 'attachment-outside'],
    ['~/secret.txt', 'attachment-outside'],
    ['~root/secret.txt', 'attachment-outside'],
    ['//host/share/file', 'attachment-outside'],
    ['\\\\host\\share\\file', 'attachment-outside'],
    ['C:\\Windows\\win.ini', 'attachment-outside'],
    ['c:win.ini', 'attachment-outside'],
    ['file:///etc/passwd', 'attachment-outside'],
    ['http://example.com/a.pdf', 'attachment-outside'],
    ['data:text/plain,x', 'attachment-outside'],
    ['docs/a.txt:stream', 'attachment-outside'],
    ['docs/a.txt\u0000.pdf', 'attachment-outside'],
    [`docs/${'a/'.repeat(3_000)}`, 'attachment-outside'],
    ['docs/link.txt', 'attachment-outside'],
    ['docs/zero', 'attachment-outside'],
    ['docs/circle', 'attachment-no-file'],
    ['docs/pipe', 'attachment-no-file'],
    ['docs', 'attachment-no-file'],
    ['.', 'attachment-no-file'],
    ['.env', 'attachment-hidden'],
    ['.git/config', 'attachment-hidden'],
    ['docs/env.txt', 'attachment-hidden'],
    ['docs/none.txt', 'missing-attachment'],
    ['docs/a.txt/b', 'missing-attachment'],
    [`docs/${'a'.repeat(300)}`, 'missing-attachment'],
    ['docs/*.doc', 'missing-attachment'],
  ])('%j: %s, in planning and in sending', async (path, code) => {
    expect(await codeOf(() => store().inspect([file(path)], []))).toBe(code)
    expect(await codeOf(() => store().load([file(path)], []))).toBe(code)
    expect(await codeOf(() => store().load([], [{ kind: 'file', cid: 'x', path }]))).toBe(code)
  })

  test('the error names the path, says why and what to do', async () => {
    const error = await Promise.resolve(store().inspect([file('../x\r\n.txt')], [])).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      message: "the attachment '../x\\r\\n.txt' goes up with '..'",
      problems: [{ severity: 'error', hint: expect.stringContaining('attachments.roots') }],
    })
  })

  test('every wrong path of a row is reported at once', async () => {
    const error = await Promise.resolve(
      store().inspect([file('none.txt'), file('docs/a.txt'), file('../x')], []),
    ).catch((thrown: unknown) => thrown)
    expect((error as DataError).problems.map(({ code }) => code)).toEqual(['missing-attachment', 'attachment-outside'])
  })

  test('another folder is open where the configuration names it, by its absolute paths', async () => {
    const roots = [join(base, 'elsewhere')]
    expect(await load(join(base, 'elsewhere/secret.txt'), {}, { roots })).toMatchObject([{ name: 'secret.txt' }])
    expect(await load('docs/link.txt', {}, { roots })).toHaveLength(1)
    expect(await codeOf(() => load(join(base, 'elsewhere2/x'), {}, { roots }))).toBe('attachment-outside')
  })

  test('files that belong to the project itself are kept back', async () => {
    expect(await codeOf(() => load('list.csv', {}, { never: ['list.csv'] }))).toBe('attachment-private')
    expect(await codeOf(() => load('*.csv', {}, { never: [join(root, 'list.csv')] }))).toBe('attachment-private')
  })

  test('a file over the limit is refused by its size alone', async () => {
    expect(await codeOf(() => store({ maxBytes: 5 }).inspect([file('docs/terms.pdf')], []))).toBe(
      'attachment-too-large',
    )
  })
})

describe('what was checked is what is read', () => {
  const swap = async (name: string, put: (path: string) => void): Promise<string> => {
    const path = join(root, 'docs', name)
    writeFileSync(path, 'good')
    const attachments = store()
    await attachments.inspect([file(`docs/${name}`)], [])
    rmSync(path)
    put(path)
    const code = await codeOf(() => attachments.load([file(`docs/${name}`)], []))
    rmSync(path)
    return code
  }

  test('a link put in its place is not followed', async () => {
    expect(await swap('s1', (path) => symlinkSync(join(base, 'elsewhere/secret.txt'), path))).toBe('attachment-changed')
  })

  test('a pipe put in its place holds nobody up', async () => {
    expect(await swap('s2', (path) => execFileSync('mkfifo', [path]))).toBe('attachment-changed')
  })

  test('another file of the same size and time put in its place is noticed', async () => {
    const when = new Date('2026-01-01T00:00:00Z')
    const put = (path: string): void => {
      writeFileSync(`${path}.new`, 'evil')
      utimesSync(`${path}.new`, when, when)
      renameSync(`${path}.new`, path)
    }
    expect(await swap('s3', put)).toBe('attachment-changed')
  })

  test('a folder on its way that becomes a link is noticed', async () => {
    mkdirSync(join(root, 'docs/way'))
    writeFileSync(join(root, 'docs/way/secret.txt'), 'inside!')
    const attachments = store()
    await attachments.inspect([file('docs/way/secret.txt')], [])
    rmSync(join(root, 'docs/way'), { recursive: true })
    symlinkSync(join(base, 'elsewhere'), join(root, 'docs/way'))
    expect(await codeOf(() => attachments.load([file('docs/way/secret.txt')], []))).toBe('attachment-changed')
    rmSync(join(root, 'docs/way'))
  })

  test('a file that changed, came or went since the plan stops the message, also in another process', async () => {
    const path = join(root, 'docs/plan.txt')
    writeFileSync(path, 'as planned')
    const wanted = [file('docs/a.txt'), file('docs/plan.txt', { optional: true })]
    const images: RenderedInline[] = [{ kind: 'file', cid: 'i', path: 'docs/seal', ofRow: true }]
    const planned = (await store().inspect(wanted, images)).map(({ fingerprint }) => fingerprint)
    expect(planned).toHaveLength(3)
    const attachments = store()
    expect(await attachments.load(wanted, images, planned)).toHaveLength(3)
    writeFileSync(path, 'changed!!')
    // What is loaded is what was planned.
    expect(await codeOf(() => attachments.load(wanted, images, planned))).toBe('fine')
    expect(await codeOf(() => store().load(wanted, images, planned))).toBe('attachment-changed')
    rmSync(path)
    expect(await codeOf(() => store().load(wanted, images, planned))).toBe('attachment-changed')
    expect(await codeOf(() => store().load(wanted, images, planned.toSpliced(1, 1)))).toBe('fine')
    writeFileSync(path, 'new')
    expect(await codeOf(() => store().load(wanted, images, planned.toSpliced(1, 1)))).toBe('attachment-changed')
    rmSync(path)
  })
})

describe('paths', () => {
  test.each<[string, readonly string[]]>([
    ['docs/a.txt', ['a.txt']],
    ['./docs/a.txt', ['a.txt']],
    ['docs/inner.txt', ['a.txt']],
    ['docs/?.txt', ['a.txt', 'b.txt']],
    ['docs/{b,a}.txt', ['a.txt', 'b.txt']],
    ['docs/**/c.txt', ['c.txt']],
    ['docs/[x].txt', ['[x].txt']],
    ['docs/a.txt; docs/b.txt', ['a.txt', 'b.txt']],
    ['docs/b.txt,docs/a.txt,', ['b.txt', 'a.txt']],
    ['docs/a.txt\ndocs/sub/*.txt', ['a.txt', 'c.txt']],
    ['docs/one, two.txt', ['one, two.txt']],
  ])('%j gives %j', async (path, names) => {
    expect((await load(path)).map(({ name }) => name)).toEqual(names)
  })

  test('a pattern matches no folder and nothing hidden', async () => {
    expect((await load('invoices/*')).length).toBe(3)
    expect((await load('*')).map(({ name }) => name)).toEqual(['list.csv'])
  })

  test('a pattern that fits a whole tree is a mistake', async () => {
    mkdirSync(join(root, 'many'))
    for (let index = 0; index < 101; index++) writeFileSync(join(root, `many/${index}.txt`), '')
    expect(await codeOf(() => load('many/*'))).toBe('attachment-too-many')
    rmSync(join(root, 'many'), { recursive: true })
  })

  test.each(['*', '?', '[0-9]', '{1,2}', '**', '!(2)', '\\*', '1.pdf,invoices/2'])(
    'a value %j of a row widens no pattern and is none',
    async (value) => {
      const hole = rowValue(value)
      expect(await codeOf(() => load(`invoices/${hole}.pdf`))).toBe('missing-attachment')
      expect(await codeOf(() => load(`invoices/${hole}*.pdf`))).toBe('missing-attachment')
    },
  )

  test('a value between marks is found by its letters, alone and in a pattern', async () => {
    const hole = rowValue
    expect(await load(`invoices/${hole('2')}.pdf`)).toMatchObject([{ name: '2.pdf' }])
    expect(await load(`invoices/${hole('2')}*`)).toMatchObject([{ name: '2.pdf' }])
    expect(await load(`docs/${hole('[x]')}.*`)).toMatchObject([{ name: '[x].txt' }])
    expect(await load(hole('invoices/1.pdf; invoices/3.pdf'))).toHaveLength(2)
    expect(await load(`${hole('invoices/1.pdf')}, docs/?.txt`)).toHaveLength(3)
    expect(await codeOf(() => load(hole('invoices/1.pdf; invoices/*.pdf')))).toBe('missing-attachment')
    expect(await codeOf(() => load(hole('../x')))).toBe('attachment-outside')
  })

  test('an optional file may be missing, but not outside', async () => {
    expect(await load('docs/none.txt', { optional: true })).toEqual([])
    expect(await store().inspect([file('docs/*.doc', { optional: true })], [])).toEqual([])
    expect(await codeOf(() => load('../none.txt', { optional: true }))).toBe('attachment-outside')
  })

  test('of several optional files those that are there are attached, and one outside is still an error', async () => {
    const names = async (path: string) => (await load(path, { optional: true })).map(({ name }) => name)
    expect(await names('docs/a.txt; docs/none.txt, docs/terms.pdf\ndocs/none-*.txt')).toEqual(['a.txt', 'terms.pdf'])
    expect(await codeOf(() => load('docs/none.txt; ../none.txt', { optional: true }))).toBe('attachment-outside')
    expect(await codeOf(() => load('docs/a.txt; docs/none.txt'))).toBe('missing-attachment')
  })
})

describe('names and types', () => {
  test.each<[string, object, string, string]>([
    ['docs/terms.pdf', {}, 'terms.pdf', 'application/pdf'],
    ['docs/terms.pdf', { name: 'Bedingungen für Zoë.pdf' }, 'Bedingungen für Zoë.pdf', 'application/pdf'],
    ['docs/terms.pdf', { name: '../a/b\r\n\u202Efdp.exe' }, '.._a_bfdp.exe', 'application/octet-stream'],
    ['docs/terms.pdf', { name: '  ' }, 'terms.pdf', 'application/pdf'],
    ['docs/a.txt', { type: 'text/x-log' }, 'a.txt', 'text/x-log'],
    ['docs/seal', {}, 'seal', 'image/png'],
    ['docs/noise', {}, 'noise', 'application/octet-stream'],
    ['docs/noise', { name: 'noise.txt' }, 'noise.txt', 'application/octet-stream'],
    ['docs/a.txt', { name: 'letter' }, 'letter', 'text/plain'],
  ])('%s with %j is %s, %s', async (path, more, name, type) => {
    expect(await load(path, more)).toMatchObject([{ disposition: 'attachment', name, type }])
  })

  test('a name is for one file, not for all that a pattern fits', async () => {
    expect((await load('docs/?.txt', { name: 'same.txt' })).map(({ name }) => name)).toEqual(['a.txt', 'b.txt'])
  })

  test('content that a template made has the name and type that it gives', () => {
    const content = (name: string, type?: string): RenderedAttachment => ({
      kind: 'content',
      name,
      content: 'ä',
      ...(type === undefined ? {} : { type }),
    })
    expect(store().load([content('a.csv'), content('', 'text/calendar'), content('x.bin')], [])).toMatchObject([
      { name: 'a.csv', type: 'text/csv; charset=utf-8', content: Buffer.from('ä') },
      { name: 'attachment.ics', type: 'text/calendar; charset=utf-8' },
      { name: 'x.bin', type: 'application/octet-stream' },
    ])
  })
})

describe('what rows share is read once', () => {
  test('the same file gives the very same part, at once from the second row on', async () => {
    const attachments = store()
    const [first] = await attachments.load([file('docs/terms.pdf')], [])
    const again = attachments.load([file('docs/terms.pdf')], [])
    expect(again).not.toBeInstanceOf(Promise)
    expect((await again)[0]).toBe(first)
    expect(first?.shared).toBe(true)
    expect(Buffer.from(first?.content ?? []).toString()).toBe('%PDF-1.4 terms')
    expect(attachments.inspect([file('docs/terms.pdf')], [])).not.toBeInstanceOf(Promise)
  })

  test('lanes that ask at the same moment get the same part', async () => {
    const attachments = store()
    const all = await Promise.all([1, 2, 3].map(async () => (await attachments.load([file('docs/terms.pdf')], []))[0]))
    expect(all[1]).toBe(all[0])
    expect(all[2]).toBe(all[0])
  })

  test('under another name it is another part of the same content', async () => {
    const attachments = store()
    const [a] = await attachments.load([file('docs/terms.pdf', { name: 'a.pdf' })], [])
    const [b] = await attachments.load([file('docs/terms.pdf', { name: 'b.pdf' })], [])
    expect([a?.name, b?.name]).toEqual(['a.pdf', 'b.pdf'])
    expect(b?.content).toBe(a?.content)
  })

  test('an image has its Content-ID and is shared too', async () => {
    const attachments = store()
    const image: RenderedInline = { kind: 'file', cid: 'seal@x', path: 'docs/seal' }
    const [first] = await attachments.load([], [image])
    expect(first).toMatchObject({ disposition: 'inline', contentId: 'seal@x', type: 'image/png', name: 'seal' })
    expect((await attachments.load([], [{ ...image }]))[0]).toBe(first)
    const made: RenderedInline = { kind: 'content', cid: 'qr@x', name: 'qr.png', type: 'image/png', content: PNG }
    expect((await attachments.load([], [made]))[0]).toMatchObject({ contentId: 'qr@x', content: PNG })
  })

  test('a file shared by all stays while files of single rows pass', async () => {
    const attachments = store({ keptBytes: 400 })
    const rows = Array.from({ length: 30 }, (_, index) => `invoices/own-${index}.pdf`)
    for (const path of rows) writeFileSync(join(root, path), 'x'.repeat(100))
    let shared: unknown
    for (const [index, path] of rows.entries()) {
      const [terms] = await attachments.load([file('docs/terms.pdf'), file(path)], [])
      if (index === 2) shared = terms
      if (index > 2) expect(terms).toBe(shared)
    }
    // Files of single rows are not kept: the first of them has to be read again.
    const again = attachments.load([file('invoices/own-0.pdf')], [])
    expect(again).toBeInstanceOf(Promise)
    await again
    for (const path of rows) rmSync(join(root, path))
  })

  test('a file larger than the room for all is still one part for its rows', async () => {
    const attachments = store({ keptBytes: 5 })
    const [first] = await attachments.load([file('docs/terms.pdf')], [])
    expect((await attachments.load([file('docs/terms.pdf')], []))[0]).toBe(first)
  })
})

describe('names of files', () => {
  test.each([
    ['CON', '_CON'],
    ['con.txt', '_con.txt'],
    ['LPT1 .txt', '_LPT1 .txt'],
    ['aux', '_aux'],
    ['nul.tar.gz', '_nul.tar.gz'],
    ['console.txt', 'console.txt'],
    ['a/b\\c:d*e?f"g<h>i|j', 'a_b_c_d_e_f_g_h_i_j'],
    ['..', 'attachment'],
    ['', 'attachment'],
    ['\u202E\u0000', 'attachment'],
    ['trailing. . ', 'trailing'],
    ['नमस्ते\u200D.pdf', 'नमस्ते\u200D.pdf'],
    ['\uD800.txt', '_.txt'],
  ])('%j becomes %j', (name, safe) => {
    expect(safeName(name)).toBe(safe)
    expect(safeName(safe)).toBe(safe)
  })

  test('a long name is cut between letters, and keeps its ending', () => {
    const safe = safeName(`${'ä😀'.repeat(100)}.docx`)
    expect(safe).toMatch(/^(?:ä😀)+ä?\.docx$/u)
    expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(200)
    expect(safeName('x'.repeat(1_000_000)).length).toBe(200)
  })

  test('an .eml file has a name that every system can store, one for each row', () => {
    expect(safeFileName(3, 'ada@example.com')).toBe('0003-ada@example.com.eml')
    const wild = ['../../x', 'a\r\nb', 'CON', '"a b"@x', '\u202Ea', `${'😀é'.repeat(200)}@x`, '', 'a/../b', '\uD800']
    const names = wild.map((address, index) => safeFileName(index + 1, address))
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(wild.length)
    for (const name of names) {
      expect(name).toMatch(/^\d{4}-[\p{L}\p{M}\p{N}@._+-]+\.eml$/u)
      expect(name).not.toContain('..')
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255)
    }
  })

  const STRINGS = resolve(import.meta.dirname, '../../../shared/corpora/strings/blns.json')

  test.skipIf(!existsSync(STRINGS))(
    'strings that break programs become names that can be written (skipped without the public corpora)',
    () => {
      const folder = join(base, 'names')
      mkdirSync(folder)
      const strings = JSON.parse(readFileSync(STRINGS, 'utf8')) as string[]
      expect(strings.length).toBeGreaterThan(400)
      for (const [index, text] of strings.entries()) {
        for (const name of [safeName(text), safeFileName(index, text)]) {
          writeFileSync(join(folder, name), 'x')
          expect(existsSync(join(folder, name))).toBe(true)
          expect(name).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}/\\:*?"<>|]|[\u202A-\u202E\u2066-\u2069]/u)
        }
      }
    },
  )
})
