/** `mailmerge bounces`: reads what came back into the ledger. Parses and prints; the reading is in bounces/bounces.ts. */
import { resolve } from 'node:path'
import type { ShownReport } from '../../bounces/bounces.ts'
import type { IngestedReport } from '../../bounces/ingest.ts'
import type { InboundMessage } from '../../bounces/mailbox.ts'
import { READING_LIMIT_S } from '../../bounces/reading-thread.ts'
import type { Report } from '../../bounces/report.ts'
import { given } from '../../given.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Action, Context } from '../command.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { plural } from '../terminal/format.ts'

export const bounces: Action = {
  usage: 'bounces [paths..]',
  describe: 'Read bounces, complaints and unsubscribe requests, and suppress their addresses',
  positionals: {
    paths: {
      describe: 'Messages, an mbox, a Maildir, or - for standard input; default the mailbox of imap: in the config',
    },
  },
  epilogue: [
    'Examples:',
    '  mailmerge bounces',
    '  mailmerge bounces ~/Maildir',
    '  mailmerge bounces --dry-run --json report.eml',
  ].join('\n'),
  options: {
    'dry-run': { type: 'boolean', describe: 'Show what the messages are; record nothing and change no mailbox' },
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const { io } = context
    const settings = await settingsFor(args, context)
    const { showReports, ingestReports } = await import('../../bounces/bounces.ts')
    const paths = (args.texts('paths') ?? []).map((path) => (path === '-' ? path : resolve(io.cwd, path)))
    const shown = new Map(paths.map((path, index) => [path, args.texts('paths')?.[index] ?? path]))
    const request = { paths, stdin: io.stdin }
    const printer = new ReportPrinter(context, shown)
    const messages = args.flag('dryRun')
      ? await showReports(settings, request, (reports) => {
          for (const report of reports) printer.show(report)
        })
      : await ingestReports(settings, request, (taken) => {
          for (const one of taken) printer.taken(one)
        })
    printer.end(messages)
    return 0
  },
}

const KINDS: Readonly<Record<string, string>> = {
  hard: 'bounced permanently',
  soft: 'bounced temporarily',
  complaint: 'complained',
  unsubscribe: 'unsubscribed',
  auto_reply: 'answered automatically',
  reply: 'answered',
  delivered: 'confirmed',
  unknown: 'not understood',
}

/** Addresses that are named one by one. */
const MOST_UNPLACED = 20

class ReportPrinter {
  readonly #context: Context
  readonly #shown: ReadonlyMap<string, string>
  readonly #kinds = new Map<string, number>()
  #suppressed = 0
  #known = 0
  #foreign = 0
  /** Who asked to leave and is in no campaign of this ledger. */
  readonly #unplaced = new Set<string>()

  constructor(context: Context, shown: ReadonlyMap<string, string>) {
    this.#context = context
    this.#shown = shown
  }

