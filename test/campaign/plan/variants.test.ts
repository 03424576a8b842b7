import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSplit, type DrawnSplit, openSplit, type Variant } from '../../../src/campaign/plan/variants.ts'
import { UsageError } from '../../../src/errors.ts'
import type { Template } from '../../../src/template/template.ts'

const template = (name: string): Template => ({ name }) as Template
const split = (shares: Readonly<Record<string, number>>, campaign = 'news'): DrawnSplit =>
  createSplit(
    Object.entries(shares).map(([name, share]): Variant => ({ name, share, template: template(name) })),
    campaign,
  )
const people = Array.from({ length: 20_000 }, (_, index) => `p${index}@example.com`)

function shareOf(drawn: DrawnSplit, name: string): number {
  return people.filter((key) => drawn.of(key).name === name).length / people.length
}

describe('a split', () => {
  test('gives each variant its share', () => {
    const drawn = split({ a: 1, b: 3 })
    expect(shareOf(drawn, 'a')).toBeCloseTo(0.25, 1)
    expect(shareOf(drawn, 'b')).toBeCloseTo(0.75, 1)
    expect(shareOf(split({ a: 1, b: 1, c: 1 }), 'c')).toBeCloseTo(1 / 3, 1)
  })

  test('gives a recipient the same variant each time, whatever the order of the variants', () => {
    const [one, other] = [split({ a: 1, b: 2, c: 1 }), split({ c: 1, b: 2, a: 1 })]
    for (const key of people.slice(0, 500)) expect(other.of(key).name).toBe(one.of(key).name)
  })

  test('moves nobody between variants that stay as they are when another one comes', () => {
    const [before, after] = [split({ a: 1, b: 1 }), split({ a: 1, b: 1, c: 1 })]
    for (const key of people.slice(0, 2000)) {
      const now = after.of(key).name
      if (now !== 'c') expect(now).toBe(before.of(key).name)
    }
  })

  test('only takes from others when a share grows', () => {
    const [before, after] = [split({ a: 1, b: 1 }), split({ a: 1, b: 2 })]
    for (const key of people.slice(0, 2000)) if (before.of(key).name === 'b') expect(after.of(key).name).toBe('b')
  })

  test('draws another lot for another campaign', () => {
    const [one, other] = [split({ a: 1, b: 1 }), split({ a: 1, b: 1 }, 'other')]
    const same = people.filter((key) => one.of(key).name === other.of(key).name).length / people.length
    expect(same).toBeCloseTo(0.5, 1)
  })

  test('finds a variant for any key', () => {
    const drawn = split({ a: 0.001, b: 1000 })
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (key) => ['a', 'b'].includes(drawn.of(key).name)))
  })
})

describe('the variants of a project', () => {
  const settings = { morning: { share: 1 }, evening: { share: 1, subject: 'Good evening' } }
  const open = ({ subject }: { readonly subject?: string | undefined }): Promise<Template> =>
    Promise.resolve(template(subject ?? 'plain'))

  test('do not split where none are set', async () => {
    expect(await openSplit(undefined, 'news', undefined, open)).toBeUndefined()
  })

  test('are one for everybody when one is chosen', async () => {
    const chosen = await openSplit(settings, 'news', 'evening', open)
    for (const key of people.slice(0, 50)) expect(chosen?.of(key).template.name).toBe('Good evening')
  })

  test('do not hold a wrong name, which is reported with the nearest', async () => {
    await expect(openSplit(settings, 'news', 'evenning', open)).rejects.toThrow(UsageError)
    await expect(openSplit(settings, 'news', 'evenning', open)).rejects.toMatchObject({
      hint: "Did you mean 'evening'?",
    })
    await expect(openSplit(undefined, 'news', 'a', open)).rejects.toMatchObject({
      hint: expect.stringContaining('Variants are set in mailmerge.yaml'),
    })
  })
})
