/** Sends the message that is shown to an address of one's own. Owns the dialog, and the address that was typed last. */
import { html, nothing, type TemplateResult } from 'lit'
import type { TestView } from '../../wire.ts'
import { ApiError, post } from '../api.ts'
import { errorBanner } from '../banner.ts'
import { Dialog } from '../dialog.ts'
import { count } from '../format.ts'
import { toast } from '../toast.ts'

export interface Sending {
  readonly title: string
  /** Where the address is posted to. */
  readonly path: string
  /** What sending it does, and does not. */
  readonly about: TemplateResult
  /** Others that can go with it, in place of it alone. */
  readonly all?: { readonly path: string; readonly words: string } | undefined
}

const KEPT = 'mailmerge-test-to'

export class SendDialog {
  readonly #dialog = new Dialog('send', 'box')

  open(sending: Sending): void {
    this.#show(sending, undefined, false)
  }

  #show(sending: Sending, trouble: ApiError | undefined, isSending: boolean): void {
    const { title, path, about, all } = sending
    const send = async (to: string, where: string): Promise<void> => {
      localStorage.setItem(KEPT, to)
      this.#show(sending, undefined, true)
      try {
        const { messages, server, address, seconds } = await post<TestView>(where, { to })
        this.#dialog.close()
        const what = messages === 1 ? '' : `${count(messages)} messages `
        toast(`${what === '' ? 'Accepted' : `${what}accepted`} by ${server} for ${address} in ${seconds.toFixed(1)} s`)
      } catch (error) {
        if (error instanceof ApiError) this.#show(sending, error, false)
      }
    }
    // The first button of a form is the one that Enter presses: that of all is none of them.
    const submit = (event: SubmitEvent): void => {
      event.preventDefault()
      void send(addressIn(event.target as HTMLFormElement), path)
    }
    const sendAll = (where: string): void => {
      const form = document.querySelector<HTMLFormElement>('#send')
      if (form?.reportValidity() === true) void send(addressIn(form), where)
    }
    this.#dialog.show({
      title,
      body: html`<form id="send" @submit=${submit}>
        <label class="lab">Your address<span class="field"><input name="to" type="email" required .value=${localStorage.getItem(KEPT) ?? ''}></span></label></form>
        ${trouble === undefined ? nothing : errorBanner({ title: 'It was not sent', error: trouble.fields })}
        <p class="soft">${about}</p>`,
      foot: html`${
        all === undefined
          ? nothing
          : html`<button type="button" class="btn quiet" ?disabled=${isSending} @click=${() => sendAll(all.path)}>${all.words}</button>`
      }<span class="grow"></span><button class="btn main" form="send" ?disabled=${isSending}>${isSending ? 'Sending' : 'Send'}</button>`,
    })
  }
}

function addressIn(form: HTMLFormElement): string {
  return String(new FormData(form).get('to') ?? '')
}
