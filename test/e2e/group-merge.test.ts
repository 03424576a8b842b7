/** `--group-by`: one message for all rows of a person, from any order of the list, recorded row by row. */
import { DatabaseSync } from 'node:sqlite'
import PostalMime, { type Email } from 'postal-mime'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { fakeIo } from '../cli/fake-io.ts'
import { makeProject, type Project } from '../support/program.ts'
import { type RecordingSink, startRecordingSink } from '../support/recording-sink.ts'
import { newestResults } from '../support/results.ts'

const LIST = [
  'order,email,name,item,price,city,boss,tz,label',
  '1,ada@x.example,Ada,Pen,12.50,Rome,,,a.txt',
  '2,bob@x.example,Bob,Ink,7.90,Oslo,,,b.txt',
  '3,Ada@X.example,Ada L.,Cap,0.10,Rome,,,a.txt',
  '4,cid@x.example,Cid,Nib,48.00,Rome,,,',
  '5,ada@x.example,Ada,Pad,0.20,Bari,,,c.txt',
  '',
].join('\n')

const LETTER = [
  '---',
  'from: Shop <shop@shop.example>',
  'subject: "{{count rows}} for {{name}}"',
  'attachments:',
  '  - path: "{{label}}"',
  '    optional: true',
  '---',
  '{{#each rows}}{{order}} {{item}} {{currency price "EUR"}}',
  '{{/each}}sum {{currency (sum rows "price") "EUR"}} of {{count rows "label"}} labels, {{min rows "price"}} to {{max rows "price"}}',
  '',
].join('\n')

let sink: RecordingSink
let project: Project
/** The server's answer to a recipient, where it is another than yes. */
let refusal: ((address: string) => string | undefined) | undefined

beforeEach(async () => {
  refusal = undefined
  sink = await startRecordingSink({ keep: true, recipient: (address) => refusal?.(address) })
  project = makeProject({
    'list.csv': LIST,
    'templates/letter.txt': LETTER,
    'a.txt': 'label a',
    'b.txt': 'label b',
    'c.txt': 'label c',
    'mailmerge.yaml': `template: letter\ncsv: list.csv\ngroupBy: email\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n`,
  })
})
afterEach(async () => {
  project.remove()
  await sink.close()
})

async function mailmerge(...args: readonly string[]) {
  const io = fakeIo({ cwd: project.dir })
  const code = await main(args, io)
  return { code, stdout: io.stdout.text, stderr: io.stderr.text }
}

const run = (...args: readonly string[]) => mailmerge('run', '--yes', ...args)

/** The messages that came, by recipient, in the order of the list. */
async function arrived(): Promise<ReadonlyMap<string, Email>> {
  const mails = await Promise.all(
    sink.messages.map(async ({ to, octets }) => [to.join(), await PostalMime.parse(octets)] as const),
  )
  expect(new Set(mails.map(([to]) => to)).size).toBe(mails.length)
  return new Map(mails.sort(([one], [other]) => (one < other ? -1 : 1)))
}

/** `1 sent 1`: number, state or reason, and the row that it was sent with. */
function results(): readonly string[] {
  return newestResults(project.dir).map((row) => {
    const { row: number, status, reason, sent_with: first } = row as typeof row & { readonly sent_with: string }
    return [number, status === 'skipped' ? reason : status, first].filter((part) => part !== '').join(' ')
  })
}

