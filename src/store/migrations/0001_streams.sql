-- One row a stream: its state and the number of its last record.
CREATE TABLE stream (
    id      TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    schema  INTEGER NOT NULL,
    state   TEXT NOT NULL
) WITHOUT ROWID;

-- The audit: sealed, in order, never updated.
CREATE TABLE record (
    stream TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    at     TEXT NOT NULL,
    actor  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    body   TEXT NOT NULL,
    key    TEXT NOT NULL,
    seal   TEXT NOT NULL,
    PRIMARY KEY (stream, seq)
) WITHOUT ROWID;

-- What is owed: at most one of a kind and key.
CREATE TABLE work (
    generation INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    due        INTEGER NOT NULL, -- milliseconds since 1970
    attempts   INTEGER NOT NULL,
    body       TEXT NOT NULL,
    UNIQUE (kind, key)
);
CREATE INDEX work_due ON work (kind, due, generation);

-- Requests that changed something, so that their second delivery changes nothing.
CREATE TABLE delivery (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL -- milliseconds since 1970
) WITHOUT ROWID;
CREATE INDEX delivery_at ON delivery (at);
