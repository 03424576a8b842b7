/**
 * The statements of the SQLite ledger, to be read as one document next to `schema.ts`; those that make a plan are in
 * `plan-queries.ts`. Owns the SQL; never runs it. Numbered parameters are explained where a name does not say it; first and last
 * are a run's range of plan ids.
 */

// ---- campaigns and runs ----------------------------------------------------------------------------------------------

export const newestCampaign = `
SELECT id, name, generation, token, pruned_at FROM campaign WHERE name = ?1 ORDER BY generation DESC LIMIT 1`

export const insertCampaign = `
INSERT INTO campaign (name, generation, token, created_at) VALUES (?1, ?2, ?3, ?4) RETURNING id`

export const insertRun = `
INSERT INTO run (id, campaign, state, started_at, not_before, source, template, template_hash, columns, options)
VALUES (?1, ?2, 'planning', ?3, ?4, ?5, ?6, ?7, ?8, ?9)`

const selectRun = `
SELECT run.*, campaign.name AS campaign_name, campaign.generation, campaign.token
FROM run JOIN campaign ON campaign.id = run.campaign`

export const runById = `${selectRun} WHERE run.id = ?1`

/** ?1 campaign name or null. */
export const newestRun = `${selectRun}
WHERE run.state <> 'planning' AND (?1 IS NULL OR campaign.name = ?1) ORDER BY run.number DESC LIMIT 1`

export const allRuns = `${selectRun} ORDER BY run.number DESC`

export const runHead = `SELECT number, campaign, state, not_before, begun_at, counted FROM run WHERE id = ?1`

export const endRun = `
UPDATE run SET state = ?2, ended_at = ?3 WHERE id = ?1 AND state <> 'planning'`

export const setRequest = `UPDATE run SET requested = ?2 WHERE id = ?1`

export const requestOfRun = `SELECT requested FROM run WHERE id = ?1`

export const replaceRunReport = `
INSERT INTO run_report (run, at, facts) SELECT number, ?2, ?3 FROM run WHERE id = ?1
ON CONFLICT DO UPDATE SET at = excluded.at, facts = excluded.facts`

export const deleteRunReport = `DELETE FROM run_report WHERE run = (SELECT number FROM run WHERE id = ?1)`

/** What a server said may hold an address. */
export const deleteRunReports = `DELETE FROM run_report`

export const lastRunReport = `SELECT at, facts FROM run_report WHERE run = (SELECT number FROM run WHERE id = ?1)`

/** The first time stays. */
export const beginRun = `UPDATE run SET begun_at = coalesce(begun_at, ?2) WHERE id = ?1`

export const setWait = `UPDATE run SET waits_until = ?2 WHERE id = ?1`

export const abandonedPlans = `SELECT number FROM run WHERE campaign = ?1 AND state = 'planning'`

/** ?3 rows at most, so that no transaction grows with the source. */
export const deletePlanRows = `
DELETE FROM run_row WHERE id IN (SELECT id FROM run_row WHERE id BETWEEN ?1 AND ?2 LIMIT ?3)`

export const deletePlan = `DELETE FROM run WHERE number = ?1 AND state = 'planning'`

// ---- states of a run's rows ------------------------------------------------------------------------------------------

/**
 * A row is what its recipient is in the campaign. A row that was not to be sent shows what became of the recipient only
 * when that is final; a row without a recipient is skipped. ?1 first, ?2 last, ?3 campaign.
 */
const rowJoins = `
FROM run_row AS n
  LEFT JOIN identity AS i ON i.campaign = ?3 AND i.key = n.key AND i.occurrence = n.occurrence
  LEFT JOIN recipient AS r ON r.id = i.recipient AND (n.skip IS NULL OR r.status IN ('sent', 'failed', 'in_doubt'))`

const rowStates = `${rowJoins} WHERE n.id BETWEEN ?1 AND ?2`

export const countRows = `
SELECT coalesce(r.status, 'skipped') AS status, count(*) AS rows ${rowStates} GROUP BY 1`

/** The same of messages: each counts by its first row. */
export const countMessages = `
SELECT r.status AS status, count(*) AS rows ${rowStates} AND n.head IS NULL AND r.id IS NOT NULL GROUP BY 1`

export const countSkips = `
SELECT CASE WHEN r.id IS NULL THEN coalesce(n.skip_kind, 'unplanned') ELSE coalesce(r.skip_kind, 'other') END AS kind,
  count(*) AS rows ${rowStates} AND coalesce(r.status, 'skipped') = 'skipped' GROUP BY 1`

export const anyVariant = `SELECT 1 FROM recipient WHERE variant IS NOT NULL LIMIT 1`

