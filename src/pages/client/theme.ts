/** Light or dark: as the system, until a person chooses. Owns that choice, which is kept in this browser. */

const KEY = 'mailmerge-theme'

/** Takes up the choice of the last visit; call it before anything is shown. */
export function takeUpTheme(): void {
  const kept = localStorage.getItem(KEY)
  if (kept === 'light' || kept === 'dark') document.documentElement.dataset['theme'] = kept
}

export function switchTheme(): void {
  const { dataset } = document.documentElement
  const isDark = dataset['theme'] === 'dark' || (dataset['theme'] === undefined && prefersDark())
  dataset['theme'] = isDark ? 'light' : 'dark'
  localStorage.setItem(KEY, dataset['theme'])
}

function prefersDark(): boolean {
  return matchMedia('(prefers-color-scheme: dark)').matches
}
