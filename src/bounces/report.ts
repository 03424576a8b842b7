/** What a message that came back says of one recipient. Owns the words for it; reads nothing. */

export type ReportKind = 'hard' | 'soft' | 'complaint' | 'auto_reply' | 'delivered' | 'unsubscribe' | 'unknown'

/** What a message says about one recipient. */
export interface Report {
  readonly kind: ReportKind
  /** The recipient reported on, lower-cased; empty when the report names none. */
  readonly address: string
  readonly enhancedCode?: string | undefined
  readonly smtpCode?: number | undefined
  readonly reason: string
  /** Message-ID of the message that the report is about, with brackets. */
  readonly messageId?: string | undefined
  /** Where the report was sent to: a variable envelope return path is recognised by it. */
  readonly deliveredTo: readonly string[]
  /** What stands behind the word in the subject of an unsubscribe mail. */
  readonly unsubscribeToken?: string | undefined
  /** The address that we wrote to, where the report says so (Original-Recipient, RFC 3464 section 2.3.1). */
  readonly originalRecipient?: string | undefined
  /** Still tried: nothing has failed. */
  readonly isDelay?: boolean
  /** Addresses in To and Cc of the returned message. */
  readonly returnedTo?: readonly string[]
}

/** What is said of a recipient before it is known which message the report is about. */
export type RecipientReport = Omit<Report, 'deliveredTo' | 'messageId' | 'returnedTo'>
