import PostalMime from 'postal-mime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Postfix, startPostfix } from '../support/postfix.ts'
import { makeProject, type Project } from '../support/program.ts'
import { stopStarted } from '../support/real-server.ts'

const LIST = `name,email,ticket
Ada Lovelace,ada@example.com,t1
"Łukasz ""Żółć"" O'Hara",lukasz@example.com,t2
岩田 聡,satoru@bücher.example,t3
`
const MESSAGE = `from: Gesellschaft für Programmierung <society@example.org>
to: "{{name}} <{{email}}>"
replyTo: guests@example.org
envelopeFrom: bounces@example.org
subject: "Grüße, {{name}}"
attachments:
  - path: "tickets/{{ticket}}.bin"
    name: "Eintritt für {{name}}.bin"
`

let postfix: Postfix | { readonly skipped: string }
let project: Project
const tickets = new Map(
  ['t1', 't2', 't3'].map((name, index) => [
    name,
    Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * (index + 7)) % 256)),
  ]),
)

beforeAll(async () => {
  postfix = await startPostfix()
  project = makeProject({
    'list.csv': LIST,
    'templates/invite/message.yaml': MESSAGE,
    'templates/invite/text.hbs': 'Dear {{name}},\n\n.this line begins with a dot.\n\nBye\n',
    'templates/invite/html.hbs': '<p>Dear <b>{{name}}</b></p>\n',
  })
  for (const [name, octets] of tickets) project.write(`tickets/${name}.bin`, octets as unknown as string)
}, 400_000)

afterAll(async () => {
  await stopStarted(postfix)
  project.remove()
})

describe('a real Postfix', () => {
  test('takes the run over STARTTLS and AUTH, and the mailbox holds what was meant, once', async ({ skip }) => {
    if ('skipped' in postfix) return skip(postfix.skipped)
    project.write(
      'mailmerge.yaml',
      `template: invite\ncsv: list.csv\nsmtp:\n  host: localhost\n  port: ${postfix.port}\n  security: starttls\n  user: ${postfix.user}\n  ca: ${postfix.ca}\n`,
    )
    const env = { MAILMERGE_SMTP_PASSWORD: postfix.password }
    const { code, stderr, stdout } = await project.run(['run', '--yes'], env)
    expect(code, stderr + stdout + postfix.log()).toBe(0)
    const mails = await Promise.all((await postfix.waitFor(3)).map((octets) => PostalMime.parse(octets)))
    expect(mails).toHaveLength(3)
    const names = ['Ada Lovelace', 'Łukasz "Żółć" O\'Hara', '岩田 聡']
    for (const [index, name] of names.entries()) {
      const mail = mails.find(({ subject }) => subject === `Grüße, ${name}`)
      expect(mail, name).toBeDefined()
      expect(mail?.text).toBe(`Dear ${name},\n\n.this line begins with a dot.\n\nBye\n`)
      expect(mail?.html?.trim()).toBe(`<p>Dear <b>${name.replaceAll('"', '&quot;').replaceAll("'", '&#x27;')}</b></p>`)
      expect(mail?.from).toEqual({ name: 'Gesellschaft für Programmierung', address: 'society@example.org' })
      expect(mail?.to?.[0]?.name).toBe(name)
      expect(mail?.returnPath).toBe('bounces@example.org')
      expect(mail?.attachments).toHaveLength(1)
      expect(mail?.attachments[0]?.filename?.replace(/_/g, '"')).toBe(`Eintritt für ${name}.bin`)
      expect(Buffer.from(mail?.attachments[0]?.content as ArrayBuffer)).toEqual(tickets.get(`t${index + 1}`))
    }
    const again = await project.run(['run', '--yes'], env)
    expect(again.code).toBe(0)
    expect((await postfix.waitFor(3)).length).toBe(3)
    expect(postfix.log()).toContain('sasl_username=ada')
  })

  test('refuses a wrong password once: exit 77, nothing sent, the password nowhere in the output', async ({ skip }) => {
    if ('skipped' in postfix) return skip(postfix.skipped)
    const { code, stderr, stdout } = await project.run(['run', '--yes', '--campaign', 'wrong'], {
      MAILMERGE_SMTP_PASSWORD: 'hunter2-canary',
    })
    expect(code).toBe(77)
    expect(stderr).toContain('refused the login of ada')
    expect(stderr + stdout).not.toContain('hunter2-canary')
    expect(postfix.log().match(/SASL (PLAIN|LOGIN) authentication failed/g)).toHaveLength(1)
  })

  test('with a certificate from nobody known: exit 69, and no password goes out', async ({ skip }) => {
    if ('skipped' in postfix) return skip(postfix.skipped)
    project.write(
      'mailmerge.yaml',
      `template: invite\ncsv: list.csv\nsmtp:\n  host: localhost\n  port: ${postfix.port}\n  security: starttls\n  user: ${postfix.user}\n`,
    )
    const { code, stderr } = await project.run(['run', '--yes', '--campaign', 'untrusted'], {
      MAILMERGE_SMTP_PASSWORD: postfix.password,
    })
    expect(code).toBe(69)
    expect(stderr).toContain('certificate is not from a known authority')
  })
})
