/**
 * Finds the column that holds the address, by its name and its cells. Owns the words that people call it by; never judges an
 * address.
 */
import { cellText } from './cells/cell.ts'
import type { RowData } from './source.ts'

/** Names of an address column, folded: lower case, no accents, no spaces or signs. In order of trust. */
const NAMES: readonly string[] = [
  'email emailaddress emailadresse adresseemail mailaddress mailadresse mail adressemail eposta epost epostadress',
  'epostadresse epostaadresi courriel adressecourriel correo correoelectronico direcciondecorreo indirizzoemail',
  'direccionemail direcciondeemail direcciondecorreoelectronico postaelettronica indirizzodipostaelettronica',
  'enderecodeemail enderecoeletronico correioeletronico correioeletronico elmejl elpost emailadres mailadres epasts',
  'adresemail adresaemail adrespocztyelektronicznej emailovaadresa sahkoposti sahkopostiosoite emailcim elpastas',
  'adresaelectronica postaelectronica eposti epostiaadress epostaadres netfang tolvupostur elektronickaposta',
  'почта электроннаяпочта емейл имейл емаил эпочта адресэлектроннойпочты електроннапошта пошта имеил',
  '電子メール 電子メールアドレス メール メールアドレス eメール 電子郵件 電郵 电子邮件 电子邮箱 邮箱 邮件 邮箱地址 电子邮件地址',
  '이메일 이메일주소 전자우편 메일 ηλεκτρονικοταχυδρομειο ημεηλ ιμειλ διευθυνσηemail דואל מייל אימייל',
  'البريدالالكتروني البريدالإلكتروني بريد ايميل إيميل ईमेल อีเมล ایمیل پستالکترونیکی email1 primaryemail workemail',
  'adresseelectronique courrierelectronique adressedecourriel email1value contactemail emailprimary emailwork recipientemail useremail',
  // Names of other things too.
  'e to recipient address adresse adresa direccion indirizzo endereco',
]
  .join(' ')
  .split(' ')

function fold(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')
}

const RANK = new Map(NAMES.map((name, rank) => [fold(name), rank]))
/** From this rank on a name may mean something else: an address of a street. */
const DOUBTFUL = RANK.get('e') ?? 0
/** `Guest e-mail`, `Billing email address`. */
const ENDS_AS_ONE = /[\s_.-]e-?mail(?:[\s_-]?address)?$/i
const ENDING_RANK = DOUBTFUL - 0.5
/** Words of a name that also holds others: `What is your email?`, `Adresse de messagerie`. */
const HAS_WORD = /mail|messagerie|correo|correio|courriel|epost|eposta|почт|имейл|メール|邮|郵|이메일|ηλεκτρονικ/i
const ADDRESS = /^[^\s@<>"',;|]+@[^\s@<>"',;|]+\.[^\s@<>"',;|]+$/
/** An address has at most 254 characters (RFC 5321 section 4.5.3.1); longer texts are not looked at. */
const LONGEST_ADDRESS = 320

/** Whether a text, without the spaces around it, has the form of an address. It may still not be valid. */
export function looksLikeAddress(text: string): boolean {
  const trimmed = text.trim()
  return trimmed.length <= LONGEST_ADDRESS && ADDRESS.test(trimmed)
}

/** What the names and cells of a list say about its address column. */
export type FoundColumn =
  | { readonly column: string }
  /** Nobody could say which of these it is. */
  | { readonly candidates: readonly string[] }
  | undefined

/**
 * The column that most likely holds the address: by its name in the languages that lists come in, else the one with a word for
 * mail in its name and addresses in its cells, else the only one that holds addresses.
 *
 * @param rows the first ones, where they are known.
 */
export function findAddressColumn(columns: readonly string[], rows: readonly RowData[] = []): FoundColumn {
  const holding = new Set(columns.filter((column) => holdsAddresses(column, rows)))
  const best = bestRanked(columns, (rank) => rank < DOUBTFUL)
  if (best.length > 0) return chosen(best, holding)
  const worded = columns.filter((column) => HAS_WORD.test(column.normalize('NFKC')) && holding.has(column))
  if (worded.length > 0) return chosen(worded, holding)
  const doubtful = bestRanked(columns, () => true)
  if (doubtful.length > 0 && (rows.length === 0 || doubtful.some((column) => holding.has(column)))) {
    return chosen(doubtful, holding)
  }
  const [only, ...more] = holding
  if (only !== undefined && more.length === 0) return { column: only }
  return doubtful.length > 0 ? chosen(doubtful, holding) : undefined
}

/** As `findAddressColumn`; undefined where several could be meant. */
export function findEmailColumn(columns: readonly string[], rows: readonly RowData[] = []): string | undefined {
  const found = findAddressColumn(columns, rows)
  return found !== undefined && 'column' in found ? found.column : undefined
}

/** All columns of the best rank: equal names, or all that end in a word for it. */
function bestRanked(columns: readonly string[], counts: (rank: number) => boolean): readonly string[] {
  let best: string[] = []
  let bestRank = Number.POSITIVE_INFINITY
  for (const column of columns) {
    const rank = rankOf(column)
    if (!counts(rank) || rank > bestRank || rank === Number.POSITIVE_INFINITY) continue
    best = rank < bestRank ? [column] : [...best, column]
    bestRank = rank
  }
  return best
}

function rankOf(column: string): number {
  // Columns of one name have their number behind it.
  const name = column.replace(/ \(\d+\)$/, '').trim()
  return (
    RANK.get(fold(name)) ?? RANK.get(fold(column)) ?? (ENDS_AS_ONE.test(name) ? ENDING_RANK : Number.POSITIVE_INFINITY)
  )
}

/** Of several equals, the only one with addresses in it. */
function chosen(columns: readonly string[], holding: ReadonlySet<string>): FoundColumn {
  const [first, ...more] = columns
  if (first === undefined) return undefined
  if (more.length === 0) return { column: first }
  const withAddresses = columns.filter((column) => holding.has(column))
  const [only, ...others] = withAddresses
  if (only !== undefined && others.length === 0) return { column: only }
  return { candidates: withAddresses.length > 0 ? withAddresses : columns }
}

function holdsAddresses(column: string, rows: readonly RowData[]): boolean {
  const filled = rows.map((row) => cellText(row[column]).trim()).filter((cell) => cell !== '')
  const addresses = filled.filter((cell) =>
    looksLikeAddress(
      cell
        .slice(0, 1000)
        .replace(/^.*<([^<>]*)>$/, '$1')
        .replace(/[;,]$/, ''),
    ),
  )
  return addresses.length > 0 && addresses.length * 2 >= filled.length
}
