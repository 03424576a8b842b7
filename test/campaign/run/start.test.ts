/** A merge as a program starts it: a real list, a real ledger, a server on this machine. */
import { readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { MergeEvent } from '../../../src/campaign/events.ts'
import type { MergeHooks, MergeRequest, PlanPreview } from '../../../src/campaign/merge.ts'
import { openLedger } from '../../../src/campaign/run/open-ledger.ts'
import { resumeMerge } from '../../../src/campaign/run/resume.ts'
import { runMerge } from '../../../src/campaign/run/start.ts'
import { type Flags, loadSettings } from '../../../src/config/load.ts'
import type { Settings } from '../../../src/config/settings.ts'
import type { DataError } from '../../../src/errors.ts'
import { makeProject, type Project } from '../../support/program.ts'
import { type ScriptedServer, type ScriptedServerOptions, startScriptedServer } from '../../support/scripted-server.ts'

const LETTER = '---\nfrom: Society <society@example.org>\nsubject: Hello {{name}}\n---\nDear {{name}}\n'
const LIST = 'name,email\nAnn,ann@example.com\nBob,bob@example.com\nCy,cy@example.com\n'

let project: Project
let server: ScriptedServer
afterEach(async () => {
  project.remove()
  await server.close()
})

async function prepare(files: Readonly<Record<string, string>> = {}, script: ScriptedServerOptions = {}) {
  project = makeProject({ 'list.csv': LIST, 'templates/t.md': LETTER, ...files })
  server = await startScriptedServer(script)
}

function settingsOf(flags: Flags = {}): Promise<Settings> {
  const smtp = `smtp://127.0.0.1:${server.port}`
  return loadSettings({
    cwd: project.dir,
    env: {},
    flags: { csv: join(project.dir, 'list.csv'), template: 't', smtp, ...flags },
  })
}

async function merge(request: MergeRequest, hooks: MergeHooks = {}, flags: Flags = {}) {
  return runMerge(await settingsOf(flags), request, hooks)
}

/** Puts people on the project's suppression list. */
async function suppress(...addresses: readonly string[]): Promise<void> {
  const ledger = await openLedger(await settingsOf())
  const addedAt = new Date()
  await ledger.suppressions.add(
    addresses.map((address) => ({ address, hash: '', group: '', reason: 'manual', addedAt }) as const),
  )
  await ledger.close()
}

/** What a person is shown before sending, with the answer no. */
async function previewOf(request: Partial<MergeRequest> = {}, flags: Flags = {}): Promise<PlanPreview> {
  const shown: PlanPreview[] = []
  const confirm = async (plan: PlanPreview): Promise<boolean> => {
    shown.push(plan)
    return false
  }
  await merge({ mode: 'send', ...request }, { confirm }, flags)
  const [preview] = shown
  if (preview === undefined) throw new Error('nothing was asked')
  return preview
}

test.each<[string, object, RegExp, RegExp]>([
  ['a mode that is none', { mode: 'dryrun' }, /'dryrun' is not a valid mode/, /Did you mean 'dry-run'.*sandbox/],
  ['no mode', {}, /needs the option 'mode'/, /send, dry-run, sandbox, test/],
  ['a misspelt option', { mode: 'send', skipBadd: true }, /no option 'skipBadd'/, /Did you mean 'skipBad'/],
  ['a text for a number', { mode: 'send', limit: '3' }, /'limit'.*must be a number/, /^$/],
  ['a test without an address', { mode: 'test' }, /'test' needs an address/, /testTo/],
  [
    'an address for tests in a real run',
    { mode: 'send', testTo: 'me@example.com' },
    /testTo is for the mode 'test'/,
    /leave/,
  ],
])('%s is refused, and nothing is sent', async (_, request, message, hint) => {
  await prepare()
  const error = await merge(request as MergeRequest).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ exitCode: 64, message: expect.stringMatching(message) })
  expect((error as { hint?: string }).hint ?? '').toMatch(hint)
  expect(server.connections).toBe(0)
})

