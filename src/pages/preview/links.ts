/**
 * The links of the messages that are looked at: how many there are, and, when a person asks, whether they lead anywhere. Owns
 * what they answered, for as long as a message has the same links.
 */
import { BoundedMap } from '../../bounded-map.ts'
import { checkLinks, type LinkReport, type LinkSample, linksOf } from '../../check/links/links.ts'
import { ASK } from '../../check/links/request.ts'
import type { FindingView } from '../wire.ts'
import { findingOf } from './findings.ts'
import type { Places } from './places.ts'

/** Messages whose answers are kept. */
const KEPT = 1_000

export class LinkFindings {
  readonly #reports = new BoundedMap<string, LinkReport>(KEPT)

  of(sample: LinkSample, places: Places): readonly FindingView[] {
    const links = linksOf(sample.rendered)
    const report = this.#reports.get(keyOf(sample, links))
    return report === undefined ? unvisited(new Set(links).size) : visited(report, places)
  }

  /** Asks the links, with the guard of `check --links`. */
  async ask(sample: LinkSample, signal: AbortSignal): Promise<void> {
    const report = await checkLinks([sample], { ...ASK, signal })
    this.#reports.set(keyOf(sample, linksOf(sample.rendered)), report)
  }
}

function keyOf({ row }: LinkSample, links: readonly string[]): string {
  return JSON.stringify([row, ...links])
}

function unvisited(links: number): readonly FindingView[] {
  if (links === 0) return []
  return [
    {
      group: 'links',
      severity: 'info',
      title: `${links === 1 ? '1 link' : `${links} links`}, not visited`,
      effect: 'Visiting them asks other people’s servers.',
      asks: 'links',
    },
  ]
}

function visited({ asked, left, problems }: LinkReport, places: Places): readonly FindingView[] {
  const found = problems.map((one) =>
    findingOf(one, 'links', one.value === undefined ? undefined : places.line(one.value)),
  )
  const not = left === 0 ? undefined : `${left} not, because they act for one person alone.`
  const good = asked - problems.length
  const passed: FindingView = {
    group: 'links',
    severity: good > 0 ? 'passed' : 'info',
    title: good === 1 ? '1 link answers' : `${good} links answer`,
    effect: not,
  }
  return [...found, passed]
}
