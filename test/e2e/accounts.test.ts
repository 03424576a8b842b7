/** Several accounts, from the command line to real servers: who sends what, and what becomes of the rows of one that stops. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LETTER, listOf, makeProject, type Project } from '../support/program.ts'
import { type ReceivedMessage, type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { startScriptedServer } from '../support/scripted-server.ts'

const TEXT = LETTER.replace(/^from:.*\n/m, '')

let project: Project
let one: RecordingSink
let two: RecordingSink
/** What a server says instead of taking a message; undefined takes it. */
let answers: Record<'one' | 'two', (message: ReceivedMessage, number: number) => string | undefined>

beforeEach(async () => {
  answers = { one: () => undefined, two: () => undefined }
  let [ones, twos] = [0, 0]
  one = await startRecordingSink({ answer: (message) => answers.one(message, ++ones) })
  two = await startRecordingSink({ answer: (message) => answers.two(message, ++twos) })
})

afterEach(async () => {
  await Promise.all([one.close(), two.close()])
  project.remove()
})

interface Config {
  readonly account?: string
  readonly one?: string
  readonly two?: string
}

/** Two accounts on servers of their own, `one` and `two`. */
function accounts(config: Config = {}): string {
  return [
    'template: letter',
    'csv: list.csv',
    'retryFor: 0s',
    ...(config.account === undefined ? [] : [`account: ${config.account}`]),
    'accounts:',
    '  one:',
    '    from: One <one@example.org>',
    `    smtp: { host: 127.0.0.1, port: ${one.port}, security: none }`,
    ...(config.one === undefined ? [] : [`    ${config.one}`]),
    '  two:',
    '    from: Two <two@example.net>',
    `    smtp: { host: 127.0.0.1, port: ${two.port}, security: none }`,
    ...(config.two === undefined ? [] : [`    ${config.two}`]),
    '',
  ].join('\n')
}

function open(config: Config, list = listOf(12)): void {
  project = makeProject({ 'mailmerge.yaml': accounts(config), 'list.csv': list, 'templates/letter.txt': TEXT })
}

const people = (sink: RecordingSink): readonly string[] => [...sink.recipients.keys()].toSorted()
const everybody = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `p${at + 1}@example.com`).toSorted()

/** Account of each row in the results, and its status. */
async function results(): Promise<readonly (readonly [account: string, status: string])[]> {
  const { stdout } = await project.run(['report', '--json'])
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly account?: string; readonly status: string })
    .map(({ account = '', status }) => [account, status])
}

/** Nobody got it twice, from whichever account. */
function expectOnce(count: number): void {
  const all = [...one.recipients, ...two.recipients]
  expect(all.map(([address]) => address).toSorted()).toEqual(everybody(count))
  expect(all.filter(([, times]) => times !== 1)).toEqual([])
}

describe('who sends', () => {
  test('nothing is sent where nothing says which account does', async () => {
    open({})
    const { code, stderr } = await project.run(['run', '--yes'])
    expect(stderr).toContain('there are 2 accounts, and nothing says which of them sends')
    expect(stderr).toContain('--account NAME (one, two), --account share')
    expect(code).toBe(78)
    expect([...people(one), ...people(two)]).toEqual([])
  })

  test('the account that --account names, with its sender', async () => {
    open({ account: 'one' })
    expect(await project.run(['run', '--yes', '--account', 'two'])).toMatchObject({ code: 0 })
    expect(people(one)).toEqual([])
    expect(people(two)).toEqual(everybody(12))
    expect(await results()).toEqual(Array.from({ length: 12 }, () => ['two', 'sent']))
  })

  test('an account that does not exist is an error that names the others', async () => {
    open({})
    const { code, stderr } = await project.run(['run', '--yes', '--account', 'tow'])
    expect(stderr).toContain("there is no account 'tow'")
    expect(stderr).toContain("Did you mean 'two'?")
    expect(code).toBe(64)
  })

  const list = 'name,email,dept\nA,a@example.com,one\nB,b@example.com,two\nC,c@example.com, one \n'

  test('the account that the column of each row names', async () => {
    open({ account: '{ column: dept }' }, list)
    expect(await project.run(['run', '--yes'])).toMatchObject({ code: 0 })
    expect(people(one)).toEqual(['a@example.com', 'c@example.com'])
    expect(people(two)).toEqual(['b@example.com'])
    expect(await results()).toEqual([
      ['one', 'sent'],
      ['two', 'sent'],
      ['one', 'sent'],
    ])
  })

  test('a cell that names no account is an error of its row, and nothing is sent', async () => {
    open({}, `${list}D,d@example.com,three\nE,e@example.com,\n`)
    const { code, stderr } = await project.run(['run', '--yes', '--account-column', 'dept'])
    expect(stderr).toContain("there is no account 'three'")
    expect(stderr).toContain("the column 'dept' names no account")
    expect(code).toBe(65)
    expect([...people(one), ...people(two)]).toEqual([])
  })
})

