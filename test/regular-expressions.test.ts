/**
 * No text can stop the program for long: every regular expression of the source is run on hostile texts, as long as its callers
 * let one be.
 */
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { json, text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import type { BuiltRegexp, RegexpWork, SlowRegexp, Suspect } from './support/regexp-runner.ts'
import { filesBelow, ROOT, read, regexpsOf } from './support/source-code.ts'

const PROGRAM = resolve(ROOT, 'test/support/regexp-runner.ts')
/** Characters of a text that nobody bounds: a cell, a template, a message. */
const LONG = 200_000
/** Milliseconds of the processor that one text may cost; what takes the square of a long text takes ten times that. */
const LIMIT = 1000
/** Milliseconds after which the texts of one expression are given up: a hundred times what the slowest of them take. */
const GIVEN_UP = 30_000
/** Programs at a time. */
const SHARES = 2

/** Callers that give an expression only short texts: the file, how the expression begins, characters, and what bounds them. */
const BOUNDS: readonly (readonly [file: string, begins: string, longest: number, why: string])[] = [
  ['src/message/address/address.ts', '^["\'`', 2_000, 'ABSURD'],
  ['src/message/calendar/time.ts', '^(?:(\\d{1,4})', 200, 'LONGEST_DURATION'],
  ['src/serve/http.ts', '\\/u\\/', 16_384, 'the longest head of a request that Node.js accepts'],
  ['src/source/address-column.ts', '^[^\\s@', 320, 'LONGEST_ADDRESS'],
  ['src/source/address-lines.ts', '^(?:[^\\s@', 320, 'the length of the entry'],
  ['src/source/cells/date.ts', '', 80, 'LONGEST'],
  ['src/source/cells/number.ts', '^([-+', 60, 'LONGEST'],
]

interface Placed extends Suspect {
  readonly path: string
  readonly line: number
}

/** Every expression that a module writes, and those that are built when a module is loaded. */
async function allSuspects(): Promise<readonly Placed[]> {
  const paths = filesBelow('src', ['.ts'])
  const written = paths.flatMap((path) => regexpsOf(path).map((one) => ({ ...one, path })))
  const building = paths.filter((path) => read(path).includes('new RegExp('))
  const modules = building.map((path) => pathToFileURL(resolve(ROOT, path)).href)
  const built = (await run(modules)) as readonly BuiltRegexp[]
  return [...written, ...built].map((one) => {
    const bound = BOUNDS.find(([file, begins]) => file === one.path && one.source.startsWith(begins))
    return { ...one, longest: bound?.[2] ?? LONG }
  })
}

/** What is wrong with those that are too slow. */
async function slowOnes(suspects: readonly Placed[], givenUp = GIVEN_UP): Promise<string[]> {
  const shares = Array.from({ length: SHARES }, (_, share) => suspects.filter((_, at) => at % SHARES === share))
  const found = await Promise.all(
    shares.map(async (share) => {
      const slow = (await run({ suspects: share, limit: LIMIT, givenUp })) as readonly SlowRegexp[]
      return slow.map(({ suspect, attack, cost }) => {
        const { path, line, source } = share[suspect] ?? { path: '', line: 0, source: '' }
        const how = cost === undefined ? 'does not end' : `takes ${Math.round(cost)} ms`
        return `${path}:${line}: /${source.slice(0, 120)}/ ${how}: ${JSON.stringify(attack)}`
      })
    }),
  )
  return found.flat()
}

async function run(work: RegexpWork | readonly string[]): Promise<unknown> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(JSON.stringify(work))
  const [said, answer] = await Promise.all([text(child.stderr), json(child.stdout).catch(() => undefined)])
  if (answer === undefined) throw new Error(said)
  return answer
}

test('no regular expression takes long on any text that reaches it', { timeout: 600_000 }, async () => {
  const suspects = await allSuspects()
  expect(suspects.length).toBeGreaterThan(700)
  // A bound is only for an expression that is there.
  for (const [file, begins] of BOUNDS)
    expect(
      suspects.some(({ path, source }) => path === file && source.startsWith(begins)),
      file,
    ).toBe(true)
  // One that is built of parts is attacked as a whole.
  expect(suspects.filter(({ path }) => path === 'src/source/cells/number.ts').map(({ longest }) => longest)).toContain(
    60,
  )
  expect(await slowOnes(suspects)).toEqual([])
})

test('one that is slow is found, whatever it is that it repeats', { timeout: 120_000 }, async () => {
  const planted = ['(?:a|aa)+$', '^\\s*(\\d+)\\s*,?\\s*x$', '\\s+$', '^(.*?),(.*?),(.*)!$', '<b[\\s\\S]*?</b>'].map(
    (source) => ({ path: 'planted', line: 1, source, flags: '', longest: LONG }),
  )
  const found = await slowOnes(planted, 3000)
  expect(found.map((fault) => fault.replace(/\/ (takes|does).*$/, '')).sort()).toEqual(
    planted.map(({ source }) => `planted:1: /${source}`).sort(),
  )
})
