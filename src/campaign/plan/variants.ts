/**
 * The A/B split of a campaign: which recipient gets which variant of subject or template. Owns the lot; a variant is a
 * template like any other, and nothing after planning draws again.
 */
import { hash } from 'node:crypto'
import type { VariantSettings } from '../../config/settings.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { UsageError } from '../../errors.ts'
import type { RowData } from '../../source/source.ts'
import type { Template } from '../../template/template.ts'
import { identify, type RecipientRules } from './recipient.ts'
import { storeRow } from './row-data.ts'

export interface Variant {
  readonly name: string
  /** Weight beside the others: 1 and 3 make a quarter and three quarters. */
  readonly share: number
  readonly template: Template
}

export interface Split {
  readonly variants: readonly Variant[]
  /** Columns that the choice is made by. */
  readonly columns: readonly string[]
  /** The variant of a row. @throws DataError for a row whose cells choose none. */
  ofRow(cells: RowData, rules: RecipientRules): Variant
  /** The variant that a plan recorded by its name; undefined where the project has none of that name. */
  named(name: string): Variant | undefined
}

/** A split that assigns each recipient at random, by a hash of the key. */
export interface DrawnSplit extends Split {
  /**
   * The variant of a recipient key. The same key has the same one on every machine and in every run of the campaign, and
   * a changed share or a new variant moves only as many recipients as it must.
   */
  of(key: string): Variant
}

/** @param campaign name of the campaign: another campaign draws another lot. */
export function createSplit(variants: readonly Variant[], campaign: string): DrawnSplit {
  const byName = new Map(variants.map((variant) => [variant.name, variant]))
  const of = (key: string): Variant => {
    let best: Variant | undefined
    let lowest = Number.POSITIVE_INFINITY
    for (const variant of variants) {
      const lot = lotOf(campaign, variant, key)
      if (lot >= lowest) continue
      lowest = lot
      best = variant
    }
    if (best === undefined) throw new RangeError('a split needs variants')
    return best
  }
  return {
    variants,
    columns: [],
    of,
    // A row without an address column has no key before it is rendered, and its cells take the place of one.
    ofRow: (cells, rules) => of(identify(cells, rules).key || storeRow(cells, [])),
    named: (name) => byName.get(name),
  }
}

/**
 * Weighted rendezvous hashing: each variant draws a waiting time for the key, short for a large share, and the first one
 * has it. Exponential times make the chances be as the shares are.
 */
function lotOf(campaign: string, { name, share }: Variant, key: string): number {
  const chance = Number.parseInt(hash('sha256', `variant\n${campaign}\n${name}\n${key}`).slice(0, 13), 16)
  return -Math.log((chance + 1) / 2 ** 52) / share
}

/** Opens the template of a variant: the campaign's own, with what the variant sets in its place. */
export type OpenVariant = (settings: VariantSettings) => Promise<Template>

/**
 * The split that the settings ask for; with `only`, all of it is that one variant.
 * @throws UsageError for a variant that the project does not have.
 */
export async function openSplit(
  settings: Readonly<Record<string, VariantSettings>> | undefined,
  campaign: string,
  only: string | undefined,
  open: OpenVariant,
): Promise<DrawnSplit | undefined> {
  const names = Object.keys(settings ?? {})
  if (only !== undefined && !names.includes(only)) throw unknownVariant(only, names)
  const variants: Variant[] = []
  for (const [name, variant] of Object.entries(settings ?? {})) {
    if (only === undefined || only === name)
      variants.push({ name, share: variant.share, template: await open(variant) })
  }
  return variants.length === 0 ? undefined : createSplit(variants, campaign)
}

function unknownVariant(name: string, names: readonly string[]): UsageError {
  return new UsageError(`there is no variant '${name}'`, {
    hint: didYouMean(
      name,
      names,
      names.length === 0
        ? 'Variants are set in mailmerge.yaml: variants: { a: {}, b: { subject: "Last seats" } }'
        : `There are ${names.join(', ')}.`,
    ),
  })
}
