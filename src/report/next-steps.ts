/** What a person does about a run that is not all sent, and about one row of it. Owns these words; decides nothing. */
import type { ResultRow } from '../ledger/records.ts'
import type { ReplyCause } from '../replies/cause.ts'
import { causeOfRow, type Digest, type StateCounts } from './digest.ts'
import type { ReportHead } from './head.ts'
import { count, type PageTime, shownText, some } from './page-text.ts'

/** What to do, and commands that do it. */
export interface Step {
  readonly words: string
  readonly commands: readonly string[]
}

export function stepsOf(digest: Digest, { run, rehearsal, copies }: ReportHead, time: PageTime): readonly Step[] {
  const list = run.source === '-' ? 'the list' : shownText(run.source)
  if (rehearsal !== undefined) {
    const option = { 'dry-run': '--dry-run', sandbox: '--sandbox', test: '--test-to' }[rehearsal]
    const words = `Nobody on the list got anything, and nothing is recorded as sent. To send, give the same command without ${option}.`
    return [{ words, commands: [] }]
  }
  const { counts, inDoubt, failed, bad } = digest
  const steps: Step[] = []
  if (counts.deferred + counts.to_send > 0) steps.push(goOn(counts, run, time))
  else if (copies.deferred > 0 && run.state === 'ready') {
    const words = `Go on with the ${some(copies.deferred, 'copy', 'copies')} (cc or bcc) still to come. Nobody gets it twice.`
    steps.push({ words, commands: [`mailmerge resume ${run.id}`] })
  }
  if (inDoubt > 0) {
    steps.push({
      words:
        inDoubt === 1
          ? 'Decide on the row in doubt: find out whether it arrived, then give one of these.'
          : `Decide on the ${count(inDoubt)} in doubt: find out whether they arrived, then give one of these.`,
      commands: [`mailmerge resume ${run.id} --in-doubt keep`, `mailmerge resume ${run.id} --in-doubt resend`],
    })
  }
  if (failed > 0) {
    steps.push({
      words: `Correct the ${some(failed, 'row', 'rows')} that failed in ${list} and give the same command again: only what is not sent goes. Or try ${failed === 1 ? 'it' : 'them'} again as ${failed === 1 ? 'it is' : 'they are'}.`,
      commands: [`mailmerge retry ${run.id}`],
    })
  }
  if (bad > 0) {
    steps.push({
      words: `Correct the ${some(bad, 'row', 'rows')} with a problem in ${list} and give the same command again: only what is not sent goes.`,
      commands: [],
    })
  }
  if (steps.length > 0) return steps
  return [
    {
      words: `Nothing. People who are added to ${list} later get it when you give the same command again; nobody gets it twice.`,
      commands: [],
    },
  ]
}

function goOn(counts: StateCounts, run: ReportHead['run'], time: PageTime): Step {
  const open = counts.deferred + counts.to_send
  if (run.state === 'cancelled') {
    const words = `The run is cancelled. To send the ${count(open)} that ${open === 1 ? 'is' : 'are'} left, give the command of the run again.`
    return { words, commands: [] }
  }
  const commands = [`mailmerge resume ${run.id}`]
  if (run.notBefore !== undefined && run.begunAt === undefined) {
    const { notBefore: start } = run
    const words = `The sending begins on ${time.day(start)}, at ${time.short(start, 'minutes')}: mailmerge serve does it then, and so does this command, which waits for it.`
    return { words, commands }
  }
  const what = [
    ...(counts.deferred > 0 ? [`the ${count(counts.deferred)} that ${counts.deferred === 1 ? 'waits' : 'wait'}`] : []),
    ...(counts.to_send > 0 ? [`the ${count(counts.to_send)} still to send`] : []),
  ]
  return { words: `Go on with ${what.join(' and ')}. Nobody gets it twice.`, commands }
}

/** What to do about one row. */
export function adviceFor(row: ResultRow): string {
  if (row.status === 'in_doubt') return 'Ask, or look in the log of the server; then keep or resend'
  if (row.skip !== undefined) return 'Correct the row, then give the command again'
  const cause = causeOfRow(row)
  return (cause === undefined ? undefined : ADVICE[cause]) ?? 'Read the answer, then correct the row or try again'
}

const ADDRESS = 'Correct the address, then give the command again'
const LATER = 'Try again later'
const SENDER = 'Have the sender allowed by the server that sends, then try again'

const ADVICE: Readonly<Partial<Record<ReplyCause, string>>> = {
  'mailbox-unknown': ADDRESS,
  'domain-unknown': ADDRESS,
  'mailbox-moved': ADDRESS,
  'domain-takes-no-mail': 'Find another address, then give the command again',
  'mailbox-disabled': 'Find another address, then give the command again',
  'mailbox-full': LATER,
  'mailbox-busy': LATER,
  'server-trouble': LATER,
  'no-connection': LATER,
  'name-service': LATER,
  greylisted: LATER,
  rate: LATER,
  'given-up': LATER,
  'message-too-large': 'Make the message smaller',
  content: 'Change what the server does not accept, then give the command again',
  spam: 'Ask the domain to let you in',
  policy: 'Ask the domain to let you in',
  'host-blocked': 'Ask the domain to let you in',
  'list-closed': 'Ask the owner of the list to let you in',
  'sender-rejected': SENDER,
  'sender-unverified': SENDER,
  'sender-not-allowed': SENDER,
  'sender-unauthenticated': 'Set up SPF, DKIM and DMARC for the sender, then try again',
}
