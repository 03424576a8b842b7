/** The transport that the settings ask for. Owns the choice only. */
import type { Settings } from '../config/settings.ts'
import { ConfigError } from '../errors.ts'
import { createSmtpTransport, type SmtpTransportOptions } from './smtp/smtp-transport.ts'
import type { Transport } from './transport.ts'

/** @throws ConfigError for a transport that is not known. */
export async function openTransport(settings: Settings, options: SmtpTransportOptions = {}): Promise<Transport> {
  const { transport } = settings
  if (transport === undefined || transport === 'smtp') return createSmtpTransport(settings.smtp, options)
  throw new ConfigError(
    `there is no transport '${typeof transport === 'string' ? transport : JSON.stringify(transport)}'`,
    {
      hint: 'Leave transport out for SMTP.',
    },
  )
}
