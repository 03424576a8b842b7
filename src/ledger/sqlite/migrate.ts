/** Brings a ledger file's schema up to date, one transaction a step. Owns the version number; knows no table. */
import type { DatabaseSync } from 'node:sqlite'
import type { Migration } from './schema.ts'
import { numberOf } from './values.ts'

export function schemaVersion(database: DatabaseSync): number {
  return numberOf(database.prepare('PRAGMA user_version').get()?.['user_version'])
}

/** Runs every migration that the file has not had. One that fails, or is cut off, leaves the file as it was before it. */
export function migrate(database: DatabaseSync, migrations: readonly Migration[]): void {
  for (const { version, sql } of migrations) {
    if (schemaVersion(database) >= version) continue
    database.exec('PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE')
    try {
      // Another process may have been first.
      if (schemaVersion(database) < version) {
        database.exec(sql)
        database.exec(`PRAGMA user_version = ${version}`)
      }
      database.exec('COMMIT')
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
    database.exec('PRAGMA busy_timeout = 20')
  }
}
