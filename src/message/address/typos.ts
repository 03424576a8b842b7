/**
 * What a right address may still have against it: a slip in a well-known domain, a role in place of a person, a domain
 * that is nobody's. Owns doubts only; an address is never changed here.
 */
import { BoundedMap } from '../../bounded-map.ts'
import type { Mailbox } from './mailbox.ts'
import { ORDINARY_WORDS, PROVIDERS, REAL_NEIGHBOURS, SLIPPED_ENDINGS } from './providers.ts'

/** A thought about an address that is right. `text` follows the address in a sentence of its own. */
export interface AddressDoubt {
  readonly code: 'domain-typo' | 'role-address' | 'reserved-domain'
  readonly text: string
  readonly hint: string
}

/** All that is to be said of an address, mostly nothing. */
export function addressDoubts({ wire }: Mailbox): readonly AddressDoubt[] {
  const at = wire.lastIndexOf('@')
  const domain = wire.slice(at + 1)
  const doubts: AddressDoubt[] = []
  const meant = suggestDomain(domain)
  if (meant !== undefined) {
    const hint = `Write ${wire.slice(0, at)}@${meant} if that is the address; it is not changed by itself.`
    doubts.push({ code: 'domain-typo', text: `'${domain}' looks like a typo of '${meant}'`, hint })
  }
  const reserved = reservedDomain(domain)
  if (reserved !== undefined) {
    doubts.push({ code: 'reserved-domain', text: reserved, hint: 'Nothing sent there reaches anybody.' })
  }
  if (isRoleAddress(wire)) {
    const text = `'${wire.slice(0, at)}' is a role, not a person`
    doubts.push({
      code: 'role-address',
      text,
      hint: 'Mail to roles is more often reported as spam. Keep it if you know it.',
    })
  }
  return doubts
}

const known = new Set(PROVIDERS)
const shapes = PROVIDERS.map((domain) => {
  const [name = '', ...ending] = domain.split('.')
  return { domain, name, ending: ending.join('.'), slips: name.length >= 5 && !ORDINARY_WORDS.has(name) }
})
const remembered = new BoundedMap<string, string | undefined>(20_000)

/**
 * The well-known domain that a person meant who wrote `gmial.com`, `hotmail.con` or `gmailcom`; undefined where there is
 * no such slip. Short names and common words are left alone: between them there is a real one in every direction.
 */
export function suggestDomain(domain: string): string | undefined {
  const typed = domain.toLowerCase()
  if (known.has(typed) || REAL_NEIGHBOURS.has(typed) || typed.length > 30) return undefined
  if (remembered.has(typed)) return remembered.get(typed)
  const found = findDomain(typed)
  remembered.set(typed, found)
  return found
}

function findDomain(typed: string): string | undefined {
  const dot = typed.indexOf('.')
  if (dot < 0) return PROVIDERS.find((name) => name.replaceAll('.', '') === typed || name === `${typed}.com`)
  const typedName = typed.slice(0, dot)
  const typedEnding = typed.slice(dot + 1)
  // Providers are in the order of their size, so that the first that fits is the likeliest.
  return shapes.find(({ name, ending, slips }) => {
    if (ending !== typedEnding && !(ending === 'com' && SLIPPED_ENDINGS.has(typedEnding))) return false
    return typedName === name ? name.length > 2 : slips && isOneSlip(typedName, name)
  })?.domain
}

/** One letter too many, too few or wrong, or two neighbours swapped. */
function isOneSlip(typed: string, wanted: string): boolean {
  if (Math.abs(typed.length - wanted.length) > 1) return false
  let at = 0
  while (at < typed.length && typed[at] === wanted[at]) at++
  const rest = typed.slice(at)
  const other = wanted.slice(at)
  if (rest.slice(1) === other.slice(1)) return true
  if (rest.slice(1) === other || rest === other.slice(1)) return true
  return rest[0] === other[1] && rest[1] === other[0] && rest.slice(2) === other.slice(2)
}

/** Names that RFC 2142 and habit give to functions. */
const ROLES = new Set(
  (
    'abuse accounting accounts admin administrator billing bounce bounces careers compliance contact devnull dns ' +
    'donotreply do-not-reply do_not_reply enquiries feedback finance ftp hello help helpdesk hostmaster hr info ' +
    'information inoc inquiries invoice invoices ispfeedback it jobs legal list list-request listserv mail ' +
    'mailer-daemon marketing media news newsletter noc noreply no-reply no_reply office operations orders phish ' +
    'phishing post postmaster press privacy purchasing reception recruiting registrar reservations root sales ' +
    'security service shop spam staff subscribe support sysadmin team tech unsubscribe usenet uucp webmaster www ' +
    'bestellung bewerbung buchhaltung buero kontakt rechnung redaktion vertrieb verwaltung zentrale accueil ' +
    'commercial comptabilite direction secretariat administracion contacto informacion pedidos ventas ' +
    'amministrazione commerciale segreteria contato vendas'
  ).split(' '),
)

/** True for `info@`, `sales+eu@` and their like. */
export function isRoleAddress(address: string): boolean {
  const local = address.slice(0, address.lastIndexOf('@')).toLowerCase()
  const plus = local.indexOf('+')
  return ROLES.has(plus < 0 ? local : local.slice(0, plus))
}

const RESERVED =
  /(?:^|\.)(?:test|example|invalid|localhost|local|internal|onion|alt|home\.arpa|example\.(?:com|net|org))$/

/** Why nobody can have mail at this domain (RFC 2606, 6761, 6762, 7686, 9476); undefined when somebody may. */
export function reservedDomain(domain: string): string | undefined {
  const name = RESERVED.exec(domain.toLowerCase())?.[0].replace(/^\./, '')
  return name === undefined ? undefined : `'${name}' is reserved and has no mail server`
}
