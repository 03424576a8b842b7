import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import { extractLinks, extractText, getDocumentProxy, getMeta } from 'unpdf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { createAttachmentStore } from '../../src/message/attachment/attachment.ts'
import { checkPdf, renderPdf } from '../../src/message/pdf/pdf.ts'
import { value as hole, marked } from '../support/marked.ts'

const fontOf = (name: string): string => createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/${name}`)

let root = ''
const draw = (source: string): Promise<Uint8Array> => renderPdf(marked(source), { root })

/** Pages as another program reads them, a line break for every line of the page. */
async function read(pdf: Uint8Array): Promise<readonly string[]> {
  return (await extractText(await getDocumentProxy(new Uint8Array(pdf)))).text
}

async function errorOf(work: Promise<unknown>): Promise<string> {
  const error = await work.catch((thrown: unknown) => thrown)
  if (!(error instanceof DataError)) throw new Error(`not a DataError: ${String(error)}`)
  expect(error.problems.length).toBeGreaterThan(0)
  return error.message
}

/** A PNG of one colour; `color` 2 is RGB, 6 is RGB with alpha. */
function png(
  width: number,
  height: number,
  color: 2 | 6,
  over: { readonly filter?: number; readonly data?: Buffer } = {},
): Buffer {
  const row = Buffer.alloc(1 + width * (color === 2 ? 3 : 4), 128)
  row[0] = over.filter ?? 0
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    const frame = Buffer.alloc(8)
    frame.writeUInt32BE(data.length, 0)
    frame.writeUInt32BE(crc32(body), 4)
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, color, 0, 0, 0], 8)
  const data = over.data ?? deflateSync(Buffer.concat(Array.from({ length: Math.min(height, 1_000) }, () => row)))
  return Buffer.concat([
    Buffer.from('\u0089PNG\r\n\u001A\n', 'latin1'),
    chunk('IHDR', head),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'mailmerge-pdf-'))
  mkdirSync(join(root, 'images'))
  writeFileSync(join(root, 'images/seal.png'), png(20, 20, 6))
  writeFileSync(join(root, 'images/our logo.png'), png(20, 10, 2))
  writeFileSync(join(root, 'images/cut.png'), png(20, 20, 6, { data: deflateSync(Buffer.alloc(10)) }))
  writeFileSync(join(root, 'images/garbled.png'), png(20, 20, 6, { data: Buffer.from('no deflate') }))
  writeFileSync(join(root, 'images/filter.png'), png(20, 20, 6, { filter: 9 }))
  writeFileSync(join(root, 'images/bomb.png'), png(60_000, 60_000, 2, { data: deflateSync(Buffer.alloc(1_000_000)) }))
  writeFileSync(join(root, 'images/photo.gif'), 'GIF89a')
  writeFileSync(join(root, 'images/fake.jpg'), Buffer.from([0xff, 0xd8, 0xff, 0xd9]))
  writeFileSync(join(root, '.hidden.png'), png(1, 1, 2))
  cpSync(fontOf('DejaVuSerif.ttf'), join(root, 'serif.ttf'))
  writeFileSync(join(root, 'bad.ttf'), 'not a font')
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('an invoice says what its Markdown says, in its order', async () => {
  const source = `# Invoice 2026-017

**Ada Lovelace**
12 St James's Square

| Item | Price |
| :--- | ---: |
| Analytical *Engine* | € 1.200,00 |
| Punch cards | € 50,00 |

1. Pay
2. Smile
   - a lot

> Thank you &amp; good bye

