/** The files of a new project. Owns their content, which must run at once in the sandbox. */
import { readFile } from 'node:fs/promises'

const CONFIG = `# yaml-language-server: $schema=.mailmerge/mailmerge.schema.json
# Settings of this mail merge. Options of the command line take precedence.

csv: list.csv
template: hello

# Your mail server. Until it is set, 'mailmerge run' connects to localhost, port 25.
# smtp:
#   service: gmail              # or microsoft365, fastmail, ses ...; or host, port and security
#   user: you@example.com
#   passwordCommand: pass show mail   # or MAILMERGE_SMTP_PASSWORD in the environment or in .env

# How fast, and how much. With 'service' the limits of your provider are kept.
# concurrency: 5
# rate: [10/s, 500 recipients/day]
`

const MESSAGE = `# Each value is a Handlebars text: a column of the list is {{column}}.
# Without 'to' a message goes to the column that holds the address.
from: Your Name <you@example.com>
subject: "Hello {{name}}"
preheader: "Your seat is {{seat}}"
`

const TEXT = `Hello {{name}},

this is the first mail of your project. Your seat is {{seat}}.

All the best
Your Name
`

const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Hello</title>
<style>
  /* Written into the elements when the template is read, once: many mail programs look nowhere else. */
  body { margin: 0; padding: 24px 12px; background-color: #f3f4f6; color: #1f2328; font-family: Helvetica, Arial, sans-serif; font-size: 16px; line-height: 1.6; }
  .page { max-width: 560px; margin: 0 auto; padding: 32px; background-color: #ffffff; border-radius: 10px; }
  p { margin: 0 0 16px; }
  @media (prefers-color-scheme: dark) {
    body { background-color: #15171a !important; color: #e6e8eb !important; }
    .page { background-color: #202327 !important; }
  }
  @media (max-width: 480px) {
    body { padding: 0 !important; }
    .page { padding: 24px 20px !important; border-radius: 0 !important; }
  }
</style>
</head>
<body>
<div class="page">
  <p>Hello {{name}},</p>
  <p>this is the first mail of your project. Your seat is <strong>{{seat}}</strong>.</p>
  <p>All the best<br>Your Name</p>
</div>
</body>
</html>
`

const LIST = `name,email,seat
Ada Lovelace,ada@example.com,A1
José Ñúñez,jose@example.com,A2
岩田 聡,satoru@example.com,B1
Zoë O'Hara,zoe@example.com,B2
`

const GITIGNORE = `.mailmerge/
.env
`

/** Path from the project folder, to text. */
export async function starterFiles(): Promise<Readonly<Record<string, string>>> {
  return {
    'mailmerge.yaml': CONFIG,
    'list.csv': LIST,
    'templates/hello/message.yaml': MESSAGE,
    'templates/hello/text.hbs': TEXT,
    'templates/hello/html.hbs': HTML,
    '.gitignore': GITIGNORE,
    '.mailmerge/mailmerge.schema.json': await readFile(
      new URL('../../../schema/mailmerge.schema.json', import.meta.url),
      'utf8',
    ),
  }
}
