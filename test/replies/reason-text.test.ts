import { describe, expect, test } from 'vitest'
import { reasonOf, type Stage } from '../../src/replies/reply.ts'

/** A line as a server says it, with its enhanced code where it has one. */
function reason(line: string, stage: Stage): string {
  const [, code = '', enhanced, text = ''] = /^(\d{3}) (?:([245]\.\d+\.\d+) )?(.*)$/.exec(line) ?? []
  return reasonOf({ code: Number(code), ...(enhanced === undefined ? {} : { enhanced }), text }, stage)
}

describe('why a server refused', () => {
  describe('by the enhanced code', () => {
    test.each([
      ['1.1', 'mailbox unknown'],
      ['1.2', 'domain of the recipient unknown'],
      ['1.3', 'address not valid for this server'],
      ['1.6', 'mailbox has moved'],
      ['1.7', 'sender address refused'],
      ['1.8', 'domain of the sender unknown'],
      ['1.10', 'domain does not accept mail'],
      ['2.1', 'mailbox disabled'],
      ['2.2', 'mailbox full'],
      ['2.3', 'message too large for this mailbox'],
      ['3.1', 'server out of space'],
      ['3.4', 'message too large for this server'],
      ['4.1', 'server of the recipient does not answer'],
      ['4.4', 'no route to the recipient'],
      ['4.6', 'mail loop'],
      ['4.7', 'delivery took too long'],
      ['4.99', 'no route to the recipient'],
      ['5.3', 'too many recipients'],
      ['6.0', 'content not accepted'],
      ['6.3', 'content not accepted'],
      ['6.7', 'server does not accept international addresses'],
      ['7.1', 'refused by policy or as spam'],
      ['7.8', 'login needed'],
      ['7.10', 'TLS needed'],
      ['7.20', 'sender not authenticated (SPF, DKIM, DMARC or reverse DNS)'],
      ['7.23', 'sender not authenticated (SPF, DKIM, DMARC or reverse DNS)'],
      ['7.25', 'sender not authenticated (SPF, DKIM, DMARC or reverse DNS)'],
      ['7.26', 'sender not authenticated (SPF, DKIM, DMARC or reverse DNS)'],
      ['7.27', 'sender address does not accept mail itself'],
      ['7.28', 'sent more than the server allows'],
      ['7.515', 'sender not authenticated (SPF, DKIM, DMARC or reverse DNS)'],
      ['7.606', 'sending host blocked'],
      ['7.99', 'refused by policy'],
    ])('x.%s: %s', (code, words) => {
      expect(reason(`550 5.${code} -`, 'rcpt')).toBe(words)
      expect(reason(`450 4.${code} -`, 'end-of-data')).toBe(words)
    })
  })

  describe('by the sentence, where the code says little or is not there', () => {
    test.each([
      ['550 No such user here', 'rcpt', 'mailbox unknown'],
      [
        '550 5.1.1 <a@b.example>: Recipient address rejected: User unknown in virtual mailbox table',
        'rcpt',
        'mailbox unknown',
      ],
      ['550 Unrouteable address', 'rcpt', 'mailbox unknown'],
      ['550 5.5.0 Requested action not taken: mailbox unavailable', 'rcpt', 'mailbox unknown'],
      ['554 delivery error: dd This user does not have an account - no such mailbox', 'end-of-data', 'mailbox unknown'],
      ['554 5.7.1 <a@b.example>: Relay access denied', 'rcpt', 'relaying denied'],
      ['550 relay not permitted', 'rcpt', 'relaying denied'],
      ['550 5.7.1 Unable to relay', 'rcpt', 'relaying denied'],
      ['554 5.7.1 Spam message rejected', 'end-of-data', 'refused as spam'],
      ['550 5.7.1 Message rejected due to content: looks like unsolicited mail', 'end-of-data', 'refused as spam'],
      [
        '554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org',
        'rcpt',
        'sending host blocked',
      ],
      ['550 5.7.1 Your IP address is on a blocklist', 'mail', 'sending host blocked'],
      ['554 5.7.0 Message infected: Eicar-Test-Signature', 'end-of-data', 'refused for a virus'],
      ['550-5.7.1 SPF check failed', 'mail', 'sender refused'],
      [
        '550 5.7.1 SPF check failed for example.org',
        'mail',
        'sender not authenticated (SPF, DKIM, DMARC or reverse DNS)',
      ],
      ['552 Message size exceeds fixed limit', 'mail', 'message too large'],
      ['552 5.0.0 message too big', 'end-of-data', 'message too large'],
      ['552 5.0.0 Requested mail action aborted: exceeded storage allocation', 'rcpt', 'mailbox full'],
      ['452 4.0.0 mailbox full', 'rcpt', 'mailbox full'],
      [
        '450 4.2.0 <a@b.example>: Recipient address rejected: Greylisted, see http://postgrey.example/',
        'rcpt',
        'greylisted',
      ],
      ['451 4.7.1 Greylisting in action, please come back later', 'rcpt', 'greylisted'],
      ['530 5.7.0 Must issue a STARTTLS command first', 'mail', 'TLS needed'],
      ['530 5.7.0 Authentication required', 'mail', 'login needed'],
      ['530 no', 'mail', 'login needed'],
      ['553 5.7.1 <x@y.example>: Sender address rejected: not owned by user ada', 'mail', 'sender address refused'],
      ['550 5.7.30 Basic authentication is not supported for Client Submission', 'mail', 'login needed'],
      ['554 5.7.30 REQUIRETLS support required', 'mail', 'server does not promise TLS on the whole way'],
      [
        '450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents more',
        'rcpt',
        'mailbox receives more mail than it may',
      ],
      ['454 Throttling failure: Maximum sending rate exceeded.', 'end-of-data', 'sent more than the server allows'],
      ['550 5.7.1 Account suspended', 'rcpt', 'mailbox disabled'],
    ] as const)('%s (%s): %s', (line, stage, words) => {
      expect(reason(line, stage)).toBe(words)
    })
  })

  test('a code that says much is not overruled by a sentence', () => {
    expect(reason('550 5.2.2 user unknown to have room for spam', 'rcpt')).toBe('mailbox full')
  })

  describe('by where it was said, when nothing else decides', () => {
    test.each([
      ['550 go away', 'mail', 'sender refused'],
      ['550 go away', 'rcpt', 'recipient refused'],
      ['554 no', 'data', 'message refused'],
      ['554 no', 'end-of-data', 'message refused'],
      ['552 no', 'rcpt', 'message too large or mailbox full'],
      ['451 4.3.0 try again later', 'rcpt', 'recipient refused'],
    ] as const)('%s (%s): %s', (line, stage, words) => {
      expect(reason(line, stage)).toBe(words)
    })
  })
})
