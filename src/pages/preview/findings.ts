/** What `check` says about one row, its message and the template that it is made of, as its page shows it. Owns the order and the lines. */
import { basename } from 'node:path'
import { type ClientSupport, clientName, DEFAULT_CLIENTS } from '../../check/clients/mail-clients.ts'
import { cellAdvice } from '../../check/lints/cell-lints.ts'
import { createMessageLints, GMAIL_CLIP } from '../../check/lints/message-lints.ts'
import { lookAtPage, type PageLook, type UnsupportedFeature } from '../../check/lints/page-lints.ts'
import { templateAdvice } from '../../check/lints/template-lints.ts'
import type { Settings } from '../../config/settings.ts'
import type { Problem } from '../../errors.ts'
import { parseAddress } from '../../message/address/address.ts'
import { addressDoubts } from '../../message/address/typos.ts'
import type { RowData } from '../../source/source.ts'
import type { Rendered, Template } from '../../template/template.ts'
import type { FilePlace, FindingView } from '../wire.ts'
import type { Places } from './places.ts'

/** By the code of an advice. */
const GROUPS: Readonly<Record<string, FindingView['group']>> = {
  'missing-subject': 'inbox',
  'long-subject': 'inbox',
  'empty-greeting': 'inbox',
  'merge-tag': 'inbox',
  'broken-html': 'programs',
  'empty-body': 'readers',
  'missing-text': 'readers',
  'missing-alt': 'readers',
  clipped: 'weight',
}

export interface FindingsOptions {
  readonly columns: readonly string[]
  readonly emailColumn: string | undefined
  /** Undefined for messages whose template is not known. */
  readonly project: FindingsProject | undefined
}

interface FindingsProject {
  readonly places: Places
  readonly settings: Settings
}

export interface Looked {
  readonly cells: RowData
  readonly address: string
  /** With its bodies. */
  readonly rendered: Rendered
  readonly htmlSize: number | undefined
  /** What it was made of. */
  readonly template: Template | undefined
}

/** Names of the mail programs that templates of a project are held against. */
export function mailPrograms({ check }: Settings): readonly string[] {
  return (check.clients ?? DEFAULT_CLIENTS).map(clientName)
}

export function createFindings({
  columns,
  emailColumn,
  project,
}: FindingsOptions): (looked: Looked) => readonly FindingView[] {
  const ofTemplate = project === undefined ? undefined : templateFindings(project, columns)
  const lintAlone = createMessageLints(columns)
  return ({ cells, address, rendered, htmlSize, template }) => {
    const { findings, lint, page } = (template && ofTemplate?.(template)) ?? NO_TEMPLATE
    const places = project?.places
    const advice = (lint ?? lintAlone)(rendered).advice.map((one) => {
      const value = one.value === undefined ? undefined : asWritten(one.value, rendered)
      const place = value === undefined ? undefined : places?.line(value)
      return findingOf({ ...one, value }, GROUPS[one.code] ?? 'links', place)
    })
    const all = [
      ...[
        ...cellAdvice(cells).map((one) => ({ severity: 'warning' as const, ...one })),
        ...doubts(address, emailColumn),
      ].map((one) => findingOf(one, 'row', undefined)),
      ...advice,
      ...findings,
    ]
    return [
      ...all,
      ...(all.some(({ group }) => group === 'readers') ? [] : [page === undefined ? READERS_PASSED : PAGE_PASSED]),
      ...(htmlSize === undefined || htmlSize > GMAIL_CLIP ? [] : [weight(htmlSize)]),
    ]
  }
}

/** A picture that is part of the message has a number there; people know it by the name of its file. */
function asWritten(value: string, { inline }: Rendered): string {
  if (!value.startsWith('cid:')) return value
  const part = inline.find(({ cid }) => cid === value.slice('cid:'.length))
  return part === undefined ? value : part.kind === 'file' ? basename(part.path) : part.name
}

interface OfTemplate {
  readonly findings: readonly FindingView[]
  readonly lint: ReturnType<typeof createMessageLints> | undefined
  /** Undefined where there is no page that the user wrote. */
  readonly page: PageLook | undefined
}

const NO_TEMPLATE: OfTemplate = { findings: [], lint: undefined, page: undefined }

