/** The log of `mailmerge serve`: one JSON object a line for programs, words for a person at a terminal. Owns both forms. */
import { STATUS_WORDS } from '../../report/row-states.ts'
import type { Log } from '../../serve/serve.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Context } from '../command.ts'
import { count, moment, plural } from '../terminal/format.ts'
import { wallWords } from './schedule/time-words.ts'

type Facts = Readonly<Record<string, unknown>>

/** Writes to stderr: words where that is a terminal and JSON was not asked for. */
export function serveLog({ io, out }: Pick<Context, 'io' | 'out'>, timeZone: string | undefined): Log {
  const write =
    io.stderr.isTTY === true && !out.json
      ? (at: Date, level: string, event: string, facts: Facts) => {
          const mark = level === 'info' ? '' : `${level}: `
          return `${moment(at, timeZone).slice(11)}  ${mark}${escapeInvisible(logWords(event, facts))}`
        }
      : (at: Date, level: string, event: string, facts: Facts) =>
          JSON.stringify({ time: at.toISOString(), level, event, ...facts })
  return (level, event, facts = {}) => void io.stderr.write(`${write(new Date(), level, event, facts)}\n`)
}

/** An event in words. One without a sentence of its own is shown with its facts. */
export function logWords(event: string, facts: Facts): string {
  const text = (name: string): string => (facts[name] === undefined || facts[name] === null ? '' : String(facts[name]))
  const hint = text('hint') === '' ? '' : `. ${text('hint')}`
  const reason = text('reason') === '' ? '' : `: ${text('reason')}`
  const what = text('schedule') === '' ? text('campaign') : `${text('schedule')} ${wallWords(text('wall'))}`
  switch (event) {
    case 'listening':
      return `listening on ${text('address')}`
    case 'due':
      return `${what}: due`
    case 'planned':
      return `${what}: ${plural(Number(facts['rows']), 'row')}, ${count(Number(facts['to_send']))} to send (run ${text('run')})`
    case 'note':
      return `${what}: ${text('text')}`
    case 'paused':
      return `${what}: waiting${text('until') === '' ? '' : ` until ${text('until')}`}${reason}`
    case 'waiting':
      return `${what}: ${countWords(facts)}; ${text('stopped')}`
    case 'finished':
    case 'not finished': {
      const stopped = text('stopped') === '' ? '' : `; stopped: ${text('stopped')}`
      return `${what}: ${event}${reason}${hint}${facts['sent'] === undefined ? '' : `: ${countWords(facts)}`}${stopped}`
    }
    case 'missed':
      return `${what}: missed${reason}${hint}`
    case 'missed before those': {
      const many = `${facts['more'] === true ? 'more than ' : ''}${plural(Number(facts['count']), 'older occurrence')}`
      return `${text('schedule')}: ${many} missed as well, from ${wallWords(text('first'))} to ${wallWords(text('last'))}`
    }
    case 'late':
    case 'changed':
      return `${text('what')}${hint}`
    case 'job failed':
      return `${text('job')}${reason}${hint}`
    case 'bounces read':
      return `${plural(Number(facts['letters']), 'message')} read, ${count(Number(facts['suppressed']))} suppressed`
    case 'unsubscribed':
    case 'subscribed':
      return `a recipient ${event}`
    default: {
      const rest = Object.entries(facts).map(([name, value]) => `${name.replaceAll('_', ' ')} ${String(value)}`)
      return rest.length === 0 ? event : `${event}: ${rest.join(', ')}`
    }
  }
}

const COUNTED = ['sent', 'failed', 'in_doubt', 'deferred', 'skipped'] as const

function countWords(facts: Facts): string {
  const parts = COUNTED.flatMap((name) => {
    const value = Number(facts[name] ?? 0)
    return value > 0 || name === 'sent' ? [`${count(value)} ${STATUS_WORDS[name].toLowerCase()}`] : []
  })
  return parts.join(', ')
}
