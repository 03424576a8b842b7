/** The helpers that mail merges need, by name. docs/templates.md explains each with an example that a test runs. */
import type { Helper } from '../engine/engine.ts'
import { LOGIC_HELPERS } from './logic.ts'
import { NUMBER_HELPERS } from './number.ts'
import { TEXT_HELPERS } from './text.ts'
import { TIME_HELPERS } from './time.ts'

export const HELPERS: Readonly<Record<string, Helper>> = {
  ...TIME_HELPERS,
  ...NUMBER_HELPERS,
  ...TEXT_HELPERS,
  ...LOGIC_HELPERS,
}

/** These ask whether something is there, so that a name which a row lacks is an answer to them, not a mistake. */
const TOLERANT: ReadonlySet<string> = new Set(['default', 'choose', ...Object.keys(LOGIC_HELPERS)])

/** Helpers whose values must be there. */
export const STRICT: ReadonlySet<string> = new Set(Object.keys(HELPERS).filter((name) => !TOLERANT.has(name)))