describe('a list of orders, not sorted', () => {
  test('is one message a person, with what is of all rows', async () => {
    const { code, stdout, stderr } = await run()
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('5 rows checked, 5 to send in 3 messages')
    expect(stdout).toContain('5 sent of 5 rows (3 messages)')
    const mails = await arrived()
    expect([...mails].map(([to, { subject }]) => `${to}: ${subject}`)).toEqual([
      'ada@x.example: 3 for Ada',
      'bob@x.example: 1 for Bob',
      'cid@x.example: 1 for Cid',
    ])
    const ada = mails.get('ada@x.example')
    expect(ada?.text?.trim()).toBe('1 Pen €12.50\n3 Cap €0.10\n5 Pad €0.20\nsum €12.80 of 3 labels, 0.10 to 12.50')
    expect(ada?.attachments.map(({ filename }) => filename)).toEqual(['a.txt', 'c.txt'])
    expect(mails.get('cid@x.example')?.attachments).toEqual([])
    expect(results()).toEqual(['1 sent 1', '2 sent 2', '3 sent 1', '4 sent 4', '5 sent 1'])
    const ids = newestResults(project.dir).map(({ message_id: id }) => id)
    expect(new Set(ids).size).toBe(3)
    expect(ids[2]).toBe(ids[0])
  })

  test('is sent once: given again, the same command sends nothing', async () => {
    await run()
    const again = await run()
    expect([again.code, sink.messages.length]).toEqual([0, 3])
    expect(again.stdout).toContain('nothing to send: all 5 rows were sent before')
  })

  test('is reported by rows and by messages everywhere', async () => {
    const { stdout } = await run('--json')
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const planned = events.find(({ event }) => event === 'planned')
    expect(planned).toMatchObject({ rows: 5, to_send: 5, messages: { deferred: 3 } })
    const sent = events.filter(({ event }) => event === 'sent').map(({ row, sent_with: first }) => [row, first])
    expect(sent.sort()).toEqual([
      [1, 1],
      [2, 2],
      [3, 1],
      [4, 4],
      [5, 1],
    ])
    expect(events.at(-1)).toMatchObject({ event: 'summary', rows: 5, sent: 5, messages: { sent: 3 } })
    const [shown] = (await mailmerge('status', '--json')).stdout.trim().split('\n')
    expect(JSON.parse(shown ?? '')).toMatchObject({ rows: 5, sent: 5, messages: { sent: 3 } })
    const id = JSON.parse(shown ?? '').run
    expect((await mailmerge('status', id)).stdout).toMatch(/rows +5, in 3 messages\nsent +5 in 3 messages\n/)
    const report = await mailmerge('report', id, '--format', 'json')
    expect(JSON.parse(report.stdout.split('\n')[4] ?? '')).toMatchObject({ row: 5, status: 'sent', sent_with: 1 })
    const page = await mailmerge('report', id, '--format', 'html')
    expect(page.stdout).toContain('All 5 rows are sent, in 3 messages.')
    expect(page.stdout).toContain('Sent with row')
  })
})

describe('a new row', () => {
  test('of a person who has the message is skipped, with the reason; --again sends it', async () => {
    await run()
    project.write('list.csv', `${LIST}6,bob@x.example,Bob,Pot,1.00,Oslo,,,\n7,dot@x.example,Dot,Pot,1.00,Oslo,,,\n`)
    const { code, stderr, stdout } = await run()
    expect([code, sink.messages.length], stderr).toEqual([0, 4])
    expect(stderr).toContain('1 to send in 1 message (5 sent before, 1 new for someone who has the message)')
    expect(stdout).toContain('1 sent, 5 sent before, 1 skipped of 7 rows (1 message)')
    expect(results()).toEqual([
      ...['1 sent 1', '2 sent 2', '3 sent 1', '4 sent 4', '5 sent 1'],
      ...['6 its recipient has the message already, without this row', '7 sent 7'],
    ])
    // The next plan knows it as this one did, also where the list is in another order.
    const [head = '', ...rows] = LIST.trim().split('\n')
    project.write('list.csv', `${[head, '6,bob@x.example,Bob,Pot,1.00,Oslo,,,', ...rows.reverse()].join('\n')}\n`)
    expect((await run()).stdout).toContain('nothing to send of 6 rows: 5 sent before, 1 skipped')
    expect(results()[0]).toBe('1 its recipient has the message already, without this row')
    expect(results()[4]).toBe('5 sent 5')
    expect((await run('--again')).stdout).toContain('6 sent of 6 rows (3 messages)')
  })

  test('of a person whose message failed is in the message that is sent again', async () => {
    refusal = (address) => (address.startsWith('bob') ? '550 5.1.1 no such user' : undefined)
    expect((await run()).code).toBe(1)
    refusal = undefined
    expect((await run()).stdout).toContain('nothing to send of 5 rows: 4 sent before, 1 failed before')
    project.write('list.csv', `${LIST}6,bob@x.example,Bob,Pot,1.00,Oslo,,,\n`)
    expect((await run()).code).toBe(0)
    expect((await arrived()).get('bob@x.example')?.subject).toBe('2 for Bob')
    expect(results()).toEqual(['1 sent 1', '2 sent 2', '3 sent 1', '4 sent 4', '5 sent 1', '6 sent 2'])
  })
})