test('the question knows how large the messages are, and what is used of a quota', async () => {
  await prepare()
  const before = await previewOf({}, { rate: ['3/day'] })
  expect(before.sizes).toMatchObject({ measured: before.toSend, smallest: { row: expect.any(Number) } })
  expect(before.sizes?.smallest.bytes).toBeGreaterThan(100)
  expect(before.sizes?.largest.bytes).toBeGreaterThanOrEqual(before.sizes?.smallest.bytes ?? 0)
  expect(before.pace?.limit?.taken).toBeUndefined()
  const sent = await merge({ mode: 'send', limit: 2 }, {}, { rate: ['3/day'] })
  expect(sent.counts.sent).toBe(2)
  expect((await previewOf({}, { rate: ['3/day'] })).pace?.limit?.taken?.count).toBe(2)
})

test('a misspelt hook and a misspelt flag are refused: a question that is not asked would send', async () => {
  await prepare()
  const hooks = { confrim: async () => false } as MergeHooks
  await expect(merge({ mode: 'send' }, hooks)).rejects.toMatchObject({ hint: "Did you mean 'confirm'?" })
  await expect(settingsOf({ concurency: 2 } as Flags)).rejects.toMatchObject({ hint: "Did you mean 'concurrency'?" })
  await expect(resumeMerge(await settingsOf(), { inDoubt: 'send' as 'resend' })).rejects.toMatchObject({
    message: expect.stringContaining("'send' is not a valid inDoubt"),
  })
  expect(server.connections).toBe(0)
})

test('that a server breaks under pipelining is noted', async () => {
  const odd: ScriptedServerOptions = { data: ({ connection }) => (connection === 1 ? '250 odd' : undefined) }
  await prepare({}, odd)
  const notes: string[] = []
  const summary = await merge({ mode: 'send' }, { note: (text) => notes.push(text) }, { concurrency: 1 })
  expect(summary.counts.sent).toBe(3)
  expect(notes.filter((text) => text.includes('one command at a time from now on'))).toHaveLength(1)
})

test('a template of the package is refused for a real send, and a rehearsal says that it is one', async () => {
  await prepare({ 'list.csv': 'name,email,seat\nAnn,ann@example.com,1A\n' })
  const settings = { template: 'invite' }
  await expect(merge({ mode: 'send' }, {}, settings)).rejects.toMatchObject({
    exitCode: 65,
    message: expect.stringContaining('built in'),
    hint: expect.stringContaining('mailmerge init'),
  })
  expect(server.connections).toBe(0)
  const notes: string[] = []
  const hooks = { note: (text: string) => notes.push(text) }
  await writeFile(join(project.dir, 'list.csv'), await readFile('examples/invite/list.csv'))
  await merge({ mode: 'dry-run' }, hooks, settings)
  expect(notes.join('\n')).toContain('built in')
})

test('a placeholder of another program in the template is noted before anything is sent', async () => {
  await prepare({
    'templates/tags.txt':
      '---\nfrom: s@example.org\nsubject: x\n---\nDear [Name],\n%%A%% %%B%% %%C%% %%D%% %%E%% %%F%%',
  })
  const notes: string[] = []
  await merge({ mode: 'dry-run' }, { note: (text) => notes.push(text) }, { template: 'tags' })
  expect(notes[0]).toBe(
    'templates/tags.txt:5: [Name] looks like a placeholder of another program, and is sent as it is',
  )
  expect(notes[5]).toBe('and 2 more placeholders; mailmerge check lists them')
})

test("a template of the project with the name of a built-in one is the project's own", async () => {
  await prepare({ 'templates/invite.md': LETTER })
  expect((await merge({ mode: 'send' }, {}, { template: 'invite' })).counts.sent).toBe(3)
})

