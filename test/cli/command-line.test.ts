/** The command line: what is understood, and what is said of what is not. */
import { describe, expect, test } from 'vitest'
import { type Action, wordOf } from '../../src/cli/command.ts'
import { GLOBAL_OPTIONS, type Parsed, parseCommandLine } from '../../src/cli/command-line.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { completions } from '../../src/cli/completion.ts'
import { UsageError } from '../../src/errors.ts'

const parse = (line: string, columns = 80): Promise<Parsed> =>
  parseCommandLine(
    line === '' ? [] : line.split(' ').map((word) => word.replace(/^""$/, '')),
    COMMANDS,
    '1.2.3',
    columns,
  )

async function refused(line: string): Promise<{ message: string; hint: string | undefined }> {
  const error = await parse(line).catch((reason: unknown) => reason)
  if (!(error instanceof UsageError)) throw new Error(`no UsageError for '${line}'`)
  return error
}

async function args(line: string) {
  const parsed = await parse(line)
  if (parsed.kind !== 'command') throw new Error(`no command: ${parsed.text}`)
  return parsed.args
}

async function text(line: string, columns?: number): Promise<string> {
  const parsed = await parse(line, columns)
  return parsed.kind === 'text' ? parsed.text : ''
}

/** Each command that does something, by the words that call it. */
const ACTIONS: readonly (readonly [string, Action])[] = COMMANDS.flatMap((command) =>
  'commands' in command
    ? command.commands.map((action) => [`${wordOf(command)} ${wordOf(action)}`, action] as const)
    : [[wordOf(command), command] as const],
)

describe('options', () => {
  test('are read as what they are', async () => {
    const read = await args(
      'run --csv 007.csv -t invite --limit 3 --rate 10/s --rate 500/day --where a=b --yes --no-color',
    )
    expect(read.text('csv')).toBe('007.csv')
    expect(read.text('template')).toBe('invite')
    expect(read.number('limit')).toBe(3)
    expect(read.texts('rate')).toEqual(['10/s', '500/day'])
    expect(read.texts('where')).toEqual(['a=b'])
    expect([read.flag('yes'), read.flag('noColor'), read.flag('sandbox')]).toEqual([true, true, false])
  })
  test('a value may be the dash for standard input, and digits stay a text', async () => {
    expect((await args('run --data -')).text('data')).toBe('-')
    expect((await args('bounces a.eml - b.eml')).texts('paths')).toEqual(['a.eml', '-', 'b.eml'])
    expect((await args('run --campaign 2026')).text('campaign')).toBe('2026')
    expect((await args('run --test-to=a@b.example')).text('testTo')).toBe('a@b.example')
  })
  test('that every command takes may stand before it', async () => {
    const read = await args('--json --config other.yaml status 2026-x')
    expect([read.flag('json'), read.text('config'), read.text('run')]).toEqual([true, 'other.yaml', '2026-x'])
  })
  test('a list does not swallow the word after it', async () => {
    expect((await args('resume --report a.csv 2026-x')).text('run')).toBe('2026-x')
  })
})

describe('wrong usage', () => {
  test.each([
    ['run --cvs x', '--cvs', '--csv'],
    ['run --dryrun', '--dryrun', '--dry-run'],
    ['run --skipBad --templat x', '--templat', '--template'],
    ['run -tinvite', '-tinvite', '-t invite'],
    ['run -x', '-x', '--help'],
    ['run --__proto__ 1', 'has no option', '--help'],
    ['run --sandbox extra', "'extra'", 'mailmerge run'],
    ['status a b', "'b'", 'status [run]'],
    ['run --csv', '--csv needs a value', 'Write --csv FILE.'],
    ['run -t', '-t needs a value', 'Write -t NAME|PATH.'],
    ['resume --in-doubt', '--in-doubt needs a value', 'Write --in-doubt resend|keep.'],
    ['--config', 'no command', '--help'],
    ['run --csv --sandbox', '--csv needs a value', ''],
    ['run --limit many', '--limit needs a number', 'Write --limit N'],
    ['run --duplicates some', "--duplicates cannot be 'some'", 'error, skip or all'],
    ['schedule add news --catch-up al', "--catch-up cannot be 'al'", 'skip, last or all'],
    ['resume --in-doubt resent', "--in-doubt cannot be 'resent'", 'resend or keep'],
    ['run --csv a --csv b', '--csv is given 2 times', 'once'],
    ['run --csv ""', '--csv is empty', ''],
    ['forget', '<address> is missing', 'mailmerge forget <address>'],
    ['schedule', '<command> is missing', 'add, list, remove, next or run-due'],
    ['schedule add', '<name> is missing', 'mailmerge schedule add <name>'],
    ['suppress add', '<entries..> is missing', 'mailmerge suppress add <entries..>'],
    ['suppress lst', "'suppress lst'", 'mailmerge suppress list'],
    ['suppress list --note x', '--note is an option of mailmerge suppress add', 'suppress list --help'],
    ['run list.csv', "'list.csv'", '--csv list.csv'],
    ['run --test a@b.example', '--test', '--test-to'],
    ['run --dry', '--dry', '--dry-run'],
    ['rum', "'rum'", 'mailmerge run'],
    ['sendall', "'sendall'", '--help'],
    ['rum --help', "'rum'", 'mailmerge run'],
    ['help rum', "'rum'", 'mailmerge run'],
    ['', 'no command', '--help'],
    ['--quiet', 'no command', '--help'],
  ])('%s', async (line, says, advises) => {
    const { message, hint } = await refused(line)
    expect(message).toContain(says)
    expect(hint).toContain(advises)
  })
})

