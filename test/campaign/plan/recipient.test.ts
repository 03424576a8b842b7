/** Who a row is for: its address, and the key that makes two rows the same. */
import { describe, expect, test } from 'vitest'
import { addressOf, identify, keyOf, likelyAddress, type RecipientRules } from '../../../src/campaign/plan/recipient.ts'
import { DataError, type Problem } from '../../../src/errors.ts'
import { StoredCell } from '../../../src/source/cells/cell.ts'
import { ownText } from '../../../src/template/marked-text.ts'

const RULES: RecipientRules = { emailColumn: 'email', key: undefined, foldGmail: false }

function problemOf(work: () => unknown): Problem | undefined {
  try {
    work()
  } catch (error) {
    if (error instanceof DataError) return error.problems[0]
  }
  return undefined
}

describe('the address', () => {
  test.each([
    ['ada@example.com', 'ada@example.com'],
    ['  ada@example.com ; ', 'ada@example.com'],
    ['Ada Lovelace <ada@example.com>', 'ada@example.com'],
    ['ada@bücher.example', 'ada@xn--bcher-kva.example'],
  ])('of the cell %j is %s, as it goes over the wire', (cell, address) => {
    expect(addressOf({ email: cell }, undefined, RULES)).toBe(address)
  })

  test.each([
    ['', 'the address is empty'],
    ['  ', 'the address is empty'],
    ['ada', "it has no '@'"],
    ['ada@example.com, bob@example.com', /address/],
  ])('of the cell %j is a problem that names the column', (cell, message) => {
    const problem = problemOf(() => addressOf({ email: cell }, undefined, RULES))
    expect(problem).toMatchObject({ code: 'bad-address', column: 'email', value: cell })
    expect(problem?.message).toMatch(message)
  })

  test("that the template's `to` gives takes precedence over the column", () => {
    expect(addressOf({ email: 'column@example.com' }, ownText('to@example.com'), RULES)).toBe('to@example.com')
  })

  test('of a list without an address column and a template without `to` says both', () => {
    const problem = problemOf(() => addressOf({}, undefined, { ...RULES, emailColumn: undefined }))
    expect(problem).toMatchObject({ code: 'no-address-column' })
    expect(problem?.hint).toContain('emailColumn')
  })
})

describe('the key', () => {
  test('is the address, in lower case and in the form of DNS', () => {
    expect(keyOf({}, 'Ada@Example.COM', RULES)).toBe('ada@example.com')
    expect(keyOf({}, 'A.da+news@gmail.com', RULES)).toBe('a.da+news@gmail.com')
  })

  test('of a Gmail address has no dots and nothing from a plus on, where that is asked for', () => {
    const rules = { ...RULES, foldGmail: true }
    expect(keyOf({}, 'A.da+news@googlemail.com', rules)).toBe('ada@gmail.com')
    expect(keyOf({}, 'a.da+news@example.com', rules)).toBe('a.da+news@example.com')
  })

  test('is what its column shows, without spaces around it', () => {
    const rules = { ...RULES, key: 'id' }
    expect(keyOf({ id: new StoredCell(7, '007') }, 'ada@example.com', rules)).toBe('007')
    expect(keyOf({ id: ' A-1 ' }, 'ada@example.com', rules)).toBe('A-1')
    expect(problemOf(() => keyOf({ id: ' ' }, 'ada@example.com', rules))).toMatchObject({
      code: 'empty-key',
      column: 'id',
    })
  })
})

describe('a row that is not sent', () => {
  test('has the key and the address that its cells say, and empty ones where they say none', () => {
    expect(identify({ email: 'Ada@example.com' }, RULES)).toEqual({
      key: 'ada@example.com',
      address: 'Ada@example.com',
    })
    expect(identify({ email: 'nobody' }, RULES)).toEqual({ key: '', address: '' })
    expect(identify({ email: 'nobody', id: ' 7 ' }, { ...RULES, key: 'id' })).toEqual({ key: '7', address: '' })
    expect(identify({}, { ...RULES, emailColumn: undefined })).toEqual({ key: '', address: '' })
  })

  test('has a likely address only where its cell is one', () => {
    expect(likelyAddress({ email: 'ada@example.com' }, RULES)).toBe('ada@example.com')
    expect(likelyAddress({ email: 'ada@' }, RULES)).toBeUndefined()
  })
})
