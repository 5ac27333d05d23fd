-- Model calls whose answer began and whose cost nobody wrote down yet: what remains of them after a
-- broken stream, a stopped run or a crash is asked for at the provider.

CREATE TABLE open_calls (
    -- The provider's name for the call.
    generation_id TEXT    PRIMARY KEY,
    provider      TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    run_id        TEXT    NOT NULL,
    task          TEXT    NOT NULL,
    attempt       INTEGER NOT NULL,
    turn          INTEGER NOT NULL,
    began_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
