/** All commands, in the order of the help. A new command is a new file and a line here. */

import type { Command } from './command.ts'
import { bounces } from './commands/bounces.ts'
import { check } from './commands/check.ts'
import { completion } from './commands/completion.ts'
import { forget } from './commands/forget.ts'
import { inbox } from './commands/inbox.ts'
import { init } from './commands/init.ts'
import { login } from './commands/login.ts'
import { cancel, pause } from './commands/pause.ts'
import { preview } from './commands/preview.ts'
import { prune } from './commands/prune.ts'
import { report } from './commands/report.ts'
import { resume } from './commands/resume.ts'
import { retry } from './commands/retry.ts'
import { run } from './commands/run.ts'
import { schedule } from './commands/schedule/schedule.ts'
import { serve } from './commands/serve.ts'
import { status } from './commands/status.ts'
import { suppress } from './commands/suppress/suppress.ts'
import { verify } from './commands/verify.ts'

export const COMMANDS: readonly Command[] = [
  init,
  check,
  preview,
  inbox,
  run,
  resume,
  retry,
  pause,
  cancel,
  status,
  report,
  schedule,
  serve,
  suppress,
  bounces,
  forget,
  prune,
  login,
  verify,
  completion,
]
