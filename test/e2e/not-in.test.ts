/** `--not-in`: who got another campaign, or is in another list, is left out and reported. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { fakeIo } from '../cli/fake-io.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'

let sink: RecordingSink
let project: Project

beforeEach(async () => {
  sink = await startRecordingSink()
  project = makeProject({
    'list.csv': `${listOf(6)}Other,other@example.net\n`,
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n`,
  })
})
afterEach(async () => {
  project.remove()
  await sink.close()
})

async function mailmerge(...args: readonly string[]) {
  const io = fakeIo({ cwd: project.dir })
  const code = await main(args, io)
  return { code, stdout: io.stdout.text, stderr: io.stderr.text }
}

/** Who is written to by a run with these options, by the local part. */
async function reached(...args: readonly string[]): Promise<readonly string[]> {
  const before = new Map(sink.recipients)
  const { code, stderr } = await mailmerge(
    'run',
    '--yes',
    '--campaign',
    `run-${sink.ids.size}-${args.join(' ')}`,
    ...args,
  )
  expect(code, stderr).toBe(0)
  return [...sink.recipients]
    .filter(([to, count]) => count > (before.get(to) ?? 0))
    .map(([to]) => to.split('@')[0] ?? '')
}

test('who got a campaign is left out, with the reason in the results', async () => {
  await mailmerge('run', '--yes', '--campaign', 'invitation', '--rows', '1-3')
  expect(await reached('--not-in', 'invitation')).toEqual(['p4', 'p5', 'p6', 'other'])
  const { stdout } = await mailmerge('report', '--format', 'csv')
  expect(stdout.match(/not selected by --not-in invitation/g)).toHaveLength(3)
})

test('who is in a list is left out: a table, or an address or @domain a line, in any letter case', async () => {
  project.write('members.csv', 'Name,E-Mail,group\nOne,P1@Example.com,x\nBad,no address,\n')
  project.write('never.txt', '@example.net\np2@example.com\n')
  expect(await reached('--not-in', 'members.csv', '--not-in', 'never.txt')).toEqual(['p3', 'p4', 'p5', 'p6'])
})

test('--limit and --sample count those that remain', async () => {
  project.write('members.csv', 'email\np1@example.com\np2@example.com\n')
  expect(await reached('--not-in', 'members.csv', '--limit', '2')).toEqual(['p3', 'p4'])
  expect(await reached('--not-in', 'members.csv', '--sample', '5')).toEqual(['p3', 'p4', 'p5', 'p6', 'other'])
})

test('addresses of Gmail that are one person are one here too', async () => {
  project.write('list.csv', 'email,name\na.b+x@gmail.com,Ann\nc@gmail.com,Cem\n')
  project.write('members.csv', 'email\nab@googlemail.com\n')
  expect(await reached('--not-in', 'members.csv', '--fold-gmail')).toEqual(['c'])
})

test('check and a dry run leave the same people out', async () => {
  project.write('members.csv', 'email\np1@example.com\n')
  const dry = await mailmerge('run', '--dry-run', '--not-in', 'members.csv')
  expect(dry.stdout).toContain('6 written, 1 skipped of 7 rows')
  project.write('list.csv', `${listOf(2)}Bad,not an address\n`)
  project.write('members.csv', 'email\np2@example.com\n')
  expect((await mailmerge('check', '--not-in', 'members.csv', '--rows', '1-2')).code).toBe(0)
})

test('a campaign or a file that is not there is refused before anything is sent', async () => {
  await mailmerge('run', '--yes', '--campaign', 'invitation', '--rows', '1')
  const sent = sink.ids.size
  for (const [name, code, words] of [
    ['invitatoin', 64, /names the campaign 'invitatoin', which is not in the ledger\n.*Did you mean invitation\?/],
    ['nobody', 64, /mailmerge status lists the campaigns/],
    ['missing.csv', 66, /missing\.csv/],
  ] as const) {
    const { stderr, ...end } = await mailmerge('run', '--yes', '--campaign', 'x', '--not-in', name)
    expect([end.code, stderr]).toEqual([code, expect.stringMatching(words)])
  }
  expect(sink.ids.size).toBe(sent)
})