export const countVariants = `
SELECT r.variant, r.status, count(*) AS rows ${rowStates} AND r.variant IS NOT NULL GROUP BY 1, 2 ORDER BY 1`

export const countAccounts = `
SELECT coalesce(a.account, r.account) AS account, r.status, count(*) AS rows ${rowJoins}
  LEFT JOIN attempt AS a ON a.id = r.settled_by
WHERE n.id BETWEEN ?1 AND ?2 AND coalesce(a.account, r.account) IS NOT NULL GROUP BY 1, 2 ORDER BY 1`

/** Rows of a run that are still to be sent and may be sent from one account alone, with the first of them. ?1 first, ?2 last. */
export const boundRows = `
SELECT account, count(*) AS rows, min(plan) & 0xffffffff AS first
FROM recipient AS r
WHERE plan BETWEEN ?1 AND ?2 AND status = 'deferred' AND account IS NOT NULL
  AND (?3 OR EXISTS (SELECT 1 FROM carbon_copy AS c WHERE c.recipient = r.id))
GROUP BY account ORDER BY account`

export const keptCounts = `SELECT sent, failed, skipped, deferred, in_doubt FROM run WHERE number = ?1`

export const keptMessageCounts = `
SELECT messages_sent AS sent, messages_failed AS failed, messages_skipped AS skipped, messages_deferred AS deferred,
  messages_in_doubt AS in_doubt
FROM run WHERE number = ?1`

/** ?4 rows at most. What came of a recipient who was sent to stands with the attempt that did it. */
const resultColumns = `
SELECT n.id, n.id & 0xffffffff AS row, n.key, coalesce(n.address, n.key) AS address, coalesce(r.status, 'skipped') AS status,
  CASE WHEN r.id IS NULL THEN coalesce(n.skip_kind, 'unplanned') WHEN r.status = 'skipped' THEN r.skip_kind END AS skip_kind,
  CASE WHEN r.id IS NULL THEN coalesce(n.skip, '')
       WHEN r.status = 'deferred' THEN coalesce(r.reason, 'not sent yet')
       ELSE coalesce(a.reason, r.reason, '') END AS reason,
  coalesce(a.smtp_code, r.smtp_code) AS smtp_code, coalesce(a.enhanced_code, r.enhanced_code) AS enhanced_code,
  coalesce(a.response, r.response) AS response, coalesce(a.message_id, r.message_id) AS message_id,
  coalesce(r.attempts, 0) AS attempts, coalesce(r.first_attempt_at, a.began_at) AS first_attempt_at,
  coalesce(a.ended_at, r.finished_at) AS finished_at, CASE WHEN r.status = 'deferred' THEN r.due_at END AS due_at,
  r.variant, coalesce(a.account, r.account) AS account, r.bounce_kind, r.bounce,
  coalesce(n.head, CASE WHEN n.rows IS NOT NULL THEN n.id END) & 0xffffffff AS sent_with,
  (SELECT json_group_array(json_object('address', c.address, 'status', c.status, 'reason', c.reason, 'smtpCode', c.smtp_code,
      'enhancedCode', c.enhanced_code, 'response', c.response))
    FROM carbon_copy AS c WHERE c.recipient = r.id AND c.status <> 'sent' HAVING count(*) > 0) AS copies
${rowJoins}
  LEFT JOIN attempt AS a ON a.id = r.settled_by`

export const resultRows = `${resultColumns} WHERE n.id BETWEEN ?1 AND ?2 ORDER BY n.id LIMIT ?4`

/** ?4 keys as a JSON list; ?1 and ?2 are not used. The recipients are looked up first: a plan has no index of keys. */
export const resultRowsOfKeys = `${resultColumns}
WHERE n.id IN (
  SELECT known.plan FROM identity AS found JOIN recipient AS known ON known.id = found.recipient
  WHERE found.campaign = ?3 AND found.occurrence = 1 AND found.key IN (SELECT value FROM json_each(?4)))`

// ---- delivery --------------------------------------------------------------------------------------------------------

