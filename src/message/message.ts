/** What a message is once composed: bytes and an envelope. Owns these shapes; never sends. */
import type { MaybePromise } from '../maybe-promise.ts'
import type { Rendered } from '../template/template.ts'

/** SMTP sender and recipients (RFC 5321 section 2.3.1); never taken from, nor shown in, the headers. */
export interface Envelope {
  /** Reverse-path without brackets; empty for the null sender. */
  readonly from: string
  /** Forward-paths without brackets: the row's own address first, then copies. Each is one checked addr-spec. */
  readonly to: readonly string[]
}

/** An RFC 5322 message ready for the wire. */
export interface Message {
  /** Message-ID with its angle brackets. */
  readonly id: string
  readonly envelope: Envelope
  /** The bytes in order, only CRLF line ends, no line over 998 bytes, ending in CRLF; not dot-stuffed. */
  readonly chunks: readonly Uint8Array[]
  /** Bytes in `chunks`, for SIZE= (RFC 1870). */
  readonly size: number
  /** True when any byte is over 127 (needs 8BITMIME, RFC 6152). */
  readonly eightBit: boolean
  /** True when an address or header needs SMTPUTF8 (RFC 6531). */
  readonly smtputf8: boolean
}

/** What the composer needs to know of one message beside its content. */
export interface Identity {
  /** Message-ID with brackets: stable over retries and resumes of the same row of the same campaign. */
  readonly messageId: string
  readonly date: Date
  /** The row's own recipient, already checked: first of the envelope. */
  readonly recipient: string
  /** One-click address of this recipient: makes List-Unsubscribe and List-Unsubscribe-Post (RFC 8058). */
  readonly unsubscribeUrl?: string | undefined
  /** Address for the mailto form of List-Unsubscribe (RFC 2369), with its subject if any: `mailto:` without the scheme. */
  readonly unsubscribeMailto?: string | undefined
}

/**
 * Makes messages of one campaign. Whatever does not depend on the row is done when it is created.
 * Synchronous when nothing has to be read or signed, so that the hot path pays for no promise.
 */
export interface Composer {
  /**
   * @throws DataError when content cannot become a right message: a bad address, a line break in a header, a missing
   *   attachment, or a file that is not what it was when the run was planned. It names the field.
   * @param planned Fingerprints of the row's files from its plan (`AttachmentStore.inspect`).
   */
  compose(rendered: Rendered, identity: Identity, planned?: readonly string[]): MaybePromise<Message>
  /**
   * The envelope that the message would have. Throws what `compose` would throw for what a row says. Reads no file and
   * encodes no text, which cannot fail and is most of the work.
   */
  check(rendered: Rendered, identity: Identity): Envelope
}
