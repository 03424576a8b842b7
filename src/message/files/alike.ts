/**
 * Names of files that a person means and writes otherwise: backslashes of Windows, accents apart as Macs keep them, quotes,
 * capitals, slips. Owns which of them are taken and which are only named in a hint; what may be read is `project-file`'s.
 */
import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { nearest } from '../../did-you-mean.ts'

/** Names of a folder that are looked through for a hint. */
const MOST_NAMES = 2_000
const QUOTES = /^["'\u2018\u2019\u201A\u201C\u201D\u201E\u00AB\u00BB].*["'\u2018\u2019\u201C\u201D\u00AB\u00BB]$/s

/**
 * The path of a file of the project that is the same to the eye: with slashes, and with its letters composed in another way
 * (Unicode normalization forms). Undefined where there is none, or more than one.
 */
export async function sameToTheEye(root: string, path: string): Promise<string | undefined> {
  if (!/[\\\u0080-\u{10FFFF}]/u.test(path)) return undefined
  const found: string[] = []
  for (const step of path.replaceAll('\\', '/').split('/')) {
    if (step === '' || step === '.') continue
    const names = await namesIn(join(root, ...found))
    const wanted = step.normalize('NFC')
    const alike = names.includes(step) ? [step] : names.filter((name) => name.normalize('NFC') === wanted)
    if (alike.length !== 1 || alike[0] === undefined) return undefined
    found.push(alike[0])
  }
  return found.length === 0 ? undefined : found.join('/')
}

/** What to write in the place of a path that names no file; undefined where nothing is near. */
export async function hintForMissing(root: string, path: string): Promise<string | undefined> {
  if (QUOTES.test(path)) return 'Write the path without quotes around it.'
  const plain = path.replaceAll('\\', '/')
  const folder = dirname(plain)
  const wanted = basename(plain).normalize('NFC')
  const names = (await namesIn(join(root, folder))).filter((name) => !name.startsWith('.'))
  const shown = (name: string): string => (folder === '.' ? name : `${folder}/${name}`)
  const capitals = names.find((name) => name.normalize('NFC').toLowerCase() === wanted.toLowerCase())
  if (capitals !== undefined) return `There is '${shown(capitals)}': capital and small letters are not the same.`
  const trimmed = names.find((name) => name.replace(/\s+/gu, ' ') === wanted.replace(/\s+/gu, ' '))
  const guess = trimmed ?? nearest(wanted, names)
  return guess === undefined ? undefined : `Did you mean '${shown(guess)}'?`
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const entries: readonly Dirent[] = await readdir(folder, { withFileTypes: true }).catch(() => [])
  return entries.slice(0, MOST_NAMES).map(({ name }) => name)
}
