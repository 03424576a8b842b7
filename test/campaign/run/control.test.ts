/** A run that ends by itself while another process asks it to stop. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { cancelMerge, pauseMerge } from '../../../src/campaign/run/control.ts'
import { openLedger } from '../../../src/campaign/run/open-ledger.ts'
import { runMerge } from '../../../src/campaign/run/start.ts'
import { loadSettings } from '../../../src/config/load.ts'
import { ownerOfThisProcess } from '../../../src/ledger/owner.ts'
import { makeProject } from '../../support/program.ts'

test.each([
  ['paused', pauseMerge],
  ['cancelled', cancelMerge],
])('a run that finished before it could be %s is reported as finished', async (_, ask) => {
  const project = makeProject({
    'list.csv': 'email\nada@example.com\n',
    'templates/t.txt': '---\nfrom: society@example.org\nsubject: Hello\n---\nDear\n',
  })
  onTestFinished(() => project.remove())
  const flags = { csv: join(project.dir, 'list.csv'), template: 't', smtp: 'smtp://127.0.0.1:1' }
  const settings = await loadSettings({ cwd: project.dir, env: {}, flags })
  const { run: id } = await runMerge(settings, { mode: 'send', detach: true })
  const ledger = await openLedger(settings)
  onTestFinished(() => ledger.close())
  const run = await ledger.runs.find(id)
  if (run === undefined) throw new Error('the run is gone')
  const claim = await ledger.campaigns.claim(run.campaign, ownerOfThisProcess())
  const asked = ask(settings, id)
  const refused = expect(asked).rejects.toThrow(`the run ${id} is finished already`)
  while ((await ledger.runs.find(id))?.requested === undefined) await sleep(5)
  await ledger.runs.end(id, 'finished', new Date())
  await claim.release()
  await refused
  expect((await ledger.runs.find(id))?.state).toBe('finished')
})
