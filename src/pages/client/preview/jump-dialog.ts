/** Asks for the number of a row to go to. */
import { html } from 'lit'
import { Dialog } from '../dialog.ts'

export class JumpDialog {
  readonly #dialog = new Dialog('jump', 'box')
  readonly #onGo: (row: number) => void

  constructor(onGo: (row: number) => void) {
    this.#onGo = onGo
  }

  open(): void {
    const go = (event: SubmitEvent): void => {
      event.preventDefault()
      const row = Number(new FormData(event.target as HTMLFormElement).get('row'))
      if (!Number.isInteger(row) || row < 1) return
      this.#dialog.close()
      this.#onGo(row)
    }
    this.#dialog.show({
      title: 'Go to a row',
      body: html`<form id="jump" @submit=${go}><label class="lab">Number of the row
        <span class="field"><input name="row" inputmode="numeric" autocomplete="off" required></span></label></form>`,
      foot: html`<span class="grow"></span><button class="btn main" form="jump">Go</button>`,
    })
    document.querySelector<HTMLInputElement>('#jump input')?.focus()
  }
}
