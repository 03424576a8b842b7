/**
 * `--not-in`: rows whose recipient got another campaign, or is in another list. Owns reading those; memory stays flat, whatever
 * their size.
 */
import { existsSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import type { Settings } from '../../config/settings.ts'
import { nearest } from '../../did-you-mean.ts'
import { UsageError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { SkipReason } from '../../ledger/records.ts'
import { gmailKey } from '../../message/address/address.ts'
import { openSource } from '../../source/open.ts'
import { importSuppressions } from '../../unsubscribe/suppression-list.ts'
import { identify, type RecipientRules } from '../plan/recipient.ts'
import type { Excluded } from '../plan/select.ts'
import { openLedger, openScratchLedger } from './open-ledger.ts'

export interface Exclusion extends AsyncDisposable {
  readonly find: Excluded
}

/** Endings of lists: such a name is a file, whether it is there or not. */
const LISTS = new Set(['.csv', '.tsv', '.txt', '.xlsx', '.ods', '.json', '.ndjson', '.jsonl'])

/**
 * Opens what `--not-in` names. A name that is a file, or ends like a list, is a list: its addresses (and `@domain`s) are compared
 * with the address column. Any other is a campaign of the ledger: who was sent it, or may have been, by the recipient key.
 * @throws UsageError for a campaign that the ledger does not know; what opening and reading a list throws.
 */
export async function openExclusion(
  settings: Settings,
  names: readonly string[],
  rules: RecipientRules,
  note: (text: string) => void,
): Promise<Exclusion> {
  await using closing = new AsyncDisposableStack()
  if (rules.emailColumn === undefined) {
    throw new UsageError('--not-in needs a column with the address', {
      hint: 'Name it with emailColumn in mailmerge.yaml.',
    })
  }
  const tests: Excluded[] = []
  const files = names.filter((name) => isList(settings, name))
  if (files.length > 0) {
    const scratch = await openScratchLedger()
    closing.adopt(scratch, (it) => it.close())
    for (const file of files) tests.push(await openListed(settings, file, scratch, rules, note))
  }
  const campaigns = names.filter((name) => !files.includes(name))
  if (campaigns.length > 0) {
    const ledger = await openLedger(settings, { existing: true })
    if (ledger !== undefined) closing.adopt(ledger, (it) => it.close())
    for (const name of campaigns) tests.push(await openSent(ledger, name, rules))
  }
  const opened = closing.move()
  return {
    async find(rows) {
      const found = new Map<number, SkipReason>()
      for (const test of tests)
        for (const [row, reason] of await test(rows)) if (!found.has(row)) found.set(row, reason)
      return found
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

function isList({ root }: Settings, name: string): boolean {
  return LISTS.has(extname(name).toLowerCase()) || existsSync(resolve(root, name))
}

function reasonOf(name: string): SkipReason {
  return { kind: 'unselected', detail: `--not-in ${name}` }
}

/** Who got a campaign. */
async function openSent(ledger: Ledger | undefined, name: string, rules: RecipientRules): Promise<Excluded> {
  const campaign = await ledger?.campaigns.find(name)
  if (ledger === undefined || campaign === undefined) {
    const known = new Set((await ledger?.runs.list())?.map((run) => run.campaign.name))
    const near = nearest(name, [...known])
    throw new UsageError(`--not-in names the campaign '${name}', which is not in the ledger`, {
      hint:
        near === undefined
          ? 'mailmerge status lists the campaigns. A list is named by its file: --not-in members.csv'
          : `Did you mean ${near}? mailmerge status lists the campaigns.`,
    })
  }
  return async (rows) => {
    const keys = new Map(rows.map((row) => [row.number, identify(row.data, rules).key]))
    const history = await ledger.results.deliveryHistory(campaign, [...new Set(keys.values())])
    const out = new Map<number, SkipReason>()
    for (const [row, key] of keys) {
      const status = history.get(key)?.status
      if (status === 'sent' || status === 'in_doubt') out.set(row, reasonOf(name))
    }
    return out
  }
}

/** Who is in a list, kept in a ledger that is thrown away: it finds addresses and domains among any number. */
async function openListed(
  { locale, timeZone, root }: Settings,
  file: string,
  scratch: Ledger,
  rules: RecipientRules,
  note: (text: string) => void,
): Promise<Excluded> {
  const source = await openSource(
    { from: { kind: 'file', path: file } },
    { cwd: root, locale, timeZone, addressLines: 'address' },
  )
  const folded = (address: string): string => (rules.foldGmail ? gmailKey(address) : address)
  const { bad } = await importSuppressions(
    {
      // What else a line says, as the group in an export, does not count here.
      add: (entries) =>
        scratch.suppressions.add(
          entries.map(({ address, ...entry }) => ({ ...entry, address: address && folded(address), group: file })),
        ),
    },
    source,
    { group: file, reason: 'imported', addedAt: new Date(0) },
  )
  if (bad > 0) note(`${bad} rows of ${source.name} hold no address, and leave nobody out`)
  return async (rows) => {
    const addresses = new Map(rows.map((row) => [row.number, folded(identify(row.data, rules).address)]))
    const found = await scratch.suppressions.find([...new Set(addresses.values())], file)
    const out = new Map<number, SkipReason>()
    for (const [row, address] of addresses) if (found.has(address)) out.set(row, reasonOf(file))
    return out
  }
}
