/** Names of files as lists hold them: what is the same to the eye is taken, what is near is named in the hint. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DataError, type Problem } from '../../src/errors.ts'
import { createAttachmentStore } from '../../src/message/attachment/attachment.ts'
import { markValue } from '../../src/template/marked-text.ts'

let root = ''

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'mailmerge-names-'))
  mkdirSync(join(root, 'files/Jose\u0301'), { recursive: true })
  for (const name of ['Mu\u0308ller.pdf', 'ann.pdf', 'Bob.pdf', 'two  words.txt', 'Jose\u0301/a.txt'])
    writeFileSync(join(root, 'files', name), name)
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function attach(path: string, column?: string) {
  const file = { kind: 'file', path: markValue(path), ...(column === undefined ? {} : { column }) } as const
  return createAttachmentStore({ root }).load([file], [])
}

async function problemOf(path: string, column?: string): Promise<Problem | undefined> {
  try {
    await attach(path, column)
  } catch (error) {
    return error instanceof DataError ? error.problems[0] : undefined
  }
  return undefined
}

test.each([
  ['accents in one letter for accents apart', 'files/M\u00FCller.pdf', 'M\u00FCller.pdf'],
  ['the same in a folder', 'files/Jos\u00E9/a.txt', 'a.txt'],
  ['backslashes', 'files\\ann.pdf', 'ann.pdf'],
  ['backslashes and accents', 'files\\M\u00FCller.pdf', 'M\u00FCller.pdf'],
])('%s name the file', async (_, path, name) => {
  expect(await attach(path)).toMatchObject([{ name }])
})

test.each([
  ['a slip', 'files/anm.pdf', "Did you mean 'files/ann.pdf'?"],
  ['capitals', 'files/ANN.pdf', "There is 'files/ann.pdf'"],
  ['quotes', '"files/ann.pdf"', 'without quotes'],
  ['typographic quotes', '\u201Efiles/ann.pdf\u201C', 'without quotes'],
  ['spaces', 'files/two words.txt', "Did you mean 'files/two  words.txt'?"],
  ['no name at all', '', 'optional: true'],
  ['nothing near', 'x/y/z.bin', 'start at the project folder'],
])('%s: the hint says what to write', async (_, path, hint) => {
  const problem = await problemOf(path, 'Anlage')
  expect(problem).toMatchObject({ hint: expect.stringContaining(hint), column: 'Anlage' })
})

test('names of hidden files are in no hint', async () => {
  writeFileSync(join(root, 'files/.secret.pdf'), 'x')
  expect((await problemOf('files/secret.pdf'))?.hint).not.toContain('.secret')
})
