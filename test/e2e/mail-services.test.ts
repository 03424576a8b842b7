/** Campaigns through the Gmail API and Microsoft Graph: each message once, also after kills; limits stop the run and fail nobody. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import {
  type Asked,
  gmailError,
  graphError,
  type MailService,
  type MailServiceOptions,
  startMailService,
} from '../support/mail-service.ts'
import { listOf, makeProject, type Project } from '../support/program.ts'
import { newestResults, statuses } from '../support/results.ts'
import { expectNobodyLostOrTwice, truthOf } from '../support/truth.ts'

const SERVICES = ['gmail-api', 'graph'] as const
/** Kills of each service; more by the environment. */
const KILLS = Number(process.env['MAILMERGE_KILLS'] ?? 4)
const ROWS = 60 * KILLS

let service: MailService
let project: Project
afterEach(async () => {
  project?.remove()
  await service?.close()
})

async function prepare(
  name: (typeof SERVICES)[number],
  rows: number,
  options: MailServiceOptions = {},
  { more = '', head = '' } = {},
): Promise<void> {
  service = await startMailService(options)
  project = makeProject({
    'list.csv': listOf(rows),
    'templates/letter.txt': `---\nfrom: News <news@example.org>\n${head}subject: Hello {{name}}\n---\nDear {{name}}\n`,
    'mailmerge.yaml': `csv: list.csv\ntemplate: letter\nrate: 10000/s\ntransport: { ${name}: news@example.org, tokenCommand: "echo good", url: "${service.url}" }\n${more}`,
  })
}

const recipientOf = ({ message }: Asked): string => /^To: .*?([\w.]+@[\w.]+)/m.exec(message.toString())?.[1] ?? ''
const takenOf = (address: string): number => service.taken.filter((one) => recipientOf(one) === address).length
const addresses = (rows: number): readonly string[] => Array.from({ length: rows }, (_, at) => `p${at + 1}@example.com`)

describe.each(SERVICES)('%s', (name) => {
  test('each person gets one message, blind copies with it; the answer is recorded, and no code of SMTP', async () => {
    await prepare(name, 3, {}, { head: 'bcc: archive@example.org\n' })
    const run = await project.run(['run', '--yes'])
    expect(run.code, run.stderr).toBe(0)
    expect(service.taken.map(recipientOf).sort()).toEqual(addresses(3))
    for (const { message } of service.taken) expect(message.toString()).toMatch(/^Bcc: archive@example\.org\r\n/)
    const results = newestResults(project.dir)
    expect(results.map(({ smtp_code }) => smtp_code)).toEqual(['', '', ''])
    for (const { response } of results) expect(response).toMatch(/^accepted/)
    expect((await project.run(['run', '--yes'])).code).toBe(0)
    expect(service.taken).toHaveLength(3)
  })

  test('a test goes to the address of the command alone', async () => {
    await prepare(name, 2, {}, { head: 'cc: boss@example.org\n' })
    const run = await project.run(['run', '--yes', '--test-to', 'me@example.net'])
    expect(run.code, run.stderr).toBe(0)
    expect(service.taken).toHaveLength(2)
    for (const { message } of service.taken) {
      const [head = ''] = message.toString().split('\r\n\r\n')
      expect(head.match(/^(?:to|cc|bcc):.*$/gim)).toEqual(['To: me@example.net'])
    }
  })

  test('a limit of the account stops the run, fails no row, and resume goes on', async () => {
    const body = name === 'graph' ? graphError('ErrorExceededMessageLimit') : gmailError(429, 'dailyLimitExceeded')
    let isLimited = true
    await prepare(
      name,
      5,
      {
        order: ({ number }) => (isLimited && number > 2 ? { status: 429, body } : undefined),
      },
      { more: 'concurrency: 1\n' },
    )
    const run = await project.run(['run', '--yes', '--retry-for', '0'])
    expect(run.code, run.stderr).toBe(75)
    expect(await truthOf(project)).toMatchObject({ sent: 2, failed: 0, deferred: 3, inDoubt: [] })
    isLimited = false
    // The row that met the limit waits for its next try; the two that were not tried go at once.
    await project.run(['resume', '--retry-for', '0'])
    const { sent, failed, inDoubt } = await truthOf(project)
    expect({ failed, inDoubt }).toEqual({ failed: 0, inDoubt: [] })
    expect(sent).toBeGreaterThanOrEqual(4)
    for (const address of addresses(5)) expect(takenOf(address)).toBeLessThanOrEqual(1)
  })

  test('what it cannot carry is refused before anything is sent', async () => {
    await prepare(name, 1, {}, { more: 'bounces: { returnPath: "b+*@example.org" }\n' })
    const path = await project.run(['run', '--yes'])
    expect([path.code, path.stderr]).toEqual([
      78,
      expect.stringContaining(`${name} cannot carry a return path of its own`),
    ])
    project.remove()
    await service.close()
    await prepare(name, 1, {}, { head: 'envelopeFrom: other@example.org\n' })
    const sender = await project.run(['run', '--yes'])
    expect([sender.code, sender.stderr]).toEqual([
      65,
      expect.stringContaining('cannot carry an envelope sender of its own'),
    ])
    expect(service.asked).toHaveLength(0)
  })

  test('killed again and again: nobody lost, nobody twice, at most one in doubt a request under way', {
    timeout: 60_000 + KILLS * 20_000,
  }, async () => {
    await prepare(name, ROWS, { delay: 4 })
    for (let kill = 1; kill <= KILLS; kill++) {
      const running = project.start(kill === 1 ? ['run', '--yes'] : ['resume'])
      let isOver = false
      void running.ended.then(() => {
        isOver = true
      })
      const goal = Math.min(ROWS - 5, service.taken.length + 20 + Math.floor(Math.random() * 20))
      while (!isOver && service.taken.length < goal) await sleep(2)
      running.child.kill('SIGKILL')
      await running.ended
    }
    await project.run(['resume'])
    const truth = await truthOf(project)
    expectNobodyLostOrTwice(truth, addresses(ROWS), takenOf)
    expect(truth.inDoubt.length).toBeLessThanOrEqual(KILLS * (name === 'graph' ? 4 : 2))
    expect(statuses(newestResults(project.dir))).toMatchObject({ sent: ROWS - truth.inDoubt.length })
  })
})
