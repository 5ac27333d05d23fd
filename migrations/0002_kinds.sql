-- Every kind of node, messages, and runs that stop the server.

-- The run that this one was made from; with the task of it that waits for this one, where one does.
ALTER TABLE runs ADD COLUMN parent_run_id TEXT;
ALTER TABLE runs ADD COLUMN parent_task TEXT;

CREATE INDEX runs_by_parent ON runs (parent_run_id) WHERE parent_run_id IS NOT NULL;

-- What people call the step.
ALTER TABLE tasks ADD COLUMN title TEXT;
-- `approval`, `timer`, `run` or `provider` while it waits, and until when at the latest.
ALTER TABLE tasks ADD COLUMN waiting_for TEXT;
ALTER TABLE tasks ADD COLUMN waiting_until INTEGER;
-- What a person is asked while it waits for one.
ALTER TABLE tasks ADD COLUMN question TEXT;

-- Tasks that a person has to decide about.
CREATE INDEX tasks_for_people ON tasks (run_id, position)
    WHERE waiting_for = 'approval' OR status = 'unknown';

-- Attempts that an agent is at besides the one in its state, and messages that it has not read (JSON lists).
ALTER TABLE agents ADD COLUMN also TEXT NOT NULL DEFAULT '[]';
ALTER TABLE agents ADD COLUMN mailbox TEXT NOT NULL DEFAULT '[]';

-- What an agent wrote.
CREATE INDEX messages_by_sender ON events (json_extract(data, '$.from.agent_id'))
    WHERE event_type = 'message.sent';

-- Runs whose recovery was cut short: how often in a row. At the third time a run is left out.
CREATE TABLE recoveries (
    run_id TEXT    PRIMARY KEY,
    tries  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
