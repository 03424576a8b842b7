/**
 * Whether mail from this sender is likely to arrive, as far as name servers tell. Owns who is asked about what; every
 * question has a time limit, and none is asked unless a person wanted it.
 */
import type { Settings } from '../../config/settings.ts'
import type { Problem } from '../../errors.ts'
import { domainOf } from '../../message/address/address.ts'
import { createMailDomains } from '../../message/address/dns.ts'
import { parseAddressList } from '../../message/address/list.ts'
import { type MarkedText, ownText } from '../../template/marked-text.ts'
import type { CheckedMail } from '../report.ts'
import { judgeRules, type RuleVerdict } from './bulk.ts'
import { lookUpSender, type SenderResolver, systemResolver } from './sender-records.ts'

export interface Deliverability {
  readonly rules: readonly RuleVerdict[]
  readonly problems: readonly Problem[]
}

export interface DeliverabilityOptions {
  readonly resolver?: SenderResolver
  /** Milliseconds for each question. */
  readonly timeout?: number
}

/** Asks about the sender of the first message and the domains of the recipients. Never rejects for what DNS does. */
export async function checkDeliverability(
  settings: Settings,
  mail: CheckedMail,
  options: DeliverabilityOptions = {},
): Promise<Deliverability> {
  const timeout = options.timeout ?? 5_000
  const resolver = options.resolver ?? systemResolver(timeout)
  const [recipients, rules] = await Promise.all([
    recipientProblems(mail, resolver, timeout),
    senderRules(settings, mail, resolver, timeout),
  ])
  return { rules, problems: [...rules.flatMap(ruleProblem), ...recipients] }
}

async function senderRules(
  settings: Settings,
  mail: CheckedMail,
  resolver: SenderResolver,
  timeout: number,
): Promise<readonly RuleVerdict[]> {
  const first = mail.samples[0]?.rendered
  const fromDomain = domainOfFirst(first?.from ?? ownText(String(settings.message['from'] ?? '')))
  if (fromDomain === undefined) return []
  const records = await lookUpSender(
    {
      fromDomain,
      envelopeDomain: domainOfFirst(first?.envelopeFrom ?? ownText('')) ?? fromDomain,
      dkim: settings.dkim,
      root: settings.root,
    },
    resolver,
    timeout,
  )
  const headers = first?.headers ?? []
  const hasPost = headers.some(([name]) => /^list-unsubscribe-post$/i.test(name))
  const oneClick = settings.unsubscribe?.url !== undefined || hasPost
  const unsubscribe = mail.unsubscribe || settings.unsubscribe?.mailto !== undefined
  return judgeRules({ records, smtp: settings.smtp, oneClick, unsubscribe })
}

/** Domain in A-labels of the first mailbox in a header. */
function domainOfFirst(header: MarkedText): string | undefined {
  const wire = parseAddressList(header).mailboxes[0]?.wire
  return wire === undefined ? undefined : domainOf(wire)
}

function ruleProblem({ rule, state, why, hint, gmail, yahoo, microsoft }: RuleVerdict): readonly Problem[] {
  if (state !== 'unmet') return []
  const scopes = [gmail, yahoo, microsoft]
  const who = scopes.includes('all') ? '' : ', which large providers ask of who sends them 5,000 mails a day'
  return [
    {
      severity: 'warning',
      code: `sender-${rule}`,
      message: `${why}${who}`,
      hint,
    },
  ]
}

async function recipientProblems(
  { domains }: CheckedMail,
  resolver: SenderResolver,
  timeout: number,
): Promise<readonly Problem[]> {
  const ask = createMailDomains({ resolver, timeout })
  let unknown = 0
  const found = await Promise.all(
    [...domains].map(async ([domain, { row, address, rows }]): Promise<Problem | undefined> => {
      // An address literal has no name to ask for.
      if (domain.startsWith('[')) return undefined
      const answer = await ask(domain)
      const more = rows === 1 ? '' : `; ${rows.toLocaleString('en-US')} rows have it`
      const place = { severity: 'warning' as const, row, value: address }
      if (answer.kind === 'unknown') unknown++
      if (answer.kind === 'none') {
        const message = `the domain '${domain}' does not exist or has no mail server${more}`
        return { ...place, code: 'no-such-domain', message, hint: 'Is it misspelled? Mail to it comes back.' }
      }
      if (answer.kind === 'null-mx') {
        const message = `the domain '${domain}' says that it does not accept mail${more}`
        return { ...place, code: 'no-mail-domain', message, hint: 'Ask the person for another address.' }
      }
      return undefined
    }),
  )
  const problems = found.filter((problem) => problem !== undefined).sort((a, b) => (a.row ?? 0) - (b.row ?? 0))
  if (unknown === 0) return problems
  const message = `${unknown.toLocaleString('en-US')} domains of recipients could not be looked up in time`
  return [...problems, { severity: 'info', code: 'dns-unknown', message }]
}
