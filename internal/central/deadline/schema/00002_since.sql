-- Since when silence has a meaning: the one row is written when deadline.defaults is first seen on. Milliseconds since 1970-01-01 UTC.
CREATE TABLE silence_since (
  id    BIGINT PRIMARY KEY,
  since BIGINT NOT NULL
);
