/** The drawer that orders faults of the server of an inbox. Owns what is typed there; the faults are the server's. */
import { html, type TemplateResult } from 'lit'
import type { FaultsView, InboxView } from '../../wire.ts'
import { post } from '../api.ts'
import { Dialog } from '../dialog.ts'

/** What the drawer offers: the share in per cent, or seconds, where a person has typed none. */
const FAULTS: readonly (readonly [Exclude<keyof FaultsView, 'match'>, title: string, words: string, usual: number])[] =
  [
    ['refuse', 'Refuse', '550 5.1.1: no such person', 5],
    ['defer', 'Put off', '451 4.7.1: try again later', 20],
    ['drop', 'Hang up', 'The connection breaks after the end of the message', 1],
    ['slow', 'Be slow', 'Each answer waits', 2],
  ]

/** How many kinds of faults are on. */
export function faultsOn(faults: FaultsView): number {
  return FAULTS.filter(([name]) => faults[name] > 0).length
}

export class FaultsDrawer {
  readonly #drawer = new Dialog('faults', 'drawer')
  /** What was typed for each fault, also while it is off. */
  readonly #typed = new Map<string, number>()
  readonly #onSet: (status: InboxView) => void

  /** `onSet` hears how the inbox is after each change. */
  constructor(onSet: (status: InboxView) => void) {
    this.#onSet = onSet
  }

  open(faults: FaultsView): void {
    const set = async (change: Partial<FaultsView>): Promise<void> => {
      const status = await post<InboxView>('/api/faults', { ...faults, ...change })
      this.#onSet(status)
      this.open(status.faults)
    }
    this.#drawer.show({
      title: 'Faults on order',
      body: html`<p class="soft">See what your sender does when a server misbehaves. The share is of all messages from now on.</p>
        <div class="faults">${FAULTS.map((fault) => this.#line(fault, faults, set))}</div>
        <label class="lab">Only for addresses that contain<span class="field"><input placeholder="everyone" .value=${faults.match} autocomplete="off" spellcheck="false"
          @change=${(event: Event) => void set({ match: (event.target as HTMLInputElement).value.trim() })}></span></label>`,
      foot: html`<button type="button" class="btn quiet" @click=${() => void set({ refuse: 0, defer: 0, drop: 0, slow: 0 })}>Turn all off</button>
        <span class="grow"></span><button type="button" class="btn main" @click=${() => this.#drawer.close()}>Done</button>`,
    })
  }

  #line(
    [name, title, words, usual]: (typeof FAULTS)[number],
    faults: FaultsView,
    set: (change: Partial<FaultsView>) => Promise<void>,
  ): TemplateResult {
    const unit = name === 'slow' ? 1 : 0.01
    const on = faults[name] > 0
    const shown = on ? Math.round((faults[name] / unit) * 100) / 100 : (this.#typed.get(name) ?? usual)
    const type = (event: Event): void => {
      const number = Number((event.target as HTMLInputElement).value.replace(',', '.'))
      const most = name === 'slow' ? 600 : 100
      if (!(number > 0 && number <= most)) return this.open(faults)
      this.#typed.set(name, number)
      if (on) void set({ [name]: number * unit })
    }
    return html`<div class="fault"><div><b>${title}</b><p>${words}</p></div>
      <label class="field px"><span class="vh">${title}: ${name === 'slow' ? 'seconds' : 'share in per cent'}</span>
        <input .value=${String(shown)} inputmode="decimal" @change=${type}><span aria-hidden="true">${name === 'slow' ? 's' : '%'}</span></label>
      <button type="button" class="switch" role="switch" aria-checked=${String(on)} aria-label=${title} @click=${() => void set({ [name]: on ? 0 : shown * unit })}><i></i></button></div>`
  }
}