- [x] checked
`
  const [page = ''] = await read(await draw(source))
  const words = page.replace(/\s+/g, ' ')
  expect(words).toBe(
    "Invoice 2026-017 Ada Lovelace 12 St James's Square Item Price Analytical Engine € 1.200,00 Punch cards € 50,00 " +
      '1. Pay 2. Smile • a lot Thank you & good bye ☑ checked',
  )
})

test('the same source gives the same bytes, and another source others', async () => {
  const source = '# Ticket\n\n![](qr:123)\n\n![](images/seal.png "40 right")\n'
  const first = Buffer.from(await draw(source))
  expect(Buffer.from(await draw(source)).equals(first)).toBe(true)
  expect(Buffer.from(await draw(source.replace('123', '124'))).equals(first)).toBe(false)
  const { info } = await getMeta(await getDocumentProxy(new Uint8Array(first)))
  expect(info).toMatchObject({ Title: 'Ticket', Producer: 'mailmerge', CreationDate: 'D:19700101000000Z' })
})

test.each([
  'Ünïcödé Ελληνικά Русский Українська Ångström Łódź İstanbul Việt Nam',
  '€ £ ½ – — “quotes” ‘x’ … ✓ ☎ → № ©',
])('letters of many scripts come back: %s', async (text) => {
  expect((await read(await draw(text)))[0]?.trim()).toBe(text)
})

test.each(['שלום עולם, טוב', 'مرحبا بالعالم'])('words from right to left are read in their order: %s', async (text) => {
  expect((await read(await draw(text)))[0]?.trim()).toBe(text)
})

test('a document does not depend on those that were drawn before it', async () => {
  const source = 'pages, Εζ ﬁ Ω and EZ'
  const first = Buffer.from(await draw(source))
  await draw('Русский Ω É ﬁ office páges **p**')
  expect(Buffer.from(await draw(source)).equals(first)).toBe(true)
})

describe('a value is text, whatever it would mean in Markdown', () => {
  test.each([
    '*Ada* **King**',
    '# Heading',
    '| a | b |',
    '- item',
    '1. item',
    '> quote',
    '[link](https://evil.example)',
    '![](images/seal.png)',
    '![](qr:x)',
    'https://evil.example',
    '<b>x</b> <!-- page -->',
    '&amp; &lt; \\* `x`',
    '---',
    '[x]: https://evil.example',
  ])('%s', async (value) => {
    const source = `${hole(value)}\n\nA **${hole(value)}** b\n\n| x | y |\n|--|--|\n| ${hole(value)} | z |\n`
    const pdf = await draw(source)
    const [page = '', ...more] = await read(pdf)
    expect(more).toEqual([])
    expect(page.replace(/\s+/g, ' ').trim()).toBe(`${value} A ${value} b x y ${value} z`.replace(/\s+/g, ' '))
    expect((await extractLinks(await getDocumentProxy(new Uint8Array(pdf)))).links).toEqual([])
  })

  test('also one that breaks lines, in a table too', async () => {
    const [page = ''] = await read(await draw(`| a | b |\n|--|--|\n| z | ${hole('one\n| two |\n\n# three')} |\n\nEnd`))
    expect(page.replace(/\s+/g, ' ').trim()).toBe('a b z one | two | # three End')
  })

  test('but it may be the end of a link, the text of a code, the name of an image', async () => {
    const links = async (href: string): Promise<readonly string[]> => {
      const pdf = await draw(`[pay](${hole(href)})`)
      return (await extractLinks(await getDocumentProxy(new Uint8Array(pdf)))).links
    }
    expect(await links('https://example.com/pay?a=1&b=(2)')).toEqual(['https://example.com/pay?a=1&b=(2)'])
    expect(await links('javascript:alert(1)')).toEqual([])
    expect(await links('file:///etc/passwd')).toEqual([])
    expect(
      (await draw(`![](images/${hole('our logo')}.png)\n\n![](qr:${hole('a b "c" (d)')})`)).length,
    ).toBeGreaterThan(500)
    expect(await errorOf(draw(`![](images/${hole('../../x')}.png)`))).toContain("goes up with '..'")
  })
})

describe('pages', () => {
  const sizes = async (source: string): Promise<readonly (readonly number[])[]> => {
    const pdf = await getDocumentProxy(new Uint8Array(await draw(source)))
    const pages = await Promise.all(Array.from({ length: pdf.numPages }, (_, index) => pdf.getPage(index + 1)))
    return pages.map((page) => page.view.map(Math.round))
  }

  test('have the size that the head says', async () => {
    expect(await sizes('x')).toEqual([[0, 0, 595, 842]])
    expect(await sizes('---\npage: a6\nlandscape: true\n---\nx')).toEqual([[0, 0, 420, 298]])
    expect(
      await sizes('---\npage: Letter\nbackground: images/seal.png\nalign: center\n---\nx\n\n<!-- page -->\n\ny'),
    ).toHaveLength(2)
  })

  test('break between lines, with the head of a table on each', async () => {
    const rows = Array.from({ length: 90 }, (_, index) => `| row ${index} | ${'text '.repeat(index % 20)} |`)
    const pages = await read(await draw(`| Number | Text |\n|--|--|\n${rows.join('\n')}`))
    expect(pages.length).toBeGreaterThan(2)
    for (const page of pages) expect(page.trimStart()).toMatch(/^Number\s+Text/)
    expect(pages.join(' ').match(/row \d+/g)).toEqual(rows.map((_, index) => `row ${index}`))
  })

  test('hold a cell and a word that are longer than themselves', async () => {
    const words = Array.from({ length: 3_000 }, (_, index) => `w${index}`)
    const pages = await read(await draw(`| a |\n|--|\n| ${words.join(' ')} |\n\n${'x'.repeat(5_000)}`))
    expect(pages.join(' ').match(/w\d+/g)).toEqual(words)
    expect(pages.join('').match(/x/g)).toHaveLength(5_000)
  })
})

describe('what cannot be drawn is reported, before and when it is drawn', () => {
  test.each([
    ['---\npage: A9\n---\nx', 'page'],
    ['---\ncolour: red\n---\nx', 'colour'],
    ['---\nmargin: wide\n---\nx', 'margin'],
    ['---\n{ ]\n---\nx', 'settings'],
    ['---\nfont: bad.ttf\n---\nx', 'not a valid font'],
    ['---\nfont: none.ttf\n---\nx', 'does not exist'],
    ['---\nbackground: images/none.png\n---\nx', 'does not exist'],
    ['![](images/none.png)', 'does not exist'],
    ['![](../x.png)', "goes up with '..'"],
    ['![](https://example.com/x.png)', 'is an address'],
    ['![](.hidden.png)', 'is hidden'],
    ['| a |\n|--|\n| x |\n\n- ![](images/photo.gif)', 'neither PNG nor JPEG'],
    ['![](images/cut.png)', 'is broken'],
    ['![](images/garbled.png)', 'is broken'],
    ['![](images/filter.png)', 'is broken'],
    ['![](images/bomb.png)', 'more than a page needs'],
    ['![](qr:)', 'no text'],
    [`![](qr:${'x'.repeat(5_000)})`, 'cannot hold 5000'],
    ['| a |\n|--|\n| 漢字 |', "no font has the letter '漢' (U+6F22)"],
    ['a 🫠', 'U+1FAE0'],
  ])('%j: %s', async (source, message) => {
    const checked = checkPdf(marked(source), { root })
    const drawn = draw(source)
    await Promise.allSettled([checked, drawn])
    expect(await errorOf(checked)).toContain(message)
    expect(await errorOf(drawn)).toContain(message)
  })

  test('a JPEG that is none', async () => {
    expect(await errorOf(draw('![](images/fake.jpg)'))).toContain('is broken')
  })

  test('quotes in quotes in quotes', async () => {
    expect(await errorOf(draw(`${'> '.repeat(100)}x`))).toContain('too deep')
  })

  test('by the store of attachments in planning, and drawn by it in sending', async () => {
    const store = createAttachmentStore({ root })
    const pdf = (source: string) => ({ kind: 'pdf', name: 'Ticket.pdf', source: marked(source) }) as const
    expect(
      await errorOf(Promise.resolve(store.inspect([pdf('![](none.png)'), { kind: 'file', path: marked('none') }], []))),
    ).toContain('2 attachments')
    expect(await store.inspect([pdf('# x')], [])).toEqual([])
    const [part] = await store.load([pdf('# Hello')], [])
    expect(part).toMatchObject({ name: 'Ticket.pdf', type: 'application/pdf', disposition: 'attachment' })
    expect(await read(part?.content ?? new Uint8Array())).toEqual(['Hello'])
  })
})

test('a font of the project draws what it has, ours the rest', async () => {
  const pdf = await draw('---\nfont: serif.ttf\n---\nabc **def** `ghi`')
  const names = Buffer.from(pdf)
    .toString('latin1')
    .match(/\/BaseFont \/\w+\+([\w-]+)/g)
    ?.map((name) => name.split('+')[1])
  expect(new Set(names)).toEqual(new Set(['DejaVuSerif', 'DejaVuSansMono']))
  expect(await read(pdf)).toEqual(['abc def ghi'])
})