test('the question counts who will really get it, says why others do not, and shows the first who will', async () => {
  await prepare({ 'list.csv': `${LIST}Di,di@example.com\nAnn again,ANN@example.com\nbroken,nobody\n` })
  await merge({ mode: 'send', rows: '1' })
  await suppress('bob@example.com')
  const preview = await previewOf({ skipBad: true })
  expect(preview).toMatchObject({
    rows: 6,
    toSend: 2,
    counts: { sent: 1, skipped: 3, deferred: 2, failed: 0, in_doubt: 0 },
    skipped: { suppressed: 1, duplicate: 1, bad: 1 },
    first: { address: 'cy@example.com', subject: 'Hello Cy', from: 'Society <society@example.org>' },
  })
  const events: MergeEvent[] = []
  const summary = await merge({ mode: 'send', skipBad: true }, { onEvent: (event) => events.push(event) })
  expect(summary.counts).toEqual({ sent: 3, skipped: 3, deferred: 0, failed: 0, in_doubt: 0 })
  const skips = events.flatMap((event) => (event.event === 'skipped' ? [[event.row, event.skip?.kind]] : []))
  expect(skips).toEqual([
    [2, 'suppressed'],
    [5, 'duplicate'],
    [6, 'bad'],
  ])
  const reasons = events.flatMap((event) => (event.event === 'skipped' ? [event.reason] : []))
  expect(reasons).toEqual(['suppressed: manual', 'duplicate of row 1', expect.stringMatching(/^bad row: /)])
  expect(server.messages.flatMap(({ to }) => to).sort()).toEqual(['ann', 'cy', 'di'].map((who) => `${who}@example.com`))
})

test('a rehearsal leaves out whom the run would leave out, and says why; --again leaves out nobody who has it', async () => {
  await prepare()
  await merge({ mode: 'send', rows: '1' })
  await suppress('bob@example.com')
  const out = join(project.dir, 'out')
  const planned: MergeEvent[] = []
  const hooks = { onEvent: (event: MergeEvent) => event.event === 'planned' && planned.push(event) }
  await merge({ mode: 'dry-run', out }, hooks)
  expect(planned).toMatchObject([{ rows: 3, toSend: 1, skipped: { 'sent-before': 1, suppressed: 1 } }])
  expect(readdirSync(out).filter((name) => name.endsWith('.eml'))).toHaveLength(1)
  await merge({ mode: 'sandbox', again: true }, hooks)
  expect(planned.at(-1)).toMatchObject({ toSend: 2, skipped: { suppressed: 1 } })
})

test('a condition that no row meets is named', async () => {
  await prepare()
  const notes: string[] = []
  await merge({ mode: 'dry-run', where: ['name=Zoe'] }, { note: (text) => notes.push(text) })
  expect(notes).toContain('no row is selected by --where name=Zoe')
})

test('what the template lacks is said of the template, once, and no row is blamed', async () => {
  await prepare({ 'templates/t.md': '---\nfrom: a@example.org\n---\nDear {{name}}\n' })
  const error = await merge({ mode: 'send' }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({
    exitCode: 65,
    message: "the template 't' has no subject; nothing was sent",
    problems: [{ code: 'no-subject', file: 'templates/t.md' }],
    hint: expect.not.stringContaining('skip-bad'),
  })
})

test("a problem that every row has in one place of the template is the template's, once", async () => {
  await prepare({ 'templates/t.md': LETTER.replace('Dear', '{{date "soon"}} Dear') })
  const error = await merge({ mode: 'send' }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({
    exitCode: 65,
    message: expect.stringMatching(/^the template has a problem in every row: .*soon/),
    problems: [expect.not.objectContaining({ row: 1 })],
    hint: expect.not.stringContaining('skip-bad'),
  })
})

test('problems beyond those that are listed are counted', async () => {
  const rows = Array.from({ length: 1500 }, (_, at) => `P,p${at + 1}.example.com\n`).join('')
  await prepare({ 'list.csv': `name,email\n${rows}` })
  const error = (await merge({ mode: 'dry-run' }).catch((thrown: unknown) => thrown)) as DataError
  expect([error.problems.length, error.unlisted]).toEqual([1000, 500])
})
