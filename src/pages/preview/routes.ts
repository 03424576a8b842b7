/** What the page of a preview asks. Owns its addresses; what they give is the preview's. */
import { UsageError } from '../../errors.ts'
import { messageRoutes } from '../message/routes.ts'
import { json, type Route } from '../route.ts'
import { FILTERS, QUESTIONS, type RowsView } from '../wire.ts'
import type { Preview } from './preview.ts'

const PREFIX = '/api/rows'
const MOST_ROWS = 500

export function previewRoutes(preview: Preview): readonly Route[] {
  return [
    { method: 'GET', path: /^\/api\/preview$/, answer: () => json(preview.status()) },
    {
      method: 'GET',
      path: /^\/api\/forecast$/,
      async answer() {
        const forecast = await preview.forecast()
        return forecast === undefined ? undefined : json(forecast)
      },
    },
    {
      method: 'GET',
      path: /^\/api\/template\/file$/,
      answer({ query }) {
        const file = preview.file(query.get('name') ?? '')
        return file === undefined ? undefined : json(file)
      },
    },
    {
      method: 'GET',
      path: /^\/api\/rows$/,
      async answer({ query }) {
        const search = query.get('q') ?? ''
        const filter = FILTERS.find((one) => one === query.get('filter')) ?? 'all'
        const limit = Math.min(MOST_ROWS, numberOf(query.get('limit'), 200))
        const { rows } = preview
        const near = query.get('row')
        const from =
          near === null || rows === undefined
            ? numberOf(query.get('from'), 0)
            : await rows.positionOf(numberOf(near, 1), search, filter)
        const page = await rows?.page({ search, filter }, from, limit)
        return json({ from, total: page?.total ?? 0, rows: page?.rows ?? [] } satisfies RowsView)
      },
    },
    {
      method: 'GET',
      path: /^\/api\/rows\/(\d{1,10})$/,
      async answer({ match: [number], signal }) {
        const view = await preview.row(Number(number), signal)
        return view === undefined ? undefined : json(view)
      },
    },
    {
      method: 'POST',
      path: /^\/api\/rows\/(\d{1,10})\/test$/,
      async answer({ match: [number], body }) {
        return json(await preview.sendTest([Number(number)], addressIn(body)))
      },
    },
    {
      method: 'POST',
      path: /^\/api\/rows\/(\d{1,10})\/(links|spam)$/,
      async answer({ match: [number, name], signal }) {
        const what = QUESTIONS.find((one) => one === name)
        const view = what === undefined ? undefined : await preview.ask(what, Number(number), signal)
        return view === undefined ? undefined : json(view)
      },
    },
    {
      method: 'POST',
      path: /^\/api\/looks\/test$/,
      async answer({ body }) {
        const rows = preview.status().looks.map(({ row }) => row)
        if (rows.length === 0) throw new UsageError('the list is still being read')
        return json(await preview.sendTest(rows, addressIn(body)))
      },
    },
    ...messageRoutes({
      prefix: PREFIX,
      find: (number, signal) => preview.message(number, signal),
      trustedHosts: () => preview.trustedHosts(),
    }),
  ]
}

/** @throws UsageError */
function addressIn(body: unknown): string {
  const to = (body as { readonly to?: unknown } | undefined)?.to
  if (typeof to !== 'string' || to.trim() === '') throw new UsageError('there is no address to send the test to')
  return to.trim()
}

function numberOf(text: string | null, otherwise: number): number {
  const number = Number(text ?? otherwise)
  return Number.isInteger(number) && number >= 0 ? number : otherwise
}