/** ?1 plan id to go on after, ?2 last plan id, ?3 now, ?4 limit, ?5 run number, ?6 account, null for any. */
export const dueRows = `
SELECT r.id AS recipient, n.id & 0xffffffff AS row, n.key, n.occurrence, coalesce(n.address, n.key) AS address, n.data,
  n.variant, r.account, r.tries, r.tries_since, r.rows, EXISTS (SELECT 1 FROM carbon_copy AS c WHERE c.recipient = r.id) AS goes_alone
FROM (
  SELECT * FROM (
    SELECT id, plan FROM recipient INDEXED BY recipient_ready
    WHERE status = 'deferred' AND due_at IS NULL AND plan > ?1 AND plan <= ?2 AND (?6 IS NULL OR account = ?6) ORDER BY plan LIMIT ?4)
  UNION ALL
  SELECT * FROM (
    SELECT id, plan FROM recipient INDEXED BY recipient_waiting
    WHERE status = 'deferred' AND due_at IS NOT NULL AND plan >> 32 = ?5 AND due_at <= ?3 AND plan > ?1
      AND (?6 IS NULL OR account = ?6) ORDER BY plan LIMIT ?4)
  ORDER BY plan LIMIT ?4) AS due
  JOIN recipient AS r ON r.id = due.id
  JOIN run_row AS n ON n.id = due.plan
ORDER BY n.id`

/** ?1 run number, ?2 the time it must be later than, ?3 account, null for any. */
export const nextDue = `
SELECT due_at FROM recipient INDEXED BY recipient_waiting
WHERE status = 'deferred' AND due_at IS NOT NULL AND plan >> 32 = ?1 AND due_at > ?2
  AND (?3 IS NULL OR account = ?3) ORDER BY due_at LIMIT 1`

export const lastDue = `
SELECT due_at FROM recipient INDEXED BY recipient_waiting
WHERE status = 'deferred' AND due_at IS NOT NULL AND plan >> 32 = ?1 ORDER BY due_at DESC LIMIT 1`

/** Writes an attempt ahead, ?5 bytes left free; adds no row when the recipient is not waiting to be sent. */
export const beginAttempt = `
INSERT INTO attempt (recipient, lane, began_at, message_id, room, account)
SELECT id, ?2, ?3, ?4, zeroblob(?5), ?6 FROM recipient WHERE id = ?1 AND status = 'deferred'`

/** ?8 the Message-ID when it became another than the one that was to be. */
export const endAttempt = `
UPDATE attempt SET ended_at = ?2, outcome = ?3, reason = ?4, smtp_code = ?5, enhanced_code = ?6, response = ?7,
  message_id = coalesce(?8, message_id), room = NULL
WHERE recipient = ?1 AND outcome IS NULL RETURNING id, message_id, began_at, account`

/** An attempt that ended before the end of data. */
export const insertEndedAttempt = `
INSERT INTO attempt (recipient, lane, began_at, message_id, ended_at, outcome, reason, smtp_code, enhanced_code, response, account)
VALUES (?1, ?2, ?3, ?4, ?3, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id, message_id, began_at, account`

/** ?2 the attempt that did it, which holds the rest: the outcome of an earlier one no longer counts. */
export const markSent = `
UPDATE recipient SET status = 'sent', settled_by = ?2, due_at = NULL, attempts = attempts + 1, tries = tries + 1,
  reason = NULL, smtp_code = NULL, enhanced_code = NULL, response = NULL, message_id = NULL
WHERE id = ?1 AND status = 'deferred' RETURNING plan, rows`

/** ?10 1 for an attempt, else 0; ?11 when it began; ?13 the account that made it. */
export const updateRecipient = `
UPDATE recipient SET status = ?2, reason = ?3, smtp_code = ?4, enhanced_code = ?5, response = ?6,
  message_id = coalesce(?7, message_id), due_at = ?8, finished_at = ?9,
  attempts = attempts + ?10, tries = tries + ?10,
  first_attempt_at = coalesce(first_attempt_at, ?11), tries_since = coalesce(tries_since, ?11), skip_kind = ?12,
  account = coalesce(?13, account)
WHERE id = ?1 AND status = 'deferred' RETURNING plan, rows`

export const putOff = `UPDATE recipient SET due_at = ?2 WHERE id = ?1 AND status = 'deferred'`

export const recipientState = `SELECT status, plan, rows FROM recipient WHERE id = ?1`

/** Adds to the kept counts of a run. ?1 number, ?2-?6 differences of its rows, ?7-?11 of its messages. */
export const addToCounts = `
UPDATE run SET sent = sent + ?2, failed = failed + ?3, skipped = skipped + ?4, deferred = deferred + ?5, in_doubt = in_doubt + ?6,
  messages_sent = messages_sent + ?7, messages_failed = messages_failed + ?8, messages_skipped = messages_skipped + ?9,
  messages_deferred = messages_deferred + ?10, messages_in_doubt = messages_in_doubt + ?11
WHERE number = ?1`

/** First rows of the messages that rows between ?1 and ?2 are part of without beginning them. */
export const headsOf = `SELECT DISTINCT head FROM run_row WHERE id BETWEEN ?1 AND ?2 AND head IS NOT NULL`

