/** Which module of src/ imports which, read from the imports themselves. Owns the graph and its circles; judges nothing. */
import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { parseSync } from 'oxc-parser'
import { filesBelow, ROOT, read } from './source-code.ts'

/** The modules that a module imports (types too), in the order of their names. Paths begin at the project's root. */
export type ModuleGraph = ReadonlyMap<string, readonly string[]>

/** The graph of src/ in a checkout: imports, re-exports, `import()` and modules that start as threads or processes. */
export function moduleGraph(root = ROOT): ModuleGraph {
  return new Map(filesBelow('src', ['.ts'], root).map((path) => [path, importsOf(path, root)]))
}

function importsOf(path: string, root: string): string[] {
  const source = read(path, root)
  const { module } = parseSync(path, source)
  const requests = [
    ...module.staticImports.map((one) => one.moduleRequest.value),
    ...module.staticExports.flatMap((one) => one.entries.map((entry) => entry.moduleRequest?.value ?? '')),
    ...module.dynamicImports.map((one) => source.slice(one.moduleRequest.start + 1, one.moduleRequest.end - 1)),
    ...[...source.matchAll(/new URL\('(\.[^']+)', import\.meta\.url\)/g)].map((match) => match[1] ?? ''),
  ]
  const targets = requests
    .filter((request) => request.startsWith('.'))
    .map((request) => normalize(join(dirname(path), request)))
    .filter((target) => target.endsWith('.ts') && existsSync(join(root, target)))
  return [...new Set(targets)].sort()
}

/** Groups of modules that reach each other (Tarjan's strongly connected components of two modules or more). */
export function circles(graph: ModuleGraph): string[][] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const found: string[][] = []
  function visit(node: string): number {
    const mine = index.size
    index.set(node, mine)
    stack.push(node)
    let lowest = mine
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) lowest = Math.min(lowest, visit(next))
      else if (stack.includes(next)) lowest = Math.min(lowest, low.get(next) ?? index.get(next) ?? lowest)
      low.set(node, lowest)
    }
    if (lowest === mine) {
      const group = stack.splice(stack.indexOf(node))
      if (group.length > 1) found.push(group.sort())
    }
    return lowest
  }
  for (const node of graph.keys()) if (!index.has(node)) visit(node)
  return found
}
