/**
 * The rules that Gmail, Yahoo and Microsoft set for those who send them mail, as a table: met, unmet, or not to be known
 * from here. Owns the rules and the judgement of each; asks nobody.
 */
import type { Settings } from '../../config/settings.ts'
import { type DkimRecord, type SenderRecords, type TextAnswer, tagsOf } from './sender-records.ts'

export type RuleState = 'met' | 'unmet' | 'unknown'

/** Whom a provider holds to a rule: everybody, who sends it about 5,000 mails a day or more, or nobody. */
export type Scope = 'all' | 'bulk' | '-'

export interface RuleVerdict {
  /** Stable word: `spf`, `dmarc`. */
  readonly rule: string
  /** What is asked for. */
  readonly wants: string
  readonly state: RuleState
  readonly why: string
  /** What to do, where it is unmet. */
  readonly hint?: string
  readonly gmail: Scope
  readonly yahoo: Scope
  readonly microsoft: Scope
}

export interface RuleFacts {
  readonly records: SenderRecords
  readonly smtp: Pick<Settings['smtp'], 'security' | 'host'>
  /** One-click unsubscribe (RFC 8058) is set up. */
  readonly oneClick: boolean
  /** Every message says in some way how to leave the list. */
  readonly unsubscribe: boolean
}

type Judged = Pick<RuleVerdict, 'state' | 'why' | 'hint'>

/** All rules, in the order of a table. */
export function judgeRules(facts: RuleFacts): readonly RuleVerdict[] {
  const { records } = facts
  const spf = judgeSpf(records)
  const dkim = judgeDkim(records)
  const dmarc = judgeDmarc(records)
  const bulk = { gmail: 'bulk', yahoo: 'bulk', microsoft: 'bulk' } as const
  const all = { gmail: 'all', yahoo: 'all', microsoft: '-' } as const
  return [
    { rule: 'domain', wants: 'the domain of From accepts mail', ...all, ...judgeDomain(records) },
    { rule: 'own-domain', wants: 'From is not a free mailbox sent through other servers', ...all, ...judgeFree(facts) },
    { rule: 'spf', wants: 'an SPF record', ...bulk, ...spf },
    { rule: 'dkim', wants: 'a DKIM signature with a published key', ...bulk, ...dkim },
    { rule: 'spf-or-dkim', wants: 'SPF or DKIM', ...all, ...either(spf, dkim) },
    { rule: 'dmarc', wants: 'a DMARC record', ...bulk, ...dmarc },
    { rule: 'alignment', wants: 'SPF or DKIM for the domain of From', ...bulk, ...judgeAlignment(records) },
    { rule: 'one-click', wants: 'one-click unsubscribe (RFC 8058)', ...bulk, microsoft: '-', ...judgeOneClick(facts) },
    { rule: 'unsubscribe', wants: 'a visible way to unsubscribe', ...bulk, ...judgeUnsubscribe(facts) },
    { rule: 'tls', wants: 'TLS on the way', ...all, yahoo: '-', ...judgeTls(facts) },
    {
      rule: 'ptr',
      wants: 'a reverse name of the sending address that leads back',
      ...all,
      microsoft: 'bulk',
      state: 'unknown',
      why: 'the server that delivers has it, and is not asked here',
    },
    {
      rule: 'complaints',
      wants: 'fewer than 0.3% of readers who report spam',
      ...all,
      state: 'unknown',
      why: 'Google Postmaster Tools and Yahoo Sender Hub show it',
    },
    {
      rule: 'format',
      wants: 'messages by RFC 5322',
      ...all,
      state: 'met',
      why: 'messages are composed that way',
    },
  ]
}

