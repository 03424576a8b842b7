/** What a merge is made of, as the settings name it: the list, the template and its variants. Owns opening them; reads no row. */
import { hash } from 'node:crypto'
import type { Settings } from '../../config/settings.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { ConfigError, UsageError } from '../../errors.ts'
import { findEmailColumn } from '../../source/address-column.ts'
import { openSource } from '../../source/open.ts'
import type { Source } from '../../source/source.ts'
import { computedColumns } from '../../template/computed.ts'
import { type LoadOptions, loadTemplate } from '../../template/load.ts'
import type { Template } from '../../template/template.ts'
import { openSplit, type Split } from '../plan/variants.ts'

/** The list of the settings, with its columns as they are mapped. */
export async function openList(settings: Settings): Promise<Source> {
  const { source, locale, timeZone, root } = settings
  const computes = Object.keys(source.computed ?? {}).length > 0
  return openSource(source, {
    ...(locale === undefined ? {} : { locale }),
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(computes ? { compile: await computedColumns({ root, locale, timeZone }) } : {}),
  })
}

/** The list from its beginning, for a sample. @throws UsageError for standard input, which is read once. */
export function listAgain(settings: Settings): Promise<Source> {
  if (settings.source.path !== '-') return openList(settings)
  throw new UsageError('--sample must read the list twice, which standard input does not allow', {
    hint: 'Write the list to a file first, or choose rows with --limit or --where.',
  })
}

export function openTemplate(name: string, settings: Settings, instead?: LoadOptions['instead']): Promise<Template> {
  return loadTemplate(name, {
    root: settings.root,
    message: settings.message,
    ...(instead === undefined ? {} : { instead }),
    ...(settings.locale === undefined ? {} : { locale: settings.locale }),
    ...(settings.timeZone === undefined ? {} : { timeZone: settings.timeZone }),
  })
}

/** The variants of a campaign, each as a template; `only` takes one of them for everybody. */
export function openVariants(
  templateName: string,
  settings: Settings,
  campaign: string,
  only?: string,
): Promise<Split | undefined> {
  return openSplit(settings.variants, campaign, only, ({ template = templateName, subject }) =>
    openTemplate(
      template,
      settings,
      subject === undefined ? undefined : { fields: { subject }, file: 'mailmerge.yaml (variants)' },
    ),
  )
}

/** @throws DataError for a name that no column has. */
export function bindAll(template: Template, split: Split | undefined, columns: readonly string[]): void {
  if (split === undefined) template.bind(columns)
  else for (const variant of split.variants) variant.template.bind(columns)
}

/** Everything outside the rows that a message depends on, frozen when the run is planned. */
export function planHash(template: Template, split: Split | undefined, settings: Settings): string {
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
