/** Lists from a real web server on this machine: fetched, not fetched again, and refused. */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadSettings } from '../../../src/config/load.ts'
import { ConfigError, DataError, InputError } from '../../../src/errors.ts'
import { openSource } from '../../../src/source/open.ts'
import { csvAddressOf } from '../../../src/source/web/google-sheet.ts'
import { namesOf, openWebList, WEB_LIMITS, type WebOrigin } from '../../../src/source/web/web-list.ts'
import { readAll } from '../read.ts'

type Answer = (response: ServerResponse, headers: IncomingHttpHeaders) => void

let root: string
let close: () => void
let port: number
let answers: Record<string, Answer>
let asked: { readonly path: string; readonly headers: IncomingHttpHeaders }[]

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'mailmerge-test-'))
  answers = {}
  asked = []
  const server = createServer(({ url = '', headers }, response) => {
    asked.push({ path: url, headers })
    const answer = answers[url]
    if (answer === undefined) response.writeHead(404).end()
    else answer(response, headers)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
  close = () => {
    server.closeAllConnections()
    server.close()
  }
})
afterEach(() => {
  close()
  rmSync(root, { recursive: true })
})

function origin(path: string, headers: Readonly<Record<string, string>> = {}): WebOrigin {
  return { kind: 'web', url: `http://127.0.0.1:${port}${path}`, headers, root }
}

async function rowsOf(from: WebOrigin, again = false): Promise<readonly Record<string, unknown>[]> {
  return (await readAll(await openSource({ from }, { again }))).data
}

