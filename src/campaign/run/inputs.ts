/**
 * What a run is made from: list, template, campaign and the rows that are asked for. Owns opening them, the same way for a run
 * and for a preview of it, before anything is recorded.
 */
import type { Settings } from '../../config/settings.ts'
import { DataError } from '../../errors.ts'
import type { Row, Source } from '../../source/source.ts'
import { BranchTrace } from '../../template/engine/branches.ts'
import { foreignTags } from '../../template/foreign-tags.ts'
import type { Template } from '../../template/template.ts'
import { localZone } from '../../time-zone.ts'
import { type Accounts, accountOptions } from '../accounts/accounts.ts'
import { laterOf, systemClock } from '../clock.ts'
import type { MergeHooks, MergeRequest } from '../merge.ts'
import { CaseFinder } from '../plan/cases.ts'
import { type RecipientRules, recipientRules } from '../plan/recipient.ts'
import { openRecipientTime } from '../plan/recipient-time.ts'
import { isRowTemplate, namesIn, rowTemplateName } from '../plan/row-template.ts'
import { type ChooseRows, type Excluded, openSelector, readingOf, type Selector } from '../plan/select.ts'
import { type Content, openContent, templatesOf, usedColumns } from './content.ts'
import { type ListGrouping, openGrouping } from './grouping.ts'
import { addressColumn, missing, openList, openListAgain } from './list.ts'
import { openExclusion } from './not-in.ts'
import type { OpenMerge } from './open-merge.ts'
import { openRowHours } from './sending-hours.ts'
import { LATE_BY_MS } from './start-time.ts'

/** What a run is made from: nothing of it is opened in the ledger yet. */
export interface RunInputs extends AsyncDisposable {
  /** Of the campaign. */
  readonly name: string
  readonly group: string
  readonly source: Source
  readonly content: Content
  readonly emailColumn: string | undefined
  readonly selector: Selector
  readonly excluded: Excluded | undefined
  /** How rows are put together, where one message is made of several. */
  readonly grouping: ListGrouping | undefined
  /** When each row starts, where each has a time of its own; undefined for a row that may go at once. */
  readonly startTime: ((row: Row) => Date | undefined) | undefined
  readonly now: Date
}

