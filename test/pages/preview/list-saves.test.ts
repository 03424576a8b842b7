/** A list that is saved while its rows are asked for: what was made of the rows before does not stay once the new ones are read. */
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import type { PreviewView, RowMessageView } from '../../../src/pages/wire.ts'
import { type Previewing, startPreview } from '../../support/previewing.ts'
import { makeProject, type Project } from '../../support/program.ts'

/** The last row is read some time after the first. */
const ROWS = 20_000
const listOf = (word: string): string =>
  `name,email\n${Array.from({ length: ROWS }, (_, at) => `${word} ${at + 1},p${at + 1}@example.org`).join('\n')}\n`

let project: Project
let preview: Previewing
afterEach(async () => {
  await preview.stop()
  project.remove()
})

test('what is shown of a row under one version is always the same message, and in the end the one that was saved', async () => {
  project = makeProject({
    'list.csv': listOf('First'),
    'templates/news.md': '---\nfrom: Letters <letters@example.org>\nsubject: News for {{name}}\n---\nDear {{name}}\n',
  })
  preview = await startPreview(project, ['--csv', 'list.csv', '--template', 'news'])
  const status = (): Promise<PreviewView> => preview.get('/api/preview')
  const subjects = new Map<string, Set<string | undefined>>()
  const ask = async (): Promise<RowMessageView> => {
    const row = await preview.get<RowMessageView>(`/api/rows/${ROWS}`)
    subjects.set(row.version, (subjects.get(row.version) ?? new Set()).add(row.message?.subject))
    return row
  }
  const isRead = async (): Promise<void> => expect((await status()).isComplete).toBe(true)
  await vi.waitFor(isRead, { timeout: 60_000, interval: 50 })
  for (const word of ['Second', 'Third']) {
    const { version } = await status()
    writeFileSync(join(project.dir, 'saving'), listOf(word))
    renameSync(join(project.dir, 'saving'), join(project.dir, 'list.csv'))
    let isOver = false
    const asking = Array.from({ length: 4 }, async () => {
      while (!isOver) await ask()
    })
    const isNew = async (): Promise<void> => {
      const now = await status()
      expect([now.version === version, now.isComplete]).toEqual([false, true])
    }
    await vi.waitFor(isNew, { timeout: 60_000, interval: 5 })
    isOver = true
    await Promise.all(asking)
    expect((await ask()).message?.subject).toBe(`News for ${word} ${ROWS}`)
  }
  expect([...subjects].filter(([, shown]) => shown.size > 1)).toEqual([])
  // It was asked for while the rows before were shown, or this proves nothing.
  expect(subjects.size).toBeGreaterThan(3)
})
