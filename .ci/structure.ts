/**
 * Checks the structure that docs/design.md describes: no circle of imports, no import from a lower layer into a higher one, no
 * folder of more than 24 modules. Prints every violation and exits 1; `--report` prints them and exits 0.
 */
import { dirname } from 'node:path'
import { circles, type ModuleGraph, moduleGraph } from '../test/support/module-graph.ts'

/** From the bottom up; each layer knows those before it. What stands together on a line is one layer. */
const LAYERS: readonly (readonly string[])[] = [
  ['errors', 'given', 'text', 'fs', 'did-you-mean', 'time-zone', 'secret', 'return-path', 'worker-entry'],
  ['config'],
  ['oauth'],
  ['imap'],
  ['source'],
  ['template'],
  ['message'],
  ['transport'],
  ['inbox'],
  ['ledger'],
  ['replies'],
  ['unsubscribe'],
  ['report'],
  ['campaign'],
  ['bounces'],
  ['schedule'],
  ['check'],
  ['serve'],
  ['cli', 'index'],
]
const WIDEST = 24

/** The name of a module's layer: its folder below src/, or its own name where it stands in src/ itself. */
function layerOf(path: string): string {
  return path.split('/')[1]?.replace(/\.ts$/, '') ?? ''
}

function rankOf(path: string): number {
  return LAYERS.findIndex((names) => names.includes(layerOf(path)))
}

function upward(graph: ModuleGraph): string[] {
  return [...graph].flatMap(([from, targets]) =>
    targets.filter((to) => rankOf(to) > rankOf(from)).map((to) => `${from} imports ${to}, which is of a higher layer`),
  )
}

function withoutLayer(graph: ModuleGraph): string[] {
  return [...graph.keys()].filter((path) => rankOf(path) === -1).map((path) => `${path} belongs to no layer`)
}

function tooWide(graph: ModuleGraph): string[] {
  const sizes = new Map<string, number>()
  for (const path of graph.keys()) sizes.set(dirname(path), (sizes.get(dirname(path)) ?? 0) + 1)
  return [...sizes]
    .filter(([, size]) => size > WIDEST)
    .map(([folder, size]) => `${folder} holds ${size} modules; ${WIDEST} are allowed`)
}

const graph = moduleGraph()
const violations = [
  ...circles(graph).map((circle) => `these import each other: ${circle.join(', ')}`),
  ...upward(graph),
  ...withoutLayer(graph),
  ...tooWide(graph),
]
for (const violation of violations) console.error(violation)
if (violations.length > 0 && !process.argv.includes('--report')) process.exitCode = 1
