/** What we build on is not older than the versions in which its known holes were closed. A lower version fails here. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')

interface Manifest {
  readonly version: string
  readonly engines?: { readonly node?: string }
}

/** Package, the version that closed the hole, and what the hole was. */
const FLOORS = [
  ['nodemailer', '10.1.4', 'line breaks in commands and headers, and an address parser without bound'],
  ['handlebars', '4.7.9', 'templates that reach prototypes or run code'],
  ['csv-parse', '7.0.1', 'prototype pollution by column names'],
  ['mjml', '5.0.0', 'mj-include reading any file'],
  ['mailparser', '3.9.4', 'invented addresses; scripts in text made HTML'],
  ['postal-mime', '2.7.6', 'nesting without bound'],
] as const

function manifest(path: string): Manifest {
  return JSON.parse(readFileSync(resolve(ROOT, path), 'utf8'))
}

/** Whether a version is at least another, by number and not by letter. */
function atLeast(version: string, floor: string): boolean {
  const [have, need] = [version, floor].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)))
  for (let i = 0; i < 3; i++) {
    const difference = (have?.[i] ?? 0) - (need?.[i] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}

test.each(FLOORS)('%s is at least %s: %s', (name, floor) => {
  const { version } = manifest(`node_modules/${name}/package.json`)
  expect(atLeast(version, floor), version).toBe(true)
})

test('what a user installs cannot be older either', () => {
  const { dependencies } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  for (const [name, floor] of FLOORS) {
    const range = dependencies[name]
    if (range !== undefined) expect(atLeast(range.replace(/^\^/, ''), floor), `${name} ${range}`).toBe(true)
  }
})

test('SQLite has the fix of its write-ahead log (3.51.3)', () => {
  expect(atLeast(process.versions.sqlite ?? '0', '3.51.3'), process.versions.sqlite).toBe(true)
})

test('Node.js is 24 or newer, and the package says so', () => {
  expect(atLeast(process.versions.node, '24.0.0')).toBe(true)
  expect(manifest('package.json').engines?.node).toBe('>=24')
})

test('versions are compared by number', () => {
  expect([atLeast('4.7.10', '4.7.9'), atLeast('3.9.99', '3.51.3'), atLeast('10.1.4', '10.1.4')]).toEqual([
    true,
    false,
    true,
  ])
})
