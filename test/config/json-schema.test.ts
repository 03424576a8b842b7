/** The JSON Schema and the manual tell the settings as they are. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { variableOf } from '../../src/config/environment.ts'
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { allKeys } from '../../src/config/keys.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the JSON Schema that the package ships is up to date (npm run schema)', () => {
  expect(read('schema/mailmerge.schema.json')).toBe(configJsonSchema())
})

test('the manual names every setting', () => {
  const manual = read('docs/configuration.md')
  const missing = allKeys().filter(({ path }) => !manual.includes(`\`${path.join('.')}\``))
  expect(missing.map(({ path }) => path.join('.'))).toEqual([])
})

test('every setting has a variable of its own', () => {
  const variables = allKeys().map(({ path }) => variableOf(path))
  expect(new Set(variables).size).toBe(variables.length)
  expect(variables).toContain('MAILMERGE_SMTP_PASSWORD_COMMAND')
})
