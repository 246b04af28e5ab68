-- What somebody who stood before a box saw and heard of it last. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE device_check (
  device  TEXT PRIMARY KEY,
  at      BIGINT NOT NULL,
  account TEXT NOT NULL,
  seen    TEXT NOT NULL                   -- JSON: by part, well, ill or none
);
CREATE INDEX device_command_named ON device_command (device, name, asked_at);
