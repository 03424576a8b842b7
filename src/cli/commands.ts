/** All commands, in the order of the help. A new command is a new file and a line here. */
import { bounces } from './bounces.ts'
import { cancel } from './cancel.ts'
import { check } from './check.ts'
import type { Command } from './command.ts'
import { forget } from './forget.ts'
import { init } from './init.ts'
import { login } from './login.ts'
import { prune } from './prune.ts'
import { report } from './report.ts'
import { resume } from './resume.ts'
import { retry } from './retry.ts'
import { run } from './run.ts'
import { schedule } from './schedule.ts'
import { serve } from './serve.ts'
import { status } from './status.ts'
import { suppress } from './suppress.ts'
import { verify } from './verify.ts'

export const COMMANDS: readonly Command[] = [
  init,
  check,
  run,
  resume,
  retry,
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
]