/** ?1 first, ?2 last, ?3 the status they have. */
export const troubledRecipients = `
SELECT count(*) AS messages, coalesce(sum(rows), 0) AS rows FROM recipient
WHERE plan BETWEEN ?1 AND ?2 AND status IN ('failed', 'in_doubt') AND status = ?3`

/** ?1 first, ?2 last, ?3 the status they have, ?5 when they are due; null puts them back into their place in the list. */
export const reviveRecipients = `
UPDATE recipient SET status = 'deferred', due_at = ?5, tries = 0, tries_since = NULL, finished_at = NULL, reason = ?4
WHERE plan BETWEEN ?1 AND ?2 AND status IN ('failed', 'in_doubt') AND status = ?3`

/** A run that ended has something to send again. ?1 number. */
export const reopenRun = `UPDATE run SET state = 'ready', ended_at = NULL WHERE number = ?1 AND state = 'finished'`

/** A person says that messages in doubt arrived. */
export const keepInDoubt = `
UPDATE recipient SET status = 'sent', reason = 'in doubt; taken as sent'
WHERE plan BETWEEN ?1 AND ?2 AND status IN ('failed', 'in_doubt') AND status = 'in_doubt'`

// ---- claims ----------------------------------------------------------------------------------------------------------

export const selectClaim = `SELECT * FROM claim WHERE campaign = ?1`

export const allClaims = `
SELECT claim.*, campaign.name FROM claim JOIN campaign ON campaign.id = claim.campaign ORDER BY claimed_at`

export const replaceClaim = `
INSERT INTO claim (campaign, token, pid, host, boot_id, process_start, claimed_at, heartbeat_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
ON CONFLICT DO UPDATE SET token = excluded.token, pid = excluded.pid, host = excluded.host, boot_id = excluded.boot_id,
  process_start = excluded.process_start, claimed_at = excluded.claimed_at, heartbeat_at = excluded.heartbeat_at`

export const beatClaim = `UPDATE claim SET heartbeat_at = ?3 WHERE campaign = ?1 AND token = ?2`

export const holdsClaim = `SELECT 1 FROM claim WHERE campaign = ?1 AND token = ?2`

export const releaseClaim = `DELETE FROM claim WHERE campaign = ?1 AND token = ?2`

/** Attempts begun and never answered, of one campaign. */
export const openAttempts = `
SELECT attempt.id, attempt.recipient, attempt.began_at, attempt.message_id, attempt.account
FROM attempt INDEXED BY attempt_open JOIN run ON run.number = attempt.recipient >> 32
WHERE attempt.outcome IS NULL AND run.campaign = ?1`

/** Runs of a campaign that were planned, with the highest row of each. */
export const runSizes = `
SELECT number, (SELECT coalesce(max(id), 0) & 0xffffffff FROM run_row WHERE id BETWEEN number << 32 AND (number << 32) + 0xffffffff) AS rows
FROM run WHERE campaign = ?1 AND state <> 'planning' ORDER BY number`

/** Whether keys of the campaign were replaced by `forget`, in some of the rows that held them. */
export const anyForgottenKey = `
SELECT 1 FROM identity WHERE campaign = ?1 AND key >= 'forgotten-' AND key < 'forgotten.' LIMIT 1`

/**
 * Recipients whose records contradict each other. What decides whether somebody was sent to is written twice, by different
 * statements on different pages: the key in the plan and in `identity`, the state in `recipient` and in the attempt that it
 * names. ?1 first, ?2 last, ?3 campaign, ?4 whether keys count.
 */
export const contradictions = `
SELECT count(*) AS recipients
FROM recipient AS r
  LEFT JOIN run_row AS n ON n.id = r.id
  LEFT JOIN identity AS i ON i.campaign = ?3 AND i.key = n.key AND i.occurrence = n.occurrence
  LEFT JOIN attempt AS a ON a.id = r.settled_by
WHERE r.id BETWEEN ?1 AND ?2 AND (
  (?4 AND i.recipient IS NOT r.id)
  OR (r.settled_by IS NOT NULL AND (r.status <> 'sent' OR a.outcome IS NOT 'sent' OR a.recipient IS NOT r.id)))`

// ---- quotas ----------------------------------------------------------------------------------------------------------

/** ?3 oldest bucket that still counts. */
export const usedQuota = `
SELECT coalesce(sum(used), 0) AS used FROM quota_use WHERE name = ?1 AND seconds = ?2 AND bucket >= ?3`

export const quotaBuckets = `
SELECT bucket, used FROM quota_use WHERE name = ?1 AND seconds = ?2 AND bucket >= ?3 ORDER BY bucket`

