/** `mailmerge suppress list` and `export`: the entries for people, for programs, and as a file to import elsewhere. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { SUPPRESSION_REASONS } from '../../../config/words.ts'
import type { Suppression } from '../../../ledger/records.ts'
import { escapeInvisible } from '../../../text/visible.ts'
import type { Action, Arguments, Context, Option } from '../../command.ts'
import { LEDGER_OPTION, settingsFor } from '../../settings-options.ts'
import { moment, plural } from '../../terminal/format.ts'
import { pad } from '../../terminal/table.ts'
import { withLedger } from '../../with-ledger.ts'

const OPTIONS: Readonly<Record<string, Option>> = {
  group: { type: 'string', value: 'NAME', describe: 'Only entries of this campaign group' },
  reason: {
    choices: SUPPRESSION_REASONS,
    value: 'REASON',
    describe: `Only entries for this reason: ${SUPPRESSION_REASONS.join(', ')}`,
  },
  ...LEDGER_OPTION,
}

export const list: Action = {
  usage: 'list',
  describe: 'Show who is suppressed',
  options: OPTIONS,
  async run(args, context) {
    const { out } = context
    let listed = 0
    await eachPage(args, context, async (page) => {
      if (listed === 0 && page.length > 0 && !out.json)
        out.result(line('ADDRESS', 'REASON', 'SINCE', 'WHERE', undefined))
      for (const one of page) {
        listed++
        out.result(out.json ? JSON.stringify(fields(one)) : lineOf(one))
      }
      await out.drained()
    })
    if (listed === 0) out.info('nobody is suppressed')
    return 0
  },
}

export const exportEntries: Action = {
  usage: 'export [file]',
  describe: 'Write the entries as a CSV file',
  positionals: { file: { describe: 'File to write; default: standard output' } },
  options: OPTIONS,
  async run(args, context) {
    const { io, out } = context
    const file = args.text('file')
    if (file === undefined || file === '-') {
      await exportToOutput(args, context)
      return 0
    }
    const { csvCells } = await import('../../../text/csv-cells.ts')
    let written = 0
    const stream = createWriteStream(resolve(io.cwd, file))
    try {
      await once(stream, 'open')
      stream.write(HEAD)
      await eachPage(args, context, async (page) => {
        written += page.length
        if (!stream.write(page.map((one) => csvCells(cells(one))).join(''))) await once(stream, 'drain')
      })
      stream.end()
      await once(stream, 'close')
    } catch (cause) {
      stream.destroy()
      if (!(cause instanceof Error) || !('syscall' in cause)) throw cause
      throw (await import('../../../fs/output-file.ts')).unwritable(escapeInvisible(file), cause)
    }
    out.info(`${plural(written, 'entry', 'entries')} in ${escapeInvisible(file)}`)
    return 0
  },
}

const HEAD = 'address,hash,group,reason,note,added_at\r\n'

async function exportToOutput(args: Arguments, context: Context): Promise<void> {
  const { out } = context
  const { csvCells } = await import('../../../text/csv-cells.ts')
  if (!out.json) out.raw(HEAD)
  await eachPage(args, context, async (page) => {
    if (out.json) for (const one of page) out.result(JSON.stringify(fields(one)))
    else out.raw(page.map((one) => csvCells(cells(one))).join(''))
    await out.drained()
  })
}

/** Pages of the suppressions that the options ask for. */
async function eachPage(
  args: Arguments,
  context: Context,
  use: (page: readonly Suppression[]) => Promise<void>,
): Promise<void> {
  const settings = await settingsFor(args, context)
  const group = args.text('group')
  const reason = args.choice('reason', SUPPRESSION_REASONS)
  await withLedger(settings, async (ledger) => {
    for await (const page of ledger?.suppressions.list() ?? []) {
      await use(
        page.filter(
          (one) => (group === undefined || one.group === group) && (reason === undefined || one.reason === reason),
        ),
      )
      if (context.out.stdoutGone) break
    }
  })
}

function fields({ address, hash, group, reason, note, addedAt }: Suppression): Readonly<Record<string, string | null>> {
  return { address: address ?? null, hash, group, reason, note: note ?? null, added_at: addedAt.toISOString() }
}

function cells(one: Suppression): readonly string[] {
  return Object.values(fields(one)).map((value) => value ?? '')
}

function lineOf({ address, hash, group, reason, note, addedAt }: Suppression): string {
  const who = address === undefined ? `(forgotten) ${hash.slice(0, 12)}` : escapeInvisible(address)
  const where = group === '' ? 'every campaign' : escapeInvisible(group)
  return line(who, reason.replaceAll('_', ' '), moment(addedAt), where, note)
}

/** Widths that hold most entries: a list of millions is printed as it is read. */
function line(who: string, reason: string, since: string, where: string, note: string | undefined): string {
  const words = [pad(who, 36), pad(reason, 13), pad(since, 16), where]
  return [...words, ...(note === undefined ? [] : [`(${escapeInvisible(note)})`])].join('  ')
}
