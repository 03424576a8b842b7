/** What mail programs do not support, by the newest test of each, with the place in the page. */
import { describe, expect, test } from 'vitest'
import { featureUses } from '../../src/check/clients/feature-uses.ts'
import { checkClientNames, clientFindings } from '../../src/check/clients/mail-clients.ts'
import { pageAdvice } from '../../src/check/lints/page-lints.ts'
import { loadTemplate } from '../../src/template/load.ts'
import { type Files, folderOf } from '../template/project.ts'

const features = (page: string): readonly string[] => [...new Set(featureUses(page).map(({ feature }) => feature))]

test.each<[string, string]>([
  ['<p style="display:flex">x</p>', 'css-display-flex'],
  ['<p style="DISPLAY: Grid">x</p>', 'css-display-grid'],
  ['<style>p { border-top-left-radius: 3px }</style>', 'css-border-radius'],
  ['<style>@media (prefers-color-scheme: dark) { p { color: red } }</style>', 'css-at-media-prefers-color-scheme'],
  ['<style>@media (max-width: 400px) { p { color: red } }</style>', 'css-at-media'],
  ['<style>@font-face { font-family: x; src: url(x.woff) }</style>', 'css-at-font-face'],
  ['<style>a:hover { color: red }</style>', 'css-pseudo-class-hover'],
  ['<style>p::before { content: "x" }</style>', 'css-pseudo-element-before'],
  ['<style>:root { --c: red } p { color: var(--c) }</style>', 'css-variables'],
  ['<p style="width: calc(100% - 3px)">x</p>', 'css-unit-calc'],
  ['<p style="width: 3vw">x</p>', 'css-unit-vw'],
  ['<p style="background: linear-gradient(red, blue)">x</p>', 'css-linear-gradient'],
  ['<p style="font-family: system-ui, Arial">x</p>', 'css-sytem-ui'],
  ['<div style="gap: 3px">x</div>', 'css-gap'],
  ['<video src="https://e.org/a.mp4"></video>', 'html-video'],
  ['<section>x</section>', 'html-semantics'],
  ['<input type="checkbox">', 'html-input-checkbox'],
  ['<img srcset="a.png 2x" src="https://e.org/a.webp?x=1" alt="">', 'image-webp'],
  ['<img srcset="a.png 2x" src="https://e.org/a" alt="">', 'html-srcset'],
  ['<img src="data:image/png;base64,AA" alt="">', 'image-base64'],
  ['<a href="#top">x</a>', 'html-anchor-links'],
  ['{{#if a}}<p {{#if b}}style="{{#if c}}position: absolute{{/if}}"{{/if}}>x</p>{{/if}}', 'css-position'],
  ['<style>p { color: {{color}}; {{#if a}}opacity: 0.5{{/if}} }</style>', 'css-opacity'],
])('%s uses %s', (page, feature) => {
  expect(features(page)).toContain(feature)
})

test('words, comments, values and what is for Outlook alone use nothing', () => {
  const page =
    '<!-- <video> --><!--[if mso]><v:rect style="position:absolute"></v:rect><![endif]--><p title="display:flex">position: fixed {{video}}</p>'
  expect(features(page)).toEqual([])
})

test('the place of a use is that in the page', () => {
  const page =
    '<style>\np { color: red }\np { opacity: 0.5 }\n</style>\n<p class="a" style="color: red;\n float: left">x</p>'
  const line = (feature: string) => {
    const use = featureUses(page).find((one) => one.feature === feature)
    return page.slice(0, use?.at).split('\n').length
  }
  expect([line('css-opacity'), line('css-float')]).toEqual([3, 6])
})

describe('the data', () => {
  test('says who lacks a feature, where, and when that was tested', () => {
    const [flex] = clientFindings('<p style="display:flex">x</p>')
    expect(flex).toMatchObject({
      feature: 'css-display-flex',
      url: 'https://www.caniemail.com/features/css-display-flex/',
    })
    expect(flex?.tested).toMatch(/^20\d\d-\d\d-\d\d$/)
    expect(flex?.clients.find(({ client }) => client === 'outlook')).toEqual({
      client: 'outlook',
      name: 'Outlook',
      support: 'none',
      platforms: ['Windows', 'Windows Mail'],
    })
    expect(flex?.clients.some(({ client }) => client === 'apple-mail')).toBe(false)
  })

  test('is of the programs that are chosen', () => {
    expect(clientFindings('<p style="display:flex">x</p>', ['apple-mail'])).toEqual([])
    expect(clientFindings('<p style="display:flex">x</p>', [])).toEqual([])
    expect(() => checkClientNames(['gmail', 'outlok'])).toThrow("'outlok' is not a mail program")
  })
})

async function advice(files: Files, clients: readonly string[] = ['gmail', 'outlook']): Promise<readonly string[]> {
  const root = folderOf(files)
  const { written } = await loadTemplate('t', { root })
  return pageAdvice(written, { root, clients }).map(
    ({ file, line, severity, message }) => `${severity} ${file}:${line} ${message}`,
  )
}

describe('a template', () => {
  test('is reported once for each feature, with its lines', async () => {
    const found = await advice({
      'templates/t.html':
        '---\nsubject: x\n---\n<style>.a { opacity: 0.5 }</style>\n<p class="a">x</p>\n<p style="opacity: 0.4">{{name}}</p>{{> x}}',
      'templates/_partials/x.hbs': '<i\n style="opacity: 0.3">y</i>',
    })
    expect(found).toEqual([
      expect.stringMatching(
        /^info templates\/t\.html:4 opacity is not supported by Gmail.*, Outlook.* \(tested 20[\d-]+\), also in line 6, templates\/_partials\/x\.hbs:2$/,
      ),
    ])
  })

  test('of which only what the package and MJML make is not supported has none', async () => {
    expect(await advice({ 'templates/t.md': 'Hello {{name}}' })).toEqual([])
    const mjml =
      '<mjml><mj-body><mj-section><mj-column><mj-text>{{name}}</mj-text></mj-column></mj-section></mj-body></mjml>'
    expect(await advice({ 'templates/t.mjml': mjml })).toEqual([])
  })
})
