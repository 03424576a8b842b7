/**
 * The addresses that the messages of a list go to: those that look wrong, and their domains. Owns what is remembered of them;
 * asks no name server.
 */
import type { Problem } from '../errors.ts'
import { domainOf, gmailKey, normalizeAddress, parseAddress } from '../message/address/address.ts'
import { addressDoubts } from '../message/address/typos.ts'
import type { Findings } from './findings.ts'
import type { CheckedMail } from './report.ts'

/** Bounds on what is remembered of a list of any length. */
const REMEMBERED_DOMAINS = 5_000
const REMEMBERED_GMAIL = 200_000

export interface AddressSurveyOptions {
  /** Name of the list. */
  readonly file: string
  readonly emailColumn: string | undefined
  /** Gmail's ways to write one mailbox are one recipient: the plan finds them. */
  readonly foldGmail: boolean
  readonly findings: Findings
}

export class AddressSurvey {
  readonly #options: AddressSurveyOptions
  readonly #domains = new Map<string, { row: number; address: string; rows: number }>()
  readonly #gmail = new Map<string, { readonly row: number; readonly address: string }>()

  constructor(options: AddressSurveyOptions) {
    this.#options = options
  }

  get domains(): CheckedMail['domains'] {
    return this.#domains
  }

  see(row: number, address: string): void {
    const { file, emailColumn: column, foldGmail, findings } = this.#options
    const place = { severity: 'warning' as const, file, row, value: address, column }
    const judged = parseAddress(address)
    if (judged.kind === 'unlikely') {
      const hint = 'It is allowed, but hardly any server accepts it. Ask the person for another.'
      findings.add({
        ...place,
        code: 'unlikely-address',
        message: `an unusual address: ${judged.why}`,
        hint,
      })
    }
    if (judged.kind !== 'invalid') {
      for (const { code, text, hint } of addressDoubts(judged.mailbox))
        findings.add({ ...place, code, message: text, hint })
    }
    if (!foldGmail) this.#seeGmail(row, address, place)
    const domain = domainOf(address)
    const known = this.#domains.get(domain)
    if (known !== undefined) known.rows++
    else if (this.#domains.size < REMEMBERED_DOMAINS) this.#domains.set(domain, { row, address, rows: 1 })
  }

  /** Two ways to write one Gmail mailbox; rows that are the same letter by letter are the plan's to find. */
  #seeGmail(row: number, address: string, place: Omit<Problem, 'code' | 'message'>): void {
    const key = gmailKey(address)
    if (!key.endsWith('@gmail.com')) return
    const known = this.#gmail.get(key)
    if (known === undefined) {
      if (this.#gmail.size < REMEMBERED_GMAIL) this.#gmail.set(key, { row, address: normalizeAddress(address) })
    } else if (known.address !== normalizeAddress(address)) {
      const message = `the same Gmail mailbox as row ${known.row}, written differently`
      const hint = 'Gmail ignores dots and what follows a plus. Remove one of them if it is one person.'
      this.#options.findings.add({ ...place, code: 'same-mailbox', message, hint })
    }
  }
}
