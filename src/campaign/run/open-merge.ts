/**
 * Everything that a merge needs around its rows, opened once for run, resume, retry, schedules and check: ledger, claim,
 * campaign, follow-up, unsubscribe links, renderer. Owns what is opened, in which order, and that all of it is closed.
 */
import { join, resolve } from 'node:path'
import { mailApiName } from '../../config/mail-api.ts'
import type { Settings } from '../../config/settings.ts'
import { LedgerMissingError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { ownerOfThisProcess } from '../../ledger/owner.ts'
import type { Campaign } from '../../ledger/records.ts'
import { openUnsubscribeLinks } from '../../unsubscribe/links.ts'
import { type RenderingAccount, rendererOf } from '../accounts/account-renderer.ts'
import { type Account, type Accounts, chosenAccounts, requireSenders } from '../accounts/accounts.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { Earlier, MergeHooks, MergeMode } from '../merge.ts'
import { recipientRules } from '../plan/recipient.ts'
import { createRowRenderer, type RowRenderer } from '../plan/render-row.ts'
import { type Content, templatesOf } from './content.ts'
import { type FollowUp, openFollowUpOf } from './follow-up.ts'
import { openLedger, openScratchLedger, runsFolder } from './open-ledger.ts'

export interface MergeOptions {
  /** `check` records in a ledger of its own, like a rehearsal, and sends nothing. */
  readonly mode: MergeMode | 'check'
  /** Undefined where only the list is checked. */
  readonly content: Pick<Content, 'template' | 'split'> | undefined
  /** From which it is sent; undefined for those that the settings choose. */
  readonly accounts?: ((ledger: Ledger) => Promise<Accounts>) | undefined
  /** By its name the newest generation of it, or one that begins; or the one that a run belongs to. */
  readonly campaign: string | Campaign
  /** Begin another generation of the campaign. */
  readonly again: boolean
  /** Group of the suppressions. */
  readonly group: string
  /** Column that holds the address. */
  readonly emailColumn: string | undefined
  /** The earlier campaign that this one follows. */
  readonly after: Earlier | undefined
  /** Every message goes to this address instead. */
  readonly testTo: string | undefined
  /** The ledger that the run was found in; closed with the merge. */
  readonly ledger: Ledger | undefined
}

export interface OpenMerge extends AsyncDisposable {
  readonly settings: Settings
  readonly hooks: MergeHooks
  readonly clock: Clock
  readonly mode: MergeMode | 'check'
  /** Where this merge is recorded: the project's ledger, or in a rehearsal one that is thrown away. */
  readonly ledger: Ledger
  /** The project's own ledger, where there is one. */
  readonly project: Ledger | undefined
  readonly campaign: Campaign
  readonly group: string
  readonly accounts: OpenAccounts
  /** Of a row as its account sends it. */
  readonly renderer: RowRenderer
  readonly follow: FollowUp | undefined
}

/** The accounts of a merge, each with the messages that go from it. */
export interface OpenAccounts extends Accounts {
  readonly list: readonly [RenderingAccount, ...RenderingAccount[]]
}

/**
 * Opens a merge and claims its campaign.
 *
 * @example
 * await using merge = await openMerge(settings, options, hooks)
 *
 * @throws UnfinishedError when another process works on the campaign; what opening the parts throws.
 */
export async function openMerge(settings: Settings, options: MergeOptions, hooks: MergeHooks): Promise<OpenMerge> {
  await using closing = new AsyncDisposableStack()
  const { mode, content } = options
  const open = <T extends { close(): Promise<void> }>(part: T): T => closing.adopt(part, (it) => it.close())
  if (options.ledger !== undefined) open(options.ledger)
  const project =
    options.ledger ??
    (mode === 'send'
      ? open(await unlessLost(options, hooks, (acceptLoss) => openLedger(settings, { acceptLoss })))
      : await existing(settings, open))
  const ledger = mode === 'send' && project !== undefined ? project : open(await openScratchLedger())
  const follow =
    options.after === undefined
      ? undefined
      : await openFollowUpOf(settings, project ?? ledger, options.after, { waits: mode === 'send' })
  const campaign =
    typeof options.campaign === 'string'
      ? await ledger.campaigns.open(options.campaign, { again: options.again })
      : options.campaign
  const claim = await unlessLost(options, hooks, (acceptLoss) =>
    ledger.campaigns.claim(campaign, ownerOfThisProcess(), { acceptLoss }),
  )
  closing.adopt(claim, (it) => it.release())
  const accounts = await (options.accounts?.(ledger) ?? chosenAccounts(settings))
  if (content !== undefined) requireSenders(accounts, templatesOf(content), settings)
  const common = {
    template: content?.template,
    split: content?.split,
    // In modes that record nothing, messages are still what they would be: with the campaign's own token, if it has one.
    campaign: mode === 'send' ? campaign : ((await project?.campaigns.find(campaign.name)) ?? campaign),
    recipients: recipientRules(settings, options.emailColumn),
    testTo: options.testTo,
    bodies: mode === 'check',
    unsubscribeLinks: await openUnsubscribeLinks(settings, options.group),
    locale: settings.locale,
    timeZone: settings.timeZone,
    files: { root: settings.root, roots: settings.attachmentRoots, never: privateFiles(settings) },
  }
  const rendering = (account: Account): RenderingAccount => {
    const { from, settings: own } = account
    const renderer = createRowRenderer({
      ...{
        ...common,
        from,
        returnPath: own.bounces.returnPath,
        fixedSender: mailApiName(own),
        dkim: content === undefined ? [] : own.dkim,
      },
      // A row that any of them may get must be one that each can send.
      rates: accounts.by === 'share' ? accounts.list.flatMap((one) => one.settings.delivery.rates) : own.delivery.rates,
    })
    return { ...account, renderer }
  }
  const [first, ...others] = accounts.list
  const list = [rendering(first), ...others.map(rendering)] as const
  const renderer = rendererOf(accounts, list)
  const opened = closing.move()
  return {
    settings,
    hooks,
    clock: hooks.clock ?? systemClock,
    mode,
    ledger,
    project,
    campaign,
    group: options.group,
    accounts: { ...accounts, list },
    renderer,
    follow,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** What the ledger lost, a person may accept: by `--again`, or when asked. */
async function unlessLost<T>(
  { again }: MergeOptions,
  hooks: MergeHooks,
  attempt: (acceptLoss: boolean) => Promise<T>,
): Promise<T> {
  try {
    return await attempt(again)
  } catch (error) {
    if (!(error instanceof LedgerMissingError) || !(await hooks.confirmLoss?.(error))) throw error
    return attempt(true)
  }
}

async function existing(settings: Settings, open: (ledger: Ledger) => Ledger): Promise<Ledger | undefined> {
  const ledger = await openLedger(settings, { existing: true })
  return ledger === undefined ? undefined : open(ledger)
}

/** The folder for the files of a run: beside the ledger, or in a rehearsal in the project. */
export function runFolder(settings: Settings, runId: string, mode: OpenMerge['mode'] = 'send'): string {
  const folder = mode === 'send' ? runsFolder(settings) : join(settings.root, '.mailmerge', mode)
  return join(folder, runId)
}

/** Files that no row may have, although they lie in the project: configuration, keys, the list, the ledger. */
function privateFiles({ configFile, dkim, accounts = {}, ledger, source }: Settings): readonly string[] {
  const { from } = source
  const list = from?.kind === 'file' ? from.path : from?.kind === 'query' ? from.database : undefined
  const keys = [...dkim, ...Object.values(accounts).flatMap((account) => account.dkim)].map(({ key }) => key)
  const own = [configFile, list, ledger, ...keys]
  return own.flatMap((path) => (path === undefined || path.includes('://') ? [] : [resolve(path)]))
}
