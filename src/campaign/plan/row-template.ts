/**
 * A template for each row, chosen by its cells: `--template '{{kind}}'`. Owns the pattern of the name and what a cell may put into it;
 * opens nothing.
 */
import { didYouMean, nearest } from '../../did-you-mean.ts'
import { DataError, UsageError } from '../../errors.ts'
import { cellText } from '../../source/cells/cell.ts'
import type { Row, RowData } from '../../source/source.ts'
import type { Template } from '../../template/template.ts'
import { rowError } from './recipient.ts'
import type { Split, Variant } from './variants.ts'

/** Whether a template's name has a column in it. */
export function isRowTemplate(name: string): boolean {
  return name.includes('{{')
}

/** What the campaign of such a template is called: `kind`. */
export function rowTemplateLabel(pattern: string): string {
  return pattern.replaceAll(/\{\{|\}\}/g, '').replaceAll(/[^\p{L}\p{N}_.-]+/gu, '-')
}

export interface RowTemplateName {
  readonly columns: readonly string[]
  /** @throws DataError for a cell that is empty, or that names no template of the project's own. */
  of(cells: RowData): string
}

const COLUMN = /\{\{([^{}]*)\}\}/g
/** A cell chooses among the templates of the project, and no file elsewhere. */
const NAME = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_ .-]{0,99}$/u

/** @throws UsageError for a column that the list does not have, and for braces without a column. */
export function rowTemplateName(pattern: string, columns: readonly string[]): RowTemplateName {
  const parts = pattern.split(COLUMN)
  const named = parts.filter((_, at) => at % 2 === 1).map((column) => column.trim().normalize('NFC'))
  if (parts.some((part, at) => at % 2 === 0 && /\{\{|\}\}/.test(part)) || named.includes('')) {
    throw new UsageError(`'${pattern}' is not the name of a template`, {
      hint: "Put the name of a column between the braces: --template '{{kind}}'",
    })
  }
  const stray = named.find((column) => !columns.includes(column))
  if (stray !== undefined) {
    throw new UsageError(`the template '${pattern}' names the column '${stray}', which the list does not have`, {
      hint: didYouMean(stray, columns, `Its columns are ${columns.join(', ')}.`),
    })
  }
  return {
    columns: named,
    of(cells) {
      return parts.map((part, at) => (at % 2 === 0 ? part : cellIn(cells, named[(at - 1) / 2] ?? ''))).join('')
    },
  }
}

function cellIn(cells: RowData, column: string): string {
  const text = cellText(cells[column]).trim().normalize('NFC')
  if (NAME.test(text) && !text.includes('..')) return text
  const message =
    text === '' ? `the column '${column}', which names the template, is empty` : 'this is not the name of a template'
  throw rowError('no-template', message, column, {
    value: text,
    hint: 'Write the name of a template of the project, or leave the row out with --skip-bad.',
  })
}

/** Templates that a list may name. */
const MOST = 200

/**
 * Names of the templates that the rows of a list name, sorted. Rows whose cells name none are planned as bad.
 * @throws UsageError for more than anybody means.
 */
export async function namesIn(rows: AsyncIterable<readonly Row[]>, name: RowTemplateName): Promise<readonly string[]> {
  const names = new Set<string>()
  for await (const batch of rows) {
    for (const { data, problems } of batch) {
      if (problems !== undefined) continue
      try {
        names.add(name.of(data))
      } catch (error) {
        if (!(error instanceof DataError)) throw error
      }
    }
    if (names.size > MOST) {
      throw new UsageError(`the column '${name.columns.join("', '")}' names more than ${MOST} templates`, {
        hint: 'Is it the column that says which template a row gets?',
      })
    }
  }
  return [...names].sort()
}

/** Rows fall to the template that their cells name: what is recorded of a row is its name. */
export function createRowTemplates(name: RowTemplateName, templates: ReadonlyMap<string, Template>): Split {
  const variants = [...templates].map(([of, template]): Variant => ({ name: of, share: 1, template }))
  const byName = new Map(variants.map((variant) => [variant.name, variant]))
  return {
    variants,
    columns: name.columns,
    named: (of) => byName.get(of),
    ofRow(cells) {
      const wanted = name.of(cells)
      const variant = byName.get(wanted)
      if (variant !== undefined) return variant
      const guess = nearest(wanted, [...byName.keys()])
      throw rowError('no-template', `there is no template '${wanted}'`, name.columns[0], {
        value: wanted,
        hint: guess === undefined ? 'The templates of the project are under templates/.' : `Did you mean '${guess}'?`,
      })
    },
  }
}
