/**
 * A template with versions in several languages, as one template. Owns which version a row gets: the one in its language, else the one
 * in the language without its country, else the usual one.
 */
import { hash } from 'node:crypto'
import { DataError } from '../errors.ts'
import { knownLanguage, languageColumn, unknownLanguage } from '../language-tag.ts'
import { cellText } from '../source/cells/cell.ts'
import type { RowData } from '../source/source.ts'
import type { RenderContext, Rendered, Template } from './template.ts'

/** A template that was made of files of one language. */
export interface CompiledTemplate extends Template {
  /** The language that its `locale` says for a row, empty where it says none; undefined for a template without `locale`. */
  readonly localeOf: ((row: RowData, context: RenderContext) => string) | undefined
}

/** @param versions by the usual form of their language tags. */
export function withLanguages(usual: CompiledTemplate, versions: ReadonlyMap<string, Template>): Template {
  const { localeOf } = usual
  const all = [usual, ...versions.values()]
  let column: string | undefined
  const languageOf = (row: RowData, context: RenderContext): string => {
    if (localeOf !== undefined) return localeOf(row, context)
    const cell = column === undefined ? '' : cellText(row[column]).trim()
    return cell === '' ? '' : (knownLanguage(cell) ?? notALanguage(cell, column))
  }
  const versionIn = (language: string): readonly [tag: string, version: Template] | undefined => {
    for (let tag = language; tag !== ''; tag = tag.slice(0, Math.max(0, tag.lastIndexOf('-')))) {
      const version = versions.get(tag)
      if (version !== undefined) return [tag, version]
    }
    return undefined
  }
  const rendered = (how: 'render' | 'check', row: RowData, context: RenderContext): Rendered => {
    const language = languageOf(row, context)
    const [tag, version] = versionIn(language) ?? []
    if (tag === undefined || version === undefined) return usual[how](row, context)
    return { ...version[how](row, { ...context, language }), language: tag }
  }
  return {
    ...usual,
    lacks: (['from', 'subject'] as const).filter((field) => all.some(({ lacks }) => lacks.includes(field))),
    files: [...new Set(all.flatMap(({ files }) => files))],
    notes: [...new Set(all.flatMap(({ notes }) => notes))],
    hash: hash(
      'sha256',
      JSON.stringify([usual.hash, [...versions].map(([tag, version]) => [tag, version.hash])]),
      'hex',
    ),
    get columns() {
      const read = all.flatMap(({ columns }) => columns)
      return [...new Set(column === undefined ? read : [...read, column])]
    },
    sender: all.every(({ sender }) => sender === usual.sender) ? usual.sender : undefined,
    versions,
    get languageFrom() {
      return usual.languageFrom ?? column
    },
    setsFrom: all.every(({ setsFrom }) => setsFrom),
    setsTo: all.every(({ setsTo }) => setsTo),
    bind(columns, isGrouped) {
      column = localeOf === undefined ? languageColumn(columns) : undefined
      for (const one of all) one.bind(columns, isGrouped)
    },
    render: (row, context) => rendered('render', row, context),
    check: (row, context) => rendered('check', row, context),
  }
}

function notALanguage(cell: string, column: string | undefined): never {
  const { message, hint } = unknownLanguage(cell)
  throw new DataError(message, {
    problems: [{ severity: 'error', code: 'bad-language', message, hint, column, value: cell }],
  })
}
