-- Personal values of a record, whose hashes stand in its sealed body: JSON, empty when there are none or all
-- were erased. Records of an earlier release hold theirs in the body and keep them.
ALTER TABLE record ADD COLUMN personal TEXT NOT NULL DEFAULT '';
CREATE INDEX record_personal ON record (at, stream) WHERE personal <> '';
