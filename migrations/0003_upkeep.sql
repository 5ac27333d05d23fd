-- Finished runs may go after a while, and what they took is given back.

-- When the run was chosen to go; 0 once its removal has begun. Until it is gone it is in no list.
-- NULL again when the run goes on before that.
ALTER TABLE runs ADD COLUMN removing_at INTEGER;

-- About what its events take, in bytes: the length of their data, and 320 for the rest of each.
ALTER TABLE runs ADD COLUMN event_bytes INTEGER NOT NULL DEFAULT 0;

UPDATE runs SET event_bytes =
    (SELECT coalesce(sum(octet_length(data) + 320), 0) FROM events INDEXED BY events_by_run
     WHERE events.run_id = runs.id);

CREATE INDEX runs_removing ON runs (removing_at) WHERE removing_at IS NOT NULL;
CREATE INDEX runs_ended ON runs (ended_at, id) WHERE ended_at IS NOT NULL;

-- A run that goes takes its starts along.
CREATE INDEX starts_by_run ON starts (run_id);

-- Events of no run, by age.
CREATE INDEX events_of_no_run ON events (timestamp) WHERE run_id IS NULL;

-- How long runs of single workflows are kept, in days behind their end; NULL for ever. What holds for
-- all others stands in `meta`: `keep_days` ('forever' or a number) and `max_bytes` ('none' or a number).
CREATE TABLE retention (
    workflow_id TEXT PRIMARY KEY REFERENCES workflows (id),
    keep_days   INTEGER CHECK (keep_days > 0)
) STRICT, WITHOUT ROWID;

-- Since now an event may go in one of two ways: its run is being removed, or it is of no run and older
-- than `removable_before` (milliseconds) in `meta`. `removed_to` in `meta` is the highest `seq` that went:
-- numbers are never given twice, and whoever reads from before it is told.
DROP TRIGGER events_remain;
CREATE TRIGGER events_remain BEFORE DELETE ON events
WHEN NOT CASE WHEN OLD.run_id IS NULL
    THEN OLD.timestamp < coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'removable_before'), 0)
    ELSE coalesce((SELECT removing_at = 0 FROM runs WHERE id = OLD.run_id), 0)
END
BEGIN SELECT raise(ABORT, 'a stored event goes only with its run, or when it is old'); END;
