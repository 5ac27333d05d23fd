-- Providers that people set up in Settings. Those of the environment are not stored.

CREATE TABLE providers (
    -- The part of a model's name before the colon.
    name          TEXT    PRIMARY KEY,
    kind          TEXT    NOT NULL CHECK (kind IN ('openrouter', 'openai', 'compatible')),
    base_url      TEXT    NOT NULL,
    default_model TEXT,
    -- Whether a person said that the address may be in this machine or its network.
    private_ok    INTEGER NOT NULL CHECK (private_ok IN (0, 1)),
    -- Counts changes of the row: a key of another version does not open.
    version       INTEGER NOT NULL,
    -- XChaCha20-Poly1305 under the master key beside this file: 24 bytes of nonce, then the sealed key.
    -- NULL: the server wants none.
    sealed_key    BLOB,
    updated_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
