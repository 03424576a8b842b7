/** Verifiers of DKIM signatures by other authors; none of them asks a name server. */
import { execFileSync } from 'node:child_process'
import type { KeyObject } from 'node:crypto'
import { dkimVerify } from 'mailauth/lib/dkim/verify.js'
import { needProgram } from '../support/debian-package.ts'

/** TXT records of public keys by their names. */
export type Records = Readonly<Record<string, string>>

export interface Verdict {
  readonly algorithm: string
  readonly result: string
}

/** A record as a domain owner publishes it (RFC 6376 section 3.6.1, RFC 8463 section 4.2). */
export function recordOf(publicKey: KeyObject): string {
  const octets = publicKey.export({ type: 'spki', format: 'der' })
  return publicKey.asymmetricKeyType === 'ed25519'
    ? `v=DKIM1; k=ed25519; p=${octets.subarray(-32).toString('base64')}`
    : `v=DKIM1; k=rsa; p=${octets.toString('base64')}`
}

export async function verdictsOfMailauth(octets: Buffer, records: Records): Promise<readonly Verdict[]> {
  const resolver = (name: string): Promise<string[][]> => Promise.resolve([[records[name] ?? '']])
  const { results } = await dkimVerify(octets, { resolver })
  return results.map((one) => ({ algorithm: 'algo' in one ? String(one.algo) : '', result: one.status.result }))
}

const DKIMPY = `
import base64, dkim, json, sys
records = json.loads(sys.argv[1])
for line in sys.stdin:
    message = base64.b64decode(line)
    judge = dkim.DKIM(message)
    count = len([1 for name, _ in judge.headers if name.lower() == b'dkim-signature'])
    answer = lambda name, timeout=5: records[name.decode().rstrip('.')].encode()
    print(json.dumps([bool(dkim.DKIM(message).verify(idx=index, dnsfunc=answer)) for index in range(count)]))
`
const MAIL_DKIM = `
use Mail::DKIM::Verifier; use Mail::DKIM::DNS; use MIME::Base64; use JSON::PP;
my $records = decode_json($ARGV[0]);
no warnings 'redefine';
*Mail::DKIM::PublicKey::fetch_async = sub {
  my ($class, %p) = @_;
  my $name = $p{Selector} . '._domainkey.' . $p{Domain};
  my $key = $class->parse($records->{$name}); $key->{Selector} = $p{Selector}; $key->{Domain} = $p{Domain};
  $p{Callbacks}->{Success}->($key) if $p{Callbacks} && $p{Callbacks}->{Success};
  return sub { $key };
};
while (my $line = <STDIN>) {
  my $judge = Mail::DKIM::Verifier->new();
  $judge->PRINT(decode_base64($line)); $judge->CLOSE();
  print encode_json([map { $_->result eq 'pass' ? JSON::PP::true : JSON::PP::false } $judge->signatures]), "\\n";
}
`

export interface DebianJudge {
  readonly name: string
  /** Not all that Debian has are as young as RFC 8463. */
  readonly knowsEd25519: boolean
  /** Why it is not here; undefined when it is. */
  missing(): string | undefined
  /** For each message, whether each of its signatures holds. */
  verify(messages: readonly Buffer[], records: Records): readonly (readonly boolean[])[]
}

function ask(program: string, script: readonly string[], messages: readonly Buffer[], records: Records) {
  const input = messages.map((octets) => `${octets.toString('base64')}\n`).join('')
  const output = execFileSync(program, [...script, JSON.stringify(records)], {
    input,
    maxBuffer: 1e8,
    encoding: 'utf8',
  })
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as readonly boolean[])
}

export const DEBIAN_JUDGES: readonly DebianJudge[] = [
  {
    name: 'dkimpy',
    knowsEd25519: true,
    missing: () => needProgram('/usr/bin/dkimverify', ['python3-dkim', 'python3-nacl', 'python3-dnspython']),
    verify: (messages, records) => ask('/usr/bin/python3', ['-c', DKIMPY], messages, records),
  },
  {
    name: 'Mail::DKIM',
    knowsEd25519: false,
    missing: () => needProgram('/usr/bin/dkimproxy-verify', ['libmail-dkim-perl']),
    verify: (messages, records) => ask('/usr/bin/perl', ['-e', MAIL_DKIM], messages, records),
  },
]
