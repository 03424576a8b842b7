/**
 * Elements of a page that are not closed, close nothing, or cross each other. Owns the reading of tags with mustaches between them:
 * what only one branch of a condition opens or closes is left alone.
 */
import { roleOf } from '../../template/mustaches.ts'

export interface StructureFault {
  readonly kind: 'unclosed' | 'stray' | 'crossing'
  /** Name of the element. */
  readonly element: string
  /** Of the crossing: the element in which it begins and after which it ends. */
  readonly other: string | undefined
  /** Where its tag stands in the page, and how long that is. */
  readonly at: number
  readonly length: number
}

interface Tag {
  readonly name: string
  readonly at: number
  readonly length: number
}

interface OpenTag extends Tag {
  /** Ended by the end of an element around it. */
  cutBy?: string
}

/** What a branch, or the whole page, opens and closes beyond itself. */
interface Branch {
  readonly open: OpenTag[]
  readonly stray: Tag[]
  readonly cut: OpenTag[]
}

interface Block {
  readonly branches: Branch[]
  hasElse: boolean
}

const VOID = new Set(
  'area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr'.split(' '),
)
/** Elements whose end HTML lets out. */
const MAY_STAY_OPEN = new Set(
  'html head body p li dt dd option optgroup tr td th thead tbody tfoot colgroup caption rp rt rb rtc'.split(' '),
)
/** A slash at the end of these closes nothing. */
const SLASH_IGNORED = new Set(
  'a b i u s em strong small big span font center div p h1 h2 h3 h4 h5 h6 table tbody tr td th ul ol li blockquote button'.split(
    ' ',
  ),
)
/** Text until their end. */
const RAW = new Set(['style', 'script', 'title', 'textarea', 'xmp', 'noembed', 'noframes'])

/** A mustache, a comment or a tag. What is not closed goes to the end, so that no text is searched twice. */
const PIECE =
  /\{\{~?!--[\s\S]*?(?:--~?\}\}|$)|\{\{\{[\s\S]*?(?:\}\}\}|$)|\{\{[\s\S]*?(?:\}\}|$)|<!--[\s\S]*?(?:-->|$)|<(\/?)([a-z][\w:-]*)(?![\w:-])((?:"[^"]*"|'[^']*'|\{\{\{[^{}]*\}\}\}|\{\{[^{}]*\}\}(?!\})|\{(?!\{)|[^"'<>{])*)>/gi
/** Faults of one page that are reported. */
const REPORTED = 20

/** @param page HTML with its mustaches. */
export function structureFaults(page: string): readonly StructureFault[] {
  const faults: StructureFault[] = []
  const uncertain = new Set<string>()
  const root = newBranch()
  const blocks: Block[] = []
  let branch = root
  const lower = page.toLowerCase()
  const pieces = new RegExp(PIECE)
  for (let match = pieces.exec(page); match !== null; match = pieces.exec(page)) {
    const [piece, slash, named, attributes = ''] = match
    if (piece.startsWith('{{')) {
      branch = onMustache(piece, branch, blocks, root, uncertain)
      continue
    }
    const name = named?.toLowerCase()
    if (name === undefined) continue
    const tag = { name, at: match.index, length: piece.length }
    if (slash !== '') close(tag, branch, faults)
    else if (!VOID.has(name) && !(/\/\s*$/.test(attributes) && !SLASH_IGNORED.has(name))) {
      branch.open.push(tag)
      // All up to its end is text.
      if (RAW.has(name)) pieces.lastIndex = endOf(lower, name, pieces.lastIndex)
    }
  }
  // A block that is never closed is an error of the template itself.
  if (blocks.length > 0) return []
  for (const tag of [...root.open, ...root.cut]) {
    if (!MAY_STAY_OPEN.has(tag.name))
      faults.push({ kind: 'unclosed', element: tag.name, other: undefined, ...placed(tag) })
  }
  for (const tag of root.stray) faults.push({ kind: 'stray', element: tag.name, other: undefined, ...placed(tag) })
  return faults
    .filter(({ element }) => !uncertain.has(element))
    .sort((a, b) => a.at - b.at)
    .slice(0, REPORTED)
}

function endOf(page: string, element: string, from: number): number {
  const end = page.indexOf(`</${element}`, from)
  return end < 0 ? page.length : end
}

function newBranch(): Branch {
  return { open: [], stray: [], cut: [] }
}

function placed({ at, length }: Tag): Pick<StructureFault, 'at' | 'length'> {
  return { at, length }
}

function close(tag: Tag, branch: Branch, faults: StructureFault[]): void {
  const { name } = tag
  const opener = branch.open.findLastIndex((open) => open.name === name)
  if (opener >= 0) {
    for (const cut of branch.open.splice(opener).slice(1)) branch.cut.push({ ...cut, cutBy: name })
    return
  }
  const cut = branch.cut.findLastIndex((open) => open.name === name)
  if (cut < 0) {
    branch.stray.push(tag)
    return
  }
  const [crossed] = branch.cut.splice(cut, 1)
  if (crossed === undefined || MAY_STAY_OPEN.has(name)) return
  faults.push({ kind: 'crossing', element: name, other: crossed.cutBy, ...placed(crossed) })
}

/** The branch that goes on behind a mustache. */
function onMustache(mustache: string, branch: Branch, blocks: Block[], root: Branch, uncertain: Set<string>): Branch {
  const role = roleOf(mustache)
  if (role === undefined) return branch
  const block = blocks.at(-1)
  if (role === 'o') {
    const inner = newBranch()
    blocks.push({ branches: [inner], hasElse: false })
    return inner
  }
  if (block === undefined) return branch
  if (role === 'e') {
    const inner = newBranch()
    block.branches.push(inner)
    // `{{else if}}` has a branch of its own and leaves another one open.
    block.hasElse ||= /^\{\{~?\s*(?:else|\^)\s*~?\}\}$/.test(mustache)
    return inner
  }
  blocks.pop()
  const outer = blocks.at(-1)?.branches.at(-1) ?? root
  join(block, outer, uncertain)
  return outer
}

/** What each branch does alike the block does; what only one of them does is not certain. */
function join({ branches, hasElse }: Block, outer: Branch, uncertain: Set<string>): void {
  const all = hasElse ? branches : [...branches, newBranch()]
  const effect = (branch: Branch): string =>
    JSON.stringify([branch.stray.map(({ name }) => name), branch.open.map(({ name }) => name)])
  const [first = newBranch(), ...others] = all
  for (const branch of branches) outer.cut.push(...branch.cut)
  if (others.every((other) => effect(other) === effect(first))) {
    for (const tag of first.stray) close(tag, outer, [])
    outer.open.push(...first.open)
    return
  }
  for (const { open, stray } of all) for (const { name } of [...open, ...stray]) uncertain.add(name)
}