export const useQuota = `
INSERT INTO quota_use (name, seconds, bucket, used) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO UPDATE SET used = used + excluded.used`

export const forgetQuota = `DELETE FROM quota_use WHERE name = ?1 AND seconds = ?2 AND bucket < ?3`

/** ?2 the day: how many days before it have messages, and the messages of the day itself. */
export const rampUse = `
SELECT count(*) FILTER (WHERE day < ?2) AS days, coalesce(sum(used) FILTER (WHERE day = ?2), 0) AS used
FROM ramp_day WHERE name = ?1`

export const useRampDay = `
INSERT INTO ramp_day (name, day, used) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET used = used + excluded.used`

// ---- suppressions ----------------------------------------------------------------------------------------------------

/** The first entry stays: its reason and date are those that count. */
export const insertSuppression = `
INSERT INTO suppression (hash, "group", address, reason, note, added_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING`

/** A person's own word takes the place of what was only found out, so that lifting the one does not lift the other. */
export const preferPersonsWord = `
UPDATE suppression SET reason = ?3, note = ?4, added_at = ?5
WHERE hash = ?1 AND "group" = ?2 AND ?3 IN ('unsubscribed', 'complaint') AND reason NOT IN ('unsubscribed', 'complaint')`

export const deleteSuppression = `DELETE FROM suppression WHERE hash = ?1 AND "group" = ?2`

/** ?2 group; an entry for all groups counts too, after one of the group's own. */
export const findSuppression = `
SELECT hash, "group", address, reason, note, added_at FROM suppression
WHERE hash = ?1 AND "group" IN ('', ?2) ORDER BY "group" DESC LIMIT 1`

export const anySuppression = `SELECT 1 FROM suppression LIMIT 1`

/** ?1 and ?2 the entry to go on after, ?3 limit. */
export const listSuppressions = `
SELECT hash, "group", address, reason, note, added_at FROM suppression
WHERE (hash, "group") > (?1, ?2) ORDER BY hash, "group" LIMIT ?3`

/**
 * ?1 text in lower case, ?2 the same with its domain as DNS has it, ?3 the hash of an address, ?4 reason or null, ?5 time of the entry to
 * go on after or null, ?6 its hash, ?7 its group, ?8 limit. Asked by people, one page at a time: the table is read through.
 */
export const searchSuppressions = `
SELECT hash, "group", address, reason, note, added_at FROM suppression
WHERE (?1 = '' OR instr(address, ?1) > 0 OR instr(address, ?2) > 0 OR instr(lower("group"), ?1) > 0 OR instr(lower(note), ?1) > 0
    OR hash = ?3)
  AND (?4 IS NULL OR reason = ?4) AND (?5 IS NULL OR (added_at, hash, "group") < (?5, ?6, ?7))
ORDER BY added_at DESC, hash DESC, "group" DESC LIMIT ?8`

export const countSuppressions = `SELECT reason, count(*) AS entries FROM suppression GROUP BY reason`

export const hideSuppression = `UPDATE suppression SET address = NULL, note = NULL WHERE hash = ?1`

// ---- what came back --------------------------------------------------------------------------------------------------

/**
 * ?1 left sides of Message-IDs, as JSON; Amazon SES writes one of its own, which it gives in its answer. The table of
 * attempts is read through: reports come seldom and many at once, and an index would cost something at every message.
 */
export const messagesByToken = `
WITH wanted AS MATERIALIZED (SELECT value AS token FROM json_each(?1) WHERE value <> ''),
  known AS (
    SELECT id, recipient, message_id, substr(message_id, 2, instr(message_id, '@') - 2) AS own,
      CASE WHEN response GLOB 'Ok *' THEN substr(response, 4) END AS given
    FROM attempt WHERE message_id IS NOT NULL)
SELECT CASE WHEN known.own IN (SELECT token FROM wanted) THEN known.own ELSE known.given END AS token,
  known.recipient, known.message_id, coalesce(n.address, n.key) AS address, campaign.name AS campaign, n.data AS data
FROM known
  JOIN recipient AS r ON r.id = known.recipient
  JOIN run_row AS n ON n.id = r.plan
  JOIN run ON run.number = r.plan >> 32
  JOIN campaign ON campaign.id = run.campaign
WHERE known.own IN (SELECT token FROM wanted) OR known.given IN (SELECT token FROM wanted)
ORDER BY known.id`

