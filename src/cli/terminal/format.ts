/** Numbers, times and paths as people read them. Owns the wording, nothing else. */
import { isAbsolute, relative, resolve } from 'node:path'
import { given } from '../../given.ts'
import { escapeInvisible } from '../../text/visible.ts'

/** `1,234,567` */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** `1 row`, `2 rows` */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** `45 s`, `2 min 05 s`, `3 h 10 min`, from seconds. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${two((whole % 3600) / 60)} min`
  return `${Math.floor(whole / 86_400)} d ${two((whole % 86_400) / 3600)} h`
}

/** `1,234/s`, `3.4/s`, `20/min` */
export function rate(perSecond: number): string {
  if (perSecond >= 10) return `${count(perSecond)}/s`
  if (perSecond >= 1) return `${perSecond.toFixed(1)}/s`
  return `${(perSecond * 60).toFixed(perSecond * 60 >= 10 ? 0 : 1)}/min`
}

/** A moment in a zone, or in that of this machine: `2026-11-24 10:25`. */
export function moment(date: Date, timeZone?: string): string {
  // The Swedish way to write a date is the ISO one.
  return date.toLocaleString('sv-SE', { dateStyle: 'short', timeStyle: 'short', ...given({ timeZone }) })
}

/** A moment by the clocks of a zone: `Tue 1 Dec 2026, 09:00 (Europe/Paris)`; without it by those of this machine. */
export function dateTimeWords(date: Date, timeZone?: string): string {
  const words = date.toLocaleString('en-GB', {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    ...given({ timeZone }),
  })
  return `${words.replace(/^(\w+), /, '$1 ')} (${timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone})`
}

/** The time of the day, and the day where it is another one; by the clocks of a zone, or without it by those of this machine. */
export function untilWords(until: Date, now = new Date(), timeZone?: string): string {
  const zone = given({ timeZone })
  const time = until.toLocaleTimeString('en-GB', zone)
  const dayOf = (date: Date): string =>
    date.toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', ...zone })
  return dayOf(until) === dayOf(now) ? time : `${dayOf(until)}, ${time}`
}

/** A path as it reads best from `cwd`: relative where that leads downwards. */
export function shortPath(path: string, cwd: string): string {
  const short = relative(cwd, resolve(cwd, path))
  return escapeInvisible(short === '' ? '.' : short.startsWith('..') || isAbsolute(short) ? path : short)
}

/** A text of several lines, each with its invisible characters spelled out. */
export function escapedLines(text: string): string {
  return text.split(/\r?\n/).map(escapeInvisible).join('\n')
}

/** `412 B`, `43.1 KB`, `1.4 MB`, by thousands. */
export function bytesWords(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}
