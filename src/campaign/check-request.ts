/** Checks what a program asks of a merge before anything is opened: a misspelt mode must not send. Changes nothing. */
import { z } from 'zod'
import { callback, checkOptions, type SchemaOf } from '../config/check-options.ts'
import { UsageError } from '../errors.ts'
import type { MergeHooks, MergeRequest, ResumeRequest } from './merge.ts'
import { parseRowRanges } from './plan/select.ts'

const text = z.string().optional()
const flag = z.boolean().optional()
const duration = z.number().nonnegative().optional()
const texts = z.array(z.string()).optional()

const REQUEST: SchemaOf<MergeRequest> = {
  mode: z.enum(['send', 'dry-run', 'sandbox', 'test']),
  out: text,
  testTo: text,
  skipBad: flag,
  again: flag,
  campaign: text,
  variant: text,
  reports: texts,
  at: z.date().optional(),
  atLocal: z.strictObject({ text: z.string(), zoneColumn: text }).optional(),
  atColumn: z.strictObject({ column: z.string(), zoneColumn: text }).optional(),
  after: z.strictObject({ campaign: z.string(), wait: z.number().nonnegative() }).optional(),
  detach: flag,
  drafts: flag,
  patience: duration,
  occurrence: text,
  group: text,
  rows: text,
  limit: z.number().optional(),
  where: texts,
  notIn: texts,
  segment: text,
  sample: z.union([z.number(), z.literal('cases')]).optional(),
  seed: text,
  hiddenRows: z.enum(['skip', 'send']).optional(),
}

const RESUME: SchemaOf<ResumeRequest> = {
  run: text,
  inDoubt: z.enum(['resend', 'keep']).optional(),
  rows: text,
  patience: duration,
  reports: texts,
}

const signal = z.instanceof(AbortSignal).optional()
const HOOKS: SchemaOf<MergeHooks> = {
  onEvent: callback,
  confirm: callback,
  confirmLoss: callback,
  note: callback,
  onRows: callback,
  dialogue: callback,
  signal,
  abort: signal,
  clock: z.looseObject({}).optional(),
}

/** @throws UsageError for an option that does not exist, does not fit, or contradicts the mode. */
export function checkMergeRequest(request: MergeRequest, hooks: MergeHooks): void {
  checkOptions('runMerge', REQUEST, request)
  checkOptions('the hooks of runMerge', HOOKS, hooks)
  const { mode, testTo, out } = request
  if (mode === 'test' && testTo === undefined) {
    throw new UsageError("the mode 'test' needs an address", { hint: 'Set testTo: every message goes there instead.' })
  }
  if (request.drafts === true && mode !== 'send') {
    throw new UsageError(`drafts are made in the mode 'send', and the mode is '${mode}'`, {
      hint: "Set mode: 'send', or leave drafts out.",
    })
  }
  if (testTo !== undefined && mode !== 'test') {
    throw new UsageError(`testTo is for the mode 'test', and the mode is '${mode}'`, {
      hint: "Set mode: 'test', or leave testTo out.",
    })
  }
  if (out !== undefined && mode !== 'dry-run') {
    throw new UsageError(`out is for the mode 'dry-run', and the mode is '${mode}'`, {
      hint: "Set mode: 'dry-run', or leave out out.",
    })
  }
}

/** @throws UsageError for an option that does not exist or does not fit. */
export function checkResumeRequest(
  what: 'resumeMerge' | 'retryMerge',
  request: ResumeRequest,
  hooks: MergeHooks,
): void {
  checkOptions(what, RESUME, request)
  checkOptions(`the hooks of ${what}`, HOOKS, hooks)
  if (request.rows === undefined) return
  if (what === 'retryMerge' || request.inDoubt === undefined) {
    throw new UsageError('rows are chosen for a decision on rows in doubt alone', {
      hint: 'Say what to do with them: --in-doubt resend, or --in-doubt keep.',
    })
  }
  parseRowRanges(request.rows)
}
