/** The JSON Schema and the manual describe the settings as they are. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { variableOf } from '../../src/config/environment.ts'
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { allKeys } from '../../src/config/keys.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the JSON Schema that the package ships is up to date (npm run schema)', () => {
  expect(read('schema/mailmerge.schema.json')).toBe(configJsonSchema())
})

test('the manual lists every setting in the words of the schema', () => {
  const manual = read('docs/configuration.md')
  const rows = allKeys().map(({ path, schema }) => `| \`${path.join('.')}\` | ${descriptionOf(schema)}`)
  expect(rows.filter((row) => !manual.includes(`${row} |`) && !manual.includes(`${row}; see [`))).toEqual([])
})

/** What a setting is described as, inside of the wrapping that makes it optional. */
function descriptionOf(schema: unknown): string | undefined {
  if (!(schema instanceof z.ZodType)) return undefined
  return schema.description ?? (schema instanceof z.ZodOptional ? descriptionOf(schema.unwrap()) : undefined)
}

test('every setting has a variable of its own', () => {
  const variables = allKeys().map(({ path }) => variableOf(path))
  expect(new Set(variables).size).toBe(variables.length)
  expect(variables).toContain('MAILMERGE_SMTP_PASSWORD_COMMAND')
})