describe('what is printed', () => {
  test('the version', async () => expect(await text('--version')).toBe('1.2.3'))
  test('the help names every command, and none that is not there', async () => {
    const help = await text('--help')
    for (const name of [
      'init',
      'preview',
      'inbox',
      'run',
      'resume',
      'retry',
      'cancel',
      'status',
      'report',
      'verify',
      'completion',
    ])
      expect(help).toMatch(new RegExp(`^  ${name} `, 'm'))
    expect(help).not.toContain('worker ')
  })
  test('the help of a command names every option of the contract, also as `help run`', async () => {
    const help = await text('run --help')
    const options =
      'csv data template smtp dry-run out sandbox test-to limit rows where concurrency rate campaign again key duplicates report ledger yes json quiet verbose no-color skip-bad retry-for'
    for (const option of options.split(' ')) expect(help).toContain(`--${option} `)
    for (const same of ['help run', 'run -h', '--help run', 'run --csv --help']) expect(await text(same)).toBe(help)
  })
  test.each(ACTIONS)(
    'the help of %s has a word for each value, no kinds of values, whole examples, and fits the terminal',
    async (name, { options, epilogue = '' }) => {
      const help = await text(`${name} --help`)
      for (const [option, { type, hidden, value, choices }] of Object.entries(options)) {
        if (hidden) continue
        const word = type === 'boolean' ? '' : ` ${value ?? choices?.join('|') ?? 'A WORD'}`
        expect(help).toMatch(new RegExp(`--${option}${word.replace(/\W/g, '\\$&')}( {2}|$)`, 'm'))
      }
      expect(help).not.toMatch(/\[(string|number|array|boolean|choices|default|required)\b/)
      for (const example of epilogue.split('\n').filter((line) => line.startsWith('  ')))
        expect(help).toContain(example)
      for (const columns of [80, 120]) {
        const lines = (await text(`${name} --help`, columns)).split('\n')
        expect(lines.filter((line) => line.length > columns)).toEqual([])
      }
    },
  )
  test.each(['-v', '-V', 'version'])('the version, by %s too', async (word) => expect(await text(word)).toBe('1.2.3'))

  test('the help of a group lists its commands, and the help of one of them its options', async () => {
    const help = await text('schedule --help')
    for (const name of ['add', 'list', 'remove', 'next', 'run-due'])
      expect(help).toMatch(new RegExp(`^  schedule ${name} `, 'm'))
    const add = await text('schedule add --help')
    expect(add).toContain('Usage: mailmerge schedule add <name> [options]')
    expect(add).toContain('--cron PATTERN')
    expect(await text('help schedule add')).toBe(add)
    expect(await text('completion --help')).toContain('Usage: mailmerge completion')
  })
})

describe('completion', () => {
  const names = async (kind: string) => (kind === 'template' ? ['invite', 'news'] : ['20261127T1-a', '20261128T1-b'])
  const offered = (line: string) => completions(line.split(' '), COMMANDS, GLOBAL_OPTIONS, names)

  test.each([
    ['re', ['report', 'resume', 'retry']],
    ['schedule ', ['--help', 'add', 'list', 'next', 'remove', 'run-due']],
    ['schedule re', ['remove']],
    ['--json suppress ex', ['export']],
    ['run --dry', ['--dry-run']],
    ['run --dry-run --dry', []],
    ['run --duplicates ', ['all', 'error', 'skip']],
    ['run -t ', ['invite', 'news']],
    ['run --template n', ['news']],
    ['run --csv ', []],
    ['run --sandbox ', []],
    ['status 20261128', ['20261128T1-b']],
    ['resume --in-doubt keep ', ['20261127T1-a', '20261128T1-b']],
    ['completion ', ['bash', 'fish', 'powershell', 'zsh']],
    ['nonsense ', []],
  ])('%j offers %j', async (line, words) => expect(await offered(line)).toEqual(words))

  test('never offers an option that only its letter or a hidden one has', async () => {
    expect(await offered('retry --')).not.toContain('--failed')
    expect(await offered('run -')).not.toContain('--t')
  })
})
