/**
 * Why a server refused: one table of causes, by enhanced code and by sentence, for deliveries and bounces alike. Owns the
 * reading of codes (RFC 3463, RFC 5248, RFC 7505, RFC 8616, the rest of IANA's registry and Microsoft's own) and of sentences,
 * and the words for each cause; what a cause means for a row, a connection or an address is decided by its readers.
 */

/** What a refusal is about. */
export type ReplyCause =
  // The recipient.
  | 'mailbox-unknown'
  | 'mailbox-moved'
  | 'mailbox-disabled'
  | 'mailbox-full'
  | 'mailbox-busy'
  | 'domain-unknown'
  | 'domain-takes-no-mail'
  | 'list-closed'
  // The message.
  | 'message-too-large'
  | 'too-many-recipients'
  | 'content'
  | 'virus'
  | 'spam'
  | 'no-international-addresses'
  | 'no-tls-on-the-way'
  // The sender: its address, its host, its login.
  | 'sender-rejected'
  | 'sender-unverified'
  | 'sender-not-allowed'
  | 'sender-unauthenticated'
  | 'host-blocked'
  | 'helo-rejected'
  | 'relay-denied'
  | 'login-needed'
  | 'tls-needed'
  // The account of the sender.
  | 'account-limit'
  | 'account-blocked'
  // How fast messages come.
  | 'rate'
  | 'connection-limit'
  | 'session-limit'
  | 'greylisted'
  // The servers on the way.
  | 'name-service'
  | 'no-connection'
  | 'loop'
  | 'given-up'
  | 'server-trouble'
  // Nothing more exact was said.
  | 'policy'

/** The part of a reply, or of a report about one, that its cause is read from. */
export interface Refusal {
  /** With its class, `5.1.1`; undefined or empty when there is none. */
  readonly enhanced?: string | undefined
  readonly text: string
  /** Of a service that says its causes by values of its own: its words are then not read. */
  readonly service?: { readonly cause?: ReplyCause | undefined } | undefined
}

/** For messages and reports. */
export const CAUSE_WORDS: Readonly<Record<ReplyCause, string>> = {
  'mailbox-unknown': 'mailbox unknown',
  'mailbox-moved': 'mailbox has moved',
  'mailbox-disabled': 'mailbox disabled',
  'mailbox-full': 'mailbox full',
  'mailbox-busy': 'mailbox receives more mail than it may',
  'domain-unknown': 'domain of the recipient unknown',
  'domain-takes-no-mail': 'domain does not accept mail',
  'list-closed': 'mailing list refuses the sender',
  'message-too-large': 'message too large',
  'too-many-recipients': 'too many recipients',
  content: 'content not accepted',
  virus: 'refused for a virus',
  spam: 'refused as spam',
  'no-international-addresses': 'server does not accept international addresses',
  'no-tls-on-the-way': 'server does not promise TLS on the whole way',
  'sender-rejected': 'sender address refused',
  'sender-unverified': 'sender address not verified',
  'sender-not-allowed': 'this login may not send as this sender',
  'sender-unauthenticated': 'sender not authenticated (SPF, DKIM, DMARC or reverse DNS)',
  'host-blocked': 'sending host blocked',
  'helo-rejected': 'HELO name refused',
  'relay-denied': 'relaying denied',
  'login-needed': 'login needed',
  'tls-needed': 'TLS needed',
  'account-limit': 'sending limit of the account reached',
  'account-blocked': 'account of the sender blocked',
  rate: 'sent more than the server allows',
  'connection-limit': 'too many connections at once',
  'session-limit': 'too many messages for one connection',
  greylisted: 'greylisted',
  'name-service': 'name server failed',
  'no-connection': 'no connection',
  loop: 'mail loop',
  'given-up': 'given up',
  'server-trouble': 'server does not accept mail now',
  policy: 'refused by policy',
}