describe('a bad row', () => {
  const bad = LIST.replace('3,Ada@X.example,Ada L.,Cap,0.10', '3,Ada@X.example,Ada L.,Cap,none')

  test('stops everything, and is named', async () => {
    project.write('list.csv', bad)
    const { code, stderr } = await run()
    expect([code, sink.messages.length]).toEqual([65, 0])
    expect(stderr).toContain("templates/letter.txt:8, row 3, column 34: currency: 'none' is not a number")
  })

  test('is left out of its message with --skip-bad, and that is said', async () => {
    project.write('list.csv', bad)
    const { code, stderr } = await run('--skip-bad')
    expect(code, stderr).toBe(0)
    expect(stderr).toContain("row 3 is left out of the message of row 1: currency: 'none' is not a number")
    expect((await arrived()).get('ada@x.example')?.text).toContain('sum €12.70')
    expect(results()).toEqual([
      ...['1 sent 1', '2 sent 2', "3 bad row: currency: 'none' is not a number", '4 sent 4', '5 sent 1'],
    ])
    // Corrected, it comes too late for the message.
    project.write('list.csv', LIST)
    await run()
    expect(results()[2]).toBe('3 its recipient has the message already, without this row')
  })

  test('at the head of a group lets the next one be the first', async () => {
    project.write('list.csv', LIST.replace('1,ada@x.example,Ada,Pen,12.50', '1,ada@x.example,Ada,Pen,?'))
    await run('--skip-bad')
    expect((await arrived()).get('Ada@X.example')?.subject).toBe('2 for Ada L.')
    expect(results()[0]).toContain('1 bad row')
    expect([results()[2], results()[4]]).toEqual(['3 sent 3', '5 sent 3'])
  })

  test('without a key is a message of its own that is not sent', async () => {
    project.write('list.csv', LIST.replace('2,bob@x.example', '2,bob').replace('4,cid@x.example', '4,'))
    const { stderr } = await run()
    expect(stderr).toContain("list.csv:3, row 2, column email: it has no '@' (bob)")
    expect(stderr).toContain('list.csv:5, row 4, column email: the address is empty')
    expect((await run('--skip-bad')).stdout).toContain('3 sent, 2 skipped of 5 rows (1 message)')
  })

  test('in a group that only together cannot be a message gives all of it the reason', async () => {
    project.write('templates/letter.txt', `---\nfrom: a@b.example\nsubject: x\ncc: "{{boss}}"\n---\nx {{count rows}}\n`)
    project.write('list.csv', LIST.replace('0.10,Rome,,', '0.10,Rome,eve@x.example,'))
    const { code, stderr } = await run()
    expect(code).toBe(65)
    expect(stderr).toContain(
      "list.csv:4, row 3: rows 1 and 3 have the same email and not the same cc: '' and 'eve@x.example'",
    )
    await run('--skip-bad')
    expect(results().filter((one) => one.includes('not the same cc'))).toHaveLength(3)
    expect(sink.messages).toHaveLength(2)
  })
})

