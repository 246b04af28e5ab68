-- The window of the organisation that the box serves, by which a hall's boxes are found; empty for one that was entered by hand, NULL until the
-- fleet is opened next. Times are milliseconds since 1970-01-01 UTC.
ALTER TABLE device ADD COLUMN serves TEXT;
CREATE INDEX device_serves ON device (serves);

-- What somebody at the centre asked a box to do, and its answer. The last few of each box are kept.
CREATE TABLE device_command (
  id          TEXT PRIMARY KEY,
  device      TEXT NOT NULL,
  name        TEXT NOT NULL,
  account     TEXT NOT NULL,
  asked_at    BIGINT NOT NULL,
  expires     BIGINT NOT NULL,
  answered_at BIGINT,
  failed      TEXT,                       -- why it was not carried out, or not sent
  parts       TEXT                        -- JSON: how the box's parts were
);
CREATE INDEX device_command_of ON device_command (device, asked_at);

-- How each box was when the watch looked last, as JSON, and how many changes of it were written.
CREATE TABLE device_seen (
  id      TEXT PRIMARY KEY,
  seen    TEXT NOT NULL,
  changes BIGINT NOT NULL
);

-- The last changes of each box.
CREATE TABLE device_change (
  device TEXT NOT NULL,
  n      BIGINT NOT NULL,
  at     BIGINT NOT NULL,
  what   TEXT NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (device, n)
);

-- What somebody should look at. One that has not lasted yet is not opened, one that is over but not for long is not ended.
CREATE TABLE fleet_alert (
  id              TEXT PRIMARY KEY,
  kind            TEXT NOT NULL,
  device          TEXT NOT NULL,          -- empty for one of a whole hall
  hall            TEXT NOT NULL,          -- empty for a box that stands in none
  area            TEXT NOT NULL,
  name            TEXT NOT NULL,          -- of window or hall, as people read it
  detail          TEXT NOT NULL,
  since           BIGINT NOT NULL,
  opened          BIGINT,
  away            BIGINT,                 -- since when it is over
  ended           BIGINT,
  acknowledged    BIGINT,
  acknowledged_by TEXT,
  told_opened     BIGINT,                 -- when the receiver of alerts took it
  told_ended      BIGINT
);
CREATE UNIQUE INDEX fleet_alert_open ON fleet_alert (kind, device, hall) WHERE ended IS NULL;
CREATE INDEX fleet_alert_ended ON fleet_alert (ended);

-- When the watch looked last: one row, which moves by compare-and-set, so that two instances never both decide.
CREATE TABLE fleet_watch (
  id     BIGINT PRIMARY KEY,
  looked BIGINT NOT NULL
);
INSERT INTO fleet_watch (id, looked) VALUES (1, 0);

-- When a hall is open, if it is not the usual hours.
CREATE TABLE fleet_hours (
  hall   TEXT PRIMARY KEY,
  opens  BIGINT NOT NULL,                 -- minutes after midnight in Asia/Shanghai
  closes BIGINT NOT NULL,
  daily  BIGINT NOT NULL                  -- 1: also on days without work
);
