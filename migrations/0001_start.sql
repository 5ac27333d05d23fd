-- The first schema.
--
-- `events` is the truth about runs and agents. `runs`, `tasks`, `attempts`, `agents` and `spending` are copies
-- of what follows from it, written in the same transaction, for lists and for programs that read this file.
-- `workflows` and `workflow_versions` are truth of their own.
--
-- Ids are UUIDs as text. Moments are milliseconds since 1970-01-01 UTC. Money is in millionths of a US dollar.
-- What is not known is NULL, never 0 or ''.

-- "Trup": tells this file from the databases of other programs.
PRAGMA application_id = 1416787312;

-- What there is one of: `epoch` names this database, and changes when it is replaced.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A workflow over all of its versions, as lists show it.
CREATE TABLE workflows (
    id             TEXT    PRIMARY KEY,
    name           TEXT    NOT NULL,
    description    TEXT    NOT NULL,
    -- Name and description in small letters, for the search.
    search_text    TEXT    NOT NULL,
    newest_version INTEGER NOT NULL,
    nodes          INTEGER NOT NULL,
    runnable       INTEGER NOT NULL CHECK (runnable IN (0, 1)),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    deleted_at     INTEGER
) STRICT;

CREATE INDEX workflows_listed ON workflows (updated_at, id) WHERE deleted_at IS NULL;

-- Every save. Never changed: runs point here.
CREATE TABLE workflow_versions (
    workflow_id TEXT    NOT NULL REFERENCES workflows (id),
    version     INTEGER NOT NULL,
    saved_at    INTEGER NOT NULL,
    saved_by    TEXT    NOT NULL,
    -- The workflow file.
    drawing     TEXT    NOT NULL,
    PRIMARY KEY (workflow_id, version)
) STRICT;

CREATE TRIGGER workflow_versions_stay BEFORE UPDATE ON workflow_versions
BEGIN SELECT raise(ABORT, 'a stored version never changes'); END;

