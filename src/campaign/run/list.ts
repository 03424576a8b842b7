/** The list of a merge, as the settings name it. Owns opening it, and which of its columns holds the address; reads no row. */
import type { Settings } from '../../config/settings.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { ConfigError, DataError, UsageError } from '../../errors.ts'
import { findAddressColumn } from '../../source/address-column.ts'
import { openSource } from '../../source/open.ts'
import type { Source } from '../../source/source.ts'
import { computedColumns } from '../../template/computed.ts'
import { ROWS, type Template } from '../../template/template.ts'

/** The list of the settings, with its columns as they are mapped. */
export async function openList(settings: Settings, again = false): Promise<Source> {
  const { source, locale, timeZone, root } = settings
  if (source.from === undefined) throw missing('list', '--csv FILE', settings)
  const computes = Object.keys(source.computed ?? {}).length > 0
  return openSource(source, {
    locale,
    timeZone,
    again,
    compile: computes ? await computedColumns({ root, locale, timeZone }) : undefined,
  })
}

/** The list from its beginning, for a sample. @throws UsageError for standard input, which is read once. */
export async function openListAgain(settings: Settings, why = '--sample'): Promise<Source> {
  if (settings.source.from?.kind !== 'stdin') return openList(settings, true)
  throw new UsageError(`${why} must read the list twice, which standard input does not allow`, {
    hint: 'Write the list to a file first, or choose rows with --limit or --where.',
  })
}

/**
 * The column that holds the address; of several, none is needed where every template sets its `to`.
 * @throws ConfigError for a column that is set and not there, DataError where several could be meant.
 */
export function addressColumn(
  settings: Settings,
  source: Source,
  templates: readonly Pick<Template, 'setsTo'>[],
): string | undefined {
  for (const [flag, column] of [
    ['emailColumn', settings.emailColumn],
    ['--key', settings.key],
    ['--group-by', settings.groupBy],
    ['--account-column', settings.account?.by === 'column' ? settings.account.column : undefined],
  ] as const) {
    if (column === undefined || source.columns.includes(column)) continue
    throw new ConfigError(`${flag} names the column '${column}', which ${source.name} does not have`, {
      hint: didYouMean(column, source.columns, `Its columns are ${source.columns.join(', ')}.`),
    })
  }
  refuseGrouping(settings, source)
  if (settings.emailColumn !== undefined) return settings.emailColumn
  const found = findAddressColumn(source.columns, source.sample)
  if (found === undefined || 'column' in found) return found?.column
  if (settings.groupBy !== undefined && found.candidates.includes(settings.groupBy)) return settings.groupBy
  if (templates.length > 0 && templates.every(({ setsTo }) => setsTo)) return undefined
  const names = found.candidates.map((column) => `'${column}'`)
  throw new DataError(`${source.name} has several columns that could hold the address: ${names.join(' and ')}`, {
    hint: `Say which with emailColumn in mailmerge.yaml: emailColumn: ${JSON.stringify(found.candidates[0])}`,
  })
}

/** @throws UsageError, DataError for what does not go together with groups. */
function refuseGrouping({ groupBy, key, duplicates }: Settings, { name, columns }: Source): void {
  if (groupBy === undefined) return
  if (key !== undefined && key !== groupBy) {
    throw new UsageError(`rows are grouped by '${groupBy}', and --key names another column: '${key}'`, {
      hint: 'The column that rows are grouped by is the key of their message: leave --key out.',
    })
  }
  if (duplicates !== 'error') {
    throw new UsageError(`--duplicates ${duplicates} and --group-by cannot both be given`, {
      hint: 'Rows with the same value become one message, so there are no duplicates: leave --duplicates out.',
    })
  }
  if (!columns.includes(ROWS)) return
  throw new DataError(`${name} has a column '${ROWS}', which is what a template calls the rows of a message`, {
    hint: `Give it another name in mailmerge.yaml: columns: { rename: { ${ROWS}: lines } }`,
  })
}

/** The error for a merge without a list or a template. */
export function missing(what: string, flag: string, { configFile }: Settings): UsageError {
  const hint =
    configFile === undefined
      ? `There is no mailmerge.yaml here or above. Give ${flag}, or make a project to try: mailmerge init.`
      : `Give one with ${flag}, or set it in mailmerge.yaml.`
  return new UsageError(`there is no ${what}`, { hint })
}
