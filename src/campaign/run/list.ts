/** The list of a merge, as the settings name it. Owns opening it, and which of its columns holds the address; reads no row. */
import type { Settings } from '../../config/settings.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { ConfigError, UsageError } from '../../errors.ts'
import { findEmailColumn } from '../../source/address-column.ts'
import { openSource } from '../../source/open.ts'
import type { Source } from '../../source/source.ts'
import { computedColumns } from '../../template/computed.ts'

/** Whether the settings name a list: a file, a query, or a command. */
export function hasList({ source }: Settings): boolean {
  return (source.path ?? source.sql ?? source.command) !== undefined
}

/** The list of the settings, with its columns as they are mapped. */
export async function openList(settings: Settings): Promise<Source> {
  const { source, locale, timeZone, root } = settings
  if (!hasList(settings)) throw missing('list', '--csv FILE', settings)
  const computes = Object.keys(source.computed ?? {}).length > 0
  return openSource(source, {
    ...(locale === undefined ? {} : { locale }),
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(computes ? { compile: await computedColumns({ root, locale, timeZone }) } : {}),
  })
}

/** The list from its beginning, for a sample. @throws UsageError for standard input, which is read once. */
export async function openListAgain(settings: Settings): Promise<Source> {
  if (settings.source.path !== '-') return openList(settings)
  throw new UsageError('--sample must read the list twice, which standard input does not allow', {
    hint: 'Write the list to a file first, or choose rows with --limit or --where.',
  })
}

/** The column that holds the address. @throws ConfigError for a column that is set and not there. */
export function addressColumn(settings: Settings, source: Source): string | undefined {
  for (const [flag, column] of [
    ['emailColumn', settings.emailColumn],
    ['--key', settings.key],
  ] as const) {
    if (column === undefined || source.columns.includes(column)) continue
    throw new ConfigError(`${flag} names the column '${column}', which ${source.name} does not have`, {
      hint: didYouMean(column, source.columns, `Its columns are ${source.columns.join(', ')}.`),
    })
  }
  return settings.emailColumn ?? findEmailColumn(source.columns)
}

/** The error for a merge without a list or a template. */
export function missing(what: string, flag: string, { configFile }: Settings): UsageError {
  const hint =
    configFile === undefined
      ? `There is no mailmerge.yaml here or above. Give ${flag}, or make a project to try: mailmerge init.`
      : `Give one with ${flag}, or set it in mailmerge.yaml.`
  return new UsageError(`there is no ${what}`, { hint })
}
