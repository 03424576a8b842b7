/** Which run is meant when none is named, and what may be done with a run that has ended. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'

let sink: RecordingSink
let project: Project
let refusing = true

beforeAll(async () => {
  sink = await startRecordingSink({
    recipient: (address) => {
      if (!refusing || !/^p[23]@/.test(address)) return undefined
      return address.startsWith('p2@') ? '550 5.1.1 no such user' : '451 4.2.0 later'
    },
  })
  project = makeProject({
    'list.csv': listOf(5),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': `template: letter\ncsv: list.csv\nretryFor: 0s\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n`,
  })
})
afterAll(async () => {
  project.remove()
  await sink.close()
})

test('resume goes on with the newest unfinished run, not with a newer one that has finished', async () => {
  const first = await project.run(['run', '--yes', '--campaign', 'first'])
  expect(first.code, first.stderr).toBe(75)
  const id = /resume (\S+)/.exec(first.stderr)?.[1]
  const second = await project.run(['run', '--yes', '--campaign', 'second', '--rows', '1'])
  expect(second.code, second.stderr).toBe(0)
  refusing = false
  await new Promise((go) => setTimeout(go, 10))
  const { code, stderr } = await project.run(['status', '--json'])
  expect(code, stderr).toBe(0)
  // p3 waits for its minute: the run is the right one, and still unfinished.
  const resumed = await project.run(['resume', '--json'])
  expect(JSON.parse(resumed.stdout.split('\n')[0] ?? '')).toMatchObject({
    event: 'planned',
    run: id,
    campaign: 'first',
  })
})

test('retry --failed is retry: it sends what failed for good, in a run that has ended too', async () => {
  refusing = true
  const failed = await project.run(['run', '--yes', '--campaign', 'fourth', '--rows', '1,2'])
  expect(failed.code, failed.stderr).toBe(1)
  refusing = false
  const { code, stdout, stderr } = await project.run(['retry', '--failed'])
  expect(code, stderr).toBe(0)
  expect(stdout).toMatch(/^1 sent, 1 sent before/)
})

test('a run that has ended cannot be cancelled, and a cancelled one is not gone on with', async () => {
  const status = await project.run(['status', '--json'])
  const runs = status.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { run: string; state: string; campaign: string })
  const finished = runs.find(({ campaign }) => campaign === 'second')?.run ?? ''
  const open = runs.find(({ campaign }) => campaign === 'first')?.run ?? ''
  const refused = await project.run(['cancel', finished])
  expect(refused.code).toBe(64)
  expect(refused.stderr).toContain(`the run ${finished} is finished already`)
  expect((await project.run(['cancel'])).stdout).toContain(open)
  const gone = await project.run(['resume', open])
  expect(gone.code).toBe(64)
  expect(gone.stderr).toContain('was cancelled')
})
