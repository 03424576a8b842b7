/** What a run was asked for, kept with it so that it can go on in the same way later. Owns its form in a ledger; holds no secret. */
import { z } from 'zod'
import { OutputError } from '../errors.ts'

const schema = z.object({
  /** The template as it was asked for: a name or a path. */
  template: z.string().optional(),
  /** Those that the rows named, where each row names its own. */
  templates: z.array(z.string()).readonly().optional(),
  /** Who sends, where the template names one sender for all. */
  sender: z.string().optional(),
  /** Column that holds the address. */
  emailColumn: z.string().optional(),
  /** The template says the address of each row: the column is not what its key is made of. */
  addressByTemplate: z.boolean().optional(),
  /** Column by which the rows of one message were put together. */
  groupBy: z.string().optional(),
  /** Everybody gets this variant of the project. */
  variant: z.string().optional(),
  /** Group of the suppressions that hold for the run. */
  group: z.string().optional(),
  /** Each row has a start time on its recipient's own clock: `09:00`. */
  atLocal: z.string().optional(),
  /** Each row has a start time of its own, in this column of the list. */
  atColumn: z.string().optional(),
  /** Which accounts send: by a name or a column, or all of them, and what each of them gives its messages. */
  accounts: z
    .object({
      by: z.enum(['name', 'column', 'share']),
      column: z.string().optional(),
      /** Digests of From and return path, by the names of the accounts. */
      digests: z.record(z.string(), z.string()),
    })
    .optional(),
  /** Messages become drafts in the mailbox. */
  drafts: z.boolean().optional(),
  /** Time zone in which the times of the run were given. */
  timeZone: z.string().optional(),
  /** Occurrence of a schedule that the run is. */
  occurrence: z.string().optional(),
  /** The earlier campaign that the run follows, and the milliseconds between its message and the next. */
  after: z.object({ campaign: z.string(), wait: z.number() }).optional(),
})

/** Keys that other versions wrote are left out. */
export type RunOptions = Readonly<z.output<typeof schema>>

/** @throws OutputError when the ledger holds what no version of this program wrote. */
export function readRunOptions(json: string, run: string): RunOptions {
  const read = schema.safeParse(JSON.parse(json))
  if (read.success) return read.data
  throw new OutputError(`the options of the run ${run} in the ledger cannot be read`, {
    hint: 'The ledger is damaged: restore it from a backup.',
    cause: read.error,
  })
}
