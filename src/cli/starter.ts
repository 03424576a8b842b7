/** The files of a new project. Owns their content, which must run at once in the sandbox. */
import { readFile } from 'node:fs/promises'

const CONFIG = `# yaml-language-server: $schema=.mailmerge/mailmerge.schema.json
# Settings of this mail merge. Everything here can be given on the command line too, and that wins.

csv: list.csv
template: hello

# The server that takes your mail. Until it is set, 'mailmerge run' talks to localhost, port 25.
# smtp:
#   service: gmail              # or microsoft365, fastmail, ses ...; or host, port and security
#   user: you@example.com
#   passwordCommand: pass show mail   # or MAILMERGE_SMTP_PASSWORD in the environment or in .env

# How fast, and how much. What your provider allows holds by itself with 'service'.
# concurrency: 5
# rate: [10/s, 500/day]
`

const MESSAGE = `# Each value is a Handlebars text: a column of the list is {{column}}.
# Without 'to' a message goes to the column that holds the address.
from: Your Name <you@example.com>
subject: "Hello {{name}}"
`

const TEXT = `Hello {{name}},

this is the first mail of your project. Your seat is {{seat}}.

All the best
Your Name
`

const HTML = `<!doctype html>
<html lang="en">
  <body style="font-family: sans-serif; line-height: 1.5">
    <p>Hello {{name}},</p>
    <p>this is the first mail of your project. Your seat is <strong>{{seat}}</strong>.</p>
    <p>All the best<br>Your Name</p>
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
      new URL('../../schema/mailmerge.schema.json', import.meta.url),
      'utf8',
    ),
  }
}
