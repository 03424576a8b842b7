/**
 * What a merge says: the template of the settings, and the variants of a split. Owns opening them and the hash of all that no
 * row changes.
 */
import { hash } from 'node:crypto'
import type { Settings } from '../../config/settings.ts'
import { DataError, InputError, type Problem, UsageError } from '../../errors.ts'
import type { BranchTrace } from '../../template/engine/branches.ts'
import { type LoadOptions, loadTemplate } from '../../template/load.ts'
import type { Template } from '../../template/template.ts'
import { createRowTemplates, isRowTemplate, rowTemplateLabel, rowTemplateName } from '../plan/row-template.ts'
import { openSplit, type Split } from '../plan/variants.ts'
import { fetchDraft, isInMailbox } from './mailbox-template.ts'

/** Opened, and fitting the columns of the list. */
export interface Content {
  /** Name or path, as it was asked for. */
  readonly templateName: string
  /** What the campaign is named after. */
  readonly name: string
  /** Names of the templates that the rows name, where each names its own. */
  readonly templates: readonly string[] | undefined
  /** The first of them, where rows have several. */
  readonly template: Template
  readonly split: Split | undefined
  /** Of everything outside the rows that a message depends on: it is frozen when the run is planned. */
  readonly hash: string
}

export interface ContentOptions {
  readonly templateName: string
  /** Names of the templates that the rows name: `templateName` has a column in it. */
  readonly templates?: readonly string[] | undefined
  /** Name of the campaign, by that of the template: another campaign draws another lot. */
  readonly campaign: (template: string) => string
  /** Everybody gets this variant. */
  readonly variant: string | undefined
  readonly columns: readonly string[]
  /** For people, and no rehearsal: a template of the package is refused. */
  readonly sends: boolean
  /** One message is made of several rows. */
  readonly isGrouped?: boolean
  /** A follow-up has the subject of the message that it follows. */
  readonly follows: boolean
  /** Sees which branches each row takes. */
  readonly branches?: BranchTrace | undefined
}

/** @throws InputError, DataError: no template, a wrong one, one of the package, or a name that no column has. */
export async function openContent(settings: Settings, options: ContentOptions): Promise<Content> {
  const { templateName, columns } = options
  const { template, name, split } = await openTemplates(settings, options)
  const templates = templatesOf({ template, split })
  if (options.sends) for (const one of templates) refuseBuiltIn(one)
  for (const one of templates) {
    const lacking = lackingFields(one, options.follows)
    if (lacking.length > 0) throw lackingError(one, lacking)
    one.bind(columns, options.isGrouped)
  }
  return { templateName, name, templates: options.templates, template, split, hash: hashOf(template, split, settings) }
}

async function openTemplates(
  settings: Settings,
  { templateName, templates: names, campaign, variant, columns, branches }: ContentOptions,
): Promise<Pick<Content, 'template' | 'name' | 'split'>> {
  if (isRowTemplate(templateName)) {
    const split = await openRowTemplates(settings, { templateName, names: names ?? [], columns, variant, branches })
    const [first] = split.variants
    if (first === undefined) {
      throw new InputError(`no row names a template of the project: ${templateName}`, {
        hint: 'The templates of the project are under templates/.',
      })
    }
    return { template: first.template, name: rowTemplateLabel(templateName), split }
  }
  const template = await openTemplate(templateName, settings, { branches })
  const split = await openVariants(templateName, settings, campaign(template.name), { only: variant, branches })
  return { template, name: template.name, split }
}

/**
 * The templates that rows name. One that is not there is missing, and each row that names it is bad.
 * @throws DataError for one that is not valid, UsageError together with variants.
 */
export async function openRowTemplates(
  settings: Settings,
  {
    templateName,
    names,
    columns,
    variant,
    branches,
  }: Pick<ContentOptions, 'templateName' | 'columns' | 'branches'> & {
    readonly names: readonly string[]
    readonly variant?: string | undefined
  },
): Promise<Split> {
  if (settings.variants !== undefined || variant !== undefined) {
    throw new UsageError('variants cannot be drawn where each row names its own template', {
      hint: 'Leave variants out, or name one template for all.',
    })
  }
  const templates = new Map<string, Template>()
  for (const name of names) {
    try {
      templates.set(name, await openTemplate(name, settings, { branches }))
    } catch (error) {
      if (!(error instanceof InputError)) throw error
    }
  }
  return createRowTemplates(rowTemplateName(templateName, columns), templates)
}

