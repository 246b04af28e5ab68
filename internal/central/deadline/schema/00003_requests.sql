-- Messages that ask for a rating, by which replies are bound to cases. Nobody reads numbers here. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE message_request (
  id       TEXT PRIMARY KEY,              -- of the message, as the gateway has it
  number   BYTEA NOT NULL,                -- keyed hash
  about    TEXT NOT NULL,                 -- the case's key
  letter   TEXT NOT NULL,                 -- by which a reply names it; '': by none
  sent     BIGINT NOT NULL,
  answered BIGINT NOT NULL,               -- when a reply to it was given, 0: none was
  asked    BIGINT NOT NULL                -- when it was asked what a reply meant, 0: never
);
CREATE INDEX message_request_number ON message_request (number);
CREATE INDEX message_request_sent ON message_request (sent);

-- What each reply was bound to when it came first, so that one that comes again is bound to the same.
CREATE TABLE message_reply (
  source  TEXT NOT NULL,
  name    TEXT NOT NULL,                  -- by which the source tells its replies apart
  request TEXT NOT NULL,                  -- '': to none
  came    BIGINT NOT NULL,
  PRIMARY KEY (source, name)
);
CREATE INDEX message_reply_came ON message_reply (came);
