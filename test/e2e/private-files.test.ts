import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeProject, type Project } from '../support/program.ts'

let project: Project

beforeAll(() => {
  project = makeProject({
    'mailmerge.yaml': 'csv: list.csv\ntemplate: letter\nsmtp: { host: localhost, user: me, password: hidden-word }\n',
    'templates/letter/message.yaml':
      'from: a@example.org\nsubject: Hello\nattachments:\n  - path: "{{file}}"\n    optional: true\n',
    'templates/letter/text.hbs': 'Hello\n',
    'files/terms.txt': 'Terms\n',
  })
})
afterAll(() => project.remove())

test.each(['mailmerge.yaml', 'list.csv', './mailmerge.yaml', 'files/../mailmerge.yaml', '.env'])(
  'a row that asks for %s gets an error and no file',
  async (file) => {
    project.write('.env', 'SECRET=1\n')
    project.write('list.csv', `email,file\nada@example.com,${file}\n`)
    const { code, stderr } = await project.run(['run', '--dry-run', '--out', 'out'])
    expect(code).toBe(65)
    expect(stderr).toContain('the attachment')
    expect(stderr).not.toContain('hidden-word')
  },
)