/** The templates that rows are rendered with. */
export function templatesOf({ template, split }: Pick<Content, 'template' | 'split'>): readonly Template[] {
  return split?.variants.map((variant) => variant.template) ?? [template]
}

/** Columns that messages and their recipients are made of. */
export function usedColumns(
  templates: readonly Template[],
  ...others: readonly (string | undefined)[]
): ReadonlySet<string> {
  const own = others.filter((column) => column !== undefined)
  return new Set([...templates.flatMap(({ columns }) => columns), ...own])
}

/** A template of the project, or a draft in the mailbox (`imap:Drafts/Subject`). */
export async function openTemplate(
  name: string,
  settings: Settings,
  { instead, branches }: Pick<LoadOptions, 'instead' | 'branches'> = {},
): Promise<Template> {
  const path = isInMailbox(name) ? await fetchDraft(settings, name) : name
  return loadTemplate(path, {
    root: settings.root,
    message: messageDefaults(settings),
    allowEmpty: settings.allowEmpty,
    instead,
    branches,
    locale: settings.locale,
    timeZone: settings.timeZone,
  })
}

/** Holds the place of a sender until the account of a row is known; no message has it. */
const OF_THE_ACCOUNT = 'account@account.invalid'

/** Fields for templates that do not set them. Where accounts send, the sender of a row is that of its account. */
function messageDefaults({ message, accounts = {} }: Settings): Settings['message'] {
  const isKnown = message['from'] !== undefined || Object.values(accounts).every(({ from }) => from === undefined)
  return isKnown ? message : { ...message, from: OF_THE_ACCOUNT }
}

/** The variants of a campaign, each as a template; `only` takes one of them for everybody. */
export function openVariants(
  templateName: string,
  settings: Settings,
  campaign: string,
  { only, branches }: { readonly only?: string | undefined; readonly branches?: BranchTrace | undefined } = {},
): Promise<Split | undefined> {
  return openSplit(settings.variants, campaign, only, ({ template = templateName, subject }) => {
    const instead = subject === undefined ? undefined : { fields: { subject }, file: 'mailmerge.yaml (variants)' }
    return openTemplate(template, settings, { instead, branches })
  })
}

/** What is missing from a template so that no row can make a message of it. */
export function lackingFields({ lacks, files }: Template, follows: boolean): readonly Problem[] {
  const [file] = files
  return lacks
    .filter((field) => field !== 'subject' || !follows)
    .map((field) => ({
      severity: 'error',
      code: field === 'subject' ? 'no-subject' : 'no-sender',
      message: `there is no ${field === 'subject' ? 'subject' : 'sender'}`,
      hint: `Set ${field}: in the template, or under message: in mailmerge.yaml.`,
      ...(file === undefined ? {} : { file }),
    }))
}

function lackingError({ name }: Template, problems: readonly Problem[]): DataError {
  const what = problems.map(({ code }) => (code === 'no-subject' ? 'no subject' : 'no sender')).join(' and ')
  return new DataError(`the template '${name}' has ${what}; nothing was sent`, {
    problems,
    hint: 'Fix the template and give the command again.',
  })
}

/** A template of the package is an example: what people get is what the project itself says. */
function refuseBuiltIn({ name, builtIn }: Template): void {
  if (!builtIn) return
  throw new DataError(`the template '${name}' is built in, for rehearsals only; nothing was sent`, {
    hint: 'Write your own in templates/, or begin with the one that mailmerge init makes. Built-in ones can be tried with --sandbox, --dry-run or --test-to.',
  })
}

function hashOf(template: Template, split: Split | undefined, settings: Settings): string {
  const { message, locale, timeZone, unsubscribe } = settings
  return hash(
    'sha256',
    JSON.stringify([
      template.hash,
      split?.variants.map(({ name, share, template }) => [name, share, template.hash]),
      message,
      locale,
      timeZone,
      unsubscribe?.url,
      unsubscribe?.mailto,
      settings.bounces.returnPath,
    ]),
    'hex',
  )
}
