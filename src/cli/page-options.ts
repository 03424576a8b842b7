/** Options of the commands that open a local page: the same for each of them. */
import { UsageError } from '../errors.ts'
import type { Arguments, Option } from './command.ts'

export function pageOptions(group: string): Record<string, Option> {
  return {
    port: { type: 'number', value: 'N', group, describe: 'Port of the page; default any that is free' },
    'no-open': { type: 'boolean', group, describe: 'Do not open the browser' },
  }
}

/** @throws UsageError for a number that is not a port. */
export function portOf(args: Arguments, otherwise = 0): number {
  const port = args.number('port') ?? otherwise
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new UsageError(`--port ${port} is not a valid port`, {
    hint: 'Give a number from 1 to 65535, or 0 for any free one.',
  })
}
