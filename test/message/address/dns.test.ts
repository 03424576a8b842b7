import { expect, test } from 'vitest'
import { createMailDomains, type MailResolver } from '../../../src/message/address/dns.ts'

const refused = (code: string): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }))

function resolver(over: Partial<MailResolver> = {}): MailResolver {
  return {
    resolveMx: () => refused('ENODATA'),
    resolve4: () => refused('ENODATA'),
    resolve6: () => refused('ENODATA'),
    ...over,
  }
}

test('a domain with MX records takes mail at them, the most wanted first', async () => {
  const hosts = [
    { exchange: 'b.example', priority: 20 },
    { exchange: 'a.example', priority: 10 },
  ]
  const lookUp = createMailDomains({ resolver: resolver({ resolveMx: () => Promise.resolve(hosts) }) })
  expect(await lookUp('example.com')).toEqual({ kind: 'mx', hosts: ['a.example', 'b.example'] })
})

test('a domain without MX but with an address takes mail itself (RFC 5321 section 5.1)', async () => {
  const lookUp = createMailDomains({ resolver: resolver({ resolve6: () => Promise.resolve(['2001:db8::1']) }) })
  expect(await lookUp('example.com')).toEqual({ kind: 'address' })
})

test('a null MX says that there is no mail (RFC 7505)', async () => {
  const lookUp = createMailDomains({
    resolver: resolver({ resolveMx: () => Promise.resolve([{ exchange: '', priority: 0 }]) }),
  })
  expect(await lookUp('example.com')).toEqual({ kind: 'null-mx' })
})

test('a domain that does not exist is distinguished from a name server that failed', async () => {
  const gone = resolver({ resolveMx: () => refused('ENOTFOUND'), resolve4: () => refused('ENOTFOUND') })
  expect(await createMailDomains({ resolver: gone })('nowhere.example')).toEqual({ kind: 'none' })
  const broken = resolver({ resolveMx: () => refused('ESERVFAIL') })
  expect(await createMailDomains({ resolver: broken })('example.com')).toMatchObject({
    kind: 'unknown',
    reason: 'the name server cannot say: it failed',
  })
})

test('a name server that never answers is waited for no longer than told', async () => {
  const lookUp = createMailDomains({ resolver: resolver({ resolveMx: () => new Promise(() => {}) }), timeout: 20 })
  expect(await lookUp('example.com')).toMatchObject({ kind: 'unknown', reason: 'no answer in 20 ms' })
})

test('each domain is asked for once, and again only if nothing was found out', async () => {
  const asked: string[] = []
  const answers = resolver({
    resolveMx: (domain) => {
      asked.push(domain)
      return domain === 'flaky.example'
        ? refused('ETIMEOUT')
        : Promise.resolve([{ exchange: 'mx.example', priority: 1 }])
    },
  })
  const lookUp = createMailDomains({ resolver: answers })
  await Promise.all([lookUp('a.example'), lookUp('A.example.'), lookUp('a.EXAMPLE')])
  await lookUp('flaky.example')
  await lookUp('flaky.example')
  expect(asked).toEqual(['a.example', 'flaky.example', 'flaky.example'])
})

test('no more domains are asked for at once than allowed', async () => {
  let open = 0
  let most = 0
  const slow = resolver({
    resolveMx: async () => {
      most = Math.max(most, ++open)
      await new Promise((resolve) => setImmediate(resolve))
      open--
      return [{ exchange: 'mx.example', priority: 1 }]
    },
  })
  const lookUp = createMailDomains({ resolver: slow, concurrency: 3 })
  await Promise.all(Array.from({ length: 20 }, (_, index) => lookUp(`d${index}.example`)))
  expect(most).toBe(3)
})
