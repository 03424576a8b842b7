/** The keys of the config as paths, read from its schema. Owns walking the schema; never sees values. */
import { z } from 'zod'
import { configSchema } from './schema.ts'

/** A schema without what is wrapped around it. */
function bare(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? bare(schema.unwrap()) : schema
}

function shapeOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  const inner = bare(schema)
  if (inner instanceof z.ZodObject) return inner.shape
  if (inner instanceof z.ZodUnion) return inner.options.map(shapeOf).find((shape) => shape !== undefined)
  return undefined
}

/** Names that are allowed in the object at `path`; empty where there is none. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  let schema: unknown = configSchema
  for (const step of path) {
    const inner = bare(schema)
    schema = inner instanceof z.ZodRecord ? inner.valueType : shapeOf(inner)?.[String(step)]
  }
  return Object.keys(shapeOf(schema) ?? {})
}

export interface KeyPath {
  readonly path: readonly string[]
  readonly schema: z.ZodType
}

/** Every key and every key within it, outer ones first; of accounts those that have these names. */
export function allKeys(accounts: readonly string[] = []): readonly KeyPath[] {
  const found: KeyPath[] = []
  const walk = (schema: unknown, path: readonly string[]): void => {
    for (const [key, inner] of Object.entries(shapeOf(schema) ?? {})) {
      if (key === '$schema') continue
      found.push({ path: [...path, key], schema: inner as z.ZodType })
      walk(inner, [...path, key])
      const named = path.length === 0 && key === 'accounts' ? bare(inner) : undefined
      if (named instanceof z.ZodRecord) for (const name of accounts) walk(named.valueType, [key, name])
    }
  }
  walk(configSchema, [])
  return found
}
