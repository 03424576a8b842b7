import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeFolder } from '../../src/fs/folder.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-folder-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('a folder is made with those above it, with the mode asked for, and may be there already', () => {
  const path = join(dir, 'a/b/c')
  makeFolder(path, { mode: 0o700 })
  makeFolder(path)
  expect(statSync(path).mode & 0o777).toBe(0o700)
  expect(statSync(join(dir, 'a')).mode & 0o777).toBe(0o700)
})

test('a file in its place, or above it, is an error', () => {
  writeFileSync(join(dir, 'file'), '')
  expect(() => makeFolder(join(dir, 'file'))).toThrow(/EEXIST/)
  expect(() => makeFolder(join(dir, 'file/a/b'))).toThrow(/ENOTDIR/)
})

test.skipIf(!existsSync('/proc/self'))('where no folder can be made it fails, and does not try for ever', () => {
  expect(() => makeFolder('/proc/mailmerge/a/b')).toThrow(/ENOENT/)
})
