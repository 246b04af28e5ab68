-- What is counted of boxes and phones to find signs. Days are numbered from 1970-01-01 in Asia/Shanghai; times are milliseconds since 1970-01-01 UTC.
CREATE TABLE integrity_state (
  id       BIGINT PRIMARY KEY,            -- 1
  step     BIGINT NOT NULL,               -- grows with each transaction: who has read another one is too late
  pos      BIGINT NOT NULL,               -- row of the journal up to which it was looked at
  examined BIGINT NOT NULL                -- the day on which windows were compared last
);
INSERT INTO integrity_state (id, step, pos, examined) VALUES (1, 0, 0, 0);

CREATE TABLE integrity_log (
  device TEXT NOT NULL,
  epoch  TEXT NOT NULL,
  body   TEXT NOT NULL,                   -- JSON: Log
  PRIMARY KEY (device, epoch)
);

CREATE TABLE integrity_tally (
  device TEXT NOT NULL,
  at     BIGINT NOT NULL,                 -- the day
  body   TEXT NOT NULL,                   -- JSON: Tally
  PRIMARY KEY (device, at)
);
CREATE INDEX integrity_tally_at ON integrity_tally (at);

-- By what tags of phones are made on a day. It goes with them.
CREATE TABLE integrity_salt (
  at   BIGINT PRIMARY KEY,
  salt TEXT NOT NULL                      -- hexadecimal
);

-- Which phone and network a rating by phone came from, as tags that say nothing once the day's salt has gone.
CREATE TABLE integrity_origin (
  pos     BIGINT PRIMARY KEY,             -- row of the journal
  at      BIGINT NOT NULL,                -- the day
  device  TEXT NOT NULL,
  visit   BIGINT NOT NULL,
  phone   TEXT NOT NULL,
  network TEXT NOT NULL
);
CREATE INDEX integrity_origin_at ON integrity_origin (at, device);
