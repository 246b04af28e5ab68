-- Who wants no more messages: a keyed hash of the number, so that nobody reads numbers here. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE message_stop (
  number BYTEA PRIMARY KEY,
  since  BIGINT NOT NULL
);
