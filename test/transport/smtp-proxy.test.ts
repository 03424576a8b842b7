import { afterEach, describe, expect, test } from 'vitest'
import { startHttpProxy, startSocksProxy, type TestProxy } from '../support/proxies.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'
import { deliverAll } from './smtp-lane.ts'

let server: ScriptedServer
let proxy: TestProxy
afterEach(async () => {
  await proxy.close()
  await server.close()
})

const KINDS = [
  ['http', startHttpProxy],
  ['socks5', startSocksProxy],
] as const

describe.each(KINDS)('through a proxy of the kind %s', (scheme, start) => {
  test('all goes by it, and it finds the server by its name', async () => {
    server = await startScriptedServer()
    proxy = await start({ to: server.port })
    const settings = { host: 'mail.only-the-proxy-knows.invalid', proxy: `${scheme}://127.0.0.1:${proxy.port}` }
    const { final } = await deliverAll(2525, 3, { settings })
    expect(Object.values(final)).toEqual(['accepted', 'accepted', 'accepted'])
    expect(proxy.destinations).toEqual(['mail.only-the-proxy-knows.invalid:2525'])
  })

  test('that wants a login', async () => {
    server = await startScriptedServer()
    proxy = await start({ to: server.port, login: 'ada:canary' })
    const settings = { proxy: `${scheme}://ada:canary@127.0.0.1:${proxy.port}` }
    expect(Object.values((await deliverAll(2525, 1, { settings })).final)).toEqual(['accepted'])
  })

  test('that refuses -> said, exit 69, without its password, and nobody is connected to past it', async () => {
    server = await startScriptedServer()
    proxy = await start({ to: server.port, login: 'ada:right' })
    const settings = { proxy: `${scheme}://ada:canary@127.0.0.1:${proxy.port}` }
    const error: unknown = await deliverAll(server.port, 1, { settings }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      exitCode: 69,
      message: expect.stringMatching(/^the proxy does not connect.* login/),
    })
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('canary')
    expect(server.connections).toBe(0)
  })

  test('that is not there', async () => {
    server = await startScriptedServer()
    proxy = await start({ to: server.port })
    await proxy.close()
    const settings = { proxy: `${scheme}://127.0.0.1:${proxy.port}` }
    await expect(deliverAll(server.port, 1, { settings })).rejects.toMatchObject({ exitCode: 69 })
    expect(server.connections).toBe(0)
  })
})

test.each(['gopher://127.0.0.1:1', 'not an address', 'socks5://'])(
  '%j as a proxy -> wrong configuration',
  async (address) => {
    server = await startScriptedServer()
    proxy = await startHttpProxy({ to: server.port })
    await expect(deliverAll(server.port, 1, { settings: { proxy: address } })).rejects.toMatchObject({ exitCode: 78 })
  },
)
