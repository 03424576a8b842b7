/** Copies the fonts that documents are drawn with into the package, with their licence. Part of `npm run build`. */
import { copyFileSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const FILES = ['', '-Bold', '-Oblique', '-BoldOblique', 'Mono'].map((name) => `DejaVuSans${name}.ttf`)

const from = dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json'))
const to = join(import.meta.dirname, '../fonts')
mkdirSync(to, { recursive: true })
copyFileSync(join(from, 'LICENSE'), join(to, 'LICENSE'))
for (const file of FILES) copyFileSync(join(from, 'ttf', file), join(to, file))
