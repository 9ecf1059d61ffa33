-- Whatever is read back and acted upon is sealed with a key that is not in this file. The rows of an
-- earlier release are sealed once, by the release that makes these columns.
ALTER TABLE stream ADD COLUMN head TEXT NOT NULL DEFAULT ''; -- the seal of its last record
ALTER TABLE stream ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE work ADD COLUMN delivered INTEGER NOT NULL DEFAULT 0; -- its delivery is on record until it is settled
ALTER TABLE work ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN settled INTEGER NOT NULL DEFAULT 1;
ALTER TABLE delivery ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE lease ADD COLUMN seal TEXT NOT NULL DEFAULT '';

-- That all of the above was sealed: one row.
CREATE TABLE whole (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    seal TEXT NOT NULL
);

-- Work that the bot did not write, or that was put back: never done, kept to be looked at.
CREATE TABLE aside (
    reference  TEXT PRIMARY KEY, -- stands in the log
    at         INTEGER NOT NULL, -- milliseconds since 1970
    why        TEXT NOT NULL,
    generation INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    due        INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    body       TEXT NOT NULL,
    seal       TEXT NOT NULL
) WITHOUT ROWID;

-- Written now and then to see whether anything can be written: one row.
CREATE TABLE probe (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL -- milliseconds since 1970
);
