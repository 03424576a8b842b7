/** The pages of the manual, which the package brings. Owns where they are, so that a hint names a page that can be opened. */
import { resolve } from 'node:path'

/** The absolute path of `docs/NAME.md`. */
export function docsPage(name: string): string {
  return resolve(import.meta.dirname, '..', 'docs', `${name}.md`)
}
