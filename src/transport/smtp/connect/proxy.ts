/** A socket through a SOCKS or HTTP proxy. Owns the way to the proxy; what is said through it is not its business. */
import type { Socket } from 'node:net'
import httpProxyClient from 'nodemailer/lib/smtp-connection/http-proxy-client.js'
import { ConfigError } from '../../../errors.ts'

export interface Destination {
  readonly host: string
  readonly port: number
}

/**
 * Connects through `http://`, `https://`, `socks5://`, `socks4://` with the proxy's own login in the address if it wants
 * one. The proxy resolves the name of the destination.
 * @param timeout Milliseconds for the whole way.
 * @throws ConfigError for another scheme; an error with code `EPROXY` when the proxy gives no connection.
 */
export async function connectThrough(proxy: string, { host, port }: Destination, timeout: number): Promise<Socket> {
  const url = parsed(proxy)
  const scheme = url.protocol.slice(0, -1)
  if (scheme === 'http' || scheme === 'https') return throughHttp(proxy, { host, port }, timeout)
  const type = scheme === 'socks4' || scheme === 'socks4a' ? 4 : 5
  try {
    const { SocksClient } = await import('socks')
    const { socket } = await SocksClient.createConnection({
      command: 'connect',
      proxy: {
        host: bare(url.hostname),
        port: Number(url.port) || 1080,
        type,
        ...(url.username === '' ? {} : { userId: decodeURIComponent(url.username) }),
        ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
      },
      destination: { host, port },
      timeout,
    })
    return socket
  } catch (error) {
    throw proxyError(error)
  }
}

function throughHttp(proxy: string, { host, port }: Destination, timeout: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    httpProxyClient(proxy, port, host, { timeout }, (error, socket) => {
      if (error || socket === undefined) reject(proxyError(error))
      else resolve(socket)
    })
  })
}

function parsed(proxy: string): URL {
  const url = URL.canParse(proxy) ? new URL(proxy) : undefined
  if (url === undefined || !/^(https?|socks|socks4a?|socks5h?):$/.test(url.protocol) || url.hostname === '') {
    throw new ConfigError('smtp.proxy is not the address of a proxy', {
      hint: 'Write it as socks5://host:1080 or http://host:3128.',
    })
  }
  return url
}

function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1')
}

/** The reason alone: the libraries hang the proxy's address, and so its password, on their errors. */
function proxyError(error: unknown): Error {
  const { message = 'no answer', code } = (error ?? {}) as { message?: string; code?: string }
  return Object.assign(new Error(code === undefined || message.includes(code) ? message : `${message} (${code})`), {
    code: 'EPROXY',
  })
}
