-- Plain SQL that a distributed database which speaks PostgreSQL's protocol has too. Keys are compared byte by
-- byte, as the program compares them: hence COLLATE "C".

-- One row a stream: its state, the number of its last record and that record's seal.
CREATE TABLE stream (
    id      TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    schema  INTEGER NOT NULL,
    state   TEXT NOT NULL,
    head    TEXT NOT NULL,
    seal    TEXT NOT NULL
);

-- The audit: sealed, in order. Only personal values beside it are ever erased.
CREATE TABLE record (
    stream   TEXT COLLATE "C" NOT NULL,
    seq      BIGINT NOT NULL,
    at       TEXT COLLATE "C" NOT NULL,
    actor    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    body     TEXT NOT NULL,
    personal TEXT NOT NULL, -- values whose hashes stand in the body; empty when there are none, or all were erased
    key      TEXT NOT NULL,
    seal     TEXT NOT NULL,
    PRIMARY KEY (stream, seq)
);
CREATE INDEX record_personal ON record (at, stream) WHERE personal <> '';

-- What is owed: at most one of a kind and key. Each scheduling has a number of its own.
CREATE SEQUENCE generation;
CREATE TABLE work (
    kind       TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    generation BIGINT NOT NULL,
    due        BIGINT NOT NULL, -- milliseconds since 1970
    attempts   INTEGER NOT NULL,
    body       TEXT NOT NULL,
    delivered  BOOLEAN NOT NULL, -- its delivery is on record until it is settled
    seal       TEXT NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX work_due ON work (kind, due, generation);

-- What is kept and never done: at most one of a kind and key.
CREATE TABLE kept (
    kind       TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    generation BIGINT NOT NULL,
    until      BIGINT, -- milliseconds since 1970: it may be forgotten then; none: never
    body       TEXT NOT NULL,
    seal       TEXT NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX kept_until ON kept (kind, until) WHERE until IS NOT NULL;

-- Requests that changed something, so that their second delivery changes nothing.
CREATE TABLE delivery (
    id      TEXT COLLATE "C" PRIMARY KEY,
    at      BIGINT NOT NULL, -- milliseconds since 1970
    settled BOOLEAN NOT NULL,
    seal    TEXT NOT NULL
);
CREATE INDEX delivery_at ON delivery (at);

-- Who does what only one process may do, and until when.
CREATE TABLE lease (
    name   TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT NOT NULL,
    until  BIGINT NOT NULL, -- milliseconds since 1970
    seal   TEXT NOT NULL
);

-- That all of the above is sealed, and with which key: one row.
CREATE TABLE whole (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    seal TEXT NOT NULL
);

-- Work that the bot did not write, or that was put back: never done, kept to be looked at.
CREATE TABLE aside (
    reference  TEXT COLLATE "C" PRIMARY KEY, -- stands in the log
    at         BIGINT NOT NULL, -- milliseconds since 1970
    why        TEXT NOT NULL,
    generation BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    due        BIGINT NOT NULL,
    attempts   INTEGER NOT NULL,
    body       TEXT NOT NULL,
    seal       TEXT NOT NULL
);

-- Written now and then to see whether anything can be written: one row.
CREATE TABLE probe (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at BIGINT NOT NULL -- milliseconds since 1970
);
