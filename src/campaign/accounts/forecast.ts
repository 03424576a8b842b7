/**
 * How many messages each account of a run sends, and when the last of them can be accepted. Owns how a load that is shared is
 * divided; the estimate for one account is `plan/pace.ts`.
 */
import type { Settings } from '../../config/settings.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { messagesWithin, type Pace, paceOf, type TakenLimit, takenLimits } from '../plan/pace.ts'
import { sendingPlanOf } from '../plan/sending-plan.ts'
import type { Account, Accounts } from './accounts.ts'

/** What one account does of a run. */
export interface AccountForecast {
  readonly account: string
  /** Where to, without secrets. */
  readonly server: string
  readonly messages: number
  readonly pace: Pace | undefined
}

export interface ForecastOptions {
  readonly ledger: Pick<Ledger, 'quotas' | 'deliveries'>
  readonly runId: string
  /** Messages of the run that are to be sent. */
  readonly messages: number
  /** Names of the servers, in the order of the accounts. */
  readonly servers: readonly string[]
  readonly now: Date
  readonly start: Date
  readonly timeZone: string | undefined
}

/** In the order of the accounts, each with its part of the messages. */
export async function forecastOf(accounts: Accounts, options: ForecastOptions): Promise<readonly AccountForecast[]> {
  const { ledger, servers, start, timeZone, messages } = options
  const limits = await Promise.all(
    accounts.list.map(({ settings }, at) =>
      takenLimits(ledger, settings.delivery.rates, quotaNameOf(settings, servers[at] ?? ''), options),
    ),
  )
  const plans = await Promise.all(
    accounts.list.map(({ settings }, at) =>
      sendingPlanOf(ledger.quotas, settings.delivery, quotaNameOf(settings, servers[at] ?? ''), options),
    ),
  )
  const parts = accounts.by === 'share' ? divided(messages, limits) : await ownParts(accounts, options)
  return accounts.list.map(({ name = '' }, at) => {
    const own = parts[at] ?? 0
    const pace = paceOf(own, limits[at] ?? [], start, timeZone, plans[at])
    return { account: name, server: servers[at] ?? '', messages: own, pace }
  })
}

/** Of all messages where one account sends, else those whose rows name it. */
async function ownParts(
  { by, list }: Accounts,
  { ledger, runId, messages }: Pick<ForecastOptions, 'ledger' | 'runId' | 'messages'>,
): Promise<readonly number[]> {
  if (by === 'name') return [messages]
  const bound = await ledger.deliveries.boundTo(runId, { planned: true })
  return list.map(({ name = '' }) => bound.get(name)?.messages ?? 0)
}

/**
 * Divides messages among accounts so that the last is accepted as early as their limits allow, each getting a part by what its
 * limits leave it until then. An account without limits could take all of them, and counts as much as the largest of the others
 * at least.
 */
export function divided(messages: number, limits: readonly (readonly TakenLimit[])[]): readonly number[] {
  const within = (seconds: number): readonly number[] =>
    limits.map((own) => (own.length === 0 ? Number.POSITIVE_INFINITY : messagesWithin(own, seconds)))
  const total = (seconds: number): number => within(seconds).reduce((sum, one) => sum + one, 0)
  let seconds = 0
  for (let step = 1; total(seconds) < messages && step < FURTHEST; step *= 2) seconds = step
  let [low, high] = [0, seconds]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (total(middle) >= messages) high = middle
    else low = middle
  }
  const rooms = within(total(0) >= messages ? 0 : high)
  const most = Math.max(messages, ...rooms.filter(Number.isFinite))
  return inProportion(
    messages,
    rooms.map((room) => Math.min(room, most)),
  )
}

/** Seconds: a hundred years. */
const FURTHEST = 3_200_000_000

/** Whole numbers that add up to `whole`, as near to the weights as they can be. */
function inProportion(whole: number, weights: readonly number[]): readonly number[] {
  let weight = weights.reduce((sum, one) => sum + one, 0)
  // None can send anything for as long as can be seen: then all the same.
  if (weight === 0)
    return inProportion(
      whole,
      weights.map(() => 1),
    )
  let rest = whole
  return weights.map((one) => {
    const part = weight === 0 ? 0 : Math.round((rest * one) / weight)
    rest -= part
    weight -= one
    return part
  })
}

/** The pace of the account that is done last. */
export function lastOf(forecast: readonly AccountForecast[]): Pace | undefined {
  const paces = forecast.flatMap(({ pace }) => pace ?? [])
  return paces.sort((one, other) => other.lastAt.getTime() - one.lastAt.getTime())[0]
}

/** Whose quota it is: of a login at a server, or of another way to send, by the name of its transport. */
export function quotaNameOf({ smtp, transport }: Settings, name: string): string {
  return transport === undefined || transport === 'smtp' ? `${smtp.user ?? ''}@${smtp.host}` : name
}

/** For people: the servers of all accounts. */
export function serverNames(list: readonly Account[], names: readonly string[]): string {
  const [first = ''] = names
  if (list.length === 1) return first
  return list.map(({ name = '' }, at) => `${name}: ${names[at] ?? ''}`).join(', ')
}