/** Whatever is wrong with list or template is found before a ledger is touched. */
export async function openInputs(
  settings: Settings,
  request: MergeRequest,
  hooks: Pick<MergeHooks, 'note' | 'clock'>,
  branches = request.sample === 'cases' ? new BranchTrace() : undefined,
): Promise<RunInputs> {
  const { template: templateName, timeZone = localZone(), lateBy = LATE_BY_MS } = settings
  if (templateName === undefined) throw missing('template', '--template NAME', settings)
  const source = await openList(settings)
  const { columns } = source
  for (const text of source.notes) hooks.note?.(text)
  const named = request.campaign ?? settings.campaign
  const nameFor = (template: string): string => named ?? `${template}-${source.stem}`
  const sends = request.mode === 'send'
  const { variant } = request
  const follows = request.after !== undefined
  const isGrouped = settings.groupBy !== undefined
  const templates = isRowTemplate(templateName) ? await templatesIn(settings, templateName, columns) : undefined
  const asked = { templateName, templates, campaign: nameFor, variant, columns, sends, follows, isGrouped, branches }
  const content = await openContent(settings, asked)
  if (content.template.builtIn) hooks.note?.(`the template '${content.template.name}' is built in, for rehearsals only`)
  for (const text of tagNotes(templatesOf(content), columns)) hooks.note?.(text)
  for (const one of templatesOf(content)) {
    for (const text of one.notes) hooks.note?.(text)
    if (one.versions.size > 0 && one.languageFrom === undefined) hooks.note?.(noLanguageWords(one))
  }
  const name = nameFor(content.name)
  const emailColumn = addressColumn(settings, source, templatesOf(content))
  const now = (hooks.clock ?? systemClock).now()
  const recipients = recipientRules(settings, emailColumn)
  await using closing = new AsyncDisposableStack()
  const exclusion =
    request.notIn === undefined
      ? undefined
      : await openExclusion(settings, request.notIn, recipients, (text) => hooks.note?.(text))
  closing.use(exclusion)
  const excluded = exclusion?.find
  const findCases: ChooseRows | undefined =
    branches &&
    (async (selected) => {
      const messageOf = grouping === undefined ? undefined : (row: Row) => grouping.messageOf(row)
      const rows = await casesOf(selected, { columns, content, branches, recipients, messageOf, name, now })
      hooks.note?.(`--sample cases takes ${rows.length === 1 ? 'row' : 'rows'} ${rows.join(', ')}`)
      return new Set(rows)
    })
  const grouping = openGrouping(settings, emailColumn, request, findCases)
  closing.use(grouping?.groups)
  const selector = await openSelector(
    grouping === undefined ? request : grouping.ofRows,
    columns,
    settings.segments ?? {},
    readingOf(settings, request.at ?? now),
    () => openListAgain(settings),
    excluded,
    findCases,
  )
  const rowTime = request.atColumn ?? request.atLocal
  const ownTime =
    rowTime === undefined
      ? undefined
      : openRecipientTime(rowTime, { columns, zone: timeZone, now, lateBy, locale: settings.locale })
  const inHours = openRowHours(settings, columns, now)
  const startTime = inHours === undefined ? ownTime : (row: Row) => inHours(row, laterOf(ownTime?.(row), request.at))
  const group = settings.group ?? request.group ?? name
  const opened = closing.move()
  return {
    name,
    group,
    source,
    content,
    emailColumn,
    selector,
    excluded,
    grouping,
    startTime,
    now,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Names of the templates that the rows of the list name, by reading it once more. */
export async function templatesIn(
  settings: Settings,
  pattern: string,
  columns: readonly string[],
): Promise<readonly string[]> {
  const source = await openListAgain(settings, 'a template for each row')
  return namesIn(source.rows(), rowTemplateName(pattern, columns))
}

interface CaseSearch {
  /** Of the list. */
  readonly columns: readonly string[]
  readonly content: Content
  readonly branches: BranchTrace
  readonly recipients: RecipientRules
  /** All rows of the message that a row begins, where rows are grouped. */
  readonly messageOf: ((row: Row) => readonly Row[]) | undefined
  /** Of the campaign. */
  readonly name: string
  readonly now: Date
}

/** Renders each row once, to see what of the template it shows. Gives the rows that show all, in the order of the list. */
async function casesOf(
  selected: AsyncIterable<readonly Row[]>,
  { columns, content, branches, recipients, messageOf, name, now }: CaseSearch,
): Promise<readonly number[]> {
  const used = usedColumns(templatesOf(content))
  const read = columns.filter((column) => used.has(column))
  const finder = new CaseFinder(branches, read, columns)
  for await (const rows of selected) {
    for (const one of rows) {
      const message = messageOf?.(one)
      const { number: row, data, problems } = message?.[0] ?? one
      if (problems !== undefined) continue
      try {
        const variant = content.split?.ofRow(data, recipients)
        const { template } = variant ?? content
        const context = { row, campaign: name, now, unsubscribeUrl: SOME_LINK }
        const rendered = template.render(data, { ...context, rows: message?.map((each) => each.data) })
        finder.see(row, data, rendered, variant?.name)
      } catch (error) {
        // What is wrong with a row is said when it is planned.
        if (!(error instanceof DataError)) throw error
        branches.take()
      }
    }
  }
  return finder
    .found()
    .map(({ row }) => row)
    .sort((one, other) => one - other)
}

/** In the place of the link of a recipient, where only the template is looked at. */
const SOME_LINK = 'https://example.invalid/'

function noLanguageWords({ name, versions }: Template): string {
  const languages = [...versions.keys()].join(', ')
  return `nothing says the language of a row, so nobody gets the template '${name}' in ${languages}: name a column 'language', or set locale: in the template`
}

/** Placeholders noted; `check` lists all. */
const NOTED_TAGS = 5

/** What a template of another program still holds would be sent as it is. */
function tagNotes(templates: readonly Template[], columns: readonly string[]): readonly string[] {
  const tags = new Map(
    templates
      .flatMap(({ written }) => foreignTags(written, columns))
      .map((tag) => [`${tag.file}:${tag.line}: ${tag.tag}`, tag] as const),
  )
  const notes = [...tags].map(([place]) => `${place} looks like a placeholder of another program, and is sent as it is`)
  const more = notes.length - NOTED_TAGS
  return more <= 0
    ? notes
    : [...notes.slice(0, NOTED_TAGS), `and ${more} more placeholders; mailmerge check lists them`]
}

/** Who sends, where it is the same for every row. */
function senderOf({ sender, setsFrom }: Template, { list: [first, ...others] }: Accounts): string | undefined {
  if (setsFrom || first.name === undefined) return sender
  return others.length === 0 ? (first.from ?? sender) : undefined
}

/** Records a run that is about to be planned. */
export async function createRun(
  { settings, ledger, campaign, mode, group, accounts }: OpenMerge,
  id: string,
  { source, content, emailColumn, now }: RunInputs,
  { at, variant, atLocal, atColumn, occurrence, after, drafts }: MergeRequest,
): Promise<void> {
  const { template, templateName, templates, hash } = content
  const { columns } = source
  await ledger.runs.create({
    id,
    campaign,
    startedAt: now,
    notBefore: mode === 'send' ? at : undefined,
    source: source.name,
    template: content.name,
    templateHash: hash,
    columns,
    options: {
      template: templateName,
      templates,
      sender: senderOf(template, accounts),
      accounts: accountOptions(accounts),
      emailColumn,
      groupBy: settings.groupBy,
      variant,
      group,
      addressByTemplate: templatesOf(content).some(({ setsTo }) => setsTo) || undefined,
      atLocal: atLocal?.text,
      atColumn: atColumn?.column,
      drafts,
      occurrence,
      after,
      timeZone: settings.timeZone,
    },
  })
}
