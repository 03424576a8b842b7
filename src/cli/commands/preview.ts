/** `mailmerge preview`: a local page that shows each row as the message it will be. Parses and opens; the page is in `pages/`. */
import type { Settings } from '../../config/settings.ts'
import { InputError, UsageError } from '../../errors.ts'
import { given } from '../../given.ts'
import type { PreviewRequest, Project } from '../../pages/preview/project.ts'
import type { Row } from '../../source/source.ts'
import { shellWord } from '../../text/shell-word.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Action, Arguments, Context } from '../command.ts'
import { grouped, LIST_OPTIONS, selectionOf } from '../list-options.ts'
import { pageOptions, portOf, showPage } from '../local-page.ts'
import { DELIVERY_OPTIONS, LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { escapedLines, plural } from '../terminal/format.ts'

/** A preview shows bad rows among the others. */
const { 'skip-bad': _, ...SAME_AS_RUN } = LIST_OPTIONS

/** Of these the forecast and the test mail make use. */
const SENDING = grouped('How it would be sent:', DELIVERY_OPTIONS, ['smtp', 'rate', 'concurrency', 'window', 'pause'])

export const preview: Action = {
  usage: 'preview',
  describe: 'Show each row as the message it will be, on a local page that follows every save',
  epilogue: [
    'Examples:',
    '  mailmerge preview --csv list.csv --template invite',
    '  mailmerge preview --csv list.csv --template invite --text 3',
    '',
    'The first line on stdout is the address of the page. It answers this machine alone, and sends nothing to the list.',
  ].join('\n'),
  options: {
    ...grouped('What to show:', SAME_AS_RUN),
    ...pageOptions('What to show:'),
    text: { type: 'string', value: 'ROW', group: 'What to show:', describe: 'Print the message of one row instead' },
    ...SENDING,
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const port = portOf(args, 'port') ?? 0
    const request = { ...selectionOf(args), ...given({ variant: args.text('variant') }) }
    const settings = () => settingsFor(args, context)
    const row = args.text('text')
    if (row !== undefined) {
      await printRow(await settings(), request, row, context.out)
      return 0
    }
    if ((await settings()).source.from?.kind === 'stdin') {
      throw new UsageError('a preview reads the list again after each save, and standard input can be read once', {
        hint: 'Write the list to a file first.',
      })
    }
    const { EventHub } = await import('../../pages/events.ts')
    const { Preview } = await import('../../pages/preview/preview.ts')
    const { previewRoutes } = await import('../../pages/preview/routes.ts')
    await showPage(args, context, port, async (closing) => {
      const events = new EventHub()
      const command = runCommand(args)
      const shown = closing.adopt(await Preview.open({ settings, request, events, command }), (it) => it.close())
      return {
        ...{ page: 'preview', title: 'Preview', routes: previewRoutes(shown), events, addresses: [] },
        note: 'The page follows every save. Ctrl+C ends it.',
      }
    })
    return 0
  },
}

/** The command that sends what is shown: `run` with the same options. */
function runCommand(args: Arguments): string {
  const words = ['mailmerge', 'run']
  for (const name of Object.keys({ ...SAME_AS_RUN, ...SENDING, ...LEDGER_OPTION, config: true })) {
    const key = name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    const values = args.texts(key) ?? [args.text(key) ?? args.number(key)]
    if (args.flag(key)) words.push(`--${name}`)
    for (const value of values)
      if (value !== undefined) words.push(`--${name}`, shellWord(withoutPassword(String(value))))
  }
  return words.join(' ')
}

/** A page is looked at by others too. */
function withoutPassword(word: string): string {
  return word.replace(/^(smtps?:\/\/[^:@/]*):[^@]*@/i, '$1@')
}

/** Prints the message of one row: what its reader sees in a terminal, on stdout. */
async function printRow(settings: Settings, request: PreviewRequest, text: string, out: Context['out']): Promise<void> {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) {
    throw new UsageError(`--text ${text} is not the number of a row`, { hint: 'Rows count from 1: --text 3' })
  }
  const { openProject } = await import('../../pages/preview/project.ts')
  const { readMessage } = await import('../../pages/message/read.ts')
  await using project = await openProject(settings, request)
  const { message } = await project.message(await rowOf(project, number))
  const { headers, text: body, parts } = await readMessage(Buffer.concat(message.chunks))
  for (const { name, value } of headers) {
    if (SHOWN_HEADERS.test(name)) out.result(`${out.style('dim', `${name}:`)} ${escapeInvisible(value)}`)
  }
  out.result('')
  out.result(escapedLines((body ?? '').trimEnd()))
  for (const { name, type, content } of parts) {
    out.result(`\n${out.style('dim', 'with')} ${escapeInvisible(name)} (${type}, ${plural(content.length, 'byte')})`)
  }
}

/** The row of that number. @throws InputError for one that is not there. */
async function rowOf({ inputs, rows, plan }: Project, number: number): Promise<Row> {
  let last = 0
  const { source, grouping } = inputs
  if (grouping !== undefined) {
    // The rows of its message may be anywhere.
    await plan(() => {}, new AbortController().signal)
    const row = await rows.row(number)
    if (row !== undefined) return row
    last = rows.size
  } else {
    for await (const batch of source.rows()) {
      const row = batch.find((one) => one.number === number)
      last = batch.at(-1)?.number ?? last
      if (row !== undefined) return row
    }
  }
  throw new InputError(`there is no row ${number} in ${source.name}`, { hint: `Its last row is ${last}.` })
}

const SHOWN_HEADERS = /^(?:from|sender|to|cc|reply-to|subject)$/i
