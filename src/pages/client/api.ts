/** Questions to the server of the page. Owns the form of requests, and that an error of it reads as one. */
import type { ErrorFields } from '../wire.ts'

/** What the server said was wrong, or that it did not answer. */
export class ApiError extends Error {
  readonly fields: ErrorFields
  constructor(fields: ErrorFields) {
    super(fields.message)
    this.fields = fields
  }
}

/** @throws ApiError */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return read<T>(await reach(path, signal === undefined ? {} : { signal }))
}

/** @throws ApiError */
export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { 'content-type': 'application/json' }
  return read<T>(await reach(path, { method: 'POST', headers, body: JSON.stringify(body) }))
}

/** @throws ApiError */
export async function remove<T>(path: string): Promise<T> {
  const headers = { 'content-type': 'application/json' }
  return read<T>(await reach(path, { method: 'DELETE', headers, body: '{}' }))
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError({
      message: 'mailmerge does not answer',
      hint: 'Look into its terminal: it may have been stopped.',
    })
  }
}

async function read<T>(response: Response): Promise<T> {
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  if (response.ok && isJson) return (await response.json()) as T
  if (isJson) throw new ApiError(((await response.json()) as { error: ErrorFields }).error)
  throw new ApiError({ message: (await response.text()).trim() || `the answer was ${response.status}` })
}