/** By the code without its class, or with it where the class matters; words where they say more than the cause does. */
const CODES: Readonly<Record<string, readonly [cause: ReplyCause, words?: string]>> = {
  '4.7.500': ['rate', 'server too busy for more of our mail'],
  '4.3.2': ['rate', 'server does not accept mail now'],
  '5.4.5': ['account-limit'],
  '1.1': ['mailbox-unknown'],
  '1.2': ['domain-unknown'],
  '1.3': ['mailbox-unknown', 'address not valid for this server'],
  '1.4': ['mailbox-unknown', 'address fits several mailboxes'],
  '1.6': ['mailbox-moved'],
  '1.7': ['sender-rejected'],
  '1.8': ['sender-rejected', 'domain of the sender unknown'],
  '1.10': ['domain-takes-no-mail'],
  '1.90': ['account-limit', 'daily number of recipients used up'],
  '1.351': ['mailbox-unknown'],
  '2.1': ['mailbox-disabled'],
  '2.2': ['mailbox-full'],
  '2.3': ['message-too-large', 'message too large for this mailbox'],
  '2.4': ['list-closed', 'mailing list cannot be expanded'],
  '2.121': ['mailbox-busy'],
  '2.122': ['mailbox-busy'],
  '2.252': ['sender-not-allowed'],
  '3.1': ['server-trouble', 'server out of space'],
  '3.2': ['server-trouble'],
  '3.3': ['server-trouble', 'server cannot do what the message needs'],
  '3.4': ['message-too-large', 'message too large for this server'],
  '3.5': ['server-trouble', 'server misconfigured'],
  '4.1': ['no-connection', 'server of the recipient does not answer'],
  '4.2': ['no-connection', 'connection broke'],
  '4.3': ['name-service', 'name server does not answer'],
  '4.4': ['domain-unknown', 'no route to the recipient'],
  '4.5': ['server-trouble', 'server too busy'],
  '4.6': ['loop'],
  '4.7': ['given-up', 'delivery took too long'],
  '5.3': ['too-many-recipients'],
  '6.6': ['content', 'server cannot read the content'],
  '6.7': ['no-international-addresses'],
  '6.8': ['no-international-addresses'],
  '6.9': ['no-international-addresses'],
  '7.1': ['policy', 'refused by policy or as spam'],
  '7.2': ['list-closed'],
  '7.8': ['login-needed'],
  '7.9': ['login-needed', 'login not safe enough'],
  '7.10': ['tls-needed'],
  '7.11': ['tls-needed', 'TLS needed for the login'],
  '7.12': ['login-needed', 'password must be renewed'],
  '7.13': ['account-blocked', 'account of the sender disabled'],
  '7.17': ['mailbox-unknown', 'mailbox has changed hands'],
  '7.18': ['domain-unknown', 'domain has changed hands'],
  '7.27': ['sender-rejected', 'sender address does not accept mail itself'],
  '7.28': ['rate'],
  '7.29': ['sender-unauthenticated', 'signature of a forwarder not valid (ARC)'],
  '7.30': ['login-needed'],
  '7.57': ['login-needed'],
  '7.60': ['sender-not-allowed'],
  '7.64': ['relay-denied'],
  '7.501': ['spam'],
  '7.502': ['spam'],
  '7.503': ['spam'],
  '7.511': ['host-blocked'],
  '7.705': ['account-limit'],
  '7.708': ['host-blocked'],
}

/** Codes that come in families. */
const FAMILIES: readonly (readonly [code: RegExp, cause: ReplyCause, words?: string])[] = [
  [/^4\./, 'no-connection', 'no route to the recipient'],
  [/^6\./, 'content'],
  [/^7\.(2[0-6]|509|515)$/, 'sender-unauthenticated'],
  [/^7\.6\d\d$/, 'host-blocked'],
  [/^7\./, 'policy'],
]

/** Codes that servers give for everything: a sentence that says what it is about is worth more. */
const SAYS_LITTLE = /^(\d+\.0|2\.1|3\.[1235]|4\.\d+|5\.\d+|7\.1|7\.30|7\.[5-9]\d\d)$/

