/**
 * Which modules a row passes on its way from the list to the report: `node bench/row-way.ts [CHECKOUT]` sends a plain CSV of 20 rows
 * and one of 120 under V8's coverage, and prints each module with a function that is entered at least once for every row.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { startRecordingSink } from '../test/support/recording-sink.ts'

interface Coverage {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly {
      readonly functionName: string
      readonly ranges: readonly { readonly startOffset: number; readonly count: number }[]
    }[]
  }[]
}

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'))
const SOURCE = `${pathToFileURL(join(root, 'src')).href}/`
const FEW = 20
const MANY = 120

/** How often each function of src/ is entered by a run over a list of that length, by `file function offset`. */
async function callsFor(rows: number): Promise<Map<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'row-way-'))
  const sink = await startRecordingSink()
  mkdirSync(join(folder, 'templates'))
  writeFileSync(join(folder, 'mailmerge.yaml'), '{}\n')
  writeFileSync(
    join(folder, 'templates/hi.md'),
    '---\nsubject: Hi {{name}}\nfrom: ada@example.com\n---\nHello {{name}},\n\nyour number is {{number}}.\n',
  )
  const lines = Array.from({ length: rows }, (_, at) => `p${at}@example.org,Name ${at},${at}`)
  writeFileSync(join(folder, 'list.csv'), `email,name,number\n${lines.join('\n')}\n`)
  const args = ['run', '--csv', 'list.csv', '-t', 'hi', '--smtp', `smtp://127.0.0.1:${sink.port}`, '--yes']
  await promisify(execFile)(process.execPath, [join(root, 'src/cli/main.ts'), ...args], {
    cwd: folder,
    env: { ...process.env, NODE_V8_COVERAGE: join(folder, 'coverage') },
  })
  await sink.close()
  const calls = new Map<string, number>()
  for (const file of readdirSync(join(folder, 'coverage'))) {
    const coverage: Coverage = JSON.parse(readFileSync(join(folder, 'coverage', file), 'utf8'))
    for (const { url, functions } of coverage.result) {
      if (!url.startsWith(SOURCE)) continue
      for (const { functionName, ranges } of functions) {
        const name = `${url.slice(SOURCE.length)} ${functionName || '(unnamed)'} ${ranges[0]?.startOffset}`
        calls.set(name, (calls.get(name) ?? 0) + (ranges[0]?.count ?? 0))
      }
    }
  }
  rmSync(folder, { recursive: true })
  return calls
}

const [few, many] = [await callsFor(FEW), await callsFor(MANY)]
const entered = new Set<string>()
const perRow = new Map<string, string[]>()
for (const [name, calls] of many) {
  const [path = '', called = '', offset] = name.split(' ')
  if (calls > 0 && offset !== '0') entered.add(path)
  if (calls - (few.get(name) ?? 0) >= MANY - FEW) perRow.set(path, [...(perRow.get(path) ?? []), called])
}
for (const [path, called] of [...perRow].sort(([a], [b]) => a.localeCompare(b)))
  console.log(`${path}: ${called.join(' ')}`)
console.log(`${perRow.size} modules are entered for every row, ${entered.size} at all`)