  show({ inbound, report }: ShownReport): void {
    const { out } = this.#context
    if (report === undefined) return this.#skipped(inbound)
    this.#count(report.kind)
    if (out.json) out.result(JSON.stringify(this.#fields(inbound, report)))
    else if (!out.quiet) out.result(this.#line(inbound, report))
  }

  taken({ inbound, report, outcome, message }: IngestedReport): void {
    const { out } = this.#context
    if (outcome === 'unread') return this.#skipped(inbound)
    if (outcome === 'known') this.#known++
    else if (outcome === 'foreign') this.#foreign++
    else this.#count(report?.kind ?? 'reply')
    if (outcome === 'suppressed') this.#suppressed++
    if (outcome === 'foreign' && report?.kind === 'unsubscribe' && report.address !== '')
      this.#unplaced.add(report.address)
    if (out.json) {
      const fields = report === undefined ? this.#replyFields(inbound) : this.#fields(inbound, report)
      const about = message === undefined ? {} : { address: message.address, campaign: message.campaign }
      out.result(JSON.stringify({ ...fields, ...about, outcome }))
    } else if (out.verbose && report !== undefined) out.result(`${this.#line(inbound, report)}: ${WORDS[outcome]}`)
  }

  end(messages: number): void {
    const { out } = this.#context
    if (out.json || out.quiet) return
    const parts = [...this.#kinds].map(([kind, count]) => `${count} ${KINDS[kind] ?? kind}`)
    const known = this.#known + this.#foreign
    const none = messages === 0 || known > 0 ? '' : ', none of them a bounce, complaint, unsubscribe request or answer'
    out.info(`${plural(messages, 'message')} read${parts.length === 0 ? none : `: ${parts.join(', ')}`}`)
    if (this.#suppressed > 0) out.info(`${plural(this.#suppressed, 'address', 'addresses')} suppressed`)
    if (this.#known > 0) out.info(`${plural(this.#known, 'report was', 'reports were')} read before`)
    for (const address of [...this.#unplaced].slice(0, MOST_UNPLACED)) {
      const shown = escapeInvisible(address)
      out.info(
        `${shown} asks to be unsubscribed, but no message to this address is in the ledger: mailmerge suppress add ${shown}`,
      )
    }
    if (this.#unplaced.size > MOST_UNPLACED) {
      out.info(
        `${plural(this.#unplaced.size - MOST_UNPLACED, 'more address asks', 'more addresses ask')} to be unsubscribed; --verbose lists all`,
      )
    }
    if (this.#foreign > 0) {
      out.info(
        `${plural(this.#foreign, 'report is', 'reports are')} about no message in this ledger and changed nothing; --verbose lists them all`,
      )
    }
  }

  /** A message that takes too long to read is always named, because a person has to look at it. */
  #skipped(inbound: InboundMessage): void {
    const { out } = this.#context
    const reason = `reading it took longer than ${READING_LIMIT_S} s`
    const { number } = inbound
    if (out.json) {
      const fields = { file: this.#name(inbound), ...given({ number }), kind: 'unknown', reason, outcome: 'unread' }
      out.result(JSON.stringify(fields))
    } else {
      const which = number === undefined ? '' : `, message ${number}`
      out.error(`${escapeInvisible(this.#name(inbound))}${which} was skipped: ${reason}`)
    }
  }

  #count(kind: string): void {
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1)
  }

  #fields(inbound: InboundMessage, report: Report): Readonly<Record<string, unknown>> {
    return {
      file: this.#name(inbound),
      ...(inbound.number === undefined ? {} : { number: inbound.number }),
      address: report.address,
      kind: report.kind,
      enhanced_code: report.enhancedCode ?? null,
      smtp_code: report.smtpCode ?? null,
      reason: report.reason,
      message_id: report.messageId ?? null,
    }
  }

  #replyFields(inbound: InboundMessage): Readonly<Record<string, unknown>> {
    return { file: this.#name(inbound), kind: 'reply' }
  }

  #line(inbound: InboundMessage, report: Report): string {
    const codes = [report.smtpCode, report.enhancedCode].filter((code) => code !== undefined).join(' ')
    const who = report.address === '' ? 'somebody' : escapeInvisible(report.address)
    const why = `${report.reason}${codes === '' ? '' : ` (${codes})`}`
    return `${escapeInvisible(this.#name(inbound))}: ${who} ${KINDS[report.kind]}: ${why}`
  }

  /** Paths are shown as they were typed. */
  #name({ file }: InboundMessage): string {
    for (const [path, typed] of this.#shown) if (file.startsWith(path)) return typed + file.slice(path.length)
    return file
  }
}

const WORDS: Readonly<Record<Exclude<IngestedReport['outcome'], 'unread'>, string>> = {
  suppressed: 'suppressed',
  recorded: 'recorded',
  known: 'read before',
  foreign: 'about no message in this ledger',
}
