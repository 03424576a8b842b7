/**
 * Which ways a template's blocks go for a row: into the block, or into its `else`. Owns the marks that are put into the tree
 * of a template to see it, for those who look for rows worth looking at; a run compiles without them.
 */
import { problemAt, type Snippet } from '../files/place.ts'
import { pathOf } from './tree.ts'

/** One of the two ways of a block, as it is written: `{{#if name}}` in line 3. */
export interface Branch {
  readonly file: string
  readonly line: number | undefined
  /** `if`, `each`, the name of any helper, or of a column. */
  readonly block: string
  /** What it asks about, as it is written: `name`. */
  readonly about: string
  readonly isElse: boolean
}

/** The helper that a mark is. */
export const BRANCH = '__branch'

export class BranchTrace {
  readonly #numbers = new Map<string, number>()
  readonly #branches: Branch[] = []
  #taken = new Set<number>()

  /** By their numbers. */
  get branches(): readonly Branch[] {
    return this.#branches
  }

  /** The branches taken since this was asked last. */
  take(): ReadonlySet<number> {
    const taken = this.#taken
    this.#taken = new Set()
    return taken
  }

  pass(number: number): void {
    this.#taken.add(number)
  }

  /** Puts a mark into every branch of a tree that is ready to be compiled. */
  markIn(program: hbs.AST.Program | undefined, snippet: Snippet): void {
    for (const statement of program?.body ?? []) {
      if (!('program' in statement)) continue
      const block = statement as unknown as Block
      this.markIn(block.program, snippet)
      this.markIn(block.inverse, snippet)
      const name = pathOf(block.path)?.original ?? ''
      // A partial block, an inline partial and the blocks around links have one way only.
      if (statement.type !== 'BlockStatement' || name.startsWith('__')) continue
      const about = block.params.map((param) => snippetText(snippet, param)).join(' ')
      for (const isElse of [false, true]) {
        const number = this.#numberOf(snippet, statement, { block: name, about: about || name, isElse })
        const mark = markOf(number, statement.loc)
        const way = isElse ? block.inverse : block.program
        if (way != null) way.body.unshift(mark)
        else if (isElse) {
          const inverse = { ...block.program, body: [mark], blockParams: [] }
          Object.assign(statement, { inverse, inverseStrip: NO_STRIP })
        }
      }
    }
  }

  /** The same block in the HTML and in the text made from it is one. */
  #numberOf(snippet: Snippet, { loc }: hbs.AST.Statement, what: Omit<Branch, 'file' | 'line'>): number {
    const at = { line: loc.start.line, column: loc.start.column }
    const { file = snippet.file, line, column } = problemAt(snippet, 'branch', '', undefined, at)
    const key = JSON.stringify([file, line, column, line === undefined ? what.about : '', what.isElse])
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    this.#numbers.set(key, this.#branches.length)
    this.#branches.push({ file, line, ...what })
    return this.#branches.length - 1
  }
}

type Block = Pick<hbs.AST.BlockStatement, 'path' | 'params'> & {
  readonly program: hbs.AST.Program
  readonly inverse: hbs.AST.Program | undefined
}

const NO_STRIP = { open: false, close: false }

function snippetText({ text }: Snippet, { loc }: hbs.AST.Expression): string {
  const lines = text.split('\n').slice(loc.start.line - 1, loc.end.line)
  const first = (lines[0] ?? '').slice(loc.start.column, lines.length === 1 ? loc.end.column : undefined)
  return lines.length === 1 ? first : `${first} …`
}

function markOf(number: number, loc: hbs.AST.SourceLocation): hbs.AST.Statement {
  const path = { type: 'PathExpression', data: false, depth: 0, parts: [BRANCH], original: BRANCH, loc }
  const param = { type: 'NumberLiteral', value: number, original: number, loc }
  const mark = { type: 'MustacheStatement', path, params: [param], hash: undefined, escaped: true, loc }
  return { ...mark, strip: NO_STRIP } as unknown as hbs.AST.Statement
}
