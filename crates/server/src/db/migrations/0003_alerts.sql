-- Rules, contact points, history, deliveries, silences.

-- Templates from imported files. Those built in are part of the program.
CREATE TABLE alert_templates (
    name TEXT PRIMARY KEY,
    -- AlertTemplate
    template TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE alert_rules (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- AlertRuleInput
    input TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE contact_points (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    -- ContactSettings
    settings TEXT NOT NULL,
    -- ContactSecrets, sealed for `contact point <id>`.
    secrets BLOB,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    rule_id TEXT NOT NULL,
    rule_name TEXT NOT NULL,
    condition TEXT NOT NULL,
    severity TEXT NOT NULL,
    -- pending, firing, resolved
    state TEXT NOT NULL,
    -- Tells the subjects of a rule apart.
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    summary TEXT NOT NULL,
    cluster TEXT,
    service TEXT,
    about TEXT NOT NULL,
    since TEXT NOT NULL,
    -- Firing, and clear since then.
    clear_since TEXT,
    resolved_at TEXT
) STRICT;
CREATE UNIQUE INDEX alerts_standing ON alerts (rule_id, subject) WHERE state <> 'resolved';
CREATE INDEX alerts_resolved ON alerts (resolved_at) WHERE state = 'resolved';

-- Who is to be told what. Written with the change itself, taken off by whoever delivers.
CREATE TABLE alert_deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    contact_point_id TEXT NOT NULL,
    -- Its name, for the history.
    contact_point TEXT NOT NULL,
    -- firing, resolved
    what TEXT NOT NULL,
    -- queued, delivered, given_up
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- Not before this; of a delivered one: when it is repeated.
    next_at TEXT,
    -- Of the last try, or of the change.
    at TEXT NOT NULL,
    error TEXT,
    -- Nobody is told the same twice.
    UNIQUE (alert_id, contact_point_id, what)
) STRICT;
CREATE INDEX alert_deliveries_due ON alert_deliveries (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX alert_deliveries_to ON alert_deliveries (contact_point_id);

CREATE TABLE alert_silences (
    id TEXT PRIMARY KEY,
    -- SilenceInput
    input TEXT NOT NULL,
    until TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

-- What was known when the storage could last be read: after a restart with the storage away, the newest moment still grows older.
CREATE TABLE cluster_marks (
    cluster TEXT PRIMARY KEY,
    newest_t INTEGER NOT NULL,
    newest_i INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The oldest oplog entry first seen of a service, and whether the server has discarded entries since.
CREATE TABLE oplog_marks (
    service_id TEXT PRIMARY KEY,
    oldest_t INTEGER NOT NULL,
    oldest_i INTEGER NOT NULL,
    rolls INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Sizes over time, about one an hour.
CREATE TABLE location_sizes (
    location_id TEXT NOT NULL,
    at TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (location_id, at)
) STRICT, WITHOUT ROWID;

-- Failures are rare and looked for all the time.
CREATE INDEX jobs_failed ON jobs (kind, seq) WHERE state = 'failed';
-- Counted at every look: by state, and whose folder is which.
CREATE INDEX jobs_counted ON jobs (kind, state, cluster, location_id, folder);

-- What everybody wants to know. They tell nobody until a contact point is chosen.
INSERT INTO alert_rules (id, name, input, created_at)
SELECT 'rul_' || template, name, json_object('name', name, 'template', template), strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
FROM (
    SELECT 'backup_failed' AS template, 'Backup failed' AS name
    UNION ALL SELECT 'restore_point_old', 'No restorable moment newer than 15 minutes'
    UNION ALL SELECT 'agent_down', 'Agent down'
    UNION ALL SELECT 'storage_unreachable', 'Storage unreachable'
    UNION ALL SELECT 'gap', 'Gap in a timeline'
    UNION ALL SELECT 'oplog_window_short', 'Oplog window short'
);
