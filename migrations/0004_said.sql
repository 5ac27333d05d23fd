-- What models have said in answers that are not at their end, so that a crash does not lose it.

-- Pieces in their order. They go in the same transaction as the event that ends their turn or its attempt: that
-- event brings the whole text. One attempt of a task is under way at a time, so its name is enough.
CREATE TABLE said (
    run_id  TEXT    NOT NULL REFERENCES runs (id),
    task    TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    turn    INTEGER NOT NULL,
    -- Where the piece begins in the answer, in bytes of UTF-8.
    at_byte INTEGER NOT NULL,
    text    TEXT    NOT NULL,
    PRIMARY KEY (run_id, task, at_byte)
) STRICT;
