/**
 * What a page asks of one message: the document of its frame, its pictures, its source and its parts. Owns these addresses,
 * the same under rows of a preview and messages of an inbox.
 */
import { BoundedMap } from '../../bounded-map.ts'
import { bytes, type PageAnswer, type Route } from '../route.ts'
import type { Dark } from '../wire.ts'
import { frameDocument, type Pictures, remoteHosts } from './frame.ts'
import type { MessagePart, ReadMessage } from './read.ts'

export interface MessageRoutesOptions {
  /** `/api/rows` */
  readonly prefix: string
  /** The message of that number; undefined when there is none. */
  readonly find: (number: number, signal: AbortSignal) => Promise<ReadMessage | undefined>
  /** Hosts whose pictures are loaded without asking: those that the sender's own template names. */
  readonly trustedHosts: () => readonly string[]
}

/** Messages whose pictures can be asked for: those that were shown last. */
const SHOWN = 32
/** What an `<img>` shows. */
const PICTURE = /^image\/(?:png|jpeg|gif|webp|avif|bmp|svg\+xml|x-icon|vnd\.microsoft\.icon)$/

export function messageRoutes({ prefix, find, trustedHosts }: MessageRoutesOptions): readonly Route[] {
  const shown = new BoundedMap<string, ReadMessage>(SHOWN)
  const of =
    (work: (message: ReadMessage, match: readonly string[], query: URLSearchParams) => PageAnswer | undefined) =>
    async ({ match: [number, ...rest], query, signal }: Parameters<Route['answer']>[0]) => {
      const message = await find(Number(number), signal)
      return message === undefined ? undefined : work(message, rest, query)
    }
  const at = (rest: string): RegExp => new RegExp(`^${prefix}/(\\d{1,10})/${rest}$`)
  return [
    {
      method: 'GET',
      path: at('html'),
      answer: of((message, _, query) => {
        if (message.html === undefined) return undefined
        shown.set(message.key, message)
        const { html, headers } = frameDocument(message.html, {
          dark: darkOf(query.get('dark')),
          pictures: picturesOf(query.get('pictures'), message.html, trustedHosts()),
          inline: (id) => inlineAddress(message, id),
        })
        return { status: 200, headers, body: html }
      }),
    },
    {
      method: 'GET',
      path: at('raw'),
      answer: of(({ bytes: raw, subject }, _, query) =>
        query.has('save')
          ? bytes(raw, 'message/rfc822', { 'content-disposition': fileDisposition(`${subject || 'message'}.eml`) })
          : bytes(raw, 'text/plain; charset=utf-8'),
      ),
    },
    {
      method: 'GET',
      path: at('parts/(\\d{1,4})'),
      answer: of(({ parts }, [number]) => {
        const part = parts[Number(number)]
        if (part === undefined) return undefined
        return bytes(part.content, 'application/octet-stream', { 'content-disposition': fileDisposition(part.name) })
      }),
    },
    {
      method: 'GET',
      path: /^\/inline\/([\w-]{22})\/(\d{1,4})$/,
      open: true,
      answer({ match: [key = '', number] }) {
        const part = shown.get(key)?.parts[Number(number)]
        if (part === undefined || !PICTURE.test(part.type)) return undefined
        return bytes(part.content, part.type, { 'cross-origin-resource-policy': 'cross-origin' })
      },
    },
  ]
}

function darkOf(text: string | null): Dark {
  return text === 'own' || text === 'inverted' ? text : 'off'
}

/** `none`, `own`, `all`; otherwise those of the hosts that are trusted. */
function picturesOf(text: string | null, html: string, trusted: readonly string[]): Pictures {
  if (text === 'none' || text === 'own' || text === 'all') return text
  return remoteHosts(html).filter((host) => trusted.includes(host))
}

function inlineAddress({ key, parts }: ReadMessage, id: string): string | undefined {
  const number = parts.findIndex((part: MessagePart) => part.contentId === id)
  return number < 0 ? undefined : `/inline/${key}/${number}`
}

/** RFC 6266, with the name escaped. */
function fileDisposition(name: string): string {
  const plain = name.replace(/[^\w .()-]/g, '_').slice(0, 100)
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(name.slice(0, 200).toWellFormed())}`
}
