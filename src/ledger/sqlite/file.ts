/**
 * The ledger as a file: made whole or not at all, opened only when it is ours, sound, and on a disk that keeps its word.
 * Owns everything that is checked before the first statement; never overwrites a file that it did not make.
 */

import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, existsSync, openSync, readSync, rmSync, statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ConfigError, InputError, MailmergeError, OutputError } from '../../errors.ts'
import { linkIfAbsent, syncFileSync, syncFolderSync } from '../../fs/atomic.ts'
import { makeFolder } from '../../fs/folder.ts'
import { outputWords } from '../../fs/system-errors.ts'
import { APPLICATION_ID, type Migration, migrate, schemaVersion } from './schema.ts'
import { DAMAGE_HINT, explain } from './storage-errors.ts'
import { numberOf } from './store.ts'

/** Before it, two connections could damage a file when its log was started again (https://sqlite.org/releaselog/3_51_3.html). */
const OLDEST_SQLITE = [3, 51, 3] as const

/** A wait for a lock holds the event loop, so SQLite itself waits hardly at all; the store asks again. */
const BUSY_TIMEOUT_MS = 20

/** A ledger up to this size is read through whenever it is opened. */
const CHECKED_BYTES = 8_000_000

/** File systems of other machines by statfs(2)'s magic number: their locks and shared memory do not hold. */
const REMOTE_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x73757245, 'Coda'],
  [0x564c, 'NetWare'],
  [0x0bd00bd0, 'Lustre'],
])

export interface FileOptions {
  readonly create: boolean
  readonly readOnly: boolean
  readonly migrations: readonly Migration[]
  /** SQLite's version, `process.versions.sqlite`. */
  readonly sqliteVersion: string
  /** Magic number of the file system that holds a folder. */
  readonly fileSystem: (folder: string) => number
}

/** Whether the file is a ledger, by its header alone (https://sqlite.org/fileformat2.html#database_header). */
export function isLedgerFile(path: string): boolean {
  const header = Buffer.alloc(100)
  try {
    const file = openSync(path, 'r')
    try {
      return readSync(file, header, 0, 100, 0) === 100 && header.readUInt32BE(68) === APPLICATION_ID
    } finally {
      closeSync(file)
    }
  } catch {
    return false
  }
}

export const fileSystemOf = (folder: string): number => Number(statfsSync(folder).type) >>> 0

/**
 * Opens the ledger, making it first when there is none and `create` is set.
 * @throws ConfigError for an old SQLite or a network file system, InputError when there is none, OutputError when it
 * cannot be written, is damaged, is not a ledger, or is of a newer version.
 */
export function openLedgerFile(path: string, options: FileOptions): DatabaseSync {
  refuseOldSqlite(options.sqliteVersion)
  try {
    if (!existsSync(path)) {
      if (!options.create || options.readOnly) throw noLedger(path)
      refuseLeftLog(path)
      makeFolder(dirname(path), { mode: 0o700 })
      refuseRemote(path, options)
      createFile(path, options.migrations)
    }
    refuseRemote(path, options)
    return openFile(path, options)
  } catch (error) {
    throw explainFile(error, path)
  }
}

