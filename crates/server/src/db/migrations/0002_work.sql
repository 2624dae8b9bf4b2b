-- Services, schedules, jobs; then locations.

-- A mongod with the agent beside it.
CREATE TABLE services (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    cluster TEXT,
    replica_set TEXT NOT NULL,
    member TEXT NOT NULL,
    -- SHA-256 of the agent's credential.
    credential BLOB NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    enrolled_at TEXT NOT NULL,
    -- As last stored; the server knows it more exactly while it runs.
    last_seen TEXT,
    -- AgentFacts
    facts TEXT NOT NULL,
    -- SlicingFacts
    slicing TEXT
) STRICT;
CREATE INDEX services_cluster ON services (cluster, replica_set);

-- Tokens with which one agent may enrol itself.
CREATE TABLE enrolments (
    -- SHA-256 of the token.
    token BLOB PRIMARY KEY,
    cluster TEXT,
    requested_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT,
    used_by TEXT
) STRICT;

CREATE TABLE schedules (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- Of the service, when the schedule was saved.
    service_id TEXT NOT NULL,
    cluster TEXT NOT NULL,
    replica_set TEXT NOT NULL,
    location_id TEXT NOT NULL,
    folder TEXT NOT NULL,
    -- snapshot or pitr
    mode TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    -- ScheduleInput, as saved.
    input TEXT NOT NULL,
    -- Occurrences up to here were run or told as missed.
    considered_until TEXT NOT NULL,
    -- The next occurrence after that; NULL when there is none.
    next_at TEXT,
    -- A run at once is wanted, and why.
    run_now TEXT,
    -- pitr: a first snapshot ended well at this time, so that the oplog after it is worth storing.
    slicing_since TEXT,
    -- Times that passed without a run, since the last run.
    missed INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX schedules_cluster ON schedules (cluster);

CREATE TABLE jobs (
    -- In the order of arrival.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    title TEXT NOT NULL,
    -- Jobs of one queue run one at a time.
    queue TEXT NOT NULL,
    cluster TEXT,
    replica_set TEXT,
    service_id TEXT,
    service_name TEXT,
    location_id TEXT,
    location_name TEXT,
    folder TEXT,
    schedule_id TEXT,
    schedule_name TEXT,
    -- The occurrence that this job is the run of.
    scheduled_for TEXT,
    backup_name TEXT,
    -- What to do, without secrets.
    work TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    attempts_max INTEGER NOT NULL,
    retry_interval_seconds INTEGER NOT NULL,
    requested_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    retry_at TEXT,
    waiting_for TEXT,
    steps TEXT NOT NULL DEFAULT '[]',
    error TEXT,
    hint TEXT,
    result TEXT,
    -- What follows from its end was done.
    followed INTEGER NOT NULL DEFAULT 0,
    -- backup: it was made, and is not on its storage any more.
    gone INTEGER NOT NULL DEFAULT 0,
    -- No occurrence is run twice.
    UNIQUE (schedule_id, scheduled_for)
) STRICT;
CREATE INDEX jobs_open ON jobs (state) WHERE state NOT IN ('done', 'failed', 'cancelled');
CREATE INDEX jobs_unfollowed ON jobs (seq) WHERE followed = 0;
CREATE INDEX jobs_there ON jobs (seq) WHERE kind = 'backup' AND gone = 0;
CREATE INDEX jobs_kind ON jobs (kind, seq);
CREATE INDEX jobs_cluster ON jobs (cluster, seq);
CREATE INDEX jobs_schedule ON jobs (schedule_id, seq);
CREATE INDEX jobs_backup ON jobs (location_id, folder, backup_name);

-- Each try of a job belongs to one agent (or to one run of the server), from before it is handed out.
CREATE TABLE job_attempts (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    -- NULL: the server itself.
    service_id TEXT,
    service_name TEXT NOT NULL,
    assigned_at TEXT NOT NULL,
    -- The greatest number of a report heard.
    report INTEGER NOT NULL DEFAULT 0,
    heard_at TEXT,
    ended_at TEXT,
    -- Outcome
    outcome TEXT,
    PRIMARY KEY (job_id, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_attempts_open ON job_attempts (service_id) WHERE ended_at IS NULL;

-- Every name that a backup was ever begun under, and by which job.
CREATE TABLE job_names (
    location_id TEXT NOT NULL,
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (location_id, folder, name)
) STRICT, WITHOUT ROWID;

-- Not listed any more, although they may lie on their storage. `name` is a backup's, or the id of a job that made none.
CREATE TABLE hidden_backups (
    location_id TEXT NOT NULL,
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (location_id, folder, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_lines (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at TEXT NOT NULL,
    level TEXT NOT NULL,
    source TEXT NOT NULL,
    text TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (job_id, seq)
) STRICT, WITHOUT ROWID;

-- Which cluster's backups lie in which folder, without reading the jobs themselves.
CREATE INDEX jobs_folders ON jobs (kind, location_id, folder, cluster);

CREATE TABLE locations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    -- s3, gcs, azure or local
    kind TEXT NOT NULL,
    -- LocationSettings
    settings TEXT NOT NULL,
    -- LocationSecrets, sealed; NULL when there are none.
    secrets BLOB,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

-- What the server itself and each agent found when they last tried a location.
CREATE TABLE location_tests (
    location_id TEXT NOT NULL REFERENCES locations (id) ON DELETE CASCADE,
    -- The id of a service; empty for the server itself.
    service_id TEXT NOT NULL,
    -- Of ProbeStep
    steps TEXT NOT NULL,
    -- Why nothing could be tried.
    problem TEXT,
    checked_at TEXT NOT NULL,
    PRIMARY KEY (location_id, service_id)
) STRICT, WITHOUT ROWID;
