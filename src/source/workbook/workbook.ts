/** Opens a zipped document as the workbook it is. Owns telling XLSX, ODS and other documents apart. */
import { DataError } from '../../errors.ts'
import type { Input } from '../input/input.ts'
import type { Source } from '../source.ts'
import { openOds } from './ods.ts'
import { openSheet, type SheetOptions } from './sheet-source.ts'
import { openXlsx } from './xlsx.ts'
import { Zip } from './zip.ts'

/** Parts by which other documents are known. */
const OTHERS: readonly (readonly [part: string, what: string])[] = [
  ['xl/workbook.bin', 'a binary Excel workbook (.xlsb)'],
  ['word/document.xml', 'a Word document'],
  ['ppt/presentation.xml', 'a PowerPoint presentation'],
  ['index/document.iwa', 'an Apple Numbers or Pages document'],
  ['index.zip', 'an Apple Numbers or Pages document'],
]

export interface WorkbookOptions extends SheetOptions {
  /** BCP 47 tag that numbers and dates are written in. */
  readonly locale: string
  /** IANA zone of dates; the computer's without it. */
  readonly timeZone: string | undefined
}

/** The zip of an XLSX workbook, or undefined for an ODS one. @throws DataError when the zip is neither. */
export async function openXlsxZip(input: Input): Promise<Zip | undefined> {
  const zip = await openWorkbookZip(input)
  return isXlsx(zip) ? zip : undefined
}

/** @throws DataError when the zip is not a workbook. */
export async function openWorkbook(input: Input, options: WorkbookOptions): Promise<Source> {
  const zip = await openWorkbookZip(input)
  return isXlsx(zip)
    ? openSheet(input, await openXlsx(zip, options.locale, options.timeZone), options)
    : openSheet(input, await openOds(zip, options.timeZone), options)
}

async function openWorkbookZip(input: Input): Promise<Zip> {
  const zip = await Zip.open(input)
  const other = OTHERS.find(([part]) => zip.parts.has(part))
  if (other !== undefined) {
    throw new DataError(`${input.name} is ${other[1]}, not a list`, { hint: 'Save the list as .xlsx or CSV.' })
  }
  if (isXlsx(zip) || zip.parts.has('content.xml')) return zip
  throw new DataError(`${input.name} is a zip archive, not a list`, { hint: 'Unpack it and give the list itself.' })
}

function isXlsx({ parts }: Zip): boolean {
  return parts.has('xl/workbook.xml') || parts.has('_rels/.rels')
}