/** What is the same for every message of a template is found out once. */
function templateFindings(
  { settings }: FindingsProject,
  columns: readonly string[],
): (template: Template) => OfTemplate {
  const known = new Map<Template, OfTemplate>()
  const { clients = DEFAULT_CLIENTS } = settings.check
  const look = ({ written }: Template): OfTemplate => {
    const { problems, tags } = templateAdvice(written, columns)
    const page = lookAtPage(written, { root: settings.root, clients })
    const placed = (one: Problem, group: FindingView['group']): FindingView => findingOf(one, group, placeOf(one))
    return {
      findings: [
        ...problems.map((one) => placed(one, GROUPS[one.code] ?? 'programs')),
        ...(page === undefined ? [] : programFindings(page, mailPrograms(settings))),
        ...(page?.accessibility ?? []).map((one) => placed(one, 'readers')),
      ],
      lint: createMessageLints(columns, tags),
      page,
    }
  }
  return (template) => {
    const found = known.get(template) ?? look(template)
    known.set(template, found)
    return found
  }
}

function placeOf({ file, line }: Problem): FilePlace | undefined {
  return file === undefined || line === undefined ? undefined : { file, line }
}

function programFindings({ unsupported }: PageLook, programs: readonly string[]): readonly FindingView[] {
  if (unsupported.length > 0) return unsupported.map(unsupportedFinding)
  return [{ group: 'programs', severity: 'passed', title: `Nothing that is not supported by ${listed(programs)}` }]
}

function unsupportedFinding({ title, tested, url, clients, places }: UnsupportedFeature): FindingView {
  const lines = new Map(places.map(({ file, line }) => [`${file}:${line}`, { file, line }]))
  return {
    group: 'programs',
    severity: 'info',
    title,
    effect: `Not supported by ${listed(clients.map(clientWords))}. Tested in ${monthOf(tested)}.`,
    places: [...lines.values()],
    url,
  }
}

/** `Outlook (Windows, Android)` */
function clientWords({ name, platforms }: ClientSupport): string {
  return platforms.length === 0 ? name : `${name} (${platforms.join(', ')})`
}

/** `Gmail, Outlook and Yahoo` */
function listed(names: readonly string[]): string {
  return new Intl.ListFormat('en-GB').format(names)
}

/** `October 2019` */
function monthOf(day: string): string {
  return new Date(`${day}T12:00:00Z`).toLocaleDateString('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' })
}

const READERS_PASSED: FindingView = {
  group: 'readers',
  severity: 'passed',
  title: 'Pictures have texts, and there is a text part',
}

const PAGE_PASSED: FindingView = {
  group: 'readers',
  severity: 'passed',
  title: 'Nothing keeps people from reading it',
  effect: 'Language, title, words of links, headings, contrast, sizes, texts of pictures, a text part.',
}

function weight(htmlSize: number): FindingView {
  const title = htmlSize < 1000 ? `${htmlSize} B of HTML` : `${(htmlSize / 1000).toFixed(1)} KB of HTML`
  const share = htmlSize / GMAIL_CLIP
  return { group: 'weight', severity: 'info', title, effect: 'Gmail cuts off after 102 KB.', share }
}

function doubts(address: string, column: string | undefined): readonly Omit<Problem, 'file'>[] {
  const judged = parseAddress(address)
  if (judged.kind === 'invalid') return []
  const found = addressDoubts(judged.mailbox).map(({ code, text, hint }) => ({ code, message: text, hint }))
  return found.map((one) => ({ severity: 'warning', ...one, value: address, column }))
}

/** Whether cells or address of a row ask for a look; what its message says is not known here. */
export function hasRowAdvice(cells: RowData, address: string): boolean {
  if (cellAdvice(cells).length > 0) return true
  const judged = parseAddress(address)
  return judged.kind !== 'invalid' && addressDoubts(judged.mailbox).length > 0
}

type Said = Pick<Problem, 'severity' | 'message' | 'hint' | 'value' | 'column'>

export function findingOf(
  { severity, message, hint, value, column }: Said,
  group: FindingView['group'],
  place: FilePlace | undefined,
): FindingView {
  const what = value === undefined || message.includes(value) ? message : `${message}: ${value}`
  const title = `${what.charAt(0).toUpperCase()}${what.slice(1)}`
  return {
    group,
    severity,
    title,
    effect: hint,
    places: place === undefined ? undefined : [place],
    column: place === undefined ? column : undefined,
  }
}
