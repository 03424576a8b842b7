/** What an address is once it was read. Owns these shapes; reads nothing. */

/** One mailbox of a header or an envelope. */
export interface Mailbox {
  readonly name?: string
  /** The addr-spec as it was typed, in the composed form of Unicode (RFC 6532 section 3.1). */
  readonly address: string
  /** The addr-spec for the envelope: the domain in A-labels (RFC 5890), the local part as it is. */
  readonly wire: string
  /** True when the local part is not ASCII: only a server with SMTPUTF8 takes it (RFC 6531). */
  readonly needsSmtputf8: boolean
}

/** What a text is as an addr-spec. */
export type ParsedAddress =
  | { readonly kind: 'valid'; readonly mailbox: Mailbox }
  /** Allowed by the standard, but hardly anybody's address: no dot in the domain, a quoted local part, an IP literal. */
  | { readonly kind: 'unlikely'; readonly mailbox: Mailbox; readonly why: string }
  | { readonly kind: 'invalid'; readonly why: string }
