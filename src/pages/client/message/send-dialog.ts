/** Sends the message that is shown to an address of one's own. Owns the dialog, and the address that was typed last. */
import { html, nothing, type TemplateResult } from 'lit'
import type { TestView } from '../../wire.ts'
import { ApiError, post } from '../api.ts'
import { errorBanner } from '../banner.ts'
import { Dialog } from '../dialog.ts'
import { toast } from '../toast.ts'

export interface Sending {
  readonly title: string
  /** Where the address is posted to. */
  readonly path: string
  /** What sending it does, and does not. */
  readonly about: TemplateResult
}

const KEPT = 'mailmerge-test-to'

export class SendDialog {
  readonly #dialog = new Dialog('send', 'box')

  open(sending: Sending): void {
    this.#show(sending, undefined, false)
  }

  #show({ title, path, about }: Sending, trouble: ApiError | undefined, isSending: boolean): void {
    const send = async (event: SubmitEvent): Promise<void> => {
      event.preventDefault()
      const to = String(new FormData(event.target as HTMLFormElement).get('to') ?? '')
      localStorage.setItem(KEPT, to)
      this.#show({ title, path, about }, undefined, true)
      try {
        const { server, address, seconds } = await post<TestView>(path, { to })
        this.#dialog.close()
        toast(`Accepted by ${server} for ${address} in ${seconds.toFixed(1)} s`)
      } catch (error) {
        if (error instanceof ApiError) this.#show({ title, path, about }, error, false)
      }
    }
    this.#dialog.show({
      title,
      body: html`<form id="send" @submit=${send}>
        <label class="lab">Your address<span class="field"><input name="to" type="email" required .value=${localStorage.getItem(KEPT) ?? ''}></span></label></form>
        ${trouble === undefined ? nothing : errorBanner({ title: 'It was not sent', error: trouble.fields })}
        <p class="soft">${about}</p>`,
      foot: html`<span class="grow"></span><button class="btn main" form="send" ?disabled=${isSending}>${isSending ? 'Sending' : 'Send'}</button>`,
    })
  }
}
