/**
 * Reduces what caniemail.com measured of mail programs to the newest test of each, as `data/mail-clients.json`, which the package
 * ships. Run it after an update of the package caniemail: `npm run mail-clients`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parse } from 'yaml'

type Stats = ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, string>>>

const path = createRequire(import.meta.url).resolve('caniemail/caniemail.json')
// The newest version of a program is the last of its list, and JSON.parse would put 16 before 15.0.
const whole = parse(readFileSync(path, 'utf8'), { mapAsMap: true, maxAliasCount: 0 }) as ReadonlyMap<string, unknown>
const names = whole.get('nicenames') as ReadonlyMap<string, ReadonlyMap<string, string>>

const features: Record<string, unknown> = {}
for (const feature of whole.get('data') as readonly ReadonlyMap<string, unknown>[]) {
  const support: Record<string, Record<string, string>> = {}
  for (const [family, platforms] of feature.get('stats') as Stats) {
    for (const [platform, versions] of platforms) {
      const [newest = ''] = [...versions.values()].slice(-1)
      // `a #1 #2`: partial, with two notes. `u` is unknown.
      if (/^[yan]/.test(newest)) support[family] = { ...support[family], [platform]: newest }
    }
  }
  features[String(feature.get('slug'))] = {
    title: feature.get('title'),
    tested: feature.get('last_test_date'),
    support,
  }
}
const data = {
  source: 'https://www.caniemail.com, MIT License, Copyright (c) Rémi Parmentier and contributors',
  date: String(whole.get('last_update_date')).slice(0, 10),
  clients: Object.fromEntries(names.get('family') ?? []),
  platforms: Object.fromEntries(names.get('platform') ?? []),
  features,
}
const folder = join(import.meta.dirname, '../data')
mkdirSync(folder, { recursive: true })
const lines = Object.entries(features).map(([slug, feature]) => `${JSON.stringify(slug)}: ${JSON.stringify(feature)}`)
const head = JSON.stringify({ ...data, features: undefined }, undefined, 1).replace(/\n\}$/, '')
writeFileSync(join(folder, 'mail-clients.json'), `${head},\n "features": {\n${lines.join(',\n')}\n }\n}\n`)
