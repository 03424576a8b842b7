/** Asks before messages are deleted, and deletes them. Owns saying how many. */
import { html, nothing } from 'lit'
import { ApiError, remove } from '../api.ts'
import { errorBanner } from '../banner.ts'
import { Dialog } from '../dialog.ts'
import { count } from '../format.ts'

export class WipeDialog {
  readonly #dialog = new Dialog('wipe', 'box')
  readonly #onDone: () => void

  constructor(onDone: () => void) {
    this.#onDone = onDone
  }

  /** `search` is empty for all messages; `number` is how many match it now. */
  open(search: string, number: number): void {
    if (number > 0) this.#show(search, number, undefined)
  }

  #show(search: string, number: number, trouble: ApiError | undefined): void {
    const some = `${count(number)} ${number === 1 ? 'message' : 'messages'}`
    const wipe = async (): Promise<void> => {
      try {
        await remove(`/api/messages?${new URLSearchParams({ q: search })}`)
        this.#dialog.close()
        this.#onDone()
      } catch (error) {
        if (error instanceof ApiError) this.#show(search, number, error)
      }
    }
    this.#dialog.show({
      title: search === '' ? `Delete all ${some}?` : `Delete the ${some} that match?`,
      body: html`${trouble === undefined ? nothing : errorBanner({ title: 'They were not deleted', error: trouble.fields })}
        <p class="soft">They are files of this inbox only. Nobody else has them, and they do not come back.</p>`,
      foot: html`<span class="grow"></span><button type="button" class="btn" @click=${() => this.#dialog.close()}>Keep</button>
        <button type="button" class="btn risk" @click=${() => void wipe()}>Delete ${count(number)}</button>`,
    })
  }
}
