/** The domains at which most people have their mail, the largest first. Data only. */

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

export const PROVIDERS: readonly string[] = `${GLOBAL} ${EUROPE} ${AMERICAS} ${ASIA_PACIFIC}`.split(' ')

/** First labels that are words of a language or names of people: one letter away from them is somebody else. */
export const ORDINARY_WORDS: ReadonlySet<string> = new Set(
  'alice charter cloud email frontier inbox interia naver online orange planet proton rambler rogers shaw skynet spray telia terra'.split(
    ' ',
  ),
)

/** Real domains one letter away from a large one. */
export const REAL_NEIGHBOURS: ReadonlySet<string> = new Set('cloud.com gmail.de mail.cz hotmail.gr'.split(' '))

/** What fingers make of `com`. Endings that countries have are here only where hardly anybody has mail under them. */
export const SLIPPED_ENDINGS: ReadonlySet<string> = new Set(
  'con cmo ocm vom xom comm coom cim cpm om cm co c0m coml comn coma come cok col ckm clm fom dom nom con.com com.com'.split(
    ' ',
  ),
)
