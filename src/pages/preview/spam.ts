/** What the project's own spam filters think of the message that is looked at: that they can be asked, and, when a person asks, their answers. */
import { askSpamFilters, type FilterAnswer, spamFilters } from '../../check/spam.ts'
import type { Settings } from '../../config/settings.ts'
import { titled } from '../../report/words.ts'
import type { FindingView } from '../wire.ts'

/** What is said before anybody asks; nothing where the settings name no spam filter. */
export function unaskedFilters(settings: Settings): readonly FindingView[] {
  const names = spamFilters(settings)
  if (names.length === 0) return []
  return [
    {
      group: 'spam',
      severity: 'info',
      title: `${names.join(' and ')} not asked`,
      effect: 'Asking hands over the whole message.',
      asks: 'spam',
    },
  ]
}

/** Asks them about a message, each of its bytes as it would be sent. */
export async function askedFilters(
  settings: Settings,
  message: Uint8Array,
  signal: AbortSignal,
): Promise<readonly FindingView[]> {
  return (await askSpamFilters(settings, message, signal)).map(filterFinding)
}

function filterFinding({ name, answer }: FilterAnswer): FindingView {
  if ('failed' in answer) {
    const effect = `${titled(answer.failed)}. Start it, or take its address out of check: in mailmerge.yaml.`
    return { group: 'spam', severity: 'warning', title: `${name} gives no verdict`, effect, asks: 'spam' }
  }
  const { score, limit, rules } = answer
  const isSpam = score >= limit
  return {
    group: 'spam',
    severity: isSpam ? 'warning' : 'passed',
    title: isSpam ? `Spam to ${name}` : `Not spam to ${name}`,
    effect: `${score} points; ${limit} are spam.${rules.length === 0 ? '' : ` Raised by ${rules.join(', ')}.`}`,
  }
}
