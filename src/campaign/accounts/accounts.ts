/**
 * The accounts that take part in a run: each with the settings that it sends with. Owns which they are, also for a run that was
 * planned before; without `accounts:` there is one, which has no name.
 */
import { hash } from 'node:crypto'
import type { AccountChoice, Settings } from '../../config/settings.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { ConfigError, DataError } from '../../errors.ts'
import { given } from '../../given.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { RunRecord } from '../../ledger/records.ts'
import type { RunOptions } from '../../ledger/run-options.ts'
import { parseAddressList } from '../../message/address/list.ts'
import { ownText } from '../../template/marked-text.ts'
import type { Template } from '../../template/template.ts'
import { draftSettings, makesDrafts } from '../../transport/open.ts'

export interface Account {
  /** Undefined for the only one of a project without `accounts:`. */
  readonly name: string | undefined
  /** Those of the project, with server, limits and keys of the account. */
  readonly settings: Settings
  /** Sender of its messages where the template sets none. */
  readonly from: string | undefined
}

/** The accounts of a run: one for all rows, one for each by a column, or all that share the rows. */
export interface Accounts {
  readonly by: AccountChoice['by']
  /** For `column`. */
  readonly column?: string | undefined
  /** At least one. */
  readonly list: readonly [Account, ...Account[]]
}

/**
 * The accounts that a new run sends from.
 * @throws ConfigError where several are set and nothing says which, or one has no sender.
 */
export function chosenAccounts(settings: Settings): Accounts {
  const { accounts, account: choice } = settings
  if (accounts === undefined) return theOnly(settings)
  const names = Object.keys(accounts)
  if (choice === undefined) {
    throw new ConfigError(`there are ${names.length} accounts, and nothing says which of them sends`, {
      hint: `Give --account NAME (${names.join(', ')}), --account share or --account-column COLUMN, or set account: in mailmerge.yaml.`,
    })
  }
  return accountsNamed(settings, choice, choice.by === 'name' ? [choice.name] : names)
}

/** @throws DataError for a run that was planned with accounts, where there are none now: its messages have no sender then. */
export function requireAccounts({ accounts }: Settings, { id, options }: RunRecord): void {
  if (options.accounts === undefined || accounts !== undefined) return
  throw new DataError(
    `the run ${id} sends from the accounts ${Object.keys(options.accounts.digests).join(', ')}, and there are none now`,
    {
      hint: 'Leave --smtp out, and have them under accounts: in mailmerge.yaml; or give the run command again, which plans what is not yet sent.',
    },
  )
}

/**
 * The accounts that a planned run goes on with: those of its plan that are still set, and no others: people confirmed those.
 * @throws DataError where one is gone that rows need, or gives its messages another sender now.
 */
export async function plannedAccounts(
  settings: Settings,
  { id, options }: RunRecord,
  { deliveries }: Pick<Ledger, 'deliveries'>,
): Promise<Accounts> {
  const planned = options.accounts
  if (planned === undefined) return theOnly(settings)
  const { by, column = '', digests } = planned
  const present = Object.keys(digests).filter((name) => settings.accounts?.[name] !== undefined)
  const bound = await deliveries.boundTo(id, { planned: by === 'column' })
  const lost = [...bound].find(([name]) => !present.includes(name))
  if (lost !== undefined) {
    const [name, { messages, first }] = lost
    const rows = messages === 1 ? `row ${first} is` : `${messages} rows, the first of them row ${first}, are`
    throw goneError(
      `the account '${name}' is gone from the config, and ${rows} still to be sent from it`,
      name,
      settings,
    )
  }
  if (present.length === 0) {
    const [name = ''] = Object.keys(digests)
    throw goneError(`the account '${name}', from which the run ${id} sends, is gone from the config`, name, settings)
  }
  const choice: AccountChoice =
    by === 'name' ? { by, name: present[0] ?? '' } : by === 'column' ? { by, column } : { by }
  const accounts = accountsNamed(settings, choice, present)
  const changed = accounts.list.find((account) => digestOf(account) !== digests[account.name ?? ''])
  if (changed === undefined) return accounts
  throw new DataError(`the sender of the account '${changed.name}' changed after run ${id} was planned`, {
    hint: 'Give the run command again: it plans with the accounts as they are now, and sends what is not yet sent.',
  })
}

