/** A part that goes into a message beside its bodies. Owns the shape only. */

export interface LoadedPart {
  readonly disposition: 'attachment' | 'inline'
  /** File name as a person sees it, already made safe. */
  readonly name: string
  readonly type: string
  /** Without brackets; for inline parts. */
  readonly contentId?: string
  readonly content: Uint8Array
  /** The same object comes again for other rows, so that what is made of it may be kept by its identity. */
  readonly shared: boolean
}
