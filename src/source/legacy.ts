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
  '佐藤鈴木高橋田中伊渡辺山本村小林加吉々口松井上清水崎森池橋阿部石川子郎美東京都市県株式会社前岡長谷近後坂遠青西福太三浦野原和大内丸今河島平竹金玉一二次恵由香真健智明花優翔陽様'
const SIMPLIFIED =
  '王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英北京上海市省公司有限小红华国建文玉志海先生女士姓名邮箱'
const TRADITIONAL =
  '王李張劉陳楊趙黃周吳徐孫胡朱高林何郭馬羅梁宋鄭謝韓唐馮于董蕭程曹袁鄧許傅沈曾彭呂偉芳敏靜麗強軍勇傑娟濤明超秀霞平剛桂英台北市縣公司有限小美大文華國建志先生女士姓名雅婷怡君家豪冠宇'

const KOREAN =
  '김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지나은수영희철호현준연재승동상경미선혜아인원태규석대기용복순옥자숙명서울시도군읍면리회사님주식름소일메'

const CANDIDATES: readonly Candidate[] = [
  { encoding: 'windows-1252', prior: 1, alphabets: WESTERN },
  { encoding: 'windows-1250', prior: 0.97, alphabets: CENTRAL },
  { encoding: 'windows-1251', prior: 1, alphabets: RUSSIAN },
  { encoding: 'windows-1253', prior: 1, alphabets: GREEK },
  { encoding: 'windows-1254', prior: 0.96, alphabets: TURKISH },
  { encoding: 'windows-1255', prior: 1, alphabets: ['אבגדהוזחטיךכלםמןנסעףפץצקרשת'] },
  { encoding: 'windows-1256', prior: 1, alphabets: ['ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءأإؤئآپچژگ'] },
  { encoding: 'windows-1257', prior: 0.95, alphabets: BALTIC },
  { encoding: 'windows-874', prior: 0.98, alphabets: ['กขคฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮะัาำิีึืุูเแโใไ็่้๊๋์'] },
  { encoding: 'iso-8859-2', prior: 0.96, alphabets: CENTRAL },
  { encoding: 'iso-8859-5', prior: 0.93, alphabets: RUSSIAN },
  { encoding: 'koi8-r', prior: 0.98, alphabets: RUSSIAN },
  { encoding: 'cp866', prior: 0.97, alphabets: RUSSIAN },
  { encoding: 'macintosh', prior: 0.96, alphabets: WESTERN },
  { encoding: 'cp850', prior: 0.96, alphabets: WESTERN },
  { encoding: 'cp852', prior: 0.93, alphabets: CENTRAL },
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

/** How much the text reads like words, from about 1 (all of it) to below 0 (none). */
function scoreOf(text: string, alphabets: readonly string[]): number {
  const characters = [...text]
  const foreign: string[] = []
  let sum = 0
  for (const [i, character] of characters.entries()) {
    if (character <= '\u{7F}') continue
    foreign.push(character.toLowerCase())
    sum += plausibility(character, characters[i - 1] ?? ' ', characters[i + 1] ?? ' ')
  }
  if (foreign.length === 0) return 0
  const shares = alphabets.map((alphabet) => foreign.filter((letter) => isOf(alphabet, letter)).length / foreign.length)
  const all = foreign.filter((letter) => alphabets.some((alphabet) => isOf(alphabet, letter))).length / foreign.length
  return sum / foreign.length + Math.max(...shares) + all / 2
}

function isOf(alphabet: string, letter: string): boolean {
  return alphabet.includes(letter) || (KANA.test(letter) && !HALF_WIDTH.test(letter))
}

function plausibility(character: string, before: string, after: string): number {
  if (BROKEN.test(character)) return -2
  if (HALF_WIDTH.test(character)) return 0.2
  if (LETTER.test(character)) {
    if (SCRIPT_OF_ITS_OWN.test(character) && (ASCII_LETTER.test(before) || ASCII_LETTER.test(after))) return -0.5
    if (UPPER.test(character) && LOWER.test(before)) return -0.5
    if (LOWER.test(character) && UPPER.test(before) && UPPER.test(after)) return -0.5
    if (LOWER.test(character) && !LETTER.test(before)) return 0.8
    return VAST.test(character) ? 0.7 : 1
  }
  if (PUNCTUATION.test(character)) return LETTER.test(before) && LETTER.test(after) && character !== '’' ? -0.5 : 0.6
  return LETTER.test(before) || LETTER.test(after) ? -0.5 : 0.2
}
