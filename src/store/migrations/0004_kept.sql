-- What is kept and never done: at most one of a kind and key. The rows that an earlier release kept among
-- the due work are moved here by the release that makes this table, each if its seal fits.
CREATE TABLE kept (
    generation INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    until      INTEGER, -- milliseconds since 1970 when it may be forgotten; none if it is kept for good
    body       TEXT NOT NULL,
    seal       TEXT NOT NULL,
    UNIQUE (kind, key)
);
CREATE INDEX kept_until ON kept (kind, until) WHERE until IS NOT NULL;
