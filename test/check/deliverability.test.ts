import { generateKeyPairSync } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { checkMerge } from '../../src/check/check.ts'
import type { SenderResolver } from '../../src/check/rules/sender-records.ts'
import { type CheckedProject, makeCheckedProject } from './project.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PUBLISHED = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
const OTHER = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .publicKey.export({ type: 'spki', format: 'der' })
  .toString('base64')

type Zone = Readonly<Record<string, readonly string[] | Error>>
type Mail = Readonly<Record<string, readonly string[] | Error>>

const nothing = (): Error => Object.assign(new Error('queryTxt ENOTFOUND'), { code: 'ENOTFOUND' })
const failing = Object.assign(new Error('queryTxt ESERVFAIL'), { code: 'ESERVFAIL' })

/** A name server that holds what it is given, and remembers what it was asked. */
function nameServer(txt: Zone, mx: Mail): SenderResolver & { readonly asked: string[] } {
  const asked: string[] = []
  const answer = async <T>(of: Readonly<Record<string, readonly T[] | Error>>, name: string): Promise<readonly T[]> => {
    asked.push(name)
    const found = of[name] ?? nothing()
    if (found instanceof Error) throw found
    return found
  }
  return {
    asked,
    resolveTxt: async (name) => (await answer(txt, name)).map((text) => text.match(/.{1,200}/gs) ?? []),
    resolveMx: async (name) => (await answer(mx, name)).map((exchange) => ({ exchange, priority: 10 })),
    resolve4: (name) => answer<string>({}, name),
    resolve6: (name) => answer<string>({}, name),
  }
}

const GOOD: Zone = {
  'society.test': ['v=spf1 include:_spf.mail.test -all', 'some other text'],
  '_dmarc.society.test': ['v=DMARC1; p=none; rua=mailto:d@society.test'],
  'm1._domainkey.society.test': [`v=DKIM1; k=rsa; p=${PUBLISHED}`],
}
const MAIL: Mail = { 'society.test': ['mx.society.test'], 'reader.test': ['mx.reader.test'], 'null.test': [''] }

let project: CheckedProject
afterEach(() => project.remove())

async function check(
  txt: Zone,
  options: { readonly config?: string; readonly list?: string; readonly mx?: Mail } = {},
) {
  project = makeCheckedProject({
    'list.csv': options.list ?? 'name,email\nAda,ada@reader.test\n',
    'key.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    'templates/letter.txt': '---\nfrom: Society <news@society.test>\nsubject: Hi {{name}}\n---\nDear {{name}}.\n',
    'mailmerge.yaml':
      options.config ??
      'csv: list.csv\ntemplate: letter\nsmtp: { host: mail.society.test, port: 587, security: starttls }\ndkim: { domain: society.test, selector: m1, key: key.pem }\nunsubscribe: { url: "https://society.test/u" , secret: a long enough secret }\n',
  })
  const resolver = nameServer(txt, options.mx ?? MAIL)
  const report = await checkMerge(await project.settings(), { dns: { resolver, timeout: 2_000 } })
  const states = Object.fromEntries((report.rules ?? []).map(({ rule, state }) => [rule, state]))
  return { report, states, resolver }
}

describe('the rules of large providers', () => {
  test('are met by a sender who does everything; what is not to be seen from here says so', async () => {
    const { states, report } = await check(GOOD)
    expect(states).toEqual({
      domain: 'met',
      'own-domain': 'met',
      spf: 'met',
      dkim: 'met',
      'spf-or-dkim': 'met',
      dmarc: 'met',
      alignment: 'met',
      'one-click': 'met',
      unsubscribe: 'met',
      tls: 'met',
      ptr: 'unknown',
      complaints: 'unknown',
      format: 'met',
    })
    expect(report.problems.filter(({ code }) => code.startsWith('sender-'))).toEqual([])
  })

  test.each<[string, Zone, string, RegExp]>([
    ['no SPF record', { ...GOOD, 'society.test': [] }, 'spf', /no SPF record/],
    ['two SPF records', { ...GOOD, 'society.test': ['v=spf1 -all', 'v=spf1 mx -all'] }, 'spf', /2 SPF records/],
    ['an SPF record for everybody', { ...GOOD, 'society.test': ['v=spf1 +all'] }, 'spf', /lets everybody send/],
    ['no DMARC record', { ...GOOD, '_dmarc.society.test': [] }, 'dmarc', /no DMARC record/],
    ['a DMARC record without policy', { ...GOOD, '_dmarc.society.test': ['v=DMARC1; rua=x'] }, 'dmarc', /no policy/],
    ['no DKIM record', { ...GOOD, 'm1._domainkey.society.test': [] }, 'dkim', /no record m1\._domainkey/],
    ['a revoked key', { ...GOOD, 'm1._domainkey.society.test': ['v=DKIM1; p='] }, 'dkim', /revoked/],
    ['another key', { ...GOOD, 'm1._domainkey.society.test': [`v=DKIM1; p=${OTHER}`] }, 'dkim', /another key/],
  ])('%s is unmet, said as a warning with what to do', async (_name, zone, rule, why) => {
    const { states, report } = await check(zone)
    expect(states[rule]).toBe('unmet')
    const problem = report.problems.find(({ code }) => code === `sender-${rule}`)
    expect(problem).toMatchObject({ severity: 'warning', message: expect.stringMatching(why) })
    expect(problem?.hint).toBeTruthy()
  })

  test('are not known where the name server fails: a failure is not a missing record', async () => {
    const { states } = await check({ ...GOOD, 'society.test': failing, '_dmarc.society.test': failing })
    expect(states).toMatchObject({ spf: 'unknown', dmarc: 'unknown' })
  })

  test('find the DMARC record of the domain above', async () => {
    const config = 'csv: list.csv\ntemplate: letter\nmessage: { from: x@society.test }\n'
    const { states, resolver } = await check({ ...GOOD, '_dmarc.society.test': ['v=DMARC1; p=reject'] }, { config })
    expect(states['dmarc']).toBe('met')
    expect(resolver.asked).not.toContain('_dmarc.test')
  })
})

describe('domains of the recipients', () => {
  test('that do not exist, or do not accept mail, are warnings at the first row that has them', async () => {
    const list = 'name,email\nA,a@reader.test\nB,b@gone.test\nC,c@gone.test\nD,d@null.test\n'
    const { report } = await check(GOOD, { list })
    expect(report.problems).toContainEqual(
      expect.objectContaining({ code: 'no-such-domain', row: 2, message: expect.stringContaining('2 rows have it') }),
    )
    expect(report.problems).toContainEqual(expect.objectContaining({ code: 'no-mail-domain', row: 4 }))
    expect(report.counts.error).toBe(0)
  })

  test('that nobody answers for are counted, and are not a problem of the list', async () => {
    const { report } = await check(GOOD, { mx: { ...MAIL, 'reader.test': failing } })
    expect(report.problems).toContainEqual(expect.objectContaining({ code: 'dns-unknown', severity: 'info' }))
    expect(report.problems.some(({ code }) => code === 'no-such-domain')).toBe(false)
  })
})

test('without --dns nobody is asked anything', async () => {
  const { resolver } = await check(GOOD)
  resolver.asked.length = 0
  await checkMerge(await project.settings())
  expect(resolver.asked).toEqual([])
})