function judgeDomain({ mail, fromDomain }: SenderRecords): Judged {
  switch (mail.kind) {
    case 'mx':
      return { state: 'met', why: `${fromDomain} has the mail server ${mail.hosts[0] ?? ''}` }
    case 'address':
      return { state: 'met', why: `${fromDomain} has an address and no MX record` }
    case 'null-mx':
      return unmet(
        `${fromDomain} says that it does not accept mail`,
        'Replies and bounces are lost: write from another domain.',
      )
    case 'none':
      return unmet(
        `${fromDomain} has neither an MX record nor an address`,
        'Is it misspelled? Servers refuse such mail.',
      )
    case 'unknown':
      return { state: 'unknown', why: mail.reason }
  }
}

/** Domains of free mailboxes, with a word that the servers of their provider have in their names. */
const FREE: readonly (readonly [RegExp, RegExp])[] = [
  [/^(?:gmail|googlemail)\.com$/, /(?:^|\.)(?:gmail|google|googlemail)\.com$/],
  [/^(?:yahoo\.[a-z.]+|ymail\.com|aol\.com|rocketmail\.com)$/, /(?:^|\.)(?:yahoo|aol)\.[a-z.]{2,30}$/],
  [/^(?:outlook\.[a-z.]+|hotmail\.[a-z.]+|live\.[a-z.]+|msn\.com)$/, /(?:^|\.)(?:outlook|office365|hotmail)\.com$/],
  [/^(?:icloud|me|mac)\.com$/, /(?:^|\.)(?:me|icloud|apple)\.com$/],
]

function judgeFree({ records: { fromDomain }, smtp }: RuleFacts): Judged {
  const found = FREE.find(([domain]) => domain.test(fromDomain))
  if (found === undefined) return { state: 'met', why: `${fromDomain} is not the domain of a free mailbox` }
  if (found[1].test(smtp.host.toLowerCase()))
    return { state: 'met', why: `${smtp.host} is the server of ${fromDomain}` }
  return unmet(
    `${fromDomain} allows only its own servers to send in its name, and ${smtp.host} is none`,
    'Write from a domain of your own, or send through the server of the mailbox.',
  )
}

function judgeSpf({ spf, envelopeDomain }: SenderRecords): Judged {
  if ('unknown' in spf) return unknown(spf)
  const [record, another] = spf.found
  if (record === undefined) {
    return unmet(`${envelopeDomain} has no SPF record`, `Add a TXT record: v=spf1, the servers that send, -all.`)
  }
  if (another !== undefined) {
    return unmet(
      `${envelopeDomain} has ${spf.found.length} SPF records, so that none counts`,
      'Make one record of them.',
    )
  }
  if (/\s\+?all(?:\s|$)/i.test(record)) {
    return unmet(`the SPF record of ${envelopeDomain} lets everybody send`, 'End it with -all or ~all.')
  }
  return { state: 'met', why: `${envelopeDomain} has one; that it names the server that delivers is not known here` }
}

function judgeDkim({ dkim, fromDomain }: SenderRecords): Judged {
  if (dkim.length === 0) {
    return { state: 'unknown', why: 'no key is set here; the server may sign: send a mail to yourself and look at it' }
  }
  for (const key of dkim) {
    const judged = judgeKey(key)
    if (judged.state !== 'met') return judged
  }
  return {
    state: 'met',
    why: `${dkim.map(({ selector, domain }) => `${selector} of ${domain}`).join(', ')}, for ${fromDomain}`,
  }
}

function judgeKey(key: DkimRecord): Judged {
  const name = `${key.selector}._domainkey.${key.domain}`
  if ('unknown' in key.answer) return unknown(key.answer)
  if (key.answer.found.length === 0)
    return unmet(`there is no record ${name}`, 'Publish the public half of the key there.')
  if (key.revoked)
    return unmet(`the record ${name} is empty: the key is revoked`, 'Publish the key, or sign with another.')
  if (key.matches === false) {
    return unmet(`the record ${name} holds another key than the one that signs`, 'Publish the public half of this key.')
  }
  if (key.bits !== undefined && key.bits < 1024) {
    return unmet(`the key ${name} has ${key.bits} bits; at least 1024 are needed`, 'Make a key of 2048 bits.')
  }
  return { state: 'met', why: `${name} is published` }
}

