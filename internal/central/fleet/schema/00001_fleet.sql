-- Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE device (
  id          TEXT PRIMARY KEY,
  key         BYTEA NOT NULL,             -- Ed25519 public key
  assignment  TEXT NOT NULL,              -- JSON: rating.Window, and who may sign in there
  generation  BIGINT NOT NULL,
  enrolled_at BIGINT NOT NULL,
  changed     BIGINT NOT NULL             -- position in the journal of what changed it last
);
CREATE INDEX device_changed ON device (changed);

-- What a box says of itself, and boxes that nobody has enrolled.
CREATE TABLE device_state (
  id          TEXT PRIMARY KEY,
  presence    TEXT,
  presence_at BIGINT,
  health      TEXT,
  health_at   BIGINT,
  refused     BIGINT NOT NULL DEFAULT 0,  -- batches that were not believed
  refused_at  BIGINT,
  refused_why TEXT
);
