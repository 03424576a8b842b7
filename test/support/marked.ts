/** Marked texts as tests write them: a string in which `value` has marked what a row would put in. */
import { type MarkedText, markedOutput, markValue } from '../../src/template/marked-text.ts'
import type { Rendered } from '../../src/template/template.ts'

/** The same data with plain strings in the place of marked texts. */
export type Written<T> = T extends MarkedText
  ? string
  : T extends Uint8Array | Date
    ? T
    : T extends object
      ? { [K in keyof T]: Written<T[K]> }
      : T

/** A rendered row as tests write it. */
export type WrittenMessage = Written<Rendered>

/** A value of a row, marked, for a longer text. */
export const value = (text: string): string => markValue(text) as unknown as string

export const marked = (text: string): MarkedText => markedOutput(text)

/** A fixture of plain strings as the program has it. */
export const written = <T>(data: Written<T>): T => data as T
