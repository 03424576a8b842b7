/** Whether a body says anything to its reader. Owns what counts as content: words, a picture, a rule; not an empty layout. */

/** White space of every kind, and characters that take no room. */
const BLANK = /^(?:\u034F|[\s\u00AD\u180E\u200B-\u200F\u2028-\u202F\u2060-\u2064\uFEFF])*$/
const BLANK_ENTITY = /&(?:nbsp|zwnj|zwj|shy|ensp|emsp|thinsp|#160|#xa0|#8203|#x200b|#8204|#x200c|#847|#x34f);/gi
/** Nothing of these is shown, nor the line beside the subject. */
const UNSEEN =
  /<!--[\s\S]*?-->|<(head|title|style|script)\b[^>]*>[\s\S]*?<\/\1\s*>|<div class="preheader"[^>]*>[\s\S]*?<\/div>/gi
const SHOWN_ELEMENT = /<(?:img|hr|svg|video|audio|object|embed|iframe|input|button|v:[a-z]+)\b/i
const SHOWN_ATTRIBUTE = /\sbackground\s*=|\burl\(/i

export function hasWords(text: string): boolean {
  return !BLANK.test(text)
}

/** The same for HTML. */
export function hasContent(html: string): boolean {
  const seen = html.replace(UNSEEN, '')
  if (SHOWN_ELEMENT.test(seen) || SHOWN_ATTRIBUTE.test(seen)) return true
  return hasWords(seen.replace(/<[^>]*>/g, '').replace(BLANK_ENTITY, ' '))
}
