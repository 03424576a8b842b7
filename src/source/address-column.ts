/** Finds the column that holds the address. Owns the words that people call it by; never judges an address. */

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
  'adresseelectronique courrierelectronique adressedecourriel email1value contactemail emailprimary emailwork e to recipient recipientemail useremail address adresse adresa direccion indirizzo endereco',
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
/** `Guest e-mail`, `Billing email address`. */
const ENDS_AS_ONE = /[\s_.-]e-?mail(?:[\s_-]?address)?$/i
const ADDRESS = /^[^\s@]+@[^\s@]+$/

/**
 * The column that most likely holds the address: by its name in the languages that lists come in, else by the only cell
 * of a sample row that looks like one.
 */
export function findEmailColumn(
  columns: readonly string[],
  sampleRow?: Readonly<Record<string, unknown>>,
): string | undefined {
  let best: string | undefined
  let bestRank = Number.POSITIVE_INFINITY
  for (const column of columns) {
    const rank = RANK.get(fold(column)) ?? (ENDS_AS_ONE.test(column.trim()) ? RANK.size : Number.POSITIVE_INFINITY)
    if (rank < bestRank) {
      best = column
      bestRank = rank
    }
  }
  if (best !== undefined || sampleRow === undefined) return best
  const withAddress = columns.filter((column) => ADDRESS.test(String(sampleRow[column] ?? '').trim()))
  return withAddress.length === 1 ? withAddress[0] : undefined
}
