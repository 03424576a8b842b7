/**
 * What keeps people from reading a page who see little, or have it read to them. Owns the rules, by the words of WCAG 2.2; looks at the
 * page as it is written, so that each finding has its line.
 */
import { Parser } from 'htmlparser2'
import { BLANK, blanked } from '../../template/mustaches.ts'

export type AccessibilityRule =
  | 'no-lang'
  | 'no-title'
  | 'empty-link'
  | 'vague-link'
  | 'heading-order'
  | 'layout-table'
  | 'low-contrast'
  | 'small-text'
  | 'images-only'

export interface AccessibilityFault {
  readonly rule: AccessibilityRule
  /** What it is about: words of a link, levels of headings, a ratio, a size. */
  readonly detail: string
  readonly at: number
  readonly length: number
}

interface Look {
  readonly color: Color | undefined
  readonly background: Color | undefined
  /** Pixels. */
  readonly size: number | undefined
  readonly bold: boolean
  readonly hidden: boolean
}

interface OpenElement {
  readonly name: string
  readonly at: number
  readonly length: number
  readonly look: Look
  /** Words within that are read out, and those of its pictures. */
  words: string
  /** Of a table: it has headings, or says that it is for layout. */
  isData: boolean
  reported: boolean
}

type Color = readonly [red: number, green: number, blue: number]

/** Words of links that say nothing when they are read without the text around them (WCAG 2.4.4, 2.4.9). */
const VAGUE =
  /^(?:click here|here|read more|more|learn more|link|this link|this|go|continue|details|hier|hier klicken|klick hier|klicken sie hier|mehr|weiterlesen|mehr lesen|link|ici|cliquez ici|en savoir plus|lire la suite|aquí|haga clic aquí|leer más|más|qui|clicca qui|leggi di più|aqui|clique aqui|saiba mais|klik hier|lees meer)[.!>»→ ]*$/i
/** WCAG 1.4.3: letters of 24 px, or of 18.66 px and bold, are large. */
const CONTRAST = 4.5
const CONTRAST_OF_LARGE = 3
/** Pixels below which many people cannot read. */
const SMALL = 12
const MEASURED_PLAIN: Look = { color: [0, 0, 0], background: [255, 255, 255], size: 16, bold: false, hidden: false }

/** @param page HTML with its mustaches: a value is taken for words. */
export function accessibilityFaults(page: string): readonly AccessibilityFault[] {
  const faults: AccessibilityFault[] = []
  const text = blanked(page)
  const open: OpenElement[] = []
  const seen = {
    html: false,
    lang: false,
    title: '',
    words: false,
    images: 0,
    heading: 0,
    head: undefined as Tag | undefined,
  }
  const report = (rule: AccessibilityRule, detail: string, { at, length }: Tag): void => {
    faults.push({ rule, detail, at, length })
  }
  const parser = new Parser({
    onopentag(name, attributes) {
      const tag = { at: parser.startIndex, length: parser.endIndex + 1 - parser.startIndex }
      const parent = open.at(-1)
      const look = lookOf(name, attributes, parent?.look ?? MEASURED_PLAIN)
      if (name === 'html') {
        seen.html = true
        seen.lang = (attributes['lang'] ?? '').trim() !== ''
        seen.head = tag
      }
      if (name === 'img' && !look.hidden) {
        seen.images++
        for (const one of open) one.words += attributes['alt'] ?? ''
      }
      const level = Number(/^h([1-6])$/.exec(name)?.[1] ?? 0)
      if (level > 0) {
        if (seen.heading > 0 && level > seen.heading + 1) report('heading-order', `h${seen.heading} h${level}`, tag)
        seen.heading = level
      }
      if (name === 'th' || name === 'caption') for (const one of open) if (one.name === 'table') one.isData = true
      const isData = /^(?:presentation|none|table|grid)$/i.test(attributes['role'] ?? '')
      const label = attributes['aria-label'] ?? attributes['title'] ?? ''
      open.push({ name, ...tag, look, words: label, isData, reported: false })
    },
    ontext(words) {
      const element = open.at(-1)
      if (element?.name === 'title') seen.title += words
      if (element === undefined || open.some(({ name }) => NOT_SHOWN.has(name)) || words.trim() === '') return
      for (const one of open) one.words += words
      if (element.look.hidden) return
      seen.words = true
      if (!element.reported) lookAtWords(element, report)
    },
    onclosetag(name) {
      const element = open.at(-1)?.name === name ? open.pop() : undefined
      if (element === undefined) return
      const words = element.words.replace(/\s+/g, ' ').trim()
      if (name === 'a' || name === 'button') {
        if (words === '') report('empty-link', name, element)
        else if (name === 'a' && VAGUE.test(words)) report('vague-link', words, element)
      }
      if (name === 'table' && !element.isData) report('layout-table', '', element)
    },
  })
  parser.end(text)
  if (seen.html && seen.head !== undefined) {
    if (!seen.lang) report('no-lang', '', seen.head)
    if (seen.title.trim() === '') report('no-title', '', seen.head)
  }
  if (seen.images > 0 && !seen.words) report('images-only', '', { at: Math.max(0, text.search(/<img/i)), length: 4 })
  return faults.sort((a, b) => a.at - b.at)
}

