-- What self-service terminals have finished, for a day. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE terminal_visit (
  id        TEXT PRIMARY KEY,
  terminal  TEXT NOT NULL,                -- the holder of the terminal's token
  name      TEXT,                         -- of the request that opened it; NULL: none
  digest    BYTEA NOT NULL,               -- of that request's body
  area      TEXT NOT NULL,
  project   TEXT NOT NULL,
  matter    TEXT NOT NULL,
  opened    BIGINT NOT NULL,
  cancelled BIGINT NOT NULL               -- 0: it is not
);
CREATE UNIQUE INDEX terminal_visit_name ON terminal_visit (terminal, name) WHERE name IS NOT NULL;
CREATE INDEX terminal_visit_opened ON terminal_visit (terminal, opened);
