/**
 * The language of computed columns: that of templates, without partials and images. Owns compiling such a text; never decides
 * which column comes first.
 */
import type { Expression } from '../source/mapping/column-map.ts'
import { namesIn } from './bind.ts'
import { cellsOf } from './engine/cells.ts'
import { Engine } from './engine/engine.ts'
import { withinLimit } from './engine/watchdog.ts'
import { HELPERS, STRICT } from './helpers/helpers.ts'
import { projectHelpers } from './helpers/project-helpers.ts'

export interface ComputedOptions {
  /** The project, whose own helpers may be used. */
  readonly root: string
  readonly locale: string | undefined
  readonly timeZone: string | undefined
}

/**
 * Loads the helpers once, and gives a compiler of computed columns.
 * @throws ConfigError for helpers of the project that cannot be loaded; the compiler throws DataError for a wrong text.
 */
export async function computedColumns(options: ComputedOptions): Promise<(text: string) => Expression> {
  const { root, locale = 'en', timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone } = options
  const own = await projectHelpers(root)
  // A column is a text, and an image of a text belongs to a message.
  const { qr: _, ...ours } = HELPERS
  const only = (names: Iterable<string>) => new Set([...names].filter((name) => !Object.hasOwn(own.helpers, name)))
  const engine = new Engine({
    helpers: { ...ours, ...own.helpers },
    needValue: only(Object.keys(ours)),
    strict: only(STRICT),
    escape: false,
  })
  const helpers = new Set(engine.helpers)
  helpers.delete('log')
  const data = { helpers: { locale, listLocale: options.locale, timeZone, images: [], tables: {} } }
  return (text) => {
    const snippet = { file: 'mailmerge.yaml (columns.computed)', lineOffset: 0, text }
    const compiled = engine.compile(snippet)
    const program = text.includes('{{') ? engine.parse(snippet) : undefined
    const known = { helpers, partials: new Map(), inline: new Set<string>() }
    const uses = program === undefined ? [] : namesIn({ snippet, program }, known)
    const names = uses.filter(({ isCall }) => !isCall).map(({ name }) => name)
    const render: Expression['render'] = (row) => compiled(cellsOf(row), data)
    if (own.files.length === 0) return { names, render }
    return { names, render: (row) => withinLimit(() => render(row), endless) }
  }
}

function endless(): Error {
  return new Error('a helper of the project does not end')
}
