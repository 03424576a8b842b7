/** Memory stays flat as the list grows: ten times the rows may take half as much again at most, for buffers that fill up. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { LETTER, listOf, makeProject } from '../support/program.ts'
import { startRecordingSink } from '../support/recording-sink.ts'

/** Rows of the longer list; the shorter one has a tenth. The long form: MAILMERGE_TEST_MEMORY_ROWS=100000. */
const LONG = process.env['MAILMERGE_TEST_MEMORY_ROWS']
const ROWS = Number(LONG ?? 10_000)
const MOST = 1.5

interface Peak {
  readonly code: number | null
  readonly stdout: string
  readonly megabytes: number
}

/** Runs over that many rows and watches the high-water mark of resident memory that the kernel keeps. */
async function peakOf(rows: number, args: readonly string[]): Promise<Peak> {
  const project = makeProject({
    'list.csv': listOf(rows),
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': 'template: letter\ncsv: list.csv\n',
  })
  try {
    const { child, ended } = project.start(['run', ...args])
    let kilobytes = 0
    const timer = setInterval(() => {
      const status = statusOf(child.pid)
      kilobytes = Math.max(kilobytes, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0))
    }, 20)
    const { code, stdout } = await ended
    clearInterval(timer)
    return { code, stdout, megabytes: kilobytes / 1024 }
  } finally {
    project.remove()
  }
}

/** The file is gone at the moment the process is. */
function statusOf(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return ''
  }
}

const options = { timeout: 60_000 + ROWS * 10 }
const measured = test.skipIf(!existsSync('/proc/self/status'))

measured(
  `${ROWS} rows into the sandbox take no more than ${MOST} times the memory of a tenth of them`,
  options,
  async () => {
    await compare(['--sandbox'], 'delivered to the sandbox')
  },
)

measured(
  `${ROWS} rows to a server take no more than ${MOST} times the memory of a tenth of them`,
  options,
  async () => {
    const sink = await startRecordingSink()
    try {
      await compare(['--smtp', `smtp://127.0.0.1:${sink.port}`], 'sent')
      expect(sink.ids.size).toBe(ROWS + ROWS / 10)
    } finally {
      await sink.close()
    }
  },
)

async function compare(args: readonly string[], did: string): Promise<void> {
  const few = await peakOf(ROWS / 10, args)
  const many = await peakOf(ROWS, args)
  expect([few.code, many.code]).toEqual([0, 0])
  expect(many.stdout).toContain(`${ROWS.toLocaleString('en-US')} ${did} of ${ROWS.toLocaleString('en-US')} rows`)
  const said = `${did}: ${few.megabytes.toFixed(0)} MB for ${ROWS / 10} rows, ${many.megabytes.toFixed(0)} MB for ${ROWS}`
  if (LONG !== undefined) console.info(said)
  expect(many.megabytes / few.megabytes, said).toBeLessThanOrEqual(MOST)
}