type Tag = Pick<AccessibilityFault, 'at' | 'length'>

const NOT_SHOWN = new Set(['head', 'title', 'style', 'script'])

function lookAtWords(element: OpenElement, report: (rule: AccessibilityRule, detail: string, tag: Tag) => void): void {
  const { color, background, size = 16, bold } = element.look
  if (size < SMALL) {
    element.reported = true
    report('small-text', `${Math.round(size * 10) / 10} px`, element)
  }
  if (color === undefined || background === undefined) return
  const ratio = contrast(color, background)
  const wanted = size >= 24 || (bold && size >= 18.66) ? CONTRAST_OF_LARGE : CONTRAST
  if (ratio >= wanted) return
  element.reported = true
  report('low-contrast', `${(Math.floor(ratio * 10) / 10).toFixed(1)} ${wanted}`, element)
}

/** The look that an element has by its own attributes, in that of its parent. What cannot be read is unknown. */
function lookOf(name: string, attributes: Readonly<Record<string, string>>, parent: Look): Look {
  const style = new Map(
    (attributes['style'] ?? '').split(';').map((declaration) => {
      const [property = '', ...value] = declaration.split(':')
      return [
        property.trim().toLowerCase(),
        value
          .join(':')
          .replace(/!important/i, '')
          .trim()
          .toLowerCase(),
      ] as const
    }),
  )
  const written = (value: string | undefined, otherwise: Color | undefined): Color | undefined =>
    value === undefined || value === 'inherit' ? otherwise : colorOf(value)
  const shade = style.get('background-color') ?? style.get('background') ?? attributes['bgcolor']
  // A picture may lie behind the words.
  const pictured =
    style.has('background-image') || attributes['background'] !== undefined || /url\(|gradient/.test(shade ?? '')
  const weight = style.get('font-weight')
  const hidden =
    parent.hidden ||
    style.get('display') === 'none' ||
    style.get('visibility') === 'hidden' ||
    style.get('font-size') === '0' ||
    /^0(?:px)?$/.test(style.get('max-height') ?? '') ||
    attributes['aria-hidden'] === 'true' ||
    attributes['hidden'] !== undefined
  const color = style.get('color') ?? (name === 'font' ? attributes['color'] : undefined)
  return {
    // The colour of a link that has none of its own is the program's.
    color: name === 'a' && color === undefined ? undefined : written(color, parent.color),
    background: pictured ? undefined : shade === 'transparent' ? parent.background : written(shade, parent.background),
    size: sizeOf(style.get('font-size'), parent.size),
    bold:
      weight === undefined
        ? parent.bold || /^(?:b|strong|h[1-6]|th)$/.test(name)
        : /^(?:bold|bolder|[6-9]00)$/.test(weight),
    hidden,
  }
}

function sizeOf(value: string | undefined, parent: number | undefined): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(px|pt|em|rem|%)$/.exec(value ?? '') ?? []
  if (number === undefined) return value === undefined || value === 'inherit' ? parent : undefined
  const count = Number(number)
  switch (unit) {
    case 'pt':
      return (count * 4) / 3
    case 'rem':
      return count * 16
    case 'em':
      return parent === undefined ? undefined : count * parent
    case '%':
      return parent === undefined ? undefined : (count / 100) * parent
    default:
      return count
  }
}

const NAMES: Readonly<Record<string, string>> = {
  ...{ black: '#000000', silver: '#c0c0c0', gray: '#808080', grey: '#808080', white: '#ffffff', maroon: '#800000' },
  ...{ red: '#ff0000', purple: '#800080', fuchsia: '#ff00ff', green: '#008000', lime: '#00ff00', olive: '#808000' },
  ...{ yellow: '#ffff00', navy: '#000080', blue: '#0000ff', teal: '#008080', aqua: '#00ffff', orange: '#ffa500' },
  ...{ lightgray: '#d3d3d3', lightgrey: '#d3d3d3', darkgray: '#a9a9a9', darkgrey: '#a9a9a9', whitesmoke: '#f5f5f5' },
}

function colorOf(value: string): Color | undefined {
  const text = NAMES[value] ?? value
  if (text.includes(BLANK)) return undefined
  const short = /^#([\da-f])([\da-f])([\da-f])$/.exec(text)
  if (short !== null) return [hex(short[1], 17), hex(short[2], 17), hex(short[3], 17)]
  const long = /^#([\da-f]{2})([\da-f]{2})([\da-f]{2})$/.exec(text)
  if (long !== null) return [hex(long[1], 1), hex(long[2], 1), hex(long[3], 1)]
  const rgb = /^rgb\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*\)$/.exec(text)
  return rgb === null ? undefined : [Number(rgb[1]), Number(rgb[2]), Number(rgb[3])]
}

function hex(digits: string | undefined, times: number): number {
  return Number.parseInt(digits ?? '0', 16) * times
}

/** WCAG 2.2, contrast ratio. */
function contrast(one: Color, other: Color): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a)
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05)
}

function luminance(color: Color): number {
  const [red = 0, green = 0, blue = 0] = color.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
