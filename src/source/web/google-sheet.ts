/** Addresses of Google Sheets. Owns which address gives a sheet as CSV: the one that a person copies is a page. */

/** The address of the CSV for a link to a sheet, from the browser or from "Publish to web"; any other address as it is. */
export function csvAddressOf(address: string): string {
  const url = new URL(address)
  if (url.hostname !== 'docs.google.com') return address
  const published = /^\/spreadsheets\/d\/e\/([\w-]+)\/pub(?:html)?$/.exec(url.pathname)?.[1]
  const gid = url.searchParams.get('gid') ?? /(?:^#|&)gid=(\d+)/.exec(url.hash)?.[1]
  const sheet = gid === undefined ? '' : `&gid=${gid}`
  if (published !== undefined) return `https://docs.google.com/spreadsheets/d/e/${published}/pub?output=csv${sheet}`
  const id = /^\/spreadsheets\/d\/([\w-]+)(?:\/(?:edit|view|htmlview|copy|preview)?)?$/.exec(url.pathname)?.[1]
  return id === undefined ? address : `https://docs.google.com/spreadsheets/d/${id}/export?format=csv${sheet}`
}