describe('a load that is shared', () => {
  test('goes in equal parts where no limit is set, each with the sender of its account', async () => {
    open({ account: 'share' })
    expect(await project.run(['run', '--yes'])).toMatchObject({ code: 0 })
    expectOnce(12)
    expect([people(one).length, people(two).length]).toEqual([6, 6])
  })

  test('goes by what each quota leaves', async () => {
    open({ account: 'share', one: 'rate: 10/day', two: 'rate: 30/day' })
    expect(await project.run(['run', '--yes'])).toMatchObject({ code: 0 })
    expectOnce(12)
    expect([people(one).length, people(two).length]).toEqual([3, 9])
  })

  test('an account that reaches its limit in the middle leaves its rows to the other', async () => {
    open({ account: 'share' })
    answers.one = (_, number) => (number > 2 ? '550 5.4.5 Daily user sending limit exceeded' : undefined)
    const { code, stderr } = await project.run(['run', '--yes'])
    expect(stderr).toContain('the account one has stopped: a sending limit of the account is reached: 550')
    expect(code).toBe(0)
    expectOnce(12)
    expect(people(one)).toHaveLength(2)
    expect((await results()).every(([, status]) => status === 'sent')).toBe(true)
  })

  test('an account outside its sending hours leaves its rows to the other', async () => {
    const at = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16)
    open({ account: 'share', one: `window: { hours: "${at(6)}-${at(7)}", zone: UTC }` })
    expect(await project.run(['run', '--yes'])).toMatchObject({ code: 0 })
    expect(people(one)).toEqual([])
    expect(people(two)).toEqual(everybody(12))
  })

  test('all of them stopped: the run can be resumed, and one message says why each has stopped', async () => {
    open({ account: 'share', two: 'rate: 4/day' })
    answers.one = (_, number) => (number > 3 ? '550 5.4.5 Daily user sending limit exceeded' : undefined)
    const first = await project.run(['run', '--yes'])
    expect(first.code).toBe(75)
    expect(first.stderr).toContain('every account has stopped. one: a sending limit of the account is reached: 550')
    expect(first.stderr).toContain('; two: the quota of 4/day is used up until')
    expect(people(one).length + people(two).length).toBe(7)
    answers.one = () => undefined
    expect(await project.run(['resume'])).toMatchObject({ code: 0 })
    expectOnce(12)
  })

  test('an account whose login is refused sends nothing, and the other all', async () => {
    const closed = await startScriptedServer({ auth: () => '535 5.7.8 Authentication credentials invalid' })
    open({ account: 'share' })
    const config = accounts({ account: 'share' }).replace(
      `port: ${one.port}, security: none`,
      `port: ${closed.port}, security: none, user: ada, allowPlainLogin: true`,
    )
    project.write('mailmerge.yaml', config)
    const { code, stderr } = await project.run(['run', '--yes'], { MAILMERGE_ACCOUNTS_ONE_SMTP_PASSWORD: 'secret' })
    await closed.close()
    expect(stderr).toContain('the account one has stopped:')
    expect(stderr).toContain('535')
    expect(stderr).not.toContain('secret')
    expect(code).toBe(0)
    expect(people(two)).toEqual(everybody(12))
  })

  test('an account that cannot be reached sends nothing, and the other all', async () => {
    open({ account: 'share' })
    await one.close()
    const { code, stderr } = await project.run(['run', '--yes'])
    expect(stderr).toContain('the account one has stopped:')
    expect(code).toBe(0)
    expect(people(two)).toEqual(everybody(12))
  })

  test('all of them unreachable is exit code 69, and names both', async () => {
    open({ account: 'share' })
    await Promise.all([one.close(), two.close()])
    const { code, stderr } = await project.run(['run', '--yes'])
    expect(stderr).toMatch(/every account has stopped\. one: .*; two: /)
    expect(code).toBe(69)
  })

  test('what is in doubt stays in doubt, and is not sent from another account', async () => {
    open({ account: 'share' })
    answers.one = (_, number) => {
      if (number < 3) return undefined
      void one.close()
      return '999 never heard'
    }
    const { code } = await project.run(['run', '--yes'])
    const states = await results()
    const doubtful = states.filter(([, status]) => status === 'in_doubt')
    expect(code).toBe(75)
    expect(doubtful.length).toBeGreaterThan(0)
    expect(doubtful.every(([account]) => account === 'one')).toBe(true)
    expect(states.filter(([, status]) => status === 'sent')).toHaveLength(12 - doubtful.length)
    expect([...one.recipients, ...two.recipients].filter(([, times]) => times > 1)).toEqual([])
    expect(people(one).length + people(two).length).toBe(12 - doubtful.length)
  })
})

