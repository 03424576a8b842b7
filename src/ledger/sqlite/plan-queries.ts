/**
 * The statements that make a plan: its rows, those that share a key, and how they join the recipients that the campaign knows. Owns
 * this SQL; never runs it. ?1 and ?2 are the plan ids of the run's first and last row unless it is said.
 */

const PLAN_COLUMNS = ['id', 'key', 'occurrence', 'address', 'data', 'skip_kind', 'skip', 'not_before', 'variant']

/** Further columns of plans whose rows are grouped, or name the account that sends them. */
export interface FurtherColumns {
  readonly isGrouped: boolean
  readonly hasAccounts: boolean
}

/** For `count` rows at once, each with its values in the order of the columns: one statement a row costs twice as much. */
export function insertPlanRows(count: number, { isGrouped, hasAccounts }: FurtherColumns): string {
  const columns = [...PLAN_COLUMNS, ...(isGrouped ? ['head', 'rows'] : []), ...(hasAccounts ? ['account'] : [])]
  const values = `(${columns.map(() => '?').join()})`
  return `INSERT INTO run_row (${columns.join()}) VALUES ${Array.from({ length: count }, () => values).join()}`
}

/** Rows that are to be sent, each as a message, and share a key with an earlier one. ?1 first, ?2 last, ?3 limit. */
export const duplicateRows = `
WITH shared AS MATERIALIZED (
  SELECT key, min(id) AS first_id FROM run_row
  WHERE id BETWEEN ?1 AND ?2 AND skip IS NULL AND head IS NULL AND key <> '' GROUP BY key HAVING count(*) > 1)
SELECT n.key, n.id & 0xffffffff AS row, shared.first_id & 0xffffffff AS first_row
FROM shared JOIN run_row AS n ON n.key = shared.key
WHERE n.id BETWEEN ?1 AND ?2 AND n.skip IS NULL AND n.head IS NULL AND n.id <> shared.first_id
ORDER BY n.id LIMIT ?3`

/** Whether any key stands in two rows, selected or not, that are not of one message. */
export const anySharedKey = `
SELECT 1 FROM run_row WHERE id BETWEEN ?1 AND ?2 AND head IS NULL AND key <> '' GROUP BY key HAVING count(*) > 1 LIMIT 1`

export const createTwins = `
CREATE TEMP TABLE IF NOT EXISTS twin (id INTEGER PRIMARY KEY, first_id INTEGER NOT NULL, rank INTEGER NOT NULL)`

export const clearTwins = `DELETE FROM temp.twin`

/**
 * Rows that share a key, each with its rank. Under `skip` (?3 = 0) the first row that is to be sent comes first and bad
 * rows do not take part; under `all` (?3 = 1) every row counts, so that the n-th row of a key stays the n-th whichever
 * rows are selected or bad.
 */
export const findTwins = `
INSERT INTO temp.twin
WITH shared AS MATERIALIZED (
  SELECT key FROM run_row WHERE id BETWEEN ?1 AND ?2 AND head IS NULL AND key <> '' GROUP BY key HAVING count(*) > 1)
SELECT id, first_value(id) OVER nth, row_number() OVER nth
FROM run_row WHERE id BETWEEN ?1 AND ?2 AND head IS NULL AND key IN (SELECT key FROM shared) AND (?3 OR occurrence > 0)
WINDOW nth AS (PARTITION BY key ORDER BY CASE WHEN ?3 THEN 0 ELSE skip IS NOT NULL END, id)`

/** Under `all`: the n-th row of a key is its n-th occurrence. */
export const numberTwins = `
UPDATE run_row SET occurrence = twin.rank FROM temp.twin
WHERE run_row.id = twin.id AND twin.rank > 1 AND run_row.occurrence > 0`

/** Under `skip`: later rows of a key have no recipient. */
export const skipTwins = `
UPDATE run_row SET occurrence = 0, skip = coalesce(skip, twin.first_id & 0xffffffff), skip_kind = coalesce(skip_kind, 'duplicate')
FROM temp.twin WHERE run_row.id = twin.id AND twin.rank > 1`

/** A row that is to be sent and begins a message. Of the rows of one message the first alone has the recipient. */
const beginsMessage = 'skip IS NULL AND occurrence > 0 AND head IS NULL'

/** Gives new keys their identity, in key order so that the index is written from left to right. ?3 campaign. */
export const insertIdentities = `
INSERT INTO identity (campaign, key, occurrence, recipient)
SELECT ?3, key, occurrence, id FROM run_row
WHERE id BETWEEN ?1 AND ?2 AND ${beginsMessage} ORDER BY key, occurrence
ON CONFLICT DO NOTHING`

/** Every message of the plan has a new recipient. */
export const insertAllRecipients = `
INSERT INTO recipient (id, plan, status, due_at, variant, rows, account)
SELECT id, id, 'deferred', not_before, variant, coalesce(rows, 1), account FROM run_row AS n
WHERE id BETWEEN ?1 AND ?2 AND head IS NULL ORDER BY id`