/** In this order: the first that fits decides. What the sender's account, host or pace is blamed for comes first. */
const SENTENCES: readonly (readonly [cause: ReplyCause, sentence: RegExp])[] = [
  ['greylisted', /gr[ea]y-?list/i],
  [
    'mailbox-busy',
    /\breceiv(es?|ing|ed) (mail |messages |e-?mails? )?(at a rate|too (quickly|fast|often|many|much))|receiving (limit|rate)|\brecipient [^.;]{0,10}exceeded [^.;]{0,20}\brate/i,
  ],
  [
    'session-limit',
    /(messages?|mails|e-?mails|transactions|recipients) (limit )?per (connection|session)|\b(connection|session) (message )?limit|too many (messages|mails?|transactions) (in|for|on|over) (this|one|a single) (session|connection)|max(imum)? (number of )?(messages|transactions) (in|for|per)/i,
  ],
  [
    'connection-limit',
    /too many (concurrent |simultaneous )?(connections|sessions)|concurrent connections|connections? limit/i,
  ],
  [
    'account-limit',
    /(?<!\bsize\b[^.;]{0,40})\b(send|sending|submission|outgoing|outbound|relay|mailing)\b(?![^.;]{0,40}\bsize\b)[^.;]{0,40}\b(limits?|quotas?|allowance)\b|(?<!\bsize\b[^.;]{0,40})\b(daily|hourly|monthly|24[ -]?hours?)\b(?![^.;]{0,40}\bsize\b)[^.;]{0,40}\b(limits?|quotas?|allowance|maximum)\b|\b(limits?|quotas?|allowance) (for|of) (sending|outgoing|today|the day|this (hour|day))|exceed\w{0,20} [^.;]{0,40}\b(e?-?mails?|messages|recipients) (per|an?|each) (hour|day|month)\b|\b(polic\w+|sender)\b[^.;]{0,30}\bquota\b|quota (of|for) the sender/i,
  ],
  [
    'account-limit',
    /\bcredits?\b[^.;]{0,20}\b(exceeded|exhausted|used up)|\b(insufficient|not enough|out of|no more) (sending |e-?mail )?credits?\b|\b(e-?mails?|mails?|messages?|plan) limits? (is |was |has been )?(exceeded|reached)(?![^.;]{0,30}\b(connection|session)\b)|\b(reached|exceeded) (your|the|its) limit of \d{1,9} (e-?mails|mails|messages|recipients)|\be-?mail count[^.;]{0,20}exceeds|exceed\w{0,20} [^.;]{0,60}\bper (hour|day|month)\b|\b(recipients|messages|e-?mails?|mails) (per|an|each) (hour|day|month)\b[^.;]{0,30}\b(exceed|reached)/i,
  ],
  [
    'account-limit',
    /(versand|sende|tages|stunden)-?(limit|kontingent)|(quota|limite) d'envoi|l[ií]mite de env[ií]o|limite d[ei] invio/i,
  ],
  [
    'account-blocked',
    /\bsending (is |has been |was )?(currently |temporarily )?(paused|suspended|disabled|blocked|restricted)|\b(paused|suspended|blocked|disabled|restricted|barred) from sending|unusual sending|sender account[^.;]{0,30}(blocked|suspended|disabled|paused)|outbound (spam|sender)/i,
  ],
  [
    'account-blocked',
    /\byour ((e-?mail|mail|smtp|sending|user) )?account\b[^.;]{0,40}\b(blocked|suspended|disabled|locked|restricted|paused|deactivated|not (yet )?(been )?(activated|approved))\b|\baccount (is |has been )?(pending (approval|review)|under review|not (yet )?(been )?(activated|approved))\b|\boutgoing (mail|messages?|e-?mails?) (suspension|suspended|blocked|disabled)\b|\b(outgoing|outbound) (is |has been |was )?(blocked|suspended|disabled)\b/i,
  ],
  [
    'rate',
    /throttl|rate.?limit|frequency limited|(sending|message|submission|connection) rate|rate exceeded|unusual rate|too (fast|quickly|much mail)|frequency[^.;]{0,10} too high|unexpected volume|reduce (your )?(sending )?(speed|rate)\b|too many (messages|mails?|e-?mails|requests|transactions)\b|too many recipients[^.;]{0,30}\b(second|minute|hour|day)|messaging limits?|\bslow down\b/i,
  ],
  [
    'helo-rejected',
    /\b(helo|ehlo)\b[^.;\n]{0,60}\b(reject|refus|denied|invalid|bad|need|must|require|not|unknown|forged|impersonat)|\b(bad|invalid|unknown|forged) (helo|ehlo)\b|in reply to (helo|ehlo) command|\bmy name was rejected/i,
  ],
  [
    'sender-unverified',
    /\b(address|identit\w{1,5}|domain|sender)\b[^.;]{0,40}\bnot verified|unverified sender|verification failed for|sender (verify|verification) (failed|could not)/i,
  ],
  ['virus', /virus|malware|\binfected|\btrojan\b/i],
  [
    'relay-denied',
    /relay(ing)?\b.{0,80}(denied|not (allowed|permitted)|prohibited)|unable to relay|(not|no) .{0,20}\brelay|we do not relay/i,
  ],
  [
    'sender-unauthenticated',
    /\b(spf|dkim|dmarc)\b|unauthenticated|not (pass|authenticat)\w{0,10} .{0,80}(check|mail|sender)|authentication (checks?|failed)|reverse (dns|lookup)|\bptr\b|cannot find your (hostname|reverse)/i,
  ],
  ['no-tls-on-the-way', /requiretls/i],
  ['tls-needed', /must issue a starttls|(tls|encryption) (is )?(required|needed)/i],
  [
    'login-needed',
    /authenticat(e|ion) (is )?(required|needed|first)|must (authenticate|log ?in)|not logged in|basic authentication/i,
  ],
  [
    'host-blocked',
    /black ?-?list|block ?-?list|\b[dr]n?s?bl\b|spamhaus|spamcop|\b(client|ip|your (host|server|network|domain))( address)?\b.{0,60}\b(block|bann|denied|rejected|listed)|use the (smtp|mail) server of your (isp|provider)|access denied.{0,80}\[?\d+\.\d+\.\d+/i,
  ],
  ['spam', /\bspam|\bjunk\b|unsolicited|bulk e?-?mail|advertis|content (rejected|filter)|looks like|reputation/i],
  [
    'content',
    /\b(blocked|rejected|refused)\b[^;]{0,30}\b(because|due to|for) [^;]{0,20}\b(content|attachment|file)|content presents|(attachment|file)( type| extension)?s?\b[^.;]{0,30}(not (allowed|permitted|accepted)|blocked|prohibited|forbidden)/i,
  ],
  [
    'mailbox-full',
    /(mail ?box|inbox)[^.;]{0,20}\bexceeds? [^.;]{0,30}\bsize\b|(mail ?box|inbox|quota|storage|disk|account|user)[^.;]{0,40}\b(is |are |was )?(full|exceeded|over|exhausted|out of)|over ?quota|(full|over|out of) (quota|storage)|(exceed|over)\w{0,20} [^.;]{0,40}(quota|storage|allocation|allotted)|insufficient (disk|system storage|space)|no (disk )?space|not enough (disk |storage )?space|boite? .{0,60}pleine|postfach[^.;]{0,30}\bvoll\b|speicher\w{0,20}[^.;]{0,40}(überschritten|erschöpft|voll)/i,
  ],
  [
    'message-too-large',
    /(message|mail|size|content)[^.;]{0,30}(too (large|big)|exceed\w{0,20} [^.;]{0,30}(size|limit|maximum))|size limit|exceeds? .{0,30}size|maximum .{0,20}size|too (large|big)/i,
  ],
  [
    'sender-rejected',
    /(sender|from|return.?path|reverse.?path|originat\w{1,8})( e?mail)?( address)?[^.;]{0,40}(reject|refus|denied|not (exist|allowed|accept|valid|permitted)|invalid|unknown|does ?n[o']t|must)|not (allowed|permitted|owned) .{0,20}(send|by user)|not (allowed|authorized|permitted) to (send|post)|permission to (post|send)|in reply to mail from command/i,
  ],
  ['sender-not-allowed', /not authorized to perform\b/i],
  ['list-closed', /not (a )?member|only members|subscribers? only/i],
  [
    'mailbox-disabled',
    /suspend|(account|mail ?box|user|recipient|e?-?mail)(?:[^.;]|\.\w){0,60}(disabled|inactive|deactivated|locked|frozen|expired|not active|temporar(y|ily))|disabled (account|mailbox)|inactive (user|account|mailbox)/i,
  ],
  [
    'mailbox-unknown',
    /\b(user|usr|recipient|mail ?box|mailbox|account|alias|addressee|address|e-?mail account|local part|person|member)s?\b( name)?( [<"'][^>"']{1,100}[>"'])?( \([^)]{1,100}\))?[^.;\n]{0,40}?\b(unknown|not found|un?available|(does|do|did)( not|n'?t) exist|not exist|doesn'?t have|not (known|recogni[sz]ed|listed|local|valid|here)|no longer|never existed|is(n't| not) (valid|known|listed|recogni[sz]ed|a (known|valid)|an? active)|invalid|no such|closed|removed|deleted|non-?existent)/i,
  ],
  [
    'mailbox-unknown',
    /\b(unknown|no such|invalid|bad|non-?existent|not a (valid|known)|no) (local |virtual |final |destination |e-?mail )?(user|recipient|mail ?box|account|address|alias|person|addressee|name|local.part)\b|user ?unknown|unrouteable address|unknown local.?part|no (mailbox|account) (here|by that name|with)|recipient address rejected: (access denied|undeliverable|user)|can'?t find (user|mailbox)|does(n't| not) have an? .{0,20}account|(mailbox|user|recipient)[^.;\n]{0,20} not (be )?(found|exist)|delivery to (this|the) .{0,20}address .{0,10}not|resolver\.adr\.(recip)?(ient)?not ?found|not listed in [^.;\n]{0,40}directory|name is not recogni[sz]ed|invalid final delivery userid|no valid recipients for this mm\b|この宛先|宛先.{0,10}(不明|見つか)|(アドレス|宛先).{0,10}存在しません/i,
  ],
  // German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian, Chinese, Swedish, Danish, Czech, Turkish, Japanese.
  [
    'mailbox-unknown',
    /(benutzer|empfänger|postfach|adresse|mailbox)[^.;\n]{0,30}(unbekannt|existiert nicht|nicht gefunden|nicht vorhanden)|unbekannte[rsn]? (benutzer|empfänger|adresse)|(utilisateur|destinataire|adresse|boîte)[^.;\n]{0,30}(inconnue?|n'existe pas|introuvable|inexistante?)|(usuario|destinatario|buzón|cuenta|dirección)[^.;\n]{0,30}(desconocid[oa]|no existe|inexistente|no encontrad[oa])|(utente|destinatario|casella|indirizzo)[^.;\n]{0,30}(sconosciut[oa]|non esiste|inesistente|non trovat[oa])|(utilizador|usuário|destinatário|endereço|conta)[^.;\n]{0,30}(desconhecid[oa]|não existe|inexistente|não encontrad[oa])|(gebruiker|ontvanger|adres|mailbox)[^.;\n]{0,30}(onbekend|bestaat niet|niet gevonden)|(użytkownik|odbiorca|adresat|skrzynka)[^.;\n]{0,30}(nieznany|nieznana|nie istnieje)|nieznan[ya] (użytkownik|odbiorca|adresat)|(пользователь|получатель|адресат|ящик)[^.;\n]{0,30}(не найден|не существует|неизвестен)|неизвестный (пользователь|получатель)|нет такого пользователя|(用户|用戶|收件人|邮箱|郵箱|账号|帳號)[^.;\n]{0,10}(不存在|未知|未找到|无效)|(användare|mottagare)n?[^.;\n]{0,30}(okänd|finns inte|existerar inte|saknas)|okänd (användare|mottagare)|(bruger|modtager)(en)?[^.;\n]{0,30}(findes ikke|ukendt|eksisterer ikke)|ukendt (bruger|modtager)|(uživatel|příjemce|schránka)[^.;\n]{0,30}(neznámý|neexistuje|nenalezen)|neznámý (uživatel|příjemce)|(kullanıcı|alıcı|posta kutusu)[^.;\n]{0,30}(bulunamadı|bilinmiyor|yok|geçersiz)|(ユーザー?|利用者)[^.;\n]{0,10}(存在しません|存在しない|不明|見つかりません)|nicht im [^.;\n]{0,40}(verzeichnis|adressbuch)|ディレクトリに[^.;\n]{0,6}見つかりません|ne figure pas dans|non répertorié\w{0,2} dans|non r.pertori.{1,3} dans l'annuaire/i,
  ],
  [
    'domain-takes-no-mail',
    /null ?mx|does(n't| not) accept (any )?(mail|e-?mail)|no (mx|smtp service)|no mx record|mail (service )?not (accepted|supported) (at|by|for) (this|the) (domain|host)|host does not accept|not accepting network messages|smtp protocol returned a permanent error 521/i,
  ],
  [
    'name-service',
    /name service error(?![^\n]{0,200}not found)|(dns|name server)[^.;\n]{0,30}(timed? ?out|temporar|fail)/i,
  ],
  [
    'domain-unknown',
    /(host|domain|hostname|server|machine|site)( name)?( [<"'\w.-]{1,80})?( \([^)]{0,60}\))?\b[^.;\n]{0,30}(unknown|not found|does ?n[o']t exist|non-?existent|no such|unroutable|unrouteable|could not be found|couldn'?t be found|lookup did not)|(unknown|no such|invalid|non-?existent|bad) (host|domain|hostname)\b|nxdomain|name or service not known|domain (is |was )?(not reachable|unreachable)|unrouteable (mail )?domain|domain.{0,20} (may )?not exist|couldn'?t find any host named/i,
  ],
  [
    'mailbox-moved',
    /(has )?moved( permanently)? to|user has moved|no longer (at|with|works?|employed)|new address is/i,
  ],
  ['too-many-recipients', /too many recipients/i],
  ['server-trouble', /try again later/i],
  [
    'given-up',
    /expired|timed? ?out|time limit|retry (timeout|time)|could not be delivered (for|within)|been in the queue|too long|giving up|delay/i,
  ],
  ['loop', /\bloop|too many hops/i],
  [
    'no-connection',
    /connection (refused|timed|reset|lost|dropped|closed)|could not connect|unable to connect|network|unreachable|no route|deferred/i,
  ],
  ['policy', /polic|prohibit|not allowed|not accept|reject|refus|denied|blocked|filter|violat/i],
]

/** Causes whose sentences are so general that an exact code is worth more. */
const GENERAL: ReadonlySet<ReplyCause> = new Set(['policy', 'no-connection', 'given-up', 'loop', 'server-trouble'])
/** Causes that lie with the sender or its pace: no code and no other sentence overrules them. */
const OURS: ReadonlySet<ReplyCause> = new Set([
  'account-limit',
  'account-blocked',
  'rate',
  'connection-limit',
  'session-limit',
  'greylisted',
  'helo-rejected',
  'sender-unverified',
])

/** Characters of an answer that are looked at; no explanation is longer. */
const MAX_TEXT = 20_000

/** The cause by the sentence alone. */
export function causeOfSentence(text: string): ReplyCause | undefined {
  const read = text.slice(0, MAX_TEXT)
  return SENTENCES.find(([, sentence]) => sentence.test(read))?.[0]
}

/** The cause by the enhanced code alone, with words where there are better ones than the cause's. */
export function causeOfCode(enhanced: string): { readonly cause: ReplyCause; readonly words: string } | undefined {
  const code = enhanced.slice(2)
  const [cause, words] = CODES[enhanced] ?? CODES[code] ?? family(code) ?? []
  return cause === undefined ? undefined : { cause, words: words ?? CAUSE_WORDS[cause] }
}

function family(code: string): readonly [ReplyCause, string | undefined] | undefined {
  const found = FAMILIES.find(([pattern]) => pattern.test(code))
  return found === undefined ? undefined : [found[1], found[2]]
}

/** The cause of a refusal, with words for people; undefined where neither code nor sentence says one. */
export function causeOf({
  enhanced = '',
  text,
  service,
}: Refusal): { readonly cause: ReplyCause; readonly words: string } | undefined {
  const said = (cause: ReplyCause): { readonly cause: ReplyCause; readonly words: string } => ({
    cause,
    words: CAUSE_WORDS[cause],
  })
  if (service !== undefined) return service.cause && said(service.cause)
  const sentence = causeOfSentence(withoutAddresses(text))
  if (sentence !== undefined && OURS.has(sentence)) return said(sentence)
  const code = causeOfCode(enhanced)
  // A quota that a policy speaks of is the sender's, unless the code says that it is its pace.
  if (sentence === 'mailbox-full' && /^[45]\.7\./.test(enhanced) && code?.cause !== 'rate') return said('account-limit')
  if (code !== undefined && !SAYS_LITTLE.test(enhanced.slice(2))) return code
  return sentence === undefined || isGeneral(sentence) ? code : said(sentence)
}

/** True for a cause whose sentences are so general that an exact code is worth more. */
export function isGeneral(cause: ReplyCause): boolean {
  return GENERAL.has(cause)
}

/** What an address is called says nothing: `spam@example.com` may be a mailbox that does not exist. */
export function withoutAddresses(text: string): string {
  return text.replace(/[^\s<>"'@]{1,64}@[^\s<>"'@]{1,255}/g, '@')
}