describe('a list of the web', () => {
  test.each<[string, string, string | Buffer]>([
    ['/list.csv', 'text/plain', 'email\na@x.org\n'],
    ['/export?format=csv', 'text/csv; charset=utf-8', 'email\na@x.org\n'],
    ['/api/members', 'application/json', '[{"email":"a@x.org"}]'],
    ['/list.csv.gz', 'application/gzip', gzipSync('email\na@x.org\n')],
  ])('at %s as %s is read as what it is', async (path, type, body) => {
    answers[path] = (response) => response.writeHead(200, { 'content-type': type }).end(body)
    expect(await rowsOf(origin(path))).toEqual([{ email: 'a@x.org' }])
  })

  test('that has not changed is not fetched again, and a changed one is', async () => {
    let tag = '"1"'
    answers['/list.csv'] = (response, headers) => {
      if (headers['if-none-match'] === tag) response.writeHead(304).end()
      else response.writeHead(200, { etag: tag }).end(`email\na@x.org\n${tag === '"2"' ? 'b@x.org\n' : ''}`)
    }
    expect(await rowsOf(origin('/list.csv'))).toHaveLength(1)
    expect(await rowsOf(origin('/list.csv'))).toHaveLength(1)
    expect(asked.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"1"'])
    tag = '"2"'
    expect(await rowsOf(origin('/list.csv'))).toHaveLength(2)
  })

  test('is the same at a second look, though the server has another one by then', async () => {
    let count = 0
    answers['/list.csv'] = (response) => response.end(`email\n${'a@x.org\n'.repeat(++count)}`)
    const from = origin('/list.csv')
    expect(await rowsOf(from)).toHaveLength(1)
    expect(await rowsOf(from, true)).toHaveLength(1)
    expect(await rowsOf(from)).toHaveLength(2)
    expect(asked).toHaveLength(2)
  })

  test('is kept for its user alone', async () => {
    answers['/list.csv'] = (response) => response.end('email\na@x.org\n')
    await rowsOf(origin('/list.csv'))
    const folder = join(root, '.mailmerge/lists')
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
  })

  test('is asked for with its headers, which go to no other server', async () => {
    const other = createServer(({ headers }, response) => {
      asked.push({ path: 'other', headers })
      response.end('email\na@x.org\n')
    })
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port: otherPort } = other.address() as AddressInfo
    answers['/here'] = (response) => response.writeHead(302, { location: '/there' }).end()
    answers['/there'] = (response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${otherPort}/list.csv` }).end()
    await rowsOf(origin('/here', { authorization: 'Bearer secret' }))
    other.close()
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer secret', 'Bearer secret', undefined])
  })
})

describe('is refused, and nothing is kept', () => {
  const limits = { ...WEB_LIMITS, whole: 5_000, silence: 300, size: 1_000 }
  const refused = async (path: string, more = limits): Promise<InputError> => {
    const error = await openWebList(origin(path), false, more).then(
      () => expect.unreachable(),
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(InputError)
    const folder = join(root, '.mailmerge/lists')
    expect(readdirSync(root).length === 0 || readdirSync(folder).length === 0).toBe(true)
    return error as InputError
  }

  test('what the server does not give', async () => {
    answers['/closed'] = (response) => response.writeHead(401).end()
    expect((await refused('/none.csv')).message).toMatch(/\/none\.csv cannot be read: the server answers 404/)
    expect((await refused('/closed')).hint).toMatch(/headers/)
  })

  test('what is too large, in the clear or packed', async () => {
    answers['/big'] = (response) => response.end('x'.repeat(2_000))
    answers['/packed'] = (response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(100_000)))
    expect((await refused('/big')).message).toMatch(/too much for a list/)
    expect((await refused('/packed')).message).toMatch(/too much for a list/)
  })

  test('what stops coming, never comes, or comes too slowly', async () => {
    answers['/stuck'] = (response) => response.write('email\n')
    answers['/silent'] = () => {}
    const slowly = (response: ServerResponse): void => {
      const timer = setInterval(() => response.write('x'), 50)
      response.once('close', () => clearInterval(timer))
    }
    answers['/slow'] = slowly
    expect((await refused('/stuck')).message).toMatch(/gave nothing for 0 seconds/)
    expect((await refused('/silent')).message).toMatch(/gave nothing/)
    expect((await refused('/slow', { ...limits, whole: 500 })).message).toMatch(/was not read whole within 1 seconds/)
  })

  test('what is cut off', async () => {
    answers['/cut'] = (response) => {
      response.writeHead(200, { 'content-length': '500' })
      response.write('email\n')
      setTimeout(() => response.destroy(), 20)
    }
    await refused('/cut')
  })

  test('redirects without an end, and from https to what is not', async () => {
    answers['/loop'] = (response) => response.writeHead(302, { location: '/loop' }).end()
    expect((await refused('/loop')).message).toMatch(/more than 5 times/)
    answers['/file'] = (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end()
    expect((await refused('/file')).message).toMatch(/file:/)
  })

  test('a server that is not there', async () => {
    close()
    expect((await refused('/list.csv')).message).toMatch(/cannot be read: connection refused/)
  })
})

test('a page in the place of the list is an error of its own', async () => {
  answers['/list.csv'] = (response) => response.end('<!doctype html><title>Log in</title>')
  await expect(rowsOf(origin('/list.csv'))).rejects.toThrow(DataError)
})

describe('the settings', () => {
  const load = (csv: string) => loadSettings({ cwd: root, env: {}, flags: { csv } })

  test('take https, and http on this machine alone', async () => {
    const { source } = await load('https://example.org/list.csv?key=1')
    expect(source.from).toMatchObject({ kind: 'web', url: 'https://example.org/list.csv?key=1', root })
    await expect(load('http://example.org/list.csv')).rejects.toThrow(ConfigError)
    await expect(load('https://me:secret@example.org/list.csv')).rejects.toThrow(/holds a password/)
  })

  test('take secrets from the environment, and miss those that are not there', async () => {
    writeFileSync(
      join(root, 'mailmerge.yaml'),
      'data:\n  path: https://example.org/list.csv\n  headers: { Accept: text/csv, Authorization: { env: LIST_TOKEN } }\n',
    )
    const { source } = await loadSettings({ cwd: root, env: { LIST_TOKEN: 'Bearer x' }, flags: {} })
    expect(source.from).toMatchObject({ headers: { Accept: 'text/csv', Authorization: 'Bearer x' } })
    await expect(loadSettings({ cwd: root, env: {}, flags: {} })).rejects.toThrow(/LIST_TOKEN, which is not set/)
  })
})

test('what people and campaigns see of an address holds nothing secret', () => {
  expect(namesOf('https://example.org/a/list.csv?token=secret')).toEqual({
    name: 'https://example.org/a/list.csv',
    stem: 'list',
  })
  expect(namesOf('https://docs.google.com/spreadsheets/d/1BxiMVs0XRA5nFMdKvBd/edit#gid=7').stem).toBe('sheet-1BxiMVs0')
  expect(namesOf('https://example.org').stem).toBe('example.org')
})

test.each([
  [
    'https://docs.google.com/spreadsheets/d/1Bxi-_9/edit#gid=7',
    'https://docs.google.com/spreadsheets/d/1Bxi-_9/export?format=csv&gid=7',
  ],
  [
    'https://docs.google.com/spreadsheets/d/1Bxi/edit?gid=3#gid=3',
    'https://docs.google.com/spreadsheets/d/1Bxi/export?format=csv&gid=3',
  ],
  [
    'https://docs.google.com/spreadsheets/d/1Bxi/edit?usp=sharing',
    'https://docs.google.com/spreadsheets/d/1Bxi/export?format=csv',
  ],
  ['https://docs.google.com/spreadsheets/d/1Bxi', 'https://docs.google.com/spreadsheets/d/1Bxi/export?format=csv'],
  [
    'https://docs.google.com/spreadsheets/d/e/2PACX-1v/pubhtml?gid=5&single=true',
    'https://docs.google.com/spreadsheets/d/e/2PACX-1v/pub?output=csv&gid=5',
  ],
  [
    'https://docs.google.com/spreadsheets/d/1Bxi/export?format=xlsx',
    'https://docs.google.com/spreadsheets/d/1Bxi/export?format=xlsx',
  ],
  ['https://example.org/spreadsheets/d/1Bxi/edit', 'https://example.org/spreadsheets/d/1Bxi/edit'],
])('the CSV of %s is at %s', (link, csv) => {
  expect(csvAddressOf(link)).toBe(csv)
})
