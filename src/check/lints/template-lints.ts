/**
 * What is wrong with a template as it is written, with the line: placeholders of other programs, broken HTML, and columns that a
 * text uses in another way than their cells ask for. Owns the advice; renders nothing.
 */
import type { Problem } from '../../errors.ts'
import { type Place, placeInFiles, problemAt, type Snippet } from '../../template/files/place.ts'
import { type ForeignTag, foreignTags } from '../../template/foreign-tags.ts'
import type { NameUse, WrittenTemplate } from '../../template/template.ts'
import type { ColumnHabits } from '../column-survey.ts'
import { type StructureFault, structureFaults } from './html-structure.ts'

export interface TemplateAdvice {
  readonly problems: readonly Problem[]
  /** Placeholders that are reported, so that each message does not report them again. */
  readonly tags: ReadonlySet<string>
}

/** What the template alone shows. */
export function templateAdvice(template: WrittenTemplate, columns: readonly string[]): TemplateAdvice {
  const tags = foreignTags(template, columns)
  return {
    problems: [...tags.map(tagProblem), ...structureProblems(template)],
    tags: new Set(tags.map(({ tag }) => tag)),
  }
}

function tagProblem({ tag, file, line, column, means }: ForeignTag): Problem {
  return {
    severity: 'warning',
    code: 'merge-tag',
    message: `${tag} looks like a placeholder of another program, and is sent as it is`,
    hint: means === undefined ? 'Write {{name}} with the name of a column.' : `Write ${mustache(means)}.`,
    file,
    line,
    column: String(column),
  }
}

/** `{{name}}`, or `{{[first name]}}`. */
function mustache(column: string): string {
  return /^[\p{L}_][\p{L}\d_-]*$/u.test(column) ? `{{${column}}}` : `{{[${column}]}}`
}

function structureProblems({ parts, isMjml }: WrittenTemplate): readonly Problem[] {
  if (isMjml) return []
  return parts.flatMap((part) =>
    structureFaults(part.text).map((fault) => {
      const [message, hint] = structureWords(fault)
      return warningAt(part, fault, 'broken-html', message, hint)
    }),
  )
}

function structureWords({ kind, element, other }: StructureFault): readonly [message: string, hint: string] {
  switch (kind) {
    case 'unclosed':
      return [`<${element}> is not closed`, `Write </${element}> where it ends.`]
    case 'stray':
      return [`</${element}> closes nothing`, `Remove it, or write <${element}> where it begins.`]
    case 'crossing':
      return [
        `<${element}> begins in <${other ?? ''}> and ends after it`,
        `Close <${element}> before </${other ?? ''}>: mail programs repair this in different ways.`,
      ]
  }
}

/** A warning about a piece of the page, by file and line. */
function warningAt(
  page: Snippet,
  { at, length }: { readonly at: number; readonly length: number },
  code: string,
  message: string,
  hint: string | undefined,
): Problem {
  const place = placeInFiles(page, at, length)
  const where = place === undefined ? {} : { line: place.line, column: String(place.column + 1) }
  return { severity: 'warning', code, message, hint, file: place?.file ?? page.file, ...where }
}

/** What the template and the cells show together. */
export function columnAdvice(template: WrittenTemplate, habits: ReadonlyMap<string, ColumnHabits>): readonly Problem[] {
  const problems = new Map<string, Problem>()
  for (const use of template.uses) {
    const habit = habits.get(use.name)
    const problem =
      habit === undefined ? undefined : (conditionProblem(use, habit) ?? linesProblem(use, habit, template))
    const key = `${problem?.code} ${problem?.file} ${problem?.line} ${use.name}`
    if (problem !== undefined && !problems.has(key)) problems.set(key, problem)
  }
  return [...problems.values()]
}

function conditionProblem({ name, how, snippet, line, column }: NameUse, { no }: ColumnHabits): Problem | undefined {
  if (how !== 'condition' || no === undefined) return undefined
  const cells = `${no.rows.toLocaleString('en-US')} ${no.rows === 1 ? 'cell says' : 'cells say'}`
  const message = `{{#if ${name}}} only asks whether the cell is filled, and ${cells} '${no.word}'`
  const problem = problemAt(snippet, 'yes-or-no', message, `Write {{#if (yes ${name})}}.`, { line, column })
  return { ...problem, severity: 'warning' }
}

function linesProblem(
  { name, how, snippet, line, column }: NameUse,
  { lines }: ColumnHabits,
  { htmlTexts, page }: WrittenTemplate,
): Problem | undefined {
  if (how !== 'output' || lines === 0 || !htmlTexts.has(snippet) || page === undefined) return undefined
  // There they are shown as they are.
  if (/white-space\s*:\s*(?:pre|break-spaces)|<pre\b/i.test(page.text) || isInTag(snippet.text, { line, column }))
    return undefined
  const cells = `${lines.toLocaleString('en-US')} ${lines === 1 ? 'cell has' : 'cells have'}`
  const message = `{{${name}}} is put into HTML as it is, and ${cells} line breaks, which HTML shows as spaces`
  const hint = `Write {{lines ${/^[\w-]+$/.test(name) ? name : `[${name}]`}}}.`
  return { ...problemAt(snippet, 'lost-lines', message, hint, { line, column }), severity: 'warning' }
}

/** Whether a place is within a tag: in an attribute a line break does no harm. */
function isInTag(text: string, { line, column }: Place): boolean {
  const before = text
    .split('\n')
    .slice(0, line)
    .map((one, index) => (index === line - 1 ? one.slice(0, column) : one))
    .join('\n')
    .replace(/\{\{[\s\S]*?(?:\}\}|$)/g, '')
  return before.search(/<[a-z][^<>]*$/i) >= 0
}