function either(spf: Judged, dkim: Judged): Judged {
  if (dkim.state === 'met') return { state: 'met', why: 'DKIM' }
  if (spf.state === 'met') return { state: 'met', why: 'SPF' }
  if (spf.state === 'unmet' && dkim.state === 'unmet') return unmet('there is neither', 'Add an SPF record first.')
  return { state: 'unknown', why: 'see the two lines above' }
}

function judgeDmarc({ dmarc, fromDomain }: SenderRecords): Judged {
  if ('unknown' in dmarc) return unknown(dmarc)
  const [record, another] = dmarc.found
  if (record === undefined) {
    return unmet(`${fromDomain} has no DMARC record`, `Add a TXT record at _dmarc.${fromDomain}: v=DMARC1; p=none`)
  }
  if (another !== undefined) {
    return unmet(`${dmarc.domain} has ${dmarc.found.length} DMARC records, so that none counts`, 'Keep one of them.')
  }
  const policy = tagsOf(record).get('p')?.toLowerCase()
  if (policy === undefined || !['none', 'quarantine', 'reject'].includes(policy)) {
    return unmet(`the DMARC record of ${dmarc.domain} has no policy`, 'Write p=none, p=quarantine or p=reject in it.')
  }
  return { state: 'met', why: `${dmarc.domain} says p=${policy}` }
}

/** Relaxed alignment: the same domain, or one within the other. A list of public suffixes would be needed to do better. */
function isAligned(one: string, other: string): boolean {
  return one === other || one.endsWith(`.${other}`) || other.endsWith(`.${one}`)
}

function judgeAlignment({ fromDomain, envelopeDomain, dkim }: SenderRecords): Judged {
  const signed = dkim.find(({ domain }) => isAligned(domain.toLowerCase(), fromDomain))
  if (signed !== undefined) return { state: 'met', why: `DKIM signs for ${signed.domain}` }
  if (isAligned(envelopeDomain, fromDomain)) {
    return { state: 'met', why: `bounces go to ${envelopeDomain}, unless the server puts an address of its own there` }
  }
  if (dkim.length === 0) return { state: 'unknown', why: `the server may sign for ${fromDomain}` }
  return unmet(
    `neither the signature nor the envelope (${envelopeDomain}) is of ${fromDomain}`,
    `Sign with a key of ${fromDomain}, or leave envelopeFrom out.`,
  )
}

function judgeOneClick({ oneClick }: RuleFacts): Judged {
  if (oneClick) return { state: 'met', why: 'List-Unsubscribe and List-Unsubscribe-Post are set' }
  return unmet(
    'there is no one-click address',
    'Set unsubscribe.url in mailmerge.yaml, if this is a newsletter or marketing.',
  )
}

function judgeUnsubscribe({ unsubscribe, oneClick }: RuleFacts): Judged {
  if (unsubscribe || oneClick) return { state: 'met', why: 'the messages say how to unsubscribe' }
  return unmet(
    'the messages do not say how to unsubscribe',
    'Put a link into the text, if this is a newsletter or marketing.',
  )
}

function judgeTls({ smtp }: RuleFacts): Judged {
  const first = `to ${smtp.host}`
  if (smtp.security === 'tls' || smtp.security === 'starttls')
    return { state: 'met', why: `${first}; from there on the server sees to it` }
  if (smtp.security === 'none') return { state: 'unknown', why: `none ${first}; from there on the server sees to it` }
  return { state: 'unknown', why: `${first} where it offers it; mailmerge verify shows it` }
}

function unmet(why: string, hint: string): Judged {
  return { state: 'unmet', why, hint }
}

function unknown(answer: Extract<TextAnswer, { readonly unknown: string }>): Judged {
  return { state: 'unknown', why: answer.unknown }
}
