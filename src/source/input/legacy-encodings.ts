/**
 * Guesses the legacy encoding of a list. Lists hold names rather than prose: a few accented letters among much ASCII, which
 * detectors that count frequencies judge badly. So every candidate is decoded and read as a person would: do the letters
 * make words of one alphabet, in a case that words have?
 */
import { decode } from 'iconv-lite'

/** The letters beyond ASCII that a language writes with, and how much its encoding is trusted beforehand. */
interface Candidate {
  readonly encoding: string
  readonly prior: number
  readonly alphabets: readonly string[]
}

const WESTERN: readonly string[] = [
  'äöüß',
  'éèêëàâçîïôùûüœæ',
  'áéíóúñü¡¿ºª',
  'ãõáâàçéêíóôúºª',
  'àèéìòù',
  'åäöéæøü',
  'áéíóúýþæðö',
  'ëéèïöüêá',
  'àçèéíïòóú·',
]
const CENTRAL: readonly string[] = [
  'ąćęłńóśźż',
  'áčďéěíňóřšťúůýž',
  'áäčďéíĺľňóôŕšťúýž',
  'áéíóöőúüű',
  'ăâîşţșț',
  'čćđšž',
  'äöüß',
]
const TURKISH: readonly string[] = ['çğıöşüiâî']
const BALTIC: readonly string[] = ['ąčęėįšųūž', 'āčēģīķļņšūž', 'äöõüšž']
const RUSSIAN: readonly string[] = ['абвгдеёжзийклмнопрстуфхцчшщъыьэюя', 'абвгґдеєжзиіїйклмнопрстуфхцчшщьюя']
const GREEK: readonly string[] = ['αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ']
/** Common in names of people, places and firms. */
const JAPANESE =
  '佐藤鈴木高橋田中伊渡辺山本村小林加吉々口松井上清水崎森池阿部石川子郎美東京都市県株式会社前岡長谷近後坂遠青西福太三浦野原和大内丸今河島平竹金玉一二次恵由香真健智明花優翔陽様雄介輔樹斗蓮悠拓海涼亮直里奈菜実穂乃沙織紀千代久男夫正隆茂弘誠博英勝修進昇悟学豊稔浩司昭敏義則孝之幸裕貴史哲也剛宏康洋光輝旭新関根宮保岩菅安杉葉桜横増寺沢浜荒酒工永栗丹羽星飯黒柴片桐古岸尾氏名姓住所'
const SIMPLIFIED =
  '王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英北京上海市省公司有限小红华国建文玉志先生女士姓名邮箱欧阳官诸葛东方晨宇轩涵浩然欣怡梓佳琪雨婷雪梅兰鹏飞辉波斌玲莉燕萍庆龙凤鑫晓春夏秋冬月星天山河江苏浙广西南湖福重深圳中云玥博俊凯峰翔颖慧倩琳琴珍珠荣美菲茜薇蕾田蔡潘戴钟汪姜范石姚谭廖邹熊金陆郝孔白崔康毛邱秦史顾侯邵孟万段雷钱汤尹黎易常武乔贺赖龚'
const TRADITIONAL =
  '王李張劉陳楊趙黃周吳徐孫胡朱高林何郭馬羅梁宋鄭謝韓唐馮于董蕭程曹袁鄧許傅沈曾彭呂偉芳敏靜麗強軍勇傑娟濤明超秀霞平剛桂英台北市縣公司有限小美大文華國建志先生女士姓名雅婷怡君家豪冠宇歐陽上官諸葛東方晨軒涵浩然欣佳琪雨雪梅蘭鵬飛輝波斌玲莉紅燕萍慶龍鳳曉春夏秋冬月星天山河江中雲博俊凱峰翔穎慧倩琳琴珍珠榮菲薇蔡潘戴鍾汪姜范石姚譚廖鄒熊金陸孔白崔康毛邱秦史顧侯邵孟萬段雷錢湯尹黎易常武喬賀賴龔淑惠玉宗翰承恩俞彥廷柏睿子品妤'