/** ?1 campaign, ?2 keys as JSON. Of several rows with one key the first counts. */
export const messagesOfKeys = `
SELECT i.key, r.status, n.id & 0xffffffff AS row, n.data, r.variant, coalesce(a.message_id, r.message_id) AS message_id,
  coalesce(a.ended_at, r.finished_at) AS finished_at, r.bounce_kind,
  EXISTS (SELECT 1 FROM feedback AS f WHERE f.recipient = r.id AND f.kind = 'reply') AS answered
FROM identity AS i
  JOIN recipient AS r ON r.id = i.recipient
  JOIN run_row AS n ON n.id = r.plan
  LEFT JOIN attempt AS a ON a.id = r.settled_by
WHERE i.campaign = ?1 AND i.occurrence = 1 AND i.key IN (SELECT value FROM json_each(?2))`

export const countFeedback = `
SELECT r.bounce_kind AS kind, count(*) AS rows ${rowStates} AND r.bounce_kind IS NOT NULL
GROUP BY 1 ORDER BY 1`

export const insertFeedback = `
INSERT INTO feedback (fingerprint, recipient, person, kind, at, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT DO NOTHING`

export const shownFeedback = `SELECT bounce_kind FROM recipient WHERE id = ?1`

export const showFeedback = `UPDATE recipient SET bounce_kind = ?2, bounce = ?3 WHERE id = ?1`

/** Several reports on one message are one bounce. ?1 person, ?2 since. */
export const countSoftBounces = `
SELECT count(DISTINCT recipient) AS messages FROM feedback WHERE kind = 'soft' AND person = ?1 AND at >= ?2`

/** ?1 first, ?2 last, ?3 limit. */
export const uncopiedRows = `
SELECT r.id AS recipient, n.id & 0xffffffff AS row, n.key, n.occurrence, coalesce(n.address, n.key) AS address, n.data,
  n.variant, coalesce(a.account, r.account) AS account, r.tries, r.tries_since, r.rows,
  coalesce(r.tries_since, a.began_at, r.finished_at) AS sent_at
FROM recipient AS r JOIN run_row AS n ON n.id = r.plan LEFT JOIN attempt AS a ON a.id = r.settled_by
WHERE r.plan BETWEEN ?1 AND ?2 AND r.status = 'sent' AND coalesce(a.message_id, r.message_id) IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM sent_copy AS c WHERE c.recipient = r.id)
ORDER BY r.plan LIMIT ?3`

/** ?3 when the server answered, ?10 the moment of the message's Date. A message goes to its copies once, so they are recorded once. */
export const insertCarbonCopy = `
INSERT INTO carbon_copy (recipient, address, status, due_at, tries, tries_since, finished_at, reason, smtp_code, enhanced_code, response)
VALUES (?1, ?2, ?4, ?5, 1, ?10, CASE ?4 WHEN 'deferred' THEN NULL ELSE ?3 END, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING`

const copiesOfRun = `
FROM carbon_copy AS c JOIN recipient AS r ON r.id = c.recipient
WHERE r.plan BETWEEN ?1 AND ?2`

/**
 * ?1 first, ?2 last, ?3 now, ?4 number to go on after, ?5 limit, ?6 account, null for any. The Date of a message is that of its first attempt: the row's
 * own where it had several, else the copy's.
 */
export const dueCarbonCopies = `
SELECT c.id AS copy, c.address AS copy_address, c.tries AS copy_tries, c.tries_since AS copy_tries_since,
  r.id AS recipient, n.id & 0xffffffff AS row, n.key, n.occurrence, coalesce(n.address, n.key) AS address, n.data, r.variant,
  coalesce(a.account, r.account) AS account, r.tries, r.tries_since, r.rows, coalesce(r.tries_since, c.tries_since) AS sent_at
FROM carbon_copy AS c INDEXED BY carbon_copy_due
  JOIN recipient AS r ON r.id = c.recipient JOIN run_row AS n ON n.id = r.plan LEFT JOIN attempt AS a ON a.id = r.settled_by
WHERE c.status = 'deferred' AND c.due_at <= ?3 AND c.id > ?4 AND r.plan BETWEEN ?1 AND ?2
  AND (?6 IS NULL OR coalesce(a.account, r.account) = ?6)
ORDER BY c.id LIMIT ?5`

/** ?3 account, null for any. */
export const nextDueCarbonCopy = `SELECT min(c.due_at) AS due_at ${copiesOfRun} AND c.status = 'deferred'
  AND (?3 IS NULL OR coalesce((SELECT account FROM attempt WHERE id = r.settled_by), r.account) = ?3)`

export const countCarbonCopies = `SELECT c.status, count(*) AS copies ${copiesOfRun} GROUP BY 1`

export const startCarbonCopy = `
UPDATE carbon_copy SET started_at = ?2 WHERE id = ?1 AND status = 'deferred' AND started_at IS NULL`