describe('what a message has once', () => {
  test('is the same in all rows: the address, where rows are grouped by another column', async () => {
    const { code, stderr } = await run('--group-by', 'city')
    expect(code).toBe(65)
    expect(stderr).toContain(
      "list.csv:5, row 4: rows 1 and 4 have the same city and not the same address: 'ada@x.example' and 'cid@x.example'",
    )
  })

  test('is the language, and the time on the recipient’s clock', async () => {
    project.write(
      'templates/letter.txt',
      `---\nfrom: a@b.example\nsubject: x\nlocale: "{{city}}"\n---\nx {{count rows}}\n`,
    )
    project.write('list.csv', LIST.replaceAll('Rome', 'de').replaceAll('Oslo', 'en').replaceAll('Bari', 'fr'))
    expect((await run()).stderr).toContain("rows 1 and 5 have the same email and not the same language: 'de' and 'fr'")
    project.write('templates/letter.txt', LETTER)
    project.write('list.csv', LIST.replace('Rome,,,a.txt\n2', 'Rome,,Europe/Paris,a.txt\n2'))
    const late = await run('--at-local', '09:00', '--tz', 'UTC')
    expect(late.stderr).toMatch(/rows 1 and 3 have the same email and not the same time: '.+Z' and '.+Z'/)
  })

  test('is not a name beside an address that is written in two ways', async () => {
    project.write('templates/letter.txt', LETTER.replace('subject', 'to: "{{name}} <{{email}}>"\nsubject'))
    expect((await run()).code).toBe(0)
    expect((await arrived()).get('ada@x.example')?.to).toEqual([{ name: 'Ada', address: 'ada@x.example' }])
  })

  test('may be made of all rows', async () => {
    project.write('templates/letter.txt', LETTER.replace('subject', 'cc: "{{#each rows}}{{boss}}, {{/each}}"\nsubject'))
    project.write(
      'list.csv',
      LIST.replace('0.10,Rome,,', '0.10,Rome,eve@x.example,').replace('Bari,,', 'Bari,fay@x.example,'),
    )
    expect((await run()).code).toBe(0)
    expect(sink.messages.map(({ to }) => to.length).sort()).toEqual([1, 1, 3])
  })
})

describe('rows are chosen before they are grouped', () => {
  test('by --where and --rows', async () => {
    await run('--where', 'city=Rome')
    expect((await arrived()).get('ada@x.example')?.subject).toBe('2 for Ada')
    expect(results()).toEqual([
      ...['1 sent 1', '2 not selected by --where city=Rome', '3 sent 1', '4 sent 4'],
      '5 not selected by --where city=Rome',
    ])
  })

  test('and messages by --limit and --sample', async () => {
    expect((await run('--limit', '1', '--campaign', 'a')).stdout).toContain('3 sent, 2 skipped of 5 rows (1 message)')
    expect(results()).toEqual([
      ...['1 sent 1', '2 not selected by --limit', '3 sent 1', '4 not selected by --limit', '5 sent 1'],
    ])
    const before = sink.messages.length
    await run('--sample', '2', '--campaign', 'b')
    expect(sink.messages.length - before).toBe(2)
    const { stderr } = await run('--sample', 'cases', '--campaign', 'c', '--dry-run')
    expect(stderr).toMatch(/--sample cases takes rows? [\d, ]+/)
  })
})

test('limits and quotas count messages', async () => {
  const { code, stdout } = await run('--rate', '2/day')
  expect([code, sink.messages.length]).toEqual([75, 2])
  expect(stdout).toMatch(/4 sent, 1 waiting of 5 rows \(2 messages\)/)
})

test('a run that was stopped, failed or waits goes on with whole messages', async () => {
  refusal = (address) => (address.startsWith('ada') ? '550 5.1.1 no such user' : undefined)
  expect((await run()).stdout).toContain('2 sent, 3 failed of 5 rows (2 messages)')
  refusal = undefined
  expect((await mailmerge('retry')).stdout).toContain('3 sent, 2 sent before of 5 rows (1 message)')
  const detached = await run('--again', '--detach')
  expect(detached.code, detached.stderr).toBe(0)
  expect(sink.messages).toHaveLength(3)
  expect((await mailmerge('resume')).stdout).toContain('5 sent of 5 rows (3 messages)')
  expect(sink.messages).toHaveLength(6)
})

test('rehearsals make the same messages, and a rehearsal after the run leaves out who has it', async () => {
  expect((await run('--sandbox')).stdout).toContain('5 delivered to the sandbox of 5 rows (3 messages)')
  expect((await run('--test-to', 'me@x.example')).stdout).toContain('5 sent to the test address of 5 rows (3 messages)')
  expect(sink.messages.map(({ to }) => to)).toEqual([['me@x.example'], ['me@x.example'], ['me@x.example']])
  await run()
  expect((await run('--dry-run')).stderr).toContain('5 rows checked, 0 to send in 0 messages (5 sent before)')
})