function openFile(path: string, options: FileOptions): DatabaseSync {
  const { size } = statSync(path)
  if (size === 0) {
    throw new OutputError(`the ledger ${path} is empty`, {
      hint: 'It was cut off or never written. Put a copy from a backup in its place, or delete it to start again.',
    })
  }
  const database = new DatabaseSync(path, { readOnly: options.readOnly, timeout: BUSY_TIMEOUT_MS })
  try {
    refuseForeign(database, path)
    const version = schemaVersion(database)
    const newest = options.migrations.at(-1)?.version ?? 0
    if (version > newest) {
      throw new OutputError(
        `the ledger ${path} was written by a newer mailmerge (its form is ${version}, ours ${newest})`,
        {
          hint: 'Update mailmerge: npm install -g mailmerge@latest. The ledger was left as it is.',
        },
      )
    }
    if (size <= CHECKED_BYTES) refuseDamaged(database, path)
    if (!options.readOnly) {
      assertDurable(database, path)
      migrate(database, options.migrations)
    } else if (version < newest) {
      throw new OutputError(`the ledger ${path} was written by an older mailmerge`, {
        hint: 'Give any command that writes to it, such as `mailmerge run`, to bring it up to date.',
      })
    }
    database.exec('PRAGMA cache_size = -16000')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Writes the whole file beside its place and links it there, so that nobody ever finds half a ledger. */
function createFile(path: string, migrations: readonly Migration[]): void {
  const draft = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.new`
  try {
    const database = new DatabaseSync(draft)
    try {
      chmodSync(draft, 0o600)
      database.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
      migrate(database, migrations)
      database.exec('PRAGMA journal_mode = WAL')
    } finally {
      database.close()
    }
    syncFileSync(draft)
    linkIfAbsent(draft, path)
    syncFolderSync(dirname(path))
  } finally {
    for (const left of [draft, `${draft}-wal`, `${draft}-shm`, `${draft}-journal`]) rmSync(left, { force: true })
  }
}

function refuseOldSqlite(version: string): void {
  const parts = version.split('.').map(Number)
  for (const [index, least] of OLDEST_SQLITE.entries()) {
    const part = parts[index] ?? 0
    if (part > least) return
    if (part < least) {
      throw new ConfigError(`this Node brings SQLite ${version}, which can damage a ledger that two processes use`, {
        hint: `Update Node: SQLite ${OLDEST_SQLITE.join('.')} or newer is needed (Node 24.15 and later have it).`,
      })
    }
  }
}

function refuseRemote(path: string, { fileSystem }: FileOptions): void {
  const kind = REMOTE_FILE_SYSTEMS.get(fileSystem(dirname(path)))
  if (kind === undefined) return
  throw new ConfigError(`the ledger ${path} is on a network file system (${kind}), where its locks do not hold`, {
    hint: 'Keep it on a disk of this machine: --ledger PATH or MAILMERGE_LEDGER.',
  })
}

/** A log left behind by a deleted ledger would be read into the new one. */
function refuseLeftLog(path: string): void {
  for (const log of [`${path}-wal`, `${path}-journal`]) {
    if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) === 0) continue
    throw new OutputError(`there is no ledger ${path}, but its log ${log} is there`, {
      hint: 'Put the ledger back beside its log: together they record who was written to. To start again, move the log away.',
    })
  }
}

function refuseForeign(database: DatabaseSync, path: string): void {
  const id = numberOf(database.prepare('PRAGMA application_id').get()?.['application_id'])
  if (id === APPLICATION_ID) return
  throw new OutputError(`${path} is a database, but not a ledger of mailmerge`, {
    hint: 'Name another file: --ledger PATH. This one was left as it is.',
  })
}

function refuseDamaged(database: DatabaseSync, path: string): void {
  const found = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
  if (found === 'ok') return
  throw new OutputError(`the ledger ${path} is damaged: ${String(found)}`, {
    hint: DAMAGE_HINT,
  })
}

/** Every commit must outlast a power cut; anything less would be found out by a person who gets a message twice. */
function assertDurable(database: DatabaseSync, path: string): void {
  database.exec(
    'PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA wal_autocheckpoint = 0',
  )
  const mode = database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode']
  const synchronous = database.prepare('PRAGMA synchronous').get()?.['synchronous']
  if (mode === 'wal' && synchronous === 2) return
  throw new OutputError(
    `the ledger ${path} cannot be kept safe here (journal ${String(mode)}, synchronous ${String(synchronous)})`,
    {
      hint: 'Keep it on another disk of this machine: --ledger PATH or MAILMERGE_LEDGER.',
    },
  )
}

function noLedger(path: string): InputError {
  return new InputError(`there is no ledger ${path}`, {
    hint: 'Nothing was run here yet, or it is elsewhere: --ledger PATH.',
  })
}

/** File system errors beside those of SQLite. */
function explainFile(error: unknown, path: string): MailmergeError {
  if (error instanceof MailmergeError) return error
  const { code, syscall } = error as NodeJS.ErrnoException
  if (typeof syscall !== 'string' || code === undefined) return explain(error, path)
  return new OutputError(`the ledger ${path} cannot be written: ${outputWords(error)}`, {
    hint: 'Make its folder writable and see that the disk has space, or name another place with --ledger.',
    cause: error,
  })
}
