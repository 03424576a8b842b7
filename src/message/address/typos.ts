/**
 * What a right address may still have against it: a slip in a well-known domain, a role in place of a person, a domain
 * that is nobody's. Owns doubts only; an address is never changed here.
 */
import { BoundedMap } from '../../bounded-map.ts'
import type { Mailbox } from './address.ts'

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

const GLOBAL =
  'gmail.com yahoo.com hotmail.com outlook.com icloud.com aol.com live.com msn.com proton.me protonmail.com me.com ' +
  'mac.com googlemail.com ymail.com rocketmail.com mail.com email.com gmx.com gmx.net zoho.com fastmail.com pm.me ' +
  'tutanota.com tuta.com hey.com yandex.com inbox.com usa.com hushmail.com duck.com'
const AMERICAS =
  'comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net optonline.net ' +
  'frontier.com juno.com shaw.ca rogers.com sympatico.ca videotron.ca yahoo.ca hotmail.ca live.ca uol.com.br ' +
  'bol.com.br terra.com.br yahoo.com.br hotmail.com.br outlook.com.br yahoo.com.mx yahoo.com.ar hotmail.com.ar'
const EUROPE =
  'gmx.de web.de t-online.de freenet.de yahoo.de hotmail.de outlook.de live.de arcor.de posteo.de mailbox.org gmx.at ' +
  'aon.at gmx.ch bluewin.ch orange.fr free.fr wanadoo.fr laposte.net sfr.fr yahoo.fr hotmail.fr outlook.fr live.fr ' +
  'neuf.fr bbox.fr hotmail.co.uk yahoo.co.uk live.co.uk outlook.co.uk btinternet.com sky.com virginmedia.com ' +
  'talktalk.net ntlworld.com libero.it virgilio.it tiscali.it alice.it tin.it yahoo.it hotmail.it outlook.it live.it ' +
  'yahoo.es hotmail.es outlook.es telefonica.net sapo.pt ziggo.nl kpnmail.nl xs4all.nl planet.nl hetnet.nl live.nl ' +
  'hotmail.nl telenet.be skynet.be hotmail.be live.be seznam.cz centrum.cz email.cz wp.pl o2.pl interia.pl onet.pl ' +
  'op.pl gazeta.pl mail.ru yandex.ru rambler.ru bk.ru inbox.ru list.ru ukr.net abv.bg freemail.hu citromail.hu ' +
  'hotmail.se live.se telia.com spray.se online.no hotmail.no hotmail.dk live.dk mail.dk luukku.com inbox.lv eircom.net'
const ASIA_PACIFIC =
  'qq.com 163.com 126.com sina.com foxmail.com yeah.net naver.com hanmail.net daum.net yahoo.co.jp docomo.ne.jp ' +
  'ezweb.ne.jp softbank.jp outlook.jp rediffmail.com yahoo.co.in yahoo.in bigpond.com optusnet.com.au iinet.net.au ' +
  'yahoo.com.au hotmail.com.au outlook.com.au live.com.au xtra.co.nz yahoo.co.nz yahoo.com.sg yahoo.com.hk ' +
  'yahoo.com.tw yahoo.co.id yahoo.com.ph yahoo.com.vn'

/** The domains at which most people have their mail, the largest first. */
const PROVIDERS: readonly string[] = `${GLOBAL} ${EUROPE} ${AMERICAS} ${ASIA_PACIFIC}`.split(' ')

/** First labels that are words of a language or names of people: one letter away from them is somebody else. */
const ORDINARY_WORDS: ReadonlySet<string> = new Set(
  'alice charter cloud email frontier inbox interia naver online orange planet proton rambler rogers shaw skynet spray telia terra'.split(
    ' ',
  ),
)

/** Real domains one letter away from a large one. */
const REAL_NEIGHBOURS: ReadonlySet<string> = new Set('cloud.com gmail.de mail.cz hotmail.gr'.split(' '))

/** What fingers make of `com`. Endings that countries have are here only where hardly anybody has mail under them. */
const SLIPPED_ENDINGS: ReadonlySet<string> = new Set(
  'con cmo ocm vom xom comm coom cim cpm om cm co c0m coml comn coma come cok col ckm clm fom dom nom con.com com.com'.split(
    ' ',
  ),
)

/** Endings that no registry has, and what was meant, under any name: `firm.con`, `web.deu`. */
const NO_ENDINGS: Readonly<Record<string, string>> = {
  ...endings('com', 'con cmo ocm vom xom comm coom cim cpm c0m coml comn coma cok ckm clm fom nom'),
  ...endings('net', 'nett ner nte nrt ney'),
  ...endings('org', 'ogr orgg rog orf'),
  ...endings('de', 'deu dde dee'),
  ...endings('co.uk', 'couk co.ku co.ik'),
}

function endings(meant: string, slips: string): Readonly<Record<string, string>> {
  return Object.fromEntries(slips.split(' ').map((slip) => [slip, meant]))
}

const known = new Set(PROVIDERS)
const shapes = PROVIDERS.map((domain) => {
  const [name = '', ...ending] = domain.split('.')
  return { domain, name, ending: ending.join('.'), slips: name.length >= 5 && !ORDINARY_WORDS.has(name) }
})
const remembered = new BoundedMap<string, string | undefined>(20_000)

/**
 * The domain that a person meant who wrote `gmial.com`, `hotmail.con`, `gmailcom` or `firm.com.com`; undefined where there is
 * no such slip. Short names and common words are left alone: between them there is a real one in every direction.
 */
export function suggestDomain(domain: string): string | undefined {
  const typed = domain.toLowerCase()
  if (known.has(typed) || REAL_NEIGHBOURS.has(typed)) return undefined
  if (remembered.has(typed)) return remembered.get(typed)
  const found = (typed.length > 30 ? undefined : findDomain(typed)) ?? withRealEnding(typed)
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

/** Without an ending that is written twice, or with the one that was meant in place of one that there is not. */
function withRealEnding(typed: string): string | undefined {
  const twice = /^(.+\.([a-z]{2,}))\.\2$/.exec(typed)?.[1]
  if (twice !== undefined) return twice
  const slip = Object.keys(NO_ENDINGS).find((ending) => typed.endsWith(`.${ending}`))
  return slip === undefined ? undefined : typed.slice(0, -slip.length) + (NO_ENDINGS[slip] ?? '')
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
