-- Questions about unclear replies that came at night, until the morning. Not in a backup. Milliseconds since 1970-01-01 UTC.
CREATE TABLE message_question (
  id     TEXT PRIMARY KEY,                -- of the message
  number BYTEA NOT NULL,                  -- encrypted
  text   TEXT NOT NULL,
  came   BIGINT NOT NULL
);
