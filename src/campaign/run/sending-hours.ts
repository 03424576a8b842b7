/**
 * Which sending hours, pauses and rising limits hold for a run, and by whose clock. Owns that choice; the waiting is done by the
 * delivery.
 */
import type { DeliverySettings, Settings } from '../../config/settings.ts'
import { ConfigError } from '../../errors.ts'
import type { DueRow, RunRecord } from '../../ledger/records.ts'
import { opensAt } from '../../sending-window.ts'
import type { Row } from '../../source/source.ts'
import { localZone } from '../../time-zone.ts'
import { laterOf } from '../clock.ts'
import { WindowGate } from '../delivery/window-gate.ts'
import { openRecipientZone } from '../plan/recipient-time.ts'
import { restoreRow } from '../plan/row-data.ts'
import type { OpenMerge } from './open-merge.ts'

/**
 * The limits that hold in this mode: a folder and the sandbox have none, and a test that goes to oneself does not wait for hours that
 * are kept for others.
 */
export function deliveryFor(mode: OpenMerge['mode'], { delivery }: Pick<Settings, 'delivery'>): DeliverySettings {
  const { window: _, ...atAnyTime } = delivery
  if (mode === 'send') return delivery
  return mode === 'test' ? atAnyTime : withoutLimits(atAnyTime)
}

/** For what goes to no server of the sender's. */
export function withoutLimits({ window, pause, rampUp, perDomain, ...others }: DeliverySettings): DeliverySettings {
  return { ...others, rates: [] }
}

/** @throws ConfigError for sending hours that never begin. */
export function refuseClosed({ accounts, clock }: Pick<OpenMerge, 'accounts' | 'clock'>): void {
  for (const { settings } of accounts.list) {
    const { delivery, timeZone = localZone() } = settings
    const { window } = delivery
    if (window === undefined) continue
    const zone = window.zone === undefined || window.zone === 'recipient' ? timeZone : window.zone
    if (opensAt(window, zone, clock.now()) !== undefined) continue
    throw new ConfigError(`the sending hours (${window.text}) never begin: all their days are holidays`, {
      hint: 'Take days out of window.holidays, or give other hours with --window.',
    })
  }
}

/** Of a list whose recipients have sending hours of their own: when a row may go, `from` or later; undefined for at once. */
export function openRowHours(
  { delivery, timeZone = localZone() }: Settings,
  columns: readonly string[],
  now: Date,
): ((row: Row, from: Date | undefined) => Date | undefined) | undefined {
  const { window } = delivery
  if (window?.zone !== 'recipient') return undefined
  const gate = new WindowGate(window)
  const zoneOf = openRecipientZone({ zoneColumn: window.zoneColumn, columns, zone: timeZone })
  return (row, from) => gate.closedUntil(zoneOf(row), laterOf(from, now) ?? now) ?? from
}

/** The zone of each planned row of a run, where its recipients have sending hours of their own. */
export function openRowZone(
  { delivery, timeZone = localZone() }: Settings,
  { columns }: Pick<RunRecord, 'columns'>,
): ((due: DueRow) => string) | undefined {
  const { window } = delivery
  if (window?.zone !== 'recipient') return undefined
  const zoneOf = openRecipientZone({ zoneColumn: window.zoneColumn, columns, zone: timeZone })
  return ({ data }) => zoneOf({ data: restoreRow(data).cells })
}
