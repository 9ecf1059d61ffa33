-- Who does what only one process may do, and until when.
CREATE TABLE lease (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL -- milliseconds since 1970
) WITHOUT ROWID;
