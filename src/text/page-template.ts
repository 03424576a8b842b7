/**
 * The HTML pages that mailmerge itself shows: Handlebars files under `pages/`, which the package ships. Owns finding and
 * compiling them; every value is escaped by Handlebars.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import Handlebars from 'handlebars'

/** Beside both `src` and `dist`, so that no build step has to copy them. */
const FOLDER = resolve(import.meta.dirname, '../../pages')

export interface PageTemplate<Context> {
  /** Text between the `<style>` tags, for a content security policy. Empty when there are none. */
  readonly style: string
  render(context: Context): string
}

/** The page `pages/NAME.hbs`, compiled when it is first shown. It sees nothing but the context that it is given. */
export function pageTemplate<Context>(name: string): PageTemplate<Context> {
  const text = readFileSync(resolve(FOLDER, `${name}.hbs`), 'utf8')
  const render = Handlebars.create().compile<Context>(text, {
    strict: true,
    assumeObjects: true,
    knownHelpersOnly: true,
  })
  return { style: /<style>([^<]*)<\/style>/.exec(text)?.[1] ?? '', render: (context) => render(context) }
}
