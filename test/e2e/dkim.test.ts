import { generateKeyPairSync } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { recordOf, verdictsOfMailauth } from '../message/dkim-judges.ts'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const CONFIG = 'csv: list.csv\ntemplate: letter\ndkim: { domain: example.org, selector: s1, key: keys/s1.pem }\n'
let project: Project

beforeAll(() => {
  project = makeProject({
    'mailmerge.yaml': CONFIG,
    'list.csv': listOf(5),
    'templates/letter.md': LETTER,
    'keys/s1.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  })
})
afterAll(() => project.remove())

test('a project with a key signs each message of a run, and the signatures hold', async () => {
  const { code, stderr } = await project.run(['run', '--dry-run', '--out', 'out'])
  expect(code, stderr).toBe(0)
  const files = readdirSync(join(project.dir, 'out')).filter((name) => name.endsWith('.eml'))
  expect(files).toHaveLength(5)
  for (const file of files) {
    const octets = readFileSync(join(project.dir, 'out', file))
    const records = { 's1._domainkey.example.org': recordOf(publicKey) }
    expect(await verdictsOfMailauth(octets, records)).toEqual([{ algorithm: 'rsa-sha256', result: 'pass' }])
  }
})

test('a key that is not there stops the run before anything is sent, and is named', async () => {
  project.write('mailmerge.yaml', CONFIG.replace('s1.pem', 'none.pem'))
  const { code, stderr } = await project.run(['run', '--dry-run', '--out', 'none'])
  expect(code).toBe(78)
  expect(stderr).toMatch(/the DKIM key .*keys\/none\.pem does not exist/)
  expect(stderr).toContain('openssl genrsa')
  expect(stderr).not.toMatch(/\n\s+at /)
})
