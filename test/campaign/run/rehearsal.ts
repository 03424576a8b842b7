/** A merge of a project in a folder of its own, rehearsed as `run --dry-run` does: what each person would get. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import PostalMime from 'postal-mime'
import { onTestFinished } from 'vitest'
import type { MergeHooks, MergeRequest } from '../../../src/campaign/merge.ts'
import { runMerge } from '../../../src/campaign/run/start.ts'
import { loadSettings } from '../../../src/config/load.ts'

export type ProjectFiles = Readonly<Record<string, string | Uint8Array>>

/** A folder with the files of a project, removed when the test ends. */
export function projectOf(files: ProjectFiles): string {
  const root = mkdtempSync(join(tmpdir(), 'mailmerge-rehearsal-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

/** A template of one file with this text as its only part. */
export function textTemplate(text: string, front = 'subject: x\n'): string {
  return `---\n${front}---\n${text}`
}

/**
 * Bodies by address, without the line break at their end.
 *
 * @param list given on the command line; without one it is that of mailmerge.yaml.
 * @throws what the run throws.
 */
export async function rehearse(
  files: ProjectFiles,
  request: Partial<MergeRequest> = {},
  list = [Object.keys(files).find((name) => /^list\./.test(name)) ?? 'list.csv'],
  hooks: MergeHooks = {},
): Promise<Readonly<Record<string, string>>> {
  const root = projectOf({ 'mailmerge.yaml': 'message: { from: s@example.org }\n', ...files })
  const settings = await loadSettings({
    cwd: root,
    env: {},
    flags: { template: 't', ...(list[0] === undefined ? {} : { csv: list[0] }) },
  })
  const out = join(root, 'eml')
  await runMerge(settings, { mode: 'dry-run', out, ...request }, hooks)
  const texts: Record<string, string> = {}
  for (const name of readdirSync(out).filter((file) => file.endsWith('.eml'))) {
    const { to, text } = await PostalMime.parse(readFileSync(join(out, name)))
    texts[to?.[0]?.address ?? ''] = (text ?? '').replace(/\n+$/, '')
  }
  return texts
}
