/**
 * Every table and index of the SQLite ledger, as the migrations that made them, and bringing a file up to date. Owns the shape
 * of the file and its version number. A released migration is not edited: a change is a new entry at the end.
 */
import type { DatabaseSync } from 'node:sqlite'
import { numberOf } from './store.ts'

/** Written into the file's header ("MmLg"), to distinguish a ledger from any other SQLite file. */
export const APPLICATION_ID = 0x4d6d4c67

/** One step of the schema. It runs in one transaction together with the new version number. */
export interface Migration {
  readonly version: number
  readonly sql: string
}

/*
 * A plan row's id is `run.number * 2^32 + row`: rows of a run lie together on disk in source order, and a run is a range
 * of ids. A recipient's id is that of the plan row that first named it. Times are milliseconds since 1970, UTC.
 */
const version1 = `
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value ANY
) STRICT, WITHOUT ROWID;

CREATE TABLE campaign (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  generation INTEGER NOT NULL,
  token      TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  pruned_at  INTEGER,
  UNIQUE (name, generation)
) STRICT;

CREATE TABLE run (
  number        INTEGER PRIMARY KEY AUTOINCREMENT,
  id            TEXT NOT NULL UNIQUE,
  campaign      INTEGER NOT NULL REFERENCES campaign (id),
  state         TEXT NOT NULL CHECK (state IN ('planning', 'ready', 'finished', 'cancelled')),
  started_at    INTEGER NOT NULL,
  ended_at      INTEGER,
  not_before    INTEGER,
  source        TEXT NOT NULL,
  template      TEXT NOT NULL,
  template_hash TEXT NOT NULL,
  columns       TEXT NOT NULL,
  options       TEXT NOT NULL,
  -- The counts below are kept up to date for the newest settled run of a campaign; those of others are computed.
  counted       INTEGER NOT NULL DEFAULT 0,
  rows          INTEGER NOT NULL DEFAULT 0,
  sent          INTEGER NOT NULL DEFAULT 0,
  failed        INTEGER NOT NULL DEFAULT 0,
  skipped       INTEGER NOT NULL DEFAULT 0,
  deferred      INTEGER NOT NULL DEFAULT 0,
  in_doubt      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX run_by_campaign ON run (campaign, number);

-- The plan: what the source said. Written once; settling fills in the duplicates.
CREATE TABLE run_row (
  id         INTEGER PRIMARY KEY,
  key        TEXT NOT NULL,
  -- Which of the rows with this key; 0 for a row that counts for nobody (bad, or a duplicate that is skipped).
  occurrence INTEGER NOT NULL,
  -- Null when it equals the key.
  address    TEXT,
  data       TEXT NOT NULL,
  skip       TEXT,
  not_before INTEGER,
  variant    TEXT
) STRICT;

-- Which recipient a key is, for a whole campaign.
CREATE TABLE identity (
  campaign   INTEGER NOT NULL,
  key        TEXT NOT NULL,
  occurrence INTEGER NOT NULL,
  recipient  INTEGER NOT NULL,
  PRIMARY KEY (campaign, key, occurrence)
) STRICT, WITHOUT ROWID;

-- A campaign's memory of one recipient key.
CREATE TABLE recipient (
  id               INTEGER PRIMARY KEY,
  -- The newest plan row that asks for it.
  plan             INTEGER NOT NULL,
  status           TEXT NOT NULL CHECK (status IN ('sent', 'failed', 'skipped', 'deferred', 'in_doubt')),
  due_at           INTEGER,
  -- Of the present series, started again when a person says retry or the row changed.
  tries            INTEGER NOT NULL DEFAULT 0,
  tries_since      INTEGER,
  -- Of all time.
  attempts         INTEGER NOT NULL DEFAULT 0,
  first_attempt_at INTEGER,
  finished_at      INTEGER,
  reason           TEXT,
  smtp_code        INTEGER,
  enhanced_code    TEXT,
  response         TEXT,
  message_id       TEXT,
  -- Of an A/B split: the one that was sent, or is to be.
  variant          TEXT,
  -- The worst that came back: kind, colon, reason.
  bounce           TEXT
) STRICT;
CREATE INDEX recipient_ready ON recipient (plan) WHERE status = 'deferred' AND due_at IS NULL;
CREATE INDEX recipient_waiting ON recipient (plan >> 32, due_at, plan) WHERE status = 'deferred' AND due_at IS NOT NULL;
CREATE INDEX recipient_trouble ON recipient (plan) WHERE status IN ('failed', 'in_doubt');

-- One SMTP transaction. Without an outcome it was begun and never answered: at most one a recipient.
CREATE TABLE attempt (
  id            INTEGER PRIMARY KEY,
  recipient     INTEGER NOT NULL,
  lane          INTEGER NOT NULL,
  server        TEXT,
  began_at      INTEGER NOT NULL,
  message_id    TEXT,
  ended_at      INTEGER,
  -- A row status; 'void' when the message turned out never to have been handed over.
  outcome       TEXT,
  reason        TEXT,
  smtp_code     INTEGER,
  enhanced_code TEXT,
  response      TEXT
) STRICT;
CREATE UNIQUE INDEX attempt_open ON attempt (recipient) WHERE outcome IS NULL;

CREATE TABLE claim (
  campaign      INTEGER PRIMARY KEY REFERENCES campaign (id),
  token         TEXT NOT NULL,
  pid           INTEGER NOT NULL,
  host          TEXT NOT NULL,
  boot_id       TEXT NOT NULL,
  process_start TEXT NOT NULL,
  claimed_at    INTEGER NOT NULL,
  heartbeat_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE quota_use (
  name    TEXT NOT NULL,
  seconds REAL NOT NULL,
  bucket  INTEGER NOT NULL,
  used    INTEGER NOT NULL,
  PRIMARY KEY (name, seconds, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE suppression (
  hash       BLOB NOT NULL,
  "group"    TEXT NOT NULL,
  address    TEXT,
  reason     TEXT NOT NULL,
  note       TEXT,
  added_at   INTEGER NOT NULL,
  PRIMARY KEY (hash, "group")
) STRICT, WITHOUT ROWID;

-- Reports on our messages, each taken once. Persons are hashes.
CREATE TABLE feedback (
  fingerprint TEXT PRIMARY KEY,
  recipient   INTEGER NOT NULL,
  person      TEXT NOT NULL,
  kind        TEXT NOT NULL,
  at          INTEGER NOT NULL,
  reason      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX feedback_by_person ON feedback (person, at) WHERE kind = 'soft';
CREATE INDEX feedback_by_recipient ON feedback (recipient);

-- Messages of which a copy was kept in the sender's mailbox.
CREATE TABLE sent_copy (
  recipient INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE server (
  name                    TEXT PRIMARY KEY,
  pipelining              INTEGER,
  pipelining_until        INTEGER,
  messages_per_connection INTEGER
) STRICT, WITHOUT ROWID;

INSERT INTO meta VALUES ('suppression_mark', 0);
`

