/** Who a row is for, in the list of rows: the name that its cells say. Owns the guess at the columns of it. */
import { cellText } from '../../source/cells/cell.ts'
import type { RowData } from '../../source/source.ts'

const WHOLE = /^(?:full|display|contact)?[ _-]?name$|^nom complet$|^nombre completo$|^naam$|^empfänger$/i
const FIRST = /^(?:first|given|fore)[ _-]?name$|^vorname$|^pr[ée]nom$|^nombre$|^nome$|^voornaam$|^first$/i
const LAST = /^(?:last|family|sur)[ _-]?name$|^surname$|^nachname$|^nom$|^apellidos?$|^cognome$|^achternaam$|^last$/i
const LONGEST = 100

/** A function that gives the name of a row; empty where its cells say none. */
export function createLabeller(columns: readonly string[], emailColumn: string | undefined): (row: RowData) => string {
  const others = columns.filter((column) => column !== emailColumn)
  const whole = others.find((column) => WHOLE.test(column.trim()))
  const [first, last] = [FIRST, LAST].map((pattern) => others.find((column) => pattern.test(column.trim())))
  const chosen = whole === undefined ? [first, last].filter((column) => column !== undefined) : [whole]
  const shown = chosen.length > 0 ? chosen : others.slice(0, 1)
  return (row) =>
    shown
      .map((column) => cellText(row[column]).trim())
      .filter((text) => text !== '')
      .join(' ')
      .slice(0, LONGEST)
}