const KOREAN =
  '김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지나은수영희철호현준연재승동상경미선혜아인원태규석대기용복순옥자숙명울시도군읍면리회사님식름소일메길훈빈찬섭범균근만병봉삼세욱웅익종창춘필학해향형화환효후휘걸건겸관광교국금다단달담덕두라란래로록루륜률린림마매맹모목무반방변별보본부비산새샘생설솔숭슬실악애억언엄여열예온옹완왕요운월위육율저절제좌중채천청초총추출충치칠타탁택토통파판팔편평포표풍피함행헌협흥'

const CANDIDATES: readonly Candidate[] = [
  { encoding: 'windows-1252', prior: 1, alphabets: WESTERN },
  { encoding: 'windows-1250', prior: 0.97, alphabets: CENTRAL },
  { encoding: 'windows-1251', prior: 1, alphabets: RUSSIAN },
  { encoding: 'windows-1253', prior: 1, alphabets: GREEK },
  { encoding: 'windows-1254', prior: 0.96, alphabets: TURKISH },
  { encoding: 'windows-1255', prior: 1, alphabets: ['אבגדהוזחטיךכלםמןנסעףפץצקרשת'] },
  { encoding: 'windows-1256', prior: 1, alphabets: ['ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءأإؤئآپچژگ'] },
  { encoding: 'windows-1257', prior: 0.95, alphabets: BALTIC },
  { encoding: 'windows-874', prior: 0.9, alphabets: ['กขคฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮะัาำิีึืุูเแโใไ็่้๊๋์'] },
  { encoding: 'iso-8859-15', prior: 0.97, alphabets: WESTERN },
  { encoding: 'iso-8859-2', prior: 0.96, alphabets: CENTRAL },
  { encoding: 'iso-8859-5', prior: 0.85, alphabets: RUSSIAN },
  { encoding: 'koi8-r', prior: 0.98, alphabets: RUSSIAN },
  { encoding: 'cp866', prior: 0.92, alphabets: RUSSIAN },
  { encoding: 'macintosh', prior: 0.92, alphabets: WESTERN },
  { encoding: 'cp850', prior: 0.9, alphabets: WESTERN },
  { encoding: 'cp852', prior: 0.88, alphabets: CENTRAL },
  { encoding: 'shift_jis', prior: 1, alphabets: [JAPANESE] },
  { encoding: 'euc-jp', prior: 1, alphabets: [JAPANESE] },
  { encoding: 'gb18030', prior: 1, alphabets: [SIMPLIFIED] },
  { encoding: 'big5', prior: 1, alphabets: [TRADITIONAL] },
  { encoding: 'euc-kr', prior: 1, alphabets: [KOREAN] },
]

const SAMPLE_SIZE = 8 << 10
const LETTER = /\p{L}|\p{M}/u
const LOWER = /\p{Ll}/u
const UPPER = /\p{Lu}/u
const ASCII_LETTER = /[a-z]/i
const SCRIPT_OF_ITS_OWN =
  /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Thai}\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}]/u
/** Scripts of thousands of signs, of which a wrong encoding gives the rare ones. */
const VAST = /[\p{Script=Han}\p{Script=Hangul}]/u
const IDEOGRAPH = /\p{Script=Han}/u
const KANA = /[\p{Script=Hiragana}\p{Script=Katakana}]/u
const HALF_WIDTH = /[\u{FF61}-\u{FFDC}]/u
const PUNCTUATION = /[–—“”‘’„«»€°…§©®™、。・「」（）：]/u
const BROKEN = /[\u{FFFD}\u{80}-\u{9F}\p{Co}]/u