describe('a run that goes on', () => {
  const list = `name,email,dept\n${Array.from({ length: 6 }, (_, at) => `P,p${at + 1}@example.com,${at % 2 === 0 ? 'one' : 'two'}`).join('\n')}\n`

  test('rows of an account that stopped wait for it; the others are sent', async () => {
    open({ account: '{ column: dept }' }, list)
    answers.one = () => '550 5.4.5 Daily user sending limit exceeded'
    const first = await project.run(['run', '--yes'])
    expect(first.stderr).toContain('some accounts have stopped. one: a sending limit of the account is reached')
    expect(first.code).toBe(75)
    expect(people(two)).toEqual(['p2@example.com', 'p4@example.com', 'p6@example.com'])
    answers.one = () => undefined
    expect(await project.run(['resume'])).toMatchObject({ code: 0 })
    expectOnce(6)
    expect(people(one)).toEqual(['p1@example.com', 'p3@example.com', 'p5@example.com'])
  })

  test('without the account that its rows name: an error that says which rows, and another account plans them', async () => {
    open({ account: '{ column: dept }' }, list)
    answers.one = () => '550 5.4.5 Daily user sending limit exceeded'
    expect((await project.run(['run', '--yes'])).code).toBe(75)
    project.write('mailmerge.yaml', accounts({ account: 'two' }).replace('  one:', '  other:'))
    const { code, stderr } = await project.run(['resume'])
    expect(stderr).toContain(
      "the account 'one' is gone from the config, and 3 rows, the first of them row 1, are still to be sent",
    )
    expect(stderr).toContain('give the run command again with another account')
    expect(code).toBe(65)
    expect(await project.run(['run', '--yes'])).toMatchObject({ code: 0 })
    expectOnce(6)
  })

  test('shared by those of its accounts that are left', async () => {
    open({ account: 'share' })
    answers.one = () => '550 5.4.5 Daily user sending limit exceeded'
    answers.two = (_, number) => (number > 2 ? '550 5.4.5 Daily user sending limit exceeded' : undefined)
    expect((await project.run(['run', '--yes'])).code).toBe(75)
    project.write(
      'mailmerge.yaml',
      accounts({ account: 'share' }).replace(/ {2}one:\n.*/, '  other:\n    from: Other <other@example.org>'),
    )
    answers.two = () => undefined
    expect(await project.run(['resume'])).toMatchObject({ code: 0 })
    expect(people(two)).toEqual(everybody(12))
    expectOnce(12)
  })

  test('with another sender of its account than it was planned with is refused', async () => {
    open({ account: 'one' })
    answers.one = () => '550 5.4.5 Daily user sending limit exceeded'
    expect((await project.run(['run', '--yes'])).code).toBe(75)
    project.write('mailmerge.yaml', accounts({ account: 'one' }).replace('one@example.org', 'new@example.org'))
    const { code, stderr } = await project.run(['resume'])
    expect(stderr).toContain("the sender of the account 'one' changed after run")
    expect(code).toBe(65)
  })

  test('through another server than its accounts have is refused', async () => {
    open({ account: 'one' })
    answers.one = () => '550 5.4.5 Daily user sending limit exceeded'
    expect((await project.run(['run', '--yes'])).code).toBe(75)
    const { code, stderr } = await project.run(['resume', '--smtp', `smtp://127.0.0.1:${two.port}`])
    expect(stderr).toContain('sends from the accounts one, and there are none now')
    expect(code).toBe(65)
    expect(people(two)).toEqual([])
  })

  test('what failed is tried again from its own account', async () => {
    open({ account: '{ column: dept }' }, list)
    answers.two = () => '550 5.1.1 no such user'
    expect((await project.run(['run', '--yes'])).code).toBe(1)
    answers.two = () => undefined
    expect(await project.run(['retry'])).toMatchObject({ code: 0 })
    expectOnce(6)
    expect(people(two)).toEqual(['p2@example.com', 'p4@example.com', 'p6@example.com'])
  })
})
