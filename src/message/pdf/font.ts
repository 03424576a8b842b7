/**
 * The letters of documents. Owns which font draws which letter: a font of the project where the document names one, else
 * DejaVu, which has Latin, Greek, Cyrillic, Hebrew, Arabic and many signs. A letter that none has is an error, not a box.
 */

import { join } from 'node:path'
import * as fontkit from 'fontkit'
import { BoundedMap } from '../../bounded-map.ts'
import { DefectError } from '../../errors.ts'
import { pdfError } from './document.ts'
import type { Face, Span } from './inline.ts'

export interface DocumentFont {
  /** Name under which the document knows it. */
  readonly key: string
  readonly font: fontkit.Font
}

/** Text in one font. */
export interface FontRun {
  readonly text: string
  readonly font: DocumentFont
  readonly link?: string | undefined
}

export interface DocumentFonts {
  /** A span cut where the font has to change. Line breaks stay in it. @throws DataError for a letter that no font has. */
  runs(span: Span): readonly FontRun[]
}

/** Copied into the package by `npm run build`, from a package of 22 fonts. */
const FONTS = join(import.meta.dirname, '../../../fonts')
const FILES: Readonly<Record<Face, string>> = {
  plain: 'DejaVuSans.ttf',
  strong: 'DejaVuSans-Bold.ttf',
  em: 'DejaVuSans-Oblique.ttf',
  strongEm: 'DejaVuSans-BoldOblique.ttf',
  code: 'DejaVuSansMono.ttf',
}
/** Parsed once a process: a font takes longer to read than a page to draw. */
const ours = new Map<Face, DocumentFont>()
const theirs = new BoundedMap<string, DocumentFont>(20)

function ourFont(face: Face): DocumentFont {
  let font = ours.get(face)
  if (font === undefined) {
    font = {
      key: face,
      font: single(fontkit.openSync(join(FONTS, FILES[face])), FILES[face]),
    }
    ours.set(face, font)
  }
  return font
}

/** A font of the project. @param id Changes when the file does. */
export function readFont(id: string, path: string, content: Uint8Array): DocumentFont {
  return theirs.getOrMake(id, () => {
    try {
      return { key: id, font: single(fontkit.create(Buffer.from(content)), path) }
    } catch (cause) {
      throw pdfError(`'${path}' is not a valid font`, cause)
    }
  })
}

function single(font: fontkit.Font | fontkit.FontCollection, path: string): fontkit.Font {
  if ('fonts' in font) throw pdfError(`'${path}' is a collection of fonts; take one out of it`)
  return font
}

/** @param own The project's fonts for plain and for strong text, where there are some. */
export function documentFonts(own: {
  readonly plain?: DocumentFont | undefined
  readonly strong?: DocumentFont | undefined
}): DocumentFonts {
  const choices = new Map<Face, readonly DocumentFont[]>()
  const fresh = new Set<DocumentFont>()

  function choicesOf(face: Face): readonly DocumentFont[] {
    let fonts = choices.get(face)
    if (fonts === undefined) {
      const strong = face === 'strong' || face === 'strongEm'
      const first = face === 'code' ? undefined : ((strong ? own.strong : undefined) ?? own.plain)
      fonts = [first, ourFont(face), ...(face === 'plain' ? [] : [own.plain, ourFont('plain')])].filter(
        (font) => font !== undefined,
      )
      for (const font of fonts) {
        if (!fresh.has(font)) forgetGlyphs(font.font)
        fresh.add(font)
      }
      choices.set(face, fonts)
    }
    return fonts
  }

  return {
    runs({ text, face, link }) {
      const fonts = choicesOf(face)
      const runs: FontRun[] = []
      let current: DocumentFont | undefined
      let run = ''
      const end = (): void => {
        if (run !== '' && current !== undefined) runs.push({ text: run, font: current, link })
        run = ''
      }
      for (const character of text) {
        if (isSilent(character)) {
          run += character === '\t' ? ' ' : character === '\n' ? character : ''
          current ??= fonts[0]
          continue
        }
        const code = character.codePointAt(0) ?? 0
        const font =
          current?.font.hasGlyphForCodePoint(code) && fonts[0] === current
            ? current
            : fonts.find((one) => one.font.hasGlyphForCodePoint(code))
        if (font === undefined) throw missingLetter(character, code)
        if (font !== current) {
          end()
          current = font
        }
        run += character
      }
      end()
      return runs
    },
  }
}

/**
 * A font keeps the glyphs that a document used with the letters that it used them for, and so would make the text of the
 * next one unreadable for search. Drawing begins and ends in one turn of the event loop, so that no two documents meet.
 */
function forgetGlyphs(font: fontkit.Font): void {
  if (!('_glyphs' in font)) throw new DefectError('fontkit keeps its glyphs elsewhere than it did')
  font._glyphs = {}
}

/** Controls and variation marks have no shape of their own. */
function isSilent(character: string): boolean {
  return /^(?:[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\p{Variation_Selector})$/u.test(character)
}

function missingLetter(character: string, code: number): Error {
  const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
  return pdfError(
    `no font has the letter '${character}' (${name}); name one that has it at the head of the document, as font: fonts/NotoSansSC.ttf`,
  )
}
