/** A preview of grouped rows: every row of a group shows the same message, and the forecast counts messages. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadSettings } from '../../../src/config/load.ts'
import { DataError } from '../../../src/errors.ts'
import { forecastOf } from '../../../src/pages/preview/forecast.ts'
import { openProject, type Project } from '../../../src/pages/preview/project.ts'
import { makeProject } from '../../support/program.ts'

const LIST = 'email,name,price\nada@x.example,Ada,1.10\nbob@x.example,Bob,2.00\nAda@x.example,Ada,2.20\n'
const LETTER = '---\nfrom: a@b.example\nsubject: "{{count rows}} for {{name}}"\n---\n{{sum rows "price"}}\n'

let files: ReturnType<typeof makeProject>
let project: Project

async function open(list: string): Promise<void> {
  files = makeProject({ 'list.csv': list, 'templates/letter.txt': LETTER })
  const flags = { csv: 'list.csv', template: 'letter', groupBy: 'email' }
  project = await openProject(await loadSettings({ cwd: files.dir, env: {}, flags }), {})
}

beforeEach(() => open(LIST))
afterEach(async () => {
  await project[Symbol.asyncDispose]()
  files.remove()
})

const plan = () => project.plan(() => {}, new AbortController().signal)

test('each row shows the message that it is in, and which row begins it', async () => {
  const list = await plan()
  for (const [number, subject, first, rows] of [
    [1, '2 for Ada', 1, 2],
    [2, '1 for Bob', 2, 1],
    [3, '2 for Ada', 1, 2],
  ] as const) {
    const row = await project.rows.row(number)
    if (row === undefined) throw new Error(`row ${number} is not there`)
    const { checked } = await project.message(row)
    expect([checked.rendered?.subject, (await project.rows.view(number))?.sentWith]).toEqual([
      subject,
      { row: first, rows },
    ])
  }
  expect(project.rowsOf(3)).toEqual([1, 3])
  const about = { command: 'run', now: new Date(), server: 's', sizes: undefined, limits: [], plan: undefined }
  expect(forecastOf(project, list, about)).toMatchObject({ rows: 3, toSend: 3, messages: 2, stopping: 0 })
})

test('a row whose message another row spoils says which', async () => {
  await project[Symbol.asyncDispose]()
  files.remove()
  await open(LIST.replace('2.20', 'much'))
  await plan()
  const row = await project.rows.row(1)
  if (row === undefined) throw new Error('row 1 is not there')
  const error = await project.message(row).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(DataError)
  expect((error as DataError).problems).toMatchObject([{ row: 3, message: "sum: 'much' is not a number" }])
})