test('check counts what is good in rows and in messages, and names what is not', async () => {
  project.write('list.csv', LIST.replace('3,Ada@X.example,Ada L.,Cap,0.10', '3,Ada@X.example,Ada L.,Cap,none'))
  const { code, stderr, stdout } = await mailmerge('check')
  expect(code).toBe(65)
  expect(`${stderr}${stdout}`).toContain("row 3, column 34: currency: 'none' is not a number")
  expect(`${stderr}${stdout}`).toContain('2 of 5 rows are good, in 2 messages')
})

test('a suppressed person gets no message, and all rows say so', async () => {
  await mailmerge('suppress', 'add', 'ada@x.example')
  await run()
  expect(sink.messages).toHaveLength(2)
  expect(results().filter((one) => one.endsWith('suppressed: manual 1'))).toHaveLength(3)
})

test('a forgotten person is gone from every row', async () => {
  await run()
  expect((await mailmerge('forget', 'ada@x.example')).code).toBe(0)
  expect(newestResults(project.dir).filter(({ address }) => address === '')).toHaveLength(3)
})

describe('what does not go together is refused before anything is sent', () => {
  test.each([
    [['--group-by', 'mail'], "--group-by names the column 'mail', which ", "Did you mean 'email'?"],
    [['--key', 'order'], "rows are grouped by 'email', and --key names another column: 'order'", 'leave --key out'],
    [['--duplicates', 'skip'], '--duplicates skip and --group-by cannot both be given', 'leave --duplicates out'],
  ])('%j', async (args, message, hint) => {
    const { code, stderr } = await run(...args)
    expect([code, sink.messages.length]).toEqual([code === 78 ? 78 : 64, 0])
    expect(stderr).toContain(message)
    expect(stderr).toContain(hint)
  })

  test('a column that is called as the rows are', async () => {
    project.write('list.csv', LIST.replace('city', 'rows'))
    const { code, stderr } = await run()
    expect(code).toBe(65)
    expect(stderr).toContain("list.csv has a column 'rows', which is what a template calls the rows of a message")
  })

  test('a name that no row has, in a loop over the rows and in a sum', async () => {
    project.write(
      'templates/letter.txt',
      `---\nfrom: a@b.example\nsubject: x\n---\n{{#each rows}}{{itm}}{{/each}}{{sum rows "prize"}}\n`,
    )
    const { code, stderr } = await run()
    expect(code).toBe(65)
    expect(stderr).toContain("templates/letter.txt:5:17: the list has no column 'itm'")
    expect(stderr).toContain("templates/letter.txt:5:42: the list has no column 'prize'")
  })

  test('rows without groups', async () => {
    project.write('mailmerge.yaml', `template: letter\ncsv: list.csv\nsmtp:\n  host: 127.0.0.1\n  port: ${sink.port}\n`)
    const { code, stderr } = await run()
    expect(code).toBe(65)
    expect(stderr).toContain('The rows of a message are there where rows are grouped: --group-by COLUMN')
  })
})

