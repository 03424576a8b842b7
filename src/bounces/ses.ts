/** Reads what Amazon SES mails of bounces and complaints through SNS: JSON, as it is or in an envelope of SNS's own. */
import { diagnose } from './classify.ts'
import { headerOf, type MimePart } from './mime.ts'
import type { RecipientReport } from './report.ts'
import { smtpCodeOf } from './text.ts'

/** The bounces and complaints that Amazon SES reports as JSON, mailed by SNS. */
export function serviceNotices(message: MimePart): readonly (RecipientReport & { messageId?: string | undefined })[] {
  const text = message.text.trim()
  if (!text.startsWith('{') || !/amazon(aws|ses)\.com/i.test(headerOf(message, 'from'))) return []
  const outer = firstJson(text)
  const notice = typeof outer?.Message === 'string' ? firstJson(outer.Message) : outer
  const kind = String(notice?.notificationType ?? notice?.eventType ?? '')
  const sesId = notice?.mail?.messageId
  const messageId = typeof sesId === 'string' ? `<${sesId}@email.amazonses.com>` : undefined
  const lower = (address: unknown): string => String(address ?? '').toLowerCase()
  if (kind === 'Complaint') {
    return (notice?.complaint?.complainedRecipients ?? []).map(({ emailAddress }) => ({
      kind: 'complaint',
      address: lower(emailAddress),
      reason: 'complaint',
      messageId,
    }))
  }
  if (kind === 'Bounce') {
    return (notice?.bounce?.bouncedRecipients ?? []).map((recipient) => ({
      ...diagnose(
        lower(recipient.emailAddress),
        recipient.action ?? '',
        {
          status: recipient.status ?? '',
          smtpCode: smtpCodeOf(recipient.diagnosticCode ?? ''),
          text: recipient.diagnosticCode ?? '',
        },
        '',
      ),
      messageId,
    }))
  }
  return (kind === 'Delivery' ? (notice?.delivery?.recipients ?? []) : []).map((address) => ({
    kind: 'delivered',
    address: lower(address),
    reason: 'delivered',
    messageId,
  }))
}

/** The fields of an SES notice that are read here; all may be absent or of another type. */
interface SesNotice {
  /** The notice itself as a text, in the envelope of SNS. */
  readonly Message?: unknown
  readonly notificationType?: unknown
  readonly eventType?: unknown
  readonly mail?: { readonly messageId?: unknown }
  readonly complaint?: { readonly complainedRecipients?: readonly { readonly emailAddress?: unknown }[] }
  readonly bounce?: {
    readonly bouncedRecipients?: readonly {
      readonly emailAddress?: unknown
      readonly action?: string
      readonly status?: string
      readonly diagnosticCode?: string
    }[]
  }
  readonly delivery?: { readonly recipients?: readonly unknown[] }
}

/** The JSON object that a text begins with; lines may have been wrapped, and a footer may follow. */
function firstJson(text: string): SesNotice | undefined {
  for (const candidate of [
    text,
    text.split('\n')[0] ?? '',
    text.slice(0, text.lastIndexOf('}\n') + 1),
    text.replaceAll('\n', ''),
    // Some mailers break long lines with a mark of their own.
    text.slice(0, text.search(/\}\s*\n\s*\n|\}\s*$/) + 1).replace(/!?\n ?/g, ''),
  ]) {
    try {
      return JSON.parse(candidate) as SesNotice
    } catch {
      // The next reading may fit.
    }
  }
  return undefined
}
