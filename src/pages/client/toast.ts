/** A word about what succeeded and shows nowhere else. Owns how long it stays. */
import { html, render } from 'lit'
import { icon } from './icons.ts'

const STAYS_MS = 5_000
const place = document.createElement('div')
place.className = 'toast'
place.setAttribute('role', 'status')
place.tabIndex = -1
place.hidden = true
let leaving: number | undefined

export function toast(text: string): void {
  if (!place.isConnected) document.body.append(place)
  render(html`${icon('sent', { look: 'ok' })}<span>${text}</span>`, place)
  place.hidden = false
  clearTimeout(leaving)
  leaving = setTimeout(leave, STAYS_MS)
}

function leave(): void {
  if (place.matches(':focus-within, :hover')) leaving = setTimeout(leave, STAYS_MS)
  else place.hidden = true
}
