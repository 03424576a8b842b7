/** The sending hours of a project: flags over the config, holidays read from their files. Owns what must be there. */
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError, InputError, UsageError } from '../errors.ts'
import { systemWords } from '../fs/system-errors.ts'
import type { DayRange, SendingWindow } from '../sending-window.ts'
import { decodeText } from '../text/decode-text.ts'
import { holidaysOfCalendar } from './holiday-calendar.ts'
import type { Config } from './schema.ts'
import { ALWAYS, inOrder, isCalendarFile, readHoliday, readHours, WINDOW_HINT } from './sending-hours.ts'

/** More than any calendar of holidays needs. */
const MOST_BYTES = 2_000_000

/**
 * @param flag Hours of the command line, instead of those of the config; its zone and holidays stay.
 * @throws UsageError for a flag, ConfigError for a group without hours or a calendar that cannot be used, InputError for one that cannot
 * be read.
 */
export function windowSettings(
  flag: readonly string[] | undefined,
  config: Config['window'],
  root: string,
): SendingWindow | undefined {
  const texts = flag ?? config?.hours
  if (texts === undefined) {
    if (config === undefined) return undefined
    throw new ConfigError('window has no hours', { hint: `Set window.hours. ${WINDOW_HINT}` })
  }
  if (texts.includes(ALWAYS)) return undefined
  return {
    text: texts.join('; '),
    hours: inOrder(texts.flatMap(hoursOf)),
    zone: config?.zone === 'run' ? undefined : config?.zone,
    zoneColumn: config?.zoneColumn?.normalize('NFC'),
    holidays: (config?.holidays ?? []).flatMap((text) => holidaysOf(text, root)),
  }
}

/** What the config says was checked by its schema: what is wrong here came from a flag. */
function hoursOf(text: string): SendingWindow['hours'] {
  const read = readHours(text)
  if ('value' in read) return read.value
  throw new UsageError(`'${text}' is not valid for --window: ${read.wrong}`, { hint: WINDOW_HINT })
}

function holidaysOf(text: string, root: string): readonly DayRange[] {
  if (isCalendarFile(text)) return holidaysOfCalendar(readCalendar(text, root), text)
  const read = readHoliday(text)
  return 'value' in read ? [read.value] : []
}

function readCalendar(path: string, root: string): string {
  const file = resolve(root, path)
  let bytes: Buffer
  try {
    if (statSync(file).size > MOST_BYTES) throw new ConfigError(`${path} is too large for a calendar of holidays`)
    bytes = readFileSync(file)
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    throw new InputError(`the calendar ${path} of window.holidays cannot be read: ${systemWords(cause)}`, {
      cause,
      hint: 'Its path starts at the folder of mailmerge.yaml.',
    })
  }
  const decoded = decodeText(bytes)
  if ('text' in decoded) return decoded.text
  throw new ConfigError(`${path}:${decoded.line}: the file ${decoded.fault}`, { hint: 'Save it as UTF-8.' })
}
