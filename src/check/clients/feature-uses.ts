/**
 * Where a page uses what mail programs may not support: elements, attributes, styles, kinds of pictures. Owns the reading of the
 * page; sees none of the programs. Names of features are those of caniemail.com.
 */
import * as csstree from 'css-tree'
import { Parser } from 'htmlparser2'
import { BLANK, blanked } from '../../template/mustaches.ts'

/** A use of a feature, by its place in the page. */
export interface FeatureUse {
  readonly feature: string
  readonly at: number
  readonly length: number
}

const ELEMENTS: Readonly<Record<string, string>> = {
  ...named(
    'html-semantics',
    'article aside details figcaption figure footer header main mark nav section summary time',
  ),
  ...named('html-image-maps', 'map'),
  ...prefixed(
    'html',
    'abbr acronym audio base bdi dialog form link marquee meter object picture progress rp rt ruby select svg textarea video wbr',
  ),
}
const ATTRIBUTES: Readonly<Record<string, string>> = {
  background: 'html-background',
  hidden: 'html-hidden',
  loading: 'html-loading-attribute',
  popover: 'html-popover',
  required: 'html-required',
  srcset: 'html-srcset',
  inert: 'css-inert-attribute',
}
const PICTURES: Readonly<Record<string, string>> = {
  ...named('image-heif', 'heic heif'),
  ...named('image-tiff', 'tif tiff'),
  ...prefixed('image', 'apng avif bmp hdr ico mp4 svg webp'),
}

/** Properties whose feature has another name than they have. */
const PROPERTIES: readonly (readonly [RegExp, string])[] = [
  [/^(?:column-|row-|grid-(?:column-|row-)?)?gap$/, 'css-gap'],
  [/^(?:left|right|top|bottom)$/, 'css-left-right-top-bottom'],
  [/^(?:block|inline)-size$/, 'css-block-inline-size'],
  [/^border-(?:inline|block)$/, 'css-border-inline-block'],
  [/^border-(?:inline|block)-(?:start|end)$/, 'css-border-inline-block-individual'],
  [/^border-(?:inline|block)(?:-start|-end)?-(?:width|style|color)$/, 'css-border-inline-block-longhand'],
  [/^border-(?:start|end)-(?:start|end)-radius$/, 'css-border-radius-logical'],
  [/^margin-(?:inline|block)$/, 'css-margin-inline-block'],
  [/^margin-block-(?:start|end)$/, 'css-margin-block-start-end'],
  [/^margin-inline-(?:start|end)$/, 'css-margin-inline-start-end'],
  [/^padding-(?:inline|block)$/, 'css-padding-inline-block'],
  [/^padding-block-(?:start|end)$/, 'css-padding-block-start-end'],
  [/^padding-inline-(?:start|end)$/, 'css-padding-inline-start-end'],
  [/^(?:columns|column-(?:fill|rule|rule-.+|span|width))$/, 'css-column-layout-properties'],
  [/^grid-template(?:-.+)?$/, 'css-grid-template'],
  [/^scroll-snap-.+$/, 'css-scroll-snap'],
  [/^animation-.+$/, 'css-animation'],
  [/^transition-.+$/, 'css-transition'],
  [/^overflow-[xy]$/, 'css-overflow'],
  [/^border-.+-radius$/, 'css-border-radius'],
  [/^border-image-.+$/, 'css-border-image'],
  [/^outline-(?:color|style|width)$/, 'css-outline'],
]
const MEDIA: readonly (readonly [RegExp, string])[] = [
  [/^(?:any-)?hover$/, 'css-at-media-hover'],
  [/device-pixel-ratio$/, 'css-at-media-device-pixel-ratio'],
  [/^orientation$/, 'css-at-media-orientation'],
  [/^prefers-color-scheme$/, 'css-at-media-prefers-color-scheme'],
  [/^prefers-reduced-motion$/, 'css-at-media-prefers-reduced-motion'],
]
const FUNCTIONS: Readonly<Record<string, string>> = {
  ...named('css-modern-color', 'lch oklch lab oklab'),
  ...named('css-conic-gradient', 'conic-gradient repeating-conic-gradient'),
  ...named('css-linear-gradient', 'linear-gradient repeating-linear-gradient'),
  ...named('css-radial-gradient', 'radial-gradient repeating-radial-gradient'),
  calc: 'css-unit-calc',
  clamp: 'css-function-clamp',
  'light-dark': 'css-function-light-dark',
  max: 'css-function-max',
  min: 'css-function-min',
  rgba: 'css-rgba',
  var: 'css-variables',
}
const WORDS: Readonly<Record<string, string>> = {
  ...named('css-intrinsic-size', 'fit-content min-content max-content'),
  ...named('css-sytem-ui', 'system-ui ui-serif ui-sans-serif ui-rounded ui-monospace'),
  initial: 'css-unit-initial',
}
const DISPLAYS: Readonly<Record<string, string>> = {
  ...named('css-display-flex', 'flex inline-flex'),
  ...named('css-display-grid', 'grid inline-grid'),
  none: 'css-display-none',
}

