import { expect, test } from 'vitest'
import { newUnsubscribeSecret, tokenInLink, UnsubscribeTokens, unsubscribeLink } from '../../src/unsubscribe/token.ts'

const tokens = new UnsubscribeTokens('a secret of the project')
const ada = { address: 'ada@example.com', group: 'news' }

test('a token opens as what was sealed, and shows neither address nor group', () => {
  const token = tokens.seal(ada)
  expect(tokens.open(token)).toEqual(ada)
  expect(Buffer.from(token, 'base64url').toString('latin1')).not.toMatch(/ada@example|example\.com|news@/)
})

test('the same recipient has the same link every time, another group another one', () => {
  expect(tokens.seal(ada)).toBe(tokens.seal({ ...ada }))
  expect(tokens.seal({ ...ada, group: '' })).not.toBe(tokens.seal(ada))
  expect(unsubscribeLink('https://news.example.com/', tokens.seal(ada))).toBe(
    `https://news.example.com/u/${tokens.seal(ada)}`,
  )
})

test('no changed byte of a token opens it', () => {
  const octets = Buffer.from(tokens.seal(ada), 'base64url')
  for (let index = 0; index < octets.length; index++) {
    const forged = Buffer.from(octets)
    forged[index] = (forged[index] ?? 0) ^ 1
    expect(tokens.open(forged.toString('base64url'))).toBeUndefined()
  }
})

test('no changed letter of a token opens it, the last one neither, whose lowest bits say nothing', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  for (const address of ['ada@example.com', 'adam@example.com', 'adams@example.com']) {
    const token = tokens.seal({ ...ada, address })
    for (let index = 0; index < token.length; index++) {
      for (const letter of index === token.length - 1 ? alphabet : 'Az') {
        const forged = `${token.slice(0, index)}${letter}${token.slice(index + 1)}`
        if (forged !== token) expect(tokens.open(forged), forged).toBeUndefined()
      }
    }
  }
})

test.each([
  '',
  'x',
  '../../etc/passwd',
  'AAAA',
  'a'.repeat(10_000),
  tokens.seal(ada).slice(0, -2),
  `${tokens.seal(ada)}=`,
])('what is not a token opens as nothing: %#', (text) => {
  expect(tokens.open(text)).toBeUndefined()
})

test('a token of another project does not open', () => {
  expect(new UnsubscribeTokens(newUnsubscribeSecret()).open(tokens.seal(ada))).toBeUndefined()
})

const link = tokens.seal({ address: 'ada@example.com', group: 'news' })
const [head, tail] = [link.slice(0, 30), link.slice(30)]
const encoded = [...link].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')

test.each([
  ['as it is', link],
  ['a slash', `${link}/`],
  ['a full stop', `${link}.`],
  ['a bracket', `${link})`],
  ['an encoded bracket and more', `${link}%3E%2C`],
  ['an encoded slash before it', `%2F${link}`],
  ['a parameter without its question mark', `${link}&utm_source=mail&utm_medium=news`],
  ['the same, escaped for HTML', `${link}&amp;utm_source=mail`],
  ['an encoded question mark', `${link}%3Flang=de`],
  ['a line end in it', `${head}%0D%0A${tail}`],
  ['a line end and an indent in it', `${head}%0A%20%20${tail}`],
  ['a soft line break of quoted-printable in it', `${head}=%0D%0A${tail}`],
  ['a soft hyphen in it', `${head}%C2%AD${tail}`],
  ['every letter encoded', encoded],
  ['every letter encoded twice', encoded.replaceAll('%', '%25')],
])('the token of a link is found with %s', (_, bent) => {
  expect(tokenInLink(bent)).toBe(link)
})

test.each(['', '.', '%', '%zz', '%25%25', '%FF%FE', '/'.repeat(5000), '%25'.repeat(2000)])(
  'there is no token in %j',
  (text) => {
    expect(tokens.open(tokenInLink(text))).toBeUndefined()
  },
)
