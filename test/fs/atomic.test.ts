import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { linkIfAbsent, writeFileAtomically } from '../../src/fs/atomic.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'atomic-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('a file that appears whole or not at all', () => {
  test('has its contents and its mode, and leaves no draft beside it', () => {
    const path = join(dir, 'secret')
    expect(writeFileAtomically(path, 'one\n', { mode: 0o600, ifAbsent: false })).toBe(true)
    expect(readFileSync(path, 'utf8')).toBe('one\n')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['secret'])
  })

  test('replaces an older one, and keeps it where only an absent file is to be made', () => {
    const path = join(dir, 'tokens')
    writeFileSync(path, 'old', { mode: 0o644 })
    expect(writeFileAtomically(path, 'new', { mode: 0o600, ifAbsent: true })).toBe(false)
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(writeFileAtomically(path, 'new', { mode: 0o600, ifAbsent: false })).toBe(true)
    expect(readFileSync(path, 'utf8')).toBe('new')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['tokens'])
  })

  test('is written through a link, which stays a link', () => {
    writeFileSync(join(dir, 'real'), 'old')
    symlinkSync('real', join(dir, 'link'))
    writeFileAtomically(join(dir, 'link'), 'new', { mode: 0o600, ifAbsent: false })
    expect(readFileSync(join(dir, 'real'), 'utf8')).toBe('new')
    expect(readdirSync(dir).sort()).toEqual(['link', 'real'])
  })

  test('fails with the error of the system where its folder is missing, and leaves nothing', () => {
    expect(() => writeFileAtomically(join(dir, 'none', 'x'), 'x', { mode: 0o600, ifAbsent: false })).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    )
    expect(readdirSync(dir)).toEqual([])
  })

  test('a draft never takes the place of a file that is there', () => {
    writeFileSync(join(dir, 'draft'), 'second')
    writeFileSync(join(dir, 'name'), 'first')
    expect(linkIfAbsent(join(dir, 'draft'), join(dir, 'name'))).toBe(false)
    expect(readFileSync(join(dir, 'name'), 'utf8')).toBe('first')
  })
})