function named(feature: string, names: string): Readonly<Record<string, string>> {
  return Object.fromEntries(names.split(' ').map((name) => [name, feature]))
}

/** Features that have the name of what they are of. */
function prefixed(kind: 'html' | 'image', names: string): Readonly<Record<string, string>> {
  return Object.fromEntries(names.split(' ').map((name) => [name, `${kind}-${name}`]))
}

function own(table: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

type Add = (feature: string | undefined, at: number, length: number) => void

/** Uses, in the order of the page. `page` has its mustaches: what they give is not known and counts for nothing. */
export function featureUses(page: string): readonly FeatureUse[] {
  const uses: FeatureUse[] = []
  const text = blanked(page)
  const add: Add = (feature, at, length) => {
    if (feature !== undefined) uses.push({ feature, at, length })
  }
  let inStyle = false
  const parser = new Parser({
    onopentag(name, attributes) {
      inStyle = name === 'style'
      const at = parser.startIndex
      const tag = text.slice(at, parser.endIndex + 1)
      add(elementFeature(name, attributes), at, tag.length)
      for (const [attribute, value] of Object.entries(attributes)) {
        add(own(ATTRIBUTES, attribute), at, tag.length)
        if (attribute === 'style') {
          const from = Math.max(0, tag.toLowerCase().indexOf('style'))
          cssUses(value, 'declarationList', at + Math.max(from, tag.indexOf(value, from)), add)
        }
      }
      if (name === 'a' && /^#./.test(attributes['href'] ?? '')) add('html-anchor-links', at, tag.length)
      if (name === 'img' || name === 'source') add(pictureFeature(attributes['src'] ?? ''), at, tag.length)
    },
    ontext(css) {
      if (inStyle) cssUses(css, 'stylesheet', parser.startIndex, add)
    },
    onclosetag() {
      inStyle = false
    },
  })
  parser.end(text)
  return uses
}

function elementFeature(name: string, attributes: Readonly<Record<string, string>>): string | undefined {
  if (name === 'input') {
    const type = (attributes['type'] ?? 'text').toLowerCase()
    return /^(?:checkbox|hidden|radio|reset|submit|text)$/.test(type) ? `html-input-${type}` : undefined
  }
  if (name === 'button') return attributes['type'] === 'reset' ? 'html-button-reset' : 'html-button-submit'
  return own(ELEMENTS, name)
}

function pictureFeature(source: string): string | undefined {
  if (/^data:/i.test(source)) return 'image-base64'
  if (source.includes(BLANK)) return undefined
  const ending = /\.([a-z\d]{2,4})(?:[?#].*)?$/is.exec(source)?.[1]?.toLowerCase() ?? ''
  return own(PICTURES, ending)
}

function cssUses(css: string, context: 'stylesheet' | 'declarationList', offset: number, add: Add): void {
  const tree = csstree.parse(css, { context, positions: true, parseCustomProperty: false, onParseError: () => {} })
  csstree.walk(tree, {
    enter(node: csstree.CssNode) {
      const from = offset + (node.loc?.start.offset ?? 0)
      const found = (feature: string | undefined): void =>
        add(feature, from, (node.loc?.end.offset ?? 1) - (node.loc?.start.offset ?? 0))
      switch (node.type) {
        case 'Declaration':
          found(
            (/^display$/i.test(node.property) ? displayFeature(node.value) : undefined) ??
              propertyFeature(node.property),
          )
          return
        case 'Dimension':
          found(`css-unit-${node.unit.toLowerCase()}`)
          return
        case 'Function':
          found(own(FUNCTIONS, node.name.toLowerCase()))
          return
        case 'Identifier':
          found(own(WORDS, node.name.toLowerCase()))
          return
        case 'Atrule':
          found(`css-at-${node.name.toLowerCase()}`)
          return
        case 'Feature':
          found(MEDIA.find(([name]) => name.test(node.name))?.[1])
          return
        case 'PseudoClassSelector':
          found(`css-pseudo-class-${node.name.toLowerCase()}`)
          return
        case 'PseudoElementSelector':
          found(`css-pseudo-element-${node.name.toLowerCase()}`)
          return
        case 'NestingSelector':
          found('css-nesting')
          return
        default:
      }
    },
  })
}

function displayFeature(value: csstree.CssNode): string | undefined {
  return own(DISPLAYS, csstree.generate(value).trim().toLowerCase())
}

function propertyFeature(name: string): string {
  const property = name.toLowerCase()
  if (property.startsWith('--')) return 'css-variables'
  return (
    PROPERTIES.find(([pattern]) => pattern.test(property))?.[1] ??
    `css-${property.replace(/^-(?:webkit|moz|ms|o)-/, '')}`
  )
}
