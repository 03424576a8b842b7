/** What the system says, in words: for everything that Node.js has a code for. */
import { getSystemErrorMap } from 'node:util'
import { expect, test } from 'vitest'
import { folderWords, foreignWords, isSystemError, outputWords, systemWords } from '../../src/fs/system-errors.ts'

/** As Node.js makes it. */
function systemError(code: string, said: string, syscall = 'open'): Error {
  return Object.assign(new Error(`${code}: ${said}, ${syscall} '/a, b/c.csv'`), { code, syscall, path: '/a, b/c.csv' })
}

test('no code of the system, no name of a call and no path comes out', () => {
  for (const [code, said] of getSystemErrorMap().values())
    for (const words of [systemWords, outputWords, folderWords])
      expect(words(systemError(code, said))).not.toMatch(/\bE[A-Z0-9]{2,}\b|open '|c\.csv|^$/)
})

test('what is missing is the file where one is read, and its folder where one is written', () => {
  const missing = systemError('ENOENT', 'no such file or directory')
  expect([systemWords(missing), outputWords(missing)]).toEqual(['it does not exist', 'its folder does not exist'])
})

test('a folder that cannot be made because of a file is distinguished from a file that is in the way', () => {
  const there = systemError('EEXIST', 'file already exists', 'mkdir')
  expect([folderWords(there), outputWords(there)]).toEqual(['it is not a folder', 'a part of its path is not a folder'])
})

test('code that is not ours may have wanted any file, so its path is reported', () => {
  expect(foreignWords(systemError('EACCES', 'permission denied'))).toBe('/a, b/c.csv: permission denied')
  expect(foreignWords(new Error('no key'))).toBe('no key')
})

test('errors of libraries that only repeat the system are understood, and all others keep their words', () => {
  const ofLibrary = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:25'), { code: 'ESOCKET' })
  expect(systemWords(ofLibrary)).toBe('connection refused')
  // Of a name with two addresses, both refused, Node.js says nothing but the code.
  expect(systemWords(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }))).toBe('connection refused')
  expect(systemWords(new Error('Invalid login'))).toBe('Invalid login')
  expect(systemWords('nothing')).toBe('nothing')
  expect(isSystemError(new Error('x'))).toBe(false)
})
