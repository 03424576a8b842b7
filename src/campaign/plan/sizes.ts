/** How large the messages of a run are. Owns the smallest and the largest of those that were looked at. */

export interface MessageSizes {
  /** Messages that were made to know it. */
  readonly measured: number
  /** Bytes as they are sent. */
  readonly smallest: SizeOfRow
  readonly largest: SizeOfRow
}

export interface SizeOfRow {
  readonly row: number
  readonly bytes: number
}

/** With one more message; of several that are alike the first stays. */
export function withSize(sizes: MessageSizes | undefined, row: number, bytes: number): MessageSizes {
  const one = { row, bytes }
  const { measured, smallest, largest } = sizes ?? { measured: 0, smallest: one, largest: one }
  return {
    measured: measured + 1,
    smallest: bytes < smallest.bytes ? one : smallest,
    largest: bytes > largest.bytes ? one : largest,
  }
}
