/** Python's email package as a judge of our messages. */
import { execFileSync } from 'node:child_process'

export interface PythonRead {
  readonly subject: string
  readonly text: string | undefined
  readonly html: string | undefined
  /** Content in base64. */
  readonly files: readonly { readonly name: string; readonly content: string }[]
}

/** Reads messages in base64, one a line, and writes one JSON object a line. */
const SCRIPT = `
import base64, email, email.policy, json, sys
for line in sys.stdin:
    mail = email.message_from_bytes(base64.b64decode(line), policy=email.policy.default)
    out = {'subject': str(mail['subject']), 'files': []}
    for part in mail.walk():
        if part.is_multipart():
            continue
        data = part.get_payload(decode=True)
        if part.get_content_disposition() is None:
            out['text' if part.get_content_subtype() == 'plain' else 'html'] = data.decode('utf-8')
        else:
            out['files'].append({'name': part.get_filename(), 'content': base64.b64encode(data).decode()})
    print(json.dumps(out))
`

export function whyNoPython(): string | undefined {
  try {
    execFileSync('python3', ['-c', 'import email.policy'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'there is no python3'
  }
}

export function judgeByPython(messages: readonly Buffer[]): readonly PythonRead[] {
  const input = messages.map((octets) => `${octets.toString('base64')}\n`).join('')
  const output = execFileSync('python3', ['-c', SCRIPT], { input, maxBuffer: 1e9, encoding: 'utf8' })
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as PythonRead)
}