CREATE TABLE agents (
    id              TEXT    PRIMARY KEY,
    name            TEXT    NOT NULL,
    -- A JSON list of words.
    capabilities    TEXT    NOT NULL,
    state           TEXT    NOT NULL
        CHECK (state IN ('spawning', 'idle', 'working', 'paused', 'error', 'terminated')),
    -- The state with its data, as JSON.
    state_detail    TEXT    NOT NULL,
    -- Below the data directory.
    workspace_path  TEXT    GENERATED ALWAYS AS ('workspaces/' || id) VIRTUAL,
    -- {"model", "instructions", "tools"}
    provider_config TEXT    NOT NULL,
    -- Spawned because a task needed it.
    on_demand       INTEGER NOT NULL CHECK (on_demand IN (0, 1)),
    attempts_done   INTEGER NOT NULL,
    cost_micro_usd  INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    -- When its state last changed.
    updated_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX agents_alive ON agents (created_at, id) WHERE state <> 'terminated';
CREATE INDEX agents_gone ON agents (updated_at, id) WHERE state = 'terminated';

CREATE TABLE runs (
    id                TEXT    PRIMARY KEY,
    workflow_id       TEXT    NOT NULL,
    workflow_version  INTEGER NOT NULL,
    -- As it was when the run was accepted.
    workflow_name     TEXT    NOT NULL,
    status            TEXT    NOT NULL
        CHECK (status IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')),
    started_by        TEXT    NOT NULL,
    -- JSON, as is the output.
    input             TEXT    NOT NULL,
    output            TEXT,
    error             TEXT,
    budget_micro_usd  INTEGER,
    cost_micro_usd    INTEGER,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    tasks             INTEGER NOT NULL,
    tasks_settled     INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    started_at        INTEGER,
    ended_at          INTEGER,
    last_seq          INTEGER NOT NULL,
    last_run_seq      INTEGER NOT NULL,
    FOREIGN KEY (workflow_id, workflow_version) REFERENCES workflow_versions (workflow_id, version)
) STRICT;

CREATE INDEX runs_by_time ON runs (created_at, id);
CREATE INDEX runs_by_status ON runs (status, created_at, id);
CREATE INDEX runs_by_workflow ON runs (workflow_id, created_at, id);
CREATE INDEX runs_alive ON runs (created_at, id) WHERE status IN ('queued', 'running', 'paused');

CREATE TABLE tasks (
    run_id         TEXT    NOT NULL REFERENCES runs (id),
    task           TEXT    NOT NULL,
    -- From 0, in the order of the workflow file.
    position       INTEGER NOT NULL,
    node           TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    status         TEXT    NOT NULL
        CHECK (status IN ('blocked', 'ready', 'assigned', 'running', 'waiting',
                          'succeeded', 'failed', 'skipped', 'cancelled', 'unknown')),
    attempts       INTEGER NOT NULL,
    error          TEXT,
    cost_micro_usd INTEGER,
    -- In the order in which they are shown: a strip is one stretch of the file.
    PRIMARY KEY (run_id, position, task),
    UNIQUE (run_id, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    run_id         TEXT    NOT NULL,
    task           TEXT    NOT NULL,
    -- 1, 2, 3, ... within the task.
    attempt        INTEGER NOT NULL,
    -- No foreign key: an agent that came and went within one commit has no row.
    agent_id       TEXT,
    status         TEXT    NOT NULL
        CHECK (status IN ('assigned', 'running', 'succeeded', 'failed', 'cancelled', 'unknown')),
    error          TEXT,
    -- Model calls so far.
    turns          INTEGER NOT NULL,
    cost_micro_usd INTEGER,
    started_at     INTEGER NOT NULL,
    ended_at       INTEGER,
    PRIMARY KEY (run_id, task, attempt),
    FOREIGN KEY (run_id, task) REFERENCES tasks (run_id, task)
) STRICT, WITHOUT ROWID;

-- Starts that were made with a key: the same key again is the same start.
CREATE TABLE starts (
    key    TEXT    PRIMARY KEY,
    run_id TEXT    NOT NULL REFERENCES runs (id),
    -- The run's first event.
    seq    INTEGER NOT NULL,
    -- Of what was asked: the same key with something else is refused.
    digest TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- The log: numbered without a gap, only ever added to.
CREATE TABLE events (
    seq             INTEGER PRIMARY KEY,
    event_type      TEXT    NOT NULL CHECK (event_type <> ''),
    -- The agent that it is about, or that did it.
    source_agent_id TEXT,
    workflow_id     TEXT,
    run_id          TEXT,
    -- 1, 2, 3, ... within the run.
    run_seq         INTEGER,
    task            TEXT,
    topic           TEXT    NOT NULL,
    severity        TEXT    NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    timestamp       INTEGER NOT NULL,
    -- JSON, by type. Last, because it may be long: a search reads past it.
    data            TEXT    NOT NULL,
    -- For programs that want a name: its number is unique within the epoch.
    id              TEXT    GENERATED ALWAYS AS (CAST(seq AS TEXT)) VIRTUAL,
    CHECK ((run_id IS NULL) = (run_seq IS NULL))
) STRICT;

CREATE UNIQUE INDEX events_by_run ON events (run_id, run_seq) WHERE run_id IS NOT NULL;
CREATE INDEX events_by_agent ON events (source_agent_id) WHERE source_agent_id IS NOT NULL;
CREATE INDEX events_by_type ON events (event_type);
CREATE INDEX events_by_time ON events (timestamp);
CREATE INDEX events_of_note ON events (severity) WHERE severity <> 'info';

CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT raise(ABORT, 'a stored event never changes'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events
BEGIN SELECT raise(ABORT, 'a stored event is never deleted'); END;

-- Known costs of turns, summed by the hour that they ended in.
CREATE TABLE spending (
    -- The moment that the hour begins.
    hour           INTEGER PRIMARY KEY,
    cost_micro_usd INTEGER NOT NULL
) STRICT;