/** ?2 status, ?3 when it is due again, ?4 now. An attempt that was not started is one all the same: it was answered before. */
export const updateCarbonCopy = `
UPDATE carbon_copy SET status = ?2, due_at = ?3, started_at = NULL, tries = tries + 1,
  tries_since = CASE tries WHEN 0 THEN ?4 ELSE tries_since END,
  finished_at = CASE ?2 WHEN 'deferred' THEN NULL ELSE ?4 END, reason = ?5, smtp_code = ?6, enhanced_code = ?7, response = ?8
WHERE id = ?1 AND status = 'deferred'`

/** Of one campaign: ?1. ?2 now, ?3 why. */
export const leaveCarbonCopiesInDoubt = `
UPDATE carbon_copy SET status = 'in_doubt', due_at = NULL, started_at = NULL, finished_at = ?2, tries = tries + 1, reason = ?3
WHERE started_at IS NOT NULL AND recipient >> 32 IN (SELECT number FROM run WHERE campaign = ?1)`

/** Copies in doubt, to be sent again. ?1 first, ?2 last, ?3 when they are due. */
export const reviveCarbonCopies = `
UPDATE carbon_copy SET status = 'deferred', due_at = ?3, tries = 0, finished_at = NULL, reason = 'was in doubt, to be sent again'
WHERE status = 'in_doubt' AND (SELECT plan FROM recipient WHERE id = carbon_copy.recipient) BETWEEN ?1 AND ?2`

/** A person says that copies in doubt arrived. */
export const keepCarbonCopies = `
UPDATE carbon_copy SET status = 'sent'
WHERE status = 'in_doubt' AND (SELECT plan FROM recipient WHERE id = carbon_copy.recipient) BETWEEN ?1 AND ?2`

export const deleteCarbonCopies = `DELETE FROM carbon_copy WHERE recipient BETWEEN ?1 AND ?2`

/** Runs whose results name a copy to an address, and how many of its copies are still to come. ?1 the address, in lower case. */
export const copiedRuns = `
SELECT run.id AS run, run.campaign, sum(c.status = 'deferred') AS deferred
FROM carbon_copy AS c JOIN recipient AS r ON r.id = c.recipient JOIN run ON run.number IN (r.plan >> 32, r.id >> 32)
WHERE lower(c.address) = ?1 GROUP BY run.number`

/** ?1 the address, in lower case. */
export const deleteCarbonCopiesTo = `DELETE FROM carbon_copy WHERE lower(address) = ?1`

export const insertCopy = `INSERT INTO sent_copy (recipient) VALUES (?1) ON CONFLICT DO NOTHING`

export const deleteCopies = `DELETE FROM sent_copy WHERE recipient BETWEEN ?1 AND ?2`

export const deleteFeedback = `DELETE FROM feedback WHERE recipient BETWEEN ?1 AND ?2`

// ---- schedules -------------------------------------------------------------------------------------------------------

export const insertSchedule = `
INSERT INTO schedule (name, kind, timing, zone, created_at, options) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING`

export const allSchedules = `SELECT * FROM schedule ORDER BY name`

export const deleteSchedule = `DELETE FROM schedule WHERE name = ?1`

/** ?5 now, ?6 whether one that failed or was missed may be taken. Changes no row when another has it. */
export const claimOccurrence = `
INSERT INTO occurrence (schedule, wall, at, campaign, state, changed_at) VALUES (?1, ?2, ?3, ?4, 'taken', ?5)
ON CONFLICT DO UPDATE SET state = 'taken', campaign = excluded.campaign, run = NULL, reason = NULL, changed_at = ?5
WHERE (?6 AND state IN ('failed', 'missed')) OR (state = 'missed' AND changed_at > ?5)`

export const recordMissedOccurrence = `
INSERT INTO occurrence (schedule, wall, at, campaign, state, changed_at, reason) VALUES (?1, ?2, ?3, ?4, 'missed', ?5, ?6)
ON CONFLICT DO NOTHING`

export const updateOccurrence = `
UPDATE occurrence SET state = ?3, run = coalesce(?4, run), reason = ?5, changed_at = ?6 WHERE schedule = ?1 AND wall = ?2`

export const occurrencesOf = `SELECT * FROM occurrence WHERE schedule = ?1 ORDER BY at DESC, wall DESC LIMIT ?2`

export const openOccurrences = `
SELECT * FROM occurrence INDEXED BY occurrence_open WHERE state IN ('taken', 'planned') ORDER BY at`

// ---- privacy ---------------------------------------------------------------------------------------------------------

