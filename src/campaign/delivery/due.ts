/**
 * What waits for its turn: a row, or a copy (cc, bcc) that the server did not take with its message. Owns what distinguishes them;
 * the rest of the delivery treats both alike.
 */
import type { DueCopy, DueRow } from '../../ledger/records.ts'

export type Due = DueRow | DueCopy

export function isCopy(due: Due): due is DueCopy {
  return 'copy' in due
}

/** The row itself, or the one that a copy belongs to. */
export function rowOf(due: Due): DueRow {
  return isCopy(due) ? due.row : due
}

/** A number of its own for each row and each copy: those of copies are below zero. */
export function idOf(due: Due): number {
  return isCopy(due) ? -due.copy : due.recipient
}
