import { parse } from 'csv-parse/sync'
import PostalMime, { type Email } from 'postal-mime'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { makeProject, type Project } from '../support/program.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'

const NAMES = ['ada', 'bob', 'cleo', 'dora', 'eve', 'finn']
const LIST = `name,email\n${NAMES.map((name) => `${name},${name}@post.example`).join('\n')}\n`

let server: ScriptedServer
let project: Project

beforeAll(async () => {
  // finn is refused the first time: nothing can follow.
  server = await startScriptedServer({ rcpt: ({ line }) => (line.includes('finn') ? '550 5.1.1 unknown' : undefined) })
})
afterAll(() => server.close())
afterEach(() => project.remove())

async function start(): Promise<void> {
  project = makeProject({
    'list.csv': LIST,
    'templates/first.txt':
      '---\nfrom: News <news@society.example>\nsubject: A question for {{name}}\n---\nDear {{name}}?\n',
    'templates/second.txt': '---\nfrom: News <news@society.example>\n---\n{{name}}, did you see it?\n',
    'templates/third.txt': '---\nfrom: News <news@society.example>\nsubject: Last call\n---\n{{name}}!\n',
    'mailmerge.yaml': `csv: list.csv\nsmtp: { url: "smtp://127.0.0.1:${server.port}" }\nbounces: { returnPath: "b+*@society.example" }\n`,
  })
  expect((await run('first', [])).code).toBe(1)
}

const run = (template: string, more: readonly string[]) =>
  project.run(['run', '--yes', '--template', template, '--campaign', template, ...more])

async function mailsOf(template: string): Promise<ReadonlyMap<string, Email>> {
  const mails = await Promise.all(
    server.messages.filter(({ octets }) => octets.includes(template)).map(({ octets }) => PostalMime.parse(octets)),
  )
  return new Map(mails.map((mail) => [mail.to?.[0]?.address?.split('@')[0] ?? '', mail]))
}

async function results(): Promise<ReadonlyMap<string, string>> {
  const rows: readonly Record<string, string>[] = parse((await project.run(['report'])).stdout, { columns: true })
  return new Map(rows.map(({ address, status, reason }) => [address?.split('@')[0] ?? '', `${status} ${reason}`]))
}

/** What people did with the first message. */
async function heard(): Promise<void> {
  const ids = new Map([...(await mailsOf('Dear '))].map(([name, { messageId }]) => [name, messageId ?? '']))
  const letter = (lines: readonly string[]): string => `${lines.join('\r\n')}\r\n`
  project.write(
    'in/1.eml',
    letter([
      'From: ada@private.example',
      'To: news@society.example',
      'Subject: Re: A question',
      `In-Reply-To: ${ids.get('ada')}`,
      '',
      'Yes!',
    ]),
  )
  project.write(
    'in/2.eml',
    letter([
      'From: MAILER-DAEMON@x.example',
      `To: b+${ids.get('bob')?.slice(1).split('@')[0]}@society.example`,
      'Subject: Undelivered Mail',
      'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
      '',
      '--b',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; x',
      '',
      'Final-Recipient: rfc822; bob@post.example',
      'Action: failed',
      'Status: 5.2.2',
      '',
      '--b--',
    ]),
  )
  project.write(
    'in/3.eml',
    letter(['From: cleo@post.example', 'To: x', 'Subject: unsubscribe', `In-Reply-To: ${ids.get('cleo')}`, '', '']),
  )
  project.write(
    'in/4.eml',
    letter([
      'From: dora@post.example',
      'To: x',
      'Subject: Out of office',
      'Auto-Submitted: auto-replied',
      `In-Reply-To: ${ids.get('dora')}`,
      '',
      'Away',
    ]),
  )
  const { code, stderr } = await project.run(['bounces', 'in'])
  expect(code, stderr).toBe(0)
}

describe('a follow-up', () => {
  test('reaches those who got the first message and did not answer, bounce or leave, in its thread and with its subject', async () => {
    await start()
    await heard()
    const { code, stderr } = await run('second', ['--after', 'first'])
    expect(code, stderr).toBe(0)
    expect(Object.fromEntries(await results())).toEqual({
      ada: 'skipped answered first',
      bob: 'skipped bounced for now in first',
      cleo: 'skipped unsubscribed from first',
      dora: 'sent ',
      eve: 'sent ',
      finn: 'skipped not sent in first',
    })
    const first = (await mailsOf('Dear ')).get('eve')
    const second = (await mailsOf('did you see it')).get('eve')
    expect(second?.subject).toBe('Re: A question for eve')
    expect(second?.inReplyTo).toBe(first?.messageId)
    expect(second?.references).toBe(first?.messageId)
    // A third one goes on with the thread, and has a subject of its own.
    expect((await run('third', ['--after', 'second'])).code).toBe(0)
    const third = (await mailsOf('Last call')).get('eve')
    expect(third?.references).toBe(`${first?.messageId} ${second?.messageId}`)
    expect(third?.inReplyTo).toBe(second?.messageId)
  })

  test('waits for each row as long as it is reported, and an answer meanwhile stops it', async () => {
    await start()
    const planned = await run('second', ['--after', 'first', '--wait', '3d', '--detach'])
    expect(planned.code, planned.stderr).toBe(0)
    expect([...(await results()).values()].filter((state) => state.startsWith('deferred'))).toHaveLength(5)
    await heard()
    // Three days later: the moment of each row has come.
    const ledger = await openSqliteLedger(`${project.dir}/.mailmerge/ledger.db`)
    const [newest] = await ledger.runs.list()
    const next = await ledger.deliveries.nextDue(newest?.id ?? '')
    await ledger.close()
    const days = ((next?.getTime() ?? 0) - Date.now()) / 86_400_000
    expect(days).toBeGreaterThan(2.9)
    expect(days).toBeLessThan(3)
    expect((await run('second', ['--after', 'first'])).code).toBe(0)
    expect((await results()).get('ada')).toBe('skipped answered first')
    expect((await results()).get('eve')).toBe('sent ')
  })

  test('is rehearsed as it will be sent, and records nothing', async () => {
    await start()
    const { code, stdout, stderr } = await run('second', [
      '--after',
      'first',
      '--dry-run',
      '--out',
      'mails',
      '--wait',
      '3d',
    ])
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('5 written')
    expect((await project.run(['status'])).stdout).not.toContain('second')
  })

  test('of a campaign that never was is refused with the nearest, and a wait alone is not a follow-up', async () => {
    await start()
    const wrong = await run('second', ['--after', 'frist'])
    expect(wrong.code).toBe(64)
    expect(wrong.stderr).toContain("Did you mean 'first'?")
    expect((await run('second', ['--wait', '3d'])).code).toBe(64)
    expect((await run('second', ['--after', 'first', '--wait', 'soon'])).code).toBe(64)
  })
})
