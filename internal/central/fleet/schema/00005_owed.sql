-- Boxes that were taken off their windows, and may still hold records. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE device_owed (
  device  TEXT PRIMARY KEY,
  closed  BIGINT NOT NULL DEFAULT 0,      -- when somebody said that the rest is lost; 0: nobody has
  missing BIGINT NOT NULL DEFAULT 0,      -- how many records were not here then
  account TEXT NOT NULL DEFAULT '',
  why     TEXT NOT NULL DEFAULT ''
);
INSERT INTO device_owed (device) SELECT id FROM device WHERE assignment LIKE '%"retired":{%';