/** Plan rows of one person. ?1 normalised address. */
export const rowsOfPerson = `
SELECT n.id, n.key, n.occurrence, run.number AS run_number, run.id AS run, run.campaign
FROM run_row AS n JOIN run ON run.number = n.id >> 32
WHERE lower(coalesce(n.address, n.key)) = ?1 OR lower(n.key) = ?1`

export const findIdentity = `SELECT recipient FROM identity WHERE campaign = ?1 AND key = ?2 AND occurrence = ?3`

export const blankRow = `UPDATE run_row SET key = ?2, address = '', data = '{}', skip = CASE WHEN skip_kind = 'duplicate' THEN skip END WHERE id = ?1`

export const blankIdentity = `UPDATE identity SET key = ?4 WHERE campaign = ?1 AND key = ?2 AND occurrence = ?3`

export const blankRecipient = `
UPDATE recipient SET response = NULL, message_id = NULL, due_at = NULL,
  reason = NULL,
  skip_kind = CASE status WHEN 'deferred' THEN 'forgotten' ELSE skip_kind END,
  finished_at = CASE status WHEN 'deferred' THEN ?2 ELSE finished_at END,
  status = CASE status WHEN 'deferred' THEN 'skipped' ELSE status END
WHERE id = ?1`

export const blankAttempts = `UPDATE attempt SET response = NULL, message_id = NULL, reason = NULL WHERE recipient = ?1`

/** Campaigns with runs, all of them ended before ?1. */
export const oldCampaigns = `
SELECT campaign.id FROM campaign JOIN run ON run.campaign = campaign.id
WHERE campaign.pruned_at IS NULL GROUP BY campaign.id
HAVING sum(run.state NOT IN ('finished', 'cancelled')) = 0 AND max(run.ended_at) < ?1`

export const runsOfCampaign = `SELECT number, id FROM run WHERE campaign = ?1 ORDER BY number`

export const deleteRecipients = `DELETE FROM recipient WHERE id BETWEEN ?1 AND ?2`
export const deleteAttempts = `DELETE FROM attempt WHERE recipient BETWEEN ?1 AND ?2`
export const deleteIdentities = `DELETE FROM identity WHERE campaign = ?1`
export const deleteRun = `DELETE FROM run WHERE number = ?1`
export const markPruned = `UPDATE campaign SET pruned_at = ?2 WHERE id = ?1`

// ---- notices -----------------------------------------------------------------------------------------------------------

export const expectNotice = `INSERT INTO notice (subject, owed) VALUES (?1, 1) ON CONFLICT DO UPDATE SET owed = 1`

export const owedNotices = `SELECT subject FROM notice WHERE owed = 1 ORDER BY subject`

export const recordNotice = `
UPDATE notice SET number = number + 1, about = ?2, facts = ?3, taken_until = NULL, mailed = 0, posted = 0, closed = 0
WHERE subject = ?1 AND owed = 1 AND about IS NOT ?2`

export const noNoticeOwed = `UPDATE notice SET owed = 0 WHERE subject = ?1`

/** ?1 now, ?2 until when they are the caller's, ?3 most. */
export const takeNotices = `
UPDATE notice SET taken_until = ?2 WHERE subject IN (
  SELECT subject FROM notice
  WHERE closed = 0 AND facts IS NOT NULL AND (taken_until IS NULL OR taken_until <= ?1 OR taken_until > ?2)
  ORDER BY subject LIMIT ?3)
RETURNING subject, number, facts, mailed, posted`

export const noticeMailed = `UPDATE notice SET mailed = 1 WHERE subject = ?1 AND number = ?2`
export const noticePosted = `UPDATE notice SET posted = 1 WHERE subject = ?1 AND number = ?2`
export const closeNotice = `UPDATE notice SET closed = 1 WHERE subject = ?1 AND number = ?2`

// ---- servers, and what the ledger knows of itself ----------------------------------------------------------------------

export const selectServer = `SELECT pipelining, pipelining_until, messages_per_connection FROM server WHERE name = ?1`

export const upsertServer = `
INSERT INTO server (name, pipelining, pipelining_until, messages_per_connection) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO UPDATE SET pipelining = coalesce(excluded.pipelining, pipelining),
  pipelining_until = CASE WHEN excluded.pipelining IS NULL THEN coalesce(excluded.pipelining_until, pipelining_until)
    ELSE excluded.pipelining_until END,
  messages_per_connection = coalesce(excluded.messages_per_connection, messages_per_connection)`

export const getMeta = `SELECT value FROM meta WHERE name = ?1`

export const setMeta = `INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value`

export const deleteMeta = `DELETE FROM meta WHERE name = ?1`

export const addToMeta = `UPDATE meta SET value = value + ?2 WHERE name = ?1`
