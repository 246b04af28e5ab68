-- What the level above has set, and what this centre has chosen within it. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE policy_document (
  number    BIGINT PRIMARY KEY,          -- grows with each one
  from_day  TEXT NOT NULL,               -- from which day it holds, as 2027-01-01
  pos       BIGINT NOT NULL,             -- row of the journal by which it came in
  came      BIGINT NOT NULL,
  way       TEXT NOT NULL,               -- issued, line or file
  signed    TEXT NOT NULL                -- JSON: Signed, as it came
);
CREATE TABLE policy_choice (
  name      TEXT PRIMARY KEY,            -- of the setting
  value     TEXT NOT NULL,
  pos       BIGINT NOT NULL,
  chosen    BIGINT NOT NULL
);
CREATE TABLE policy_line (
  n         BIGINT PRIMARY KEY,          -- 1
  heard     BIGINT NOT NULL,             -- when the level above has answered last, 0: never
  failing   BIGINT NOT NULL,             -- since when it does not, 0: it does
  words     TEXT NOT NULL                -- why
);
