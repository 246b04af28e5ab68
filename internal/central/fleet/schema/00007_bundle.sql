-- What boxes sent to support when somebody asked them to. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE device_bundle (
  command TEXT PRIMARY KEY,
  device  TEXT NOT NULL,
  came    BIGINT NOT NULL,
  size    BIGINT NOT NULL,                -- bytes
  content BYTEA NOT NULL
);
CREATE INDEX device_bundle_of ON device_bundle (device, came);
CREATE INDEX device_bundle_came ON device_bundle (came);
