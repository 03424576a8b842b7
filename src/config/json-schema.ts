/** The JSON Schema of mailmerge.yaml, for editors. `npm run schema` writes it to schema/, which the package ships. */
import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { configSchema } from './schema.ts'

/** The text of schema/mailmerge.schema.json. */
export function configJsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' })
  return `${JSON.stringify({ title: 'mailmerge.yaml', ...schema }, null, 2)}\n`
}

if (import.meta.main) writeFileSync(new URL('../../schema/mailmerge.schema.json', import.meta.url), configJsonSchema())