const version2 = `
-- When the delivery of a run with a time of its own began: from then on it is not late any more.
ALTER TABLE run ADD COLUMN begun_at INTEGER;

CREATE TABLE schedule (
  name       TEXT PRIMARY KEY,
  kind       TEXT NOT NULL CHECK (kind IN ('cron', 'once')),
  timing     TEXT NOT NULL,
  zone       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  options    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Outlives its schedule: one of the same name must not fire it again.
CREATE TABLE occurrence (
  schedule   TEXT NOT NULL,
  wall       TEXT NOT NULL,
  at         INTEGER NOT NULL,
  campaign   TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('taken', 'planned', 'done', 'failed', 'missed')),
  run        TEXT,
  reason     TEXT,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (schedule, wall)
) STRICT, WITHOUT ROWID;
CREATE INDEX occurrence_by_time ON occurrence (schedule, at);
CREATE INDEX occurrence_open ON occurrence (at) WHERE state IN ('taken', 'planned');
`

const version3 = `
-- The attempt that settled it as sent: what came of it is recorded there (times, answer, Message-ID), not a second time here.
-- Null for every other: it holds that itself. A row that does not grow when it is sent leaves its page whole.
ALTER TABLE recipient ADD COLUMN settled_by INTEGER;
-- Zeros in the place of the answer that is to come, for the same reason. Null once it came.
ALTER TABLE attempt ADD COLUMN room BLOB;
`

const version4 = `
-- Why a row was skipped, and what came back of a message, as values: the texts beside them no longer begin with the kind.
ALTER TABLE run_row ADD COLUMN skip_kind TEXT;
ALTER TABLE recipient ADD COLUMN skip_kind TEXT;
ALTER TABLE recipient ADD COLUMN bounce_kind TEXT;
${kindsOfSentences('run_row', 'skip', 'skip IS NOT NULL')}
${kindsOfSentences('recipient', 'reason', "status = 'skipped'")}
UPDATE recipient SET bounce_kind = substr(bounce, 1, instr(bounce, ': ') - 1), bounce = substr(bounce, instr(bounce, ': ') + 2)
WHERE bounce IS NOT NULL;
`

const version5 = `
-- Copies (cc, bcc) that the server did not take with their message. Started and not finished: an attempt without an answer.
CREATE TABLE carbon_copy (
  id            INTEGER PRIMARY KEY,
  recipient     INTEGER NOT NULL,
  address       TEXT NOT NULL,
  status        TEXT NOT NULL CHECK (status IN ('sent', 'refused', 'deferred', 'in_doubt')),
  due_at        INTEGER,
  tries         INTEGER NOT NULL,
  tries_since   INTEGER NOT NULL,
  started_at    INTEGER,
  finished_at   INTEGER,
  reason        TEXT,
  smtp_code     INTEGER,
  enhanced_code TEXT,
  response      TEXT,
  UNIQUE (recipient, address)
) STRICT;
CREATE INDEX carbon_copy_due ON carbon_copy (due_at) WHERE status = 'deferred';
CREATE INDEX carbon_copy_started ON carbon_copy (recipient) WHERE started_at IS NOT NULL;
`

