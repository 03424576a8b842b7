/** Programs of ours that run in a thread or process of their own. Owns where they lie and what Node.js options they get; begins none. */
import { extname } from 'node:path'

/** The program of that name in the folder of the module that asks (`import.meta.url`): as source or built, as that one is. */
export function ownProgram(asking: string, name: string): URL {
  return new URL(`./${name}${extname(asking)}`, asking)
}

/** Arguments of Node.js for one that opens a ledger. It calls its own SQLite experimental; a log is the wrong place for that. */
export const LEDGER_EXEC_ARGV = [...process.execArgv, '--disable-warning=ExperimentalWarning']