/** ?3 campaign, ?4 whether all messages to be sent are new. */
export const insertRecipients = `
INSERT INTO recipient (id, plan, status, due_at, variant, rows, account)
SELECT id, id, 'deferred', not_before, variant, coalesce(rows, 1), account FROM run_row AS n
WHERE id BETWEEN ?1 AND ?2 AND ${beginsMessage} AND (?4 OR EXISTS (
  SELECT 1 FROM identity AS i
  WHERE i.campaign = ?3 AND i.key = n.key AND i.occurrence = n.occurrence AND i.recipient = n.id))
ORDER BY id`

/**
 * Recipients known before now follow the new plan. Sent and in doubt stay so; failed ones come back when their row
 * changed, skipped ones always; deferred ones keep their turn unless their row changed or asks for a later one. The
 * joins are CROSS, and made before the update, so that each row of the plan finds its recipient by key: the other way
 * round it is rows times rows.
 */
export const moveRecipients = `
WITH n AS MATERIALIZED (
  SELECT i.recipient AS id, p.id AS plan, p.not_before, p.variant, p.account, coalesce(p.rows, 1) AS rows,
    (o.data IS p.data AND o.address IS p.address) AS same,
    (r.status = 'skipped' OR (r.status = 'failed' AND (o.data IS NOT p.data OR o.address IS NOT p.address))) AS revived
  FROM run_row AS p
    CROSS JOIN identity AS i ON i.campaign = ?3 AND i.key = p.key AND i.occurrence = p.occurrence
    CROSS JOIN recipient AS r ON r.id = i.recipient
    LEFT JOIN run_row AS o ON o.id = r.plan
  WHERE p.id BETWEEN ?1 AND ?2 AND p.skip IS NULL AND p.occurrence > 0 AND p.head IS NULL AND i.recipient <> p.id)
UPDATE recipient SET
  plan = n.plan,
  rows = n.rows,
  status = CASE WHEN n.revived THEN 'deferred' ELSE status END,
  due_at = CASE WHEN status NOT IN ('deferred', 'failed', 'skipped') THEN NULL
                WHEN status = 'deferred' AND n.same AND tries > 0 THEN max(coalesce(due_at, n.not_before), coalesce(n.not_before, due_at))
                WHEN status = 'deferred' OR n.revived THEN n.not_before END,
  tries = CASE WHEN n.revived OR (status = 'deferred' AND NOT n.same) THEN 0 ELSE tries END,
  tries_since = CASE WHEN n.revived OR (status = 'deferred' AND NOT n.same) THEN NULL ELSE tries_since END,
  finished_at = CASE WHEN n.revived THEN NULL ELSE finished_at END,
  variant = CASE WHEN n.revived OR status = 'deferred' THEN n.variant ELSE recipient.variant END,
  account = CASE WHEN n.revived OR (status = 'deferred' AND tries = 0) THEN n.account
                 WHEN status = 'deferred' THEN coalesce(n.account, recipient.account) ELSE recipient.account END,
  reason = CASE WHEN n.revived THEN NULL ELSE reason END,
  skip_kind = CASE WHEN n.revived THEN NULL ELSE skip_kind END,
  smtp_code = CASE WHEN n.revived THEN NULL ELSE smtp_code END,
  enhanced_code = CASE WHEN n.revived THEN NULL ELSE enhanced_code END,
  response = CASE WHEN n.revived THEN NULL ELSE response END
FROM n WHERE recipient.id = n.id`

export const planSize = `
SELECT count(*) AS rows, count(*) FILTER (WHERE skip IS NULL AND occurrence > 0) AS selected,
  count(*) FILTER (WHERE ${beginsMessage}) AS messages
FROM run_row WHERE id BETWEEN ?1 AND ?2`

/** ?1 campaign, ?2 the run that does not count. */
export const anyOtherRun = `SELECT 1 FROM run WHERE campaign = ?1 AND number <> ?2 AND state <> 'planning' LIMIT 1`

/** ?1 campaign, ?2 the run that takes their place, ?3 time. */
export const supersedeRuns = `
UPDATE run SET counted = 0, state = CASE state WHEN 'ready' THEN 'cancelled' ELSE state END,
  ended_at = CASE state WHEN 'ready' THEN ?3 ELSE ended_at END
WHERE campaign = ?1 AND number <> ?2 AND state <> 'planning'`

export const readyRun = `
UPDATE run SET state = 'ready', counted = 1, rows = ?2, sent = ?3, failed = ?4, skipped = ?5, deferred = ?6, in_doubt = ?7,
  messages_sent = ?8, messages_failed = ?9, messages_skipped = ?10, messages_deferred = ?11, messages_in_doubt = ?12
WHERE number = ?1`