const version6 = `
-- What a person asks of the process that delivers it.
ALTER TABLE run ADD COLUMN requested TEXT CHECK (requested IN ('pause', 'cancel', 'resume'));
`

const version7 = `
-- Another kind: an interval of days, weeks or months from a first time on. A check cannot be changed in its table.
CREATE TABLE schedule_with_intervals (
  name       TEXT PRIMARY KEY,
  kind       TEXT NOT NULL CHECK (kind IN ('cron', 'every', 'once')),
  timing     TEXT NOT NULL,
  zone       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  options    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO schedule_with_intervals (name, kind, timing, zone, created_at, options)
SELECT name, kind, timing, zone, created_at, options FROM schedule;
DROP TABLE schedule;
ALTER TABLE schedule_with_intervals RENAME TO schedule;
`

const version8 = `
-- What the process that delivers a run last said of it. For people who watch: nothing is decided by it.
CREATE TABLE run_report (
  run   INTEGER PRIMARY KEY,
  at    INTEGER NOT NULL,
  facts TEXT NOT NULL
) STRICT;
`

const version9 = `
-- Several rows in one message: each but the first names the plan row of the first, which has how many they are.
ALTER TABLE run_row ADD COLUMN head INTEGER;
ALTER TABLE run_row ADD COLUMN rows INTEGER;
ALTER TABLE recipient ADD COLUMN rows INTEGER NOT NULL DEFAULT 1;
-- The counts of a run are rows; these are its messages.
ALTER TABLE run ADD COLUMN messages_sent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN messages_failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN messages_skipped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN messages_deferred INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN messages_in_doubt INTEGER NOT NULL DEFAULT 0;
UPDATE run SET messages_sent = sent, messages_failed = failed, messages_deferred = deferred, messages_in_doubt = in_doubt
WHERE counted = 1;
`

const version10 = `
-- The last notice of each subject. Owed: work on it began, and nobody said yet how it ended.
CREATE TABLE notice (
  subject     TEXT PRIMARY KEY,
  owed        INTEGER NOT NULL,
  number      INTEGER NOT NULL DEFAULT 0,
  about       TEXT,
  facts       TEXT,
  taken_until INTEGER,
  mailed      INTEGER NOT NULL DEFAULT 0,
  posted      INTEGER NOT NULL DEFAULT 0,
  closed      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
`

const version11 = `
-- Where there are several accounts: the one that a row is to be sent from, that its message was last tried from, and of each attempt.
ALTER TABLE run_row ADD COLUMN account TEXT;
ALTER TABLE recipient ADD COLUMN account TEXT;
ALTER TABLE attempt ADD COLUMN account TEXT;
`

const version12 = `
-- Messages a calendar day of a limit that rises with each such day. Days without messages have no row.
CREATE TABLE ramp_day (
  name TEXT NOT NULL,
  day  TEXT NOT NULL,
  used INTEGER NOT NULL,
  PRIMARY KEY (name, day)
) STRICT, WITHOUT ROWID;
-- Until when the delivery waits for the sending hours.
ALTER TABLE run ADD COLUMN waits_until INTEGER;
`

/** Earlier versions wrote a sentence alone. The right side of each assignment reads the row as it was. */
function kindsOfSentences(table: string, column: string, where: string): string {
  return `
UPDATE ${table} SET
  skip_kind = CASE
    WHEN ${column} GLOB 'bad row: *' THEN 'bad' WHEN ${column} GLOB 'not selected by *' THEN 'unselected'
    WHEN ${column} GLOB 'duplicate of row *' THEN 'duplicate' WHEN ${column} GLOB 'suppressed: *' THEN 'suppressed'
    WHEN ${column} = 'forgotten' THEN 'forgotten' ELSE 'other' END,
  ${column} = CASE
    WHEN ${column} GLOB 'bad row: *' THEN substr(${column}, ${'bad row: '.length + 1})
    WHEN ${column} GLOB 'not selected by *' THEN substr(${column}, ${'not selected by '.length + 1})
    WHEN ${column} GLOB 'duplicate of row *' THEN substr(${column}, ${'duplicate of row '.length + 1})
    WHEN ${column} GLOB 'suppressed: *' THEN substr(${column}, ${'suppressed: '.length + 1})
    ELSE ${column} END
WHERE ${where};`
}

export const migrations: readonly Migration[] = [
  { version: 1, sql: version1 },
  { version: 2, sql: version2 },
  { version: 3, sql: version3 },
  { version: 4, sql: version4 },
  { version: 5, sql: version5 },
  { version: 6, sql: version6 },
  { version: 7, sql: version7 },
  { version: 8, sql: version8 },
  { version: 9, sql: version9 },
  { version: 10, sql: version10 },
  { version: 11, sql: version11 },
  { version: 12, sql: version12 },
]

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
