/** Whether the sending hours are open, by the clock of any zone. Owns the answer until the next opening or closing; never waits. */
import { closesAt, opensAt, type WeekHours } from '../../sending-window.ts'
import { END_OF_TIME } from '../clock.ts'

/** A time during which the answer is the same, in milliseconds since 1970; `until` is not in it. */
interface Stretch {
  readonly isOpen: boolean
  readonly from: number
  readonly until: number
}

export class WindowGate {
  readonly #window: WeekHours
  readonly #stretches = new Map<string, Stretch>()

  constructor(window: WeekHours) {
    this.#window = window
  }

  /** When they open next; undefined while they are open. */
  closedUntil(zone: string, now: Date): Date | undefined {
    const at = now.getTime()
    let stretch = this.#stretches.get(zone)
    // A clock may be set back too.
    if (stretch === undefined || at < stretch.from || at >= stretch.until) {
      stretch = this.#stretchAt(zone, now)
      this.#stretches.set(zone, stretch)
    }
    return stretch.isOpen ? undefined : new Date(stretch.until)
  }

  #stretchAt(zone: string, now: Date): Stretch {
    const from = now.getTime()
    const opens = opensAt(this.#window, zone, now) ?? END_OF_TIME
    if (opens.getTime() > from) return { isOpen: false, from, until: opens.getTime() }
    const closes = closesAt(this.#window, zone, now) ?? END_OF_TIME
    return { isOpen: true, from, until: closes.getTime() }
  }
}
