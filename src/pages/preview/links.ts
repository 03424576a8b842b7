/** The links of the message that is looked at: how many there are, and, when a person asks, whether they lead anywhere. */
import { checkLinks, type LinkSample, linksOf } from '../../check/links/links.ts'
import { ASK } from '../../check/links/request.ts'
import type { FindingView } from '../wire.ts'
import { findingOf } from './findings.ts'
import type { Places } from './places.ts'

/** What is said before anybody asks. */
export function unvisitedLinks(sample: LinkSample): readonly FindingView[] {
  const links = new Set(linksOf(sample.rendered)).size
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

/** Asks the links, with the guard of `check --links`. */
export async function visitedLinks(
  sample: LinkSample,
  places: Places,
  signal: AbortSignal,
): Promise<readonly FindingView[]> {
  const { asked, left, problems } = await checkLinks([sample], { ...ASK, signal })
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
