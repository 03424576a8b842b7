/**
 * Checks the structure that docs/design.md describes: no circle of imports, no import from a lower layer into a higher one, no
 * folder of more than 24 modules, no member of a type that no code reads (by its name alone), no path on that page that does
 * not exist. Prints every violation and exits 1; `--report` prints them and exits 0; `--count [CHECKOUT]` prints how many of
 * each a checkout has, with the sizes of its source.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { circles, type ModuleGraph, moduleGraph } from '../test/support/module-graph.ts'
import { conditionalSpreads, filesBelow, membersOf, ROOT, read } from '../test/support/source-code.ts'

/**
 * Folders of src/ from the bottom up: each layer knows those before it, and folders on one line know each other. A module of src/
 * itself belongs to the lowest layer, the public index.ts to the highest.
 */
const LAYERS: readonly (readonly string[])[] = [
  ['text', 'fs'],
  ['config'],
  ['oauth'],
  ['imap'],
  ['source'],
  ['template'],
  ['message'],
  ['replies'],
  ['transport'],
  ['inbox'],
  ['ledger'],
  ['unsubscribe'],
  ['report'],
  ['campaign'],
  ['bounces'],
  ['schedule'],
  ['check'],
  ['pages'],
  ['serve'],
  ['cli'],
]
const WIDEST = 24

/** The number of a module's layer, -1 where its folder is not listed. */
function rankOf(path: string): number {
  if (path === 'src/index.ts') return LAYERS.length
  const [, folder = '', ...below] = path.split('/')
  return below.length === 0 ? 0 : LAYERS.findIndex((folders) => folders.includes(folder))
}

function upward(graph: ModuleGraph): string[] {
  return [...graph].flatMap(([from, targets]) =>
    targets
      .filter((to) => rankOf(from) !== -1 && rankOf(to) > rankOf(from))
      .map((to) => `${from} imports ${to}, which is of a higher layer`),
  )
}

function withoutLayer(graph: ModuleGraph): string[] {
  return [...graph.keys()].filter((path) => rankOf(path) === -1).map((path) => `${path} belongs to no layer`)
}

function widths(graph: ModuleGraph): [folder: string, modules: number][] {
  const sizes = new Map<string, number>()
  for (const path of graph.keys()) sizes.set(dirname(path), (sizes.get(dirname(path)) ?? 0) + 1)
  return [...sizes].sort(([, a], [, b]) => b - a)
}

function tooWide(graph: ModuleGraph): string[] {
  return widths(graph)
    .filter(([, size]) => size > WIDEST)
    .map(([folder, size]) => `${folder} holds ${size} modules; ${WIDEST} are allowed`)
}

/** Members that belong to types of others and are declared here to describe them. */
const FOREIGN_MEMBERS = new Set(['setRawMode', 'xmlns'])

/** Names that the HTML pages fill in. */
function namesInPages(): readonly string[] {
  const pages = readdirSync('pages').map((name) => readFileSync(`pages/${name}`, 'utf8'))
  return pages.flatMap((page) => [...page.matchAll(/\{\{[^}]*\}\}/g)].flatMap(([tag]) => tag.match(/\w+/g) ?? []))
}

function unread(graph: ModuleGraph): string[] {
  const modules = [...graph.keys()].map((path) => ({ path, ...membersOf(path) }))
  const known = new Set([...modules.flatMap((module) => module.read), ...namesInPages()])
  return modules.flatMap(({ path, declared }) =>
    declared
      .filter((name) => !known.has(name) && !FOREIGN_MEMBERS.has(name))
      .map((name) => `${path} declares '${name}', which nothing reads`),
  )
}

/** Paths in docs/design.md that are not there, and layers that it does not describe. */
function undescribed(): string[] {
  const page = read('docs/design.md')
  const paths = [...page.matchAll(/`((?:src|test|docs|bench)\/[\w./-]+)`/g)].map(([, path = '']) => path)
  return [
    ...paths
      .filter((path) => !existsSync(join(ROOT, path)))
      .map((path) => `docs/design.md names ${path}, which is not there`),
    ...LAYERS.flat()
      .filter((folder) => !page.includes(`\`${folder}/\``))
      .map((folder) => `docs/design.md does not describe ${folder}/`),
  ]
}

/** Prints the figures by which one state of the source is compared with another. */
function count(root: string): void {
  const graph = moduleGraph(root)
  const paths = filesBelow('src', ['.ts'], root)
  const lines = paths.map((path) => read(path, root).split('\n').length - 1).sort((a, b) => a - b)
  const [widest] = widths(graph)
  const figures = [
    ['circles of imports', circles(graph).length],
    ['imports from a lower layer into a higher one', upward(graph).length],
    ['widest folder', `${widest?.[1]} modules (${widest?.[0]})`],
    ['conditional spreads', paths.reduce((sum, path) => sum + conditionalSpreads(path, root), 0)],
    ['"is no …"', paths.reduce((sum, path) => sum + (read(path, root).match(IS_NO)?.length ?? 0), 0)],
    ['modules, lines', `${lines.length}, ${lines.reduce((sum, one) => sum + one, 0)}`],
    ['median, largest', `${lines[lines.length >> 1]}, ${lines.at(-1)} lines`],
  ] as const
  for (const [name, figure] of figures) console.log(`${name.padEnd(46)}${figure}`)
}

const IS_NO = /(?<!\bthere )\b(is|are|was|were) no (?!longer\b|more\b|less\b|doubt\b|need\b)/gi

function check(): void {
  const graph = moduleGraph()
  const violations = [
    ...circles(graph).map((circle) => `these import each other: ${circle.join(', ')}`),
    ...upward(graph),
    ...withoutLayer(graph),
    ...tooWide(graph),
    ...unread(graph),
    ...undescribed(),
  ]
  for (const violation of violations) console.error(violation)
  if (violations.length > 0 && !process.argv.includes('--report')) process.exitCode = 1
}

if (process.argv[2] === '--count') count(process.argv[3] ?? ROOT)
else check()
