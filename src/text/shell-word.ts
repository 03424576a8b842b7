/** Words of commands that people copy into a shell. Owns their quoting. */
import { escapeInvisible } from './visible.ts'

/** A word of a command as a shell reads it. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${escapeInvisible(word).replaceAll("'", `'\\''`)}'`
}