function goneError(message: string, name: string, { accounts = {} }: Settings): DataError {
  const guess = didYouMean(name, Object.keys(accounts), '')
  const asked = `Set it under accounts: in mailmerge.yaml again; or give the run command again with another account: it plans what is not yet sent again.`
  return new DataError(message, { hint: guess === '' ? asked : `${guess} ${asked}` })
}

/** What a run records of its accounts; undefined without `accounts:`. */
export function accountOptions({ by, column, list }: Accounts): RunOptions['accounts'] {
  const named = list.flatMap((account) =>
    account.name === undefined ? [] : [[account.name, digestOf(account)] as const],
  )
  return named.length === 0 ? undefined : { by, ...given({ column }), digests: Object.fromEntries(named) }
}

/** @throws ConfigError for an account without a sender, where the templates set none either. */
export function requireSenders(
  { list }: Accounts,
  templates: readonly Pick<Template, 'setsFrom'>[],
  { message }: Settings,
): void {
  if (message['from'] !== undefined || templates.every(({ setsFrom }) => setsFrom)) return
  const lacking = list.find(({ name, from }) => name !== undefined && from === undefined)
  if (lacking === undefined) return
  throw new ConfigError(`the account '${lacking.name}' has no sender`, {
    hint: `Set accounts.${lacking.name}.from in mailmerge.yaml, message.from for all, or from: in the template.`,
  })
}

/** Every account of a project, whichever sends. @throws ConfigError for one with a sender that is not an address. */
export function everyAccount(settings: Settings): Accounts['list'] {
  const [first, ...others] = Object.keys(settings.accounts ?? {}).map((name) => accountNamed(name, settings))
  return first === undefined ? theOnly(settings).list : [first, ...others]
}

/** The settings with which a single mail goes that belongs to no run: those of the account that is chosen, or of the first. */
export function sendingSettings(settings: Settings): Settings {
  const { account: choice } = settings
  const all = everyAccount(settings)
  const chosen = choice?.by === 'name' ? all.find(({ name }) => name === choice.name) : undefined
  return (chosen ?? all[0]).settings
}

function theOnly(settings: Settings): Accounts {
  return { by: 'name', list: [{ name: undefined, settings, from: undefined }] }
}

function accountsNamed(settings: Settings, choice: AccountChoice, names: readonly string[]): Accounts {
  const [first, ...others] = names.map((name) => accountNamed(name, settings))
  if (first === undefined) throw new ConfigError('there is no account to send from')
  return { by: choice.by, column: choice.by === 'column' ? choice.column : undefined, list: [first, ...others] }
}

function accountNamed(name: string, settings: Settings): Account {
  const account = settings.accounts?.[name]
  if (account === undefined) throw new ConfigError(`there is no account '${name}'`)
  const { smtp, delivery, dkim, transport, returnPath, from } = account
  if (from !== undefined) checkSender(name, from)
  const { transport: around, ...others } = settings
  const { returnPath: _, ...bounces } = settings.bounces
  const own: Settings = {
    ...others,
    ...{ smtp, delivery, dkim, bounces: { ...bounces, ...given({ returnPath }) } },
    ...given({ transport: makesDrafts(settings) ? around : transport }),
  }
  return { name, from, settings: makesDrafts(settings) ? draftSettings(own) : own }
}

function checkSender(name: string, from: string): void {
  const { mailboxes, faults } = parseAddressList(ownText(from))
  const [fault] = faults
  if (mailboxes.length === 1 && fault === undefined) return
  throw new ConfigError(
    `accounts.${name}.from: ${fault ?? `${mailboxes.length} addresses, and a message has one sender`}`,
    {
      hint: 'Write it as Sales <sales@example.com>.',
    },
  )
}

/** Of what an account gives to its messages, so that a change after planning is noticed. */
function digestOf({ from, settings }: Account): string {
  return hash('sha256', JSON.stringify([from, settings.bounces.returnPath]), 'hex').slice(0, 16)
}
