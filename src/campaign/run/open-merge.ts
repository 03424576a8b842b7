/** What the delivery of a run needs around it. Owns where its files are, whose limits hold and which suppressions. */
import { dirname, join } from 'node:path'
import type { Settings } from '../../config/settings.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { RunRecord } from '../../ledger/records.ts'
import type { openTransport } from '../../transport/open.ts'
import type { Transport } from '../../transport/transport.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { MergeHooks, MergeMode } from '../merge.ts'

/** What a run needs beside its ledger, opened once and closed once. */
export interface Workshop {
  readonly settings: Settings
  readonly ledger: Ledger
  readonly hooks: MergeHooks
  readonly clock: Clock
  readonly mode: MergeMode
  /** Folder for this run's files, beside the ledger. */
  readonly folder: (runId: string) => string
}

export function makeWorkshop(settings: Settings, ledger: Ledger, mode: MergeMode, hooks: MergeHooks): Workshop {
  const folder = mode === 'send' ? join(dirname(ledgerPath(settings)), 'runs') : join(settings.root, '.mailmerge', mode)
  return { settings, ledger, hooks, clock: hooks.clock ?? systemClock, mode, folder: (id) => join(folder, id) }
}

function ledgerPath(settings: Settings): string {
  // A ledger on a server has no folder of its own: run files live in the project.
  return /^postgres(ql)?:/.test(settings.ledger) ? join(settings.root, '.mailmerge', 'ledger') : settings.ledger
}

/** What transports learn of servers is kept in the ledger. */
export function transportOptions({ ledger, hooks }: Workshop): Parameters<typeof openTransport>[1] {
  return {
    memory: ledger.servers,
    ...(hooks.dialogue === undefined ? {} : { dialogue: hooks.dialogue }),
  }
}

/** The suppressions of a run: those that it was planned with, unless the settings name others now. */
export function groupOf(settings: Settings, { campaign, options }: RunRecord): string {
  return settings.group ?? options.group ?? campaign.name
}

/** Whose quota it is: of a login at a server, or of another way to send. */
export function accountOf({ smtp, transport }: Settings, { name }: Transport): string {
  return transport === undefined || transport === 'smtp' ? `${smtp.user ?? ''}@${smtp.host}` : name
}