describe('attachments', () => {
  const letter = (fields: string): string => `---\nfrom: a@b.example\nsubject: x\nattachments:\n${fields}---\nx\n`
  const names = async (): Promise<readonly (string | null)[]> =>
    ((await arrived()).get('ada@x.example')?.attachments ?? []).map(({ filename }) => filename)

  test('a document that goes through the rows is one, any other is one for each row', async () => {
    project.write('templates/all.md', '# All\n\n{{#each rows}}\n- {{item}}\n{{/each}}\n')
    project.write('templates/each.md', '# {{item}}\n')
    project.write('templates/same.md', '# Terms for {{email}}\n')
    project.write(
      'templates/letter.txt',
      letter('  - pdf: all.md\n    name: All.pdf\n  - pdf: each.md\n    name: Item.pdf\n'),
    )
    await run()
    expect(await names()).toEqual(['All.pdf', 'Item.pdf', 'Item (2).pdf', 'Item (3).pdf'])
  })

  test('are asked for row by row, and what is the same is there once', async () => {
    project.write('templates/note.csv.hbs', '{{csv city}}\n')
    project.write(
      'templates/letter.txt',
      letter('  - template: note.csv.hbs\n    name: "{{city}}.csv"\n    when: "{{gt price 0.15}}"\n'),
    )
    await run()
    expect(await names()).toEqual(['Rome.csv', 'Bari.csv'])
  })

  test('of which one is not there are the fault of its row', async () => {
    project.write('templates/letter.txt', letter('  - path: "{{label}}"\n'))
    project.write(
      'list.csv',
      LIST.replace('Cid,Nib,48.00,Rome,,,', 'Cid,Nib,48.00,Rome,,,b.txt').replace('Bari,,,c.txt', 'Bari,,,d.txt'),
    )
    const { code, stderr } = await run()
    expect([code, sink.messages.length]).toEqual([65, 0])
    expect(stderr).toMatch(/list.csv:6, row 5, column label: .*d\.txt/)
    await run('--skip-bad')
    expect(await names()).toEqual(['a.txt'])
  })
})

test('a schedule groups its rows each time', async () => {
  expect((await mailmerge('schedule', 'add', 'daily', '--at', '2099-01-01 09:00', '--group-by', 'email')).code).toBe(0)
  using ledger = new DatabaseSync(`${project.dir}/.mailmerge/ledger.db`, { readOnly: true })
  const [kept] = ledger.prepare('SELECT options FROM schedule').all()
  expect(JSON.parse(String(kept?.['options']))).toMatchObject({ flags: { groupBy: 'email' } })
})

test('the program says of one row what its whole message is', async () => {
  const { stdout } = await mailmerge('preview', '--text', '5')
  expect(stdout).toContain('Subject: 3 for Ada')
  expect(stdout).toContain('3 Cap €0.10')
})

test('a template that is misspelt in its loop is one problem, not one a row', async () => {
  project.write('templates/letter.txt', LETTER.replace('{{currency price "EUR"}}', '{{currency price "EURO"}}'))
  const { stderr } = await run()
  expect(stderr).toContain("the template has a problem in every row: currency: 'EURO' is not a currency code")
})

test('a group of more rows than one message takes is refused', async () => {
  const lines = Array.from({ length: 10_001 }, (_, at) => `${at},one@x.example,One,Pen,1,Rome,,,`)
  project.write('list.csv', `${LIST}${lines.join('\n')}\n`)
  const { code, stderr } = await run()
  expect([code, sink.messages.length]).toEqual([65, 0])
  expect(stderr).toContain("10,001 rows have the email 'one@x.example', too many for one message")
  expect((await run('--skip-bad')).stdout).toContain('5 sent, 10,001 skipped of 10,006 rows (3 messages)')
})

test('sums are those of SQL over the same list, in cents', async () => {
  const people = 40
  const cents = Array.from({ length: 1000 }, (_, at) => (at * 7919) % 100_000)
  const lines = cents.map((value, at) => `p${(at * 31) % people}@x.example,${(value / 100).toFixed(2)}`)
  project.write('list.csv', `email,price\n${lines.join('\n')}\n`)
  project.write(
    'templates/letter.txt',
    '---\nfrom: a@b.example\nsubject: "{{sum rows "price"}} of {{count rows}}"\n---\nx\n'
      .replace('"{{sum', "'{{sum")
      .replace('rows}}"', "rows}}'"),
  )
  expect((await run()).code).toBe(0)
  using database = new DatabaseSync(':memory:')
  database.exec('CREATE TABLE list (email TEXT, cents INTEGER)')
  for (const [at, value] of cents.entries())
    database.prepare('INSERT INTO list VALUES (?, ?)').run(`p${(at * 31) % people}@x.example`, value)
  const sums = database
    .prepare('SELECT email, sum(cents) AS cents, count(*) AS rows FROM list GROUP BY email ORDER BY 1')
    .all()
  const mails = await arrived()
  expect([...mails].map(([to, { subject }]) => [to, subject])).toEqual(
    sums.map(({ email, cents, rows }) => [email, `${Number(cents) / 100} of ${rows}`]),
  )
})
