/** A mail that tries everything that a mail could try, for each place that shows one; and the server that it tries to reach. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const HOSTILE = `<!doctype html><html lang="en"><head><base href="http://HOST/base/"><meta http-equiv="refresh" content="0;url=http://HOST/refresh">
<noscript><meta http-equiv="refresh" content="0;url=http://HOST/noscript"></noscript>
<link rel="stylesheet" href="http://HOST/a.css"><link rel="prefetch" href="http://HOST/prefetch"><link rel="preconnect" href="http://HOST">
<style>@import url(http://HOST/b.css);@font-face{font-family:x;src:url(http://HOST/font)}body{font-family:x;background:url(http://HOST/ground)}</style>
<script>document.title='ran';parent.postMessage('ran','*')</script><script src="http://HOST/s.js"></script></head>
<body onload="parent.postMessage('ran','*')" background="http://HOST/old">
<img src="PICTURE" onerror="parent.postMessage('ran','*')" alt=""><img srcset="PICTURE 2x" alt="">
<svg><image href="http://HOST/svg"/><script>parent.postMessage('ran','*')</script></svg><video src="http://HOST/video" poster="PICTURE" autoplay></video>
<object data="http://HOST/object"></object><embed src="http://HOST/embed"><iframe src="http://HOST/frame"></iframe><iframe srcdoc="<script>top.postMessage('ran','*')</script>"></iframe>
<form action="http://HOST/form" method="post"><input name="a" autofocus onfocus="parent.postMessage('ran','*')"><button id="send">Send</button></form>
<a id="plain" href="/plain">plain</a> <a id="top" target="_top" href="javascript:parent.postMessage('ran','*')">top</a>
<a id="mail" href="mailto:a@b.example">mail</a> <a id="anchor" href="#there">anchor</a> <a id="ping" ping="http://HOST/ping" download href="data:text/html,<script>1</script>">data</a><svg><a id="vector" xlink:href="//HOST/vector"><text y="20">vector</text></a></svg><svg><a id="moving" href="#there"><animate attributeName="href" values="http://HOST/moving"/><text y="20">moving</text></a></svg><p id="there">There</p></body></html>`

/** What can be clicked in it. */
export const HOSTILE_IDS = ['plain', 'top', 'mail', 'anchor', 'ping', 'send', 'vector', 'moving'] as const

/** @param host A server that notes each request. @param picture Address of its pictures. */
export function hostileMail(host: string, picture: string): string {
  return HOSTILE.replaceAll('HOST', host).replaceAll('PICTURE', picture)
}

/** A server outside, which answers everything with nothing and notes what was asked for. */
export interface Outside {
  readonly port: number
  /** `127.0.0.1:34567` */
  readonly host: string
  /** Paths, in their order. */
  readonly asked: string[]
  close(): void
}

export async function startOutside(): Promise<Outside> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    ...{ port, host: `127.0.0.1:${port}`, asked },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
