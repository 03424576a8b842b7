/**
 * The states of rows as people see them: their words, their order and their looks. Imports nothing, so that the scripts of the
 * local pages use it too.
 */

/** Of the states in the results, in the order in which they are shown: done, coming, needs a look, left out. */
export const STATUS_WORDS = {
  sent: 'Sent',
  deferred: 'Waiting',
  failed: 'Failed',
  in_doubt: 'In doubt',
  skipped: 'Skipped',
} as const

/** Of the states on pages: a deferred row that was never tried is to be sent, the others wait. */
export const STATE_WORDS = { ...STATUS_WORDS, to_send: 'To send' } as const

export type RowState = keyof typeof STATE_WORDS

export const ROW_STATES = Object.keys(STATE_WORDS) as readonly RowState[]

/** Names of their icons, and of their classes in the styles. */
export const STATE_LOOKS = {
  sent: 'sent',
  deferred: 'waiting',
  failed: 'failed',
  in_doubt: 'doubt',
  skipped: 'skipped',
  to_send: 'todo',
} as const satisfies Readonly<Record<RowState, string>>
