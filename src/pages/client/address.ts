/** What is chosen on a page, in its address, so that it can be kept and passed on. Owns reading and writing it. */

export function chosen(name: string): string | undefined {
  return new URLSearchParams(location.search).get(name) ?? undefined
}

/** Undefined takes it out of the address. */
export function choose(name: string, value: string | undefined): void {
  const all = new URLSearchParams(location.search)
  if (value === undefined) all.delete(name)
  else all.set(name, value)
  const text = all.toString()
  history.replaceState(null, '', text === '' ? location.pathname : `${location.pathname}?${text}`)
}
