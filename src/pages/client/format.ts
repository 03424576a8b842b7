/** Numbers, sizes and times as the pages show them. Owns the form alone. */

/** `12,480` */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** `412 B`, `43.1 KB`, `1.4 MB`, by thousands. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} KB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** `14:32:07` */
export function clockTime(date: Date): string {
  return date.toLocaleTimeString('en-GB')
}

/** `14:32` today, `27 Nov` on another day. */
export function shortTime(date: Date): string {
  if (isToday(date)) return clockTime(date).slice(0, 5)
  return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
}

/** `today, 14:02`, `27 Nov, 14:02` */
export function dayAndTime(text: string): string {
  return isToday(new Date(text)) ? `today, ${timeOrDay(text)}` : timeOrDay(text)
}

/** `14:02` today, `27 Nov, 14:02` on another day. */
export function timeOrDay(text: string): string {
  const date = new Date(text)
  const time = clockTime(date).slice(0, 5)
  if (isToday(date)) return time
  const options = { day: 'numeric', month: 'short' } as const
  const day = date.toLocaleDateString(
    'en-GB',
    date.getFullYear() === new Date().getFullYear() ? options : { ...options, year: 'numeric' },
  )
  return `${day}, ${time}`
}

export function isToday(date: Date): boolean {
  return date.toDateString() === new Date().toDateString()
}