/** @param octets text that is not UTF-8, as much of it as there is at hand. */
export function guessLegacy(octets: Uint8Array): string {
  const sample = linesBeyondAscii(octets)
  let best = 'windows-1252'
  let bestScore = Number.NEGATIVE_INFINITY
  for (const candidate of CANDIDATES) {
    const score = scoreOf(decode(sample, candidate.encoding), candidate.alphabets) * candidate.prior
    if (score > bestScore) {
      best = candidate.encoding
      bestScore = score
    }
  }
  return best
}

/** Only lines that say something: whole lines, because the second octet of a character may be ASCII. */
function linesBeyondAscii(octets: Uint8Array): Buffer {
  const lines: Uint8Array[] = []
  let size = 0
  let from = 0
  while (from < octets.length && size < SAMPLE_SIZE) {
    const next = octets.indexOf(0x0a, from)
    const end = next === -1 ? octets.length : next + 1
    const line = octets.subarray(from, Math.min(end, from + SAMPLE_SIZE))
    if (line.some((octet) => octet > 0x7f)) {
      lines.push(line)
      size += line.length
    }
    from = end
  }
  return Buffer.concat(lines)
}

/** How much the text reads like words, from about 2.5 (all of it) to below 0 (none). */
function scoreOf(text: string, alphabets: readonly string[]): number {
  const characters = [...text]
  const letters: string[] = []
  let sum = 0
  let count = 0
  for (const [i, character] of characters.entries()) {
    if (character <= '\u{7F}') continue
    count++
    // The dotted capital of Turkish has no lower case of one character.
    const letter = character === 'İ' ? 'ı' : character.toLowerCase()
    const known = alphabets.some((alphabet) => isOf(alphabet, letter))
    if (!PUNCTUATION.test(character)) letters.push(letter)
    sum += plausibility(character, characters[i - 1] ?? ' ', characters[i + 1] ?? ' ', known)
  }
  if (count === 0) return 0
  const share = (alphabet: (letter: string) => boolean) =>
    letters.length === 0 ? 1 : letters.filter(alphabet).length / letters.length
  const best = Math.max(...alphabets.map((alphabet) => share((letter) => isOf(alphabet, letter))))
  const all = share((letter) => alphabets.some((alphabet) => isOf(alphabet, letter)))
  return sum / count + best + all / 2
}

function isOf(alphabet: string, letter: string): boolean {
  return alphabet.includes(letter) || (KANA.test(letter) && !HALF_WIDTH.test(letter))
}

function plausibility(character: string, before: string, after: string, known: boolean): number {
  if (BROKEN.test(character)) return -2
  if (HALF_WIDTH.test(character)) return 0.2
  if (LETTER.test(character)) {
    if (SCRIPT_OF_ITS_OWN.test(character) && (ASCII_LETTER.test(before) || ASCII_LETTER.test(after))) return -0.5
    if (VAST.test(character)) return known ? 1 : 0.45
    if (UPPER.test(character) && LOWER.test(before)) return -0.5
    if (UPPER.test(character) && UPPER.test(before) && LOWER.test(after)) return 0.2
    if (LOWER.test(character) && UPPER.test(before) && UPPER.test(after)) return -0.5
    return LOWER.test(character) && !LETTER.test(before) ? 0.8 : 1
  }
  if (PUNCTUATION.test(character)) return LETTER.test(before) && LETTER.test(after) && character !== '’' ? -0.5 : 0.9
  return LETTER.test(before) || LETTER.test(after) ? -0.5 : 0.2
}

const EVERY_ALPHABET = CANDIDATES.flatMap(({ alphabets }) => alphabets).join('')

/**
 * True for a character that people write, beyond ASCII: to find it in what may be UTF-8 is more than chance, because the
 * legacy octets that read as right UTF-8 mostly give characters that nobody uses.
 */
export function isLikelyWritten(character: string): boolean {
  if (isOf(EVERY_ALPHABET, character.toLowerCase()) || PUNCTUATION.test(character)) return true
  const code = character.codePointAt(0) ?? 0
  return code > 0xffff || (code > 0x7ff && LETTER.test(character) && !IDEOGRAPH.test(character))
}
