/** What tests ask of the mail servers that people really have, whichever it is. */

export const USER = 'ada'
export const PASSWORD = 'correct horse battery'

export interface RealServer {
  readonly host: string
  readonly port: number
  /** Whether it has STARTTLS and a login. */
  readonly secure: boolean
  /** PEM file that trusts the server. */
  readonly ca: string
  readonly user: string
  readonly password: string
  log(): string
  stop(): Promise<void>
}

export interface RelayOptions {
  /** Port of this machine that everything taken is passed on to. */
  readonly relayTo: number
  /** Patterns for recipients that are refused at RCPT, and for senders whose messages are refused at their end. */
  readonly refuse?: { readonly rcpt?: string; readonly end?: string }
}

/** Stops a server that may not have started: why it did not is the error to see, not one of stopping it. */
export async function stopStarted(
  server: { stop(): Promise<unknown> } | { readonly skipped: string } | undefined,
): Promise<void> {
  if (server !== undefined && 'stop' in server) await server.stop()
}
