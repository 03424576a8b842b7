import { afterEach, expect, test } from 'vitest'
import { loadTemplate } from '../../../src/template/load.ts'
import { makeProject, type Project } from '../../support/program.ts'
import { rowRenderer } from './row-renderer.ts'

const NOW = new Date('2026-01-02T03:04:05Z')
const links = (address: string) => ({ url: `https://news.example.com/u/${address}`, mailto: undefined })
let project: Project
afterEach(() => project.remove())

async function check(front: string, data: Readonly<Record<string, string>>) {
  project = makeProject({ 'templates/news.txt': `---\nfrom: a@example.org\n${front}---\n{{@merge.unsubscribeUrl}}\n` })
  const template = await loadTemplate('news', { root: project.dir })
  const renderer = rowRenderer(project.dir, template, { unsubscribeLinks: links, bodies: true })
  return renderer.check({ number: 1, data }, NOW)
}

test('a bad address is what is wrong with its row, whether or not the template has an unsubscribe link', async () => {
  await expect(check('subject: News\n', { email: 'nomail' })).rejects.toMatchObject({
    problems: [{ code: 'bad-address', column: 'email' }],
  })
})

test('an address that the template makes is known only afterwards: the link is there for the check all the same', async () => {
  const { address } = await check('subject: News\nto: "{{name}}@example.com"\n', { name: 'ada', email: '' })
  expect(address).toBe('ada@example.com')
})
