-- Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE device (
  id          TEXT PRIMARY KEY,
  key         BLOB NOT NULL,             -- Ed25519 public key
  window      TEXT NOT NULL,             -- JSON of rating.Window
  generation  INTEGER NOT NULL,
  enrolled_at INTEGER NOT NULL
) STRICT;

-- What a box says of itself, and boxes that nobody has enrolled.
CREATE TABLE device_state (
  id          TEXT PRIMARY KEY,
  presence    TEXT,
  presence_at INTEGER,
  health      TEXT,
  health_at   INTEGER,
  refused     INTEGER NOT NULL DEFAULT 0, -- batches that were not believed
  refused_at  INTEGER,
  refused_why TEXT
) STRICT;

CREATE TABLE record (
  device      TEXT NOT NULL,
  epoch       TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  hash        BLOB NOT NULL,
  prev        BLOB,                       -- NULL in quarantine
  quarantine  TEXT,                       -- why the record is not accepted; NULL if it is
  raw         BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (device, epoch, seq)
) STRICT, WITHOUT ROWID;

-- Through which seq the records of an epoch are in the books or known to be lost for good.
CREATE TABLE progress (
  device  TEXT NOT NULL,
  epoch   TEXT NOT NULL,
  through INTEGER NOT NULL,
  PRIMARY KEY (device, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE fork (
  device      TEXT NOT NULL,
  epoch       TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  hash        BLOB NOT NULL,
  raw         BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (device, epoch, seq, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE visit (
  device  TEXT NOT NULL,
  id      TEXT NOT NULL,
  visit   TEXT,                           -- JSON of rating.Visit; NULL while its record has not arrived
  closing TEXT,                           -- JSON of rating.Closing
  opened_at   INTEGER,
  closed_at   INTEGER,                    -- by arrival
  PRIMARY KEY (device, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluation (
  cursor      INTEGER PRIMARY KEY,        -- order of arrival
  device      TEXT NOT NULL,
  epoch       TEXT NOT NULL,              -- '' for the phone
  seq         INTEGER NOT NULL,           -- 0 for the phone
  submission  TEXT NOT NULL,              -- '' for the keypad
  visit       TEXT NOT NULL,
  subject     TEXT NOT NULL,
  level       INTEGER NOT NULL,
  channel     TEXT NOT NULL,
  replaces    INTEGER NOT NULL,
  reasons     TEXT NOT NULL,              -- JSON
  text        TEXT NOT NULL,
  at          INTEGER NOT NULL,
  synced      INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  status      TEXT NOT NULL,
  UNIQUE (device, epoch, seq, submission, subject)
) STRICT;
CREATE INDEX evaluation_visit ON evaluation (device, visit, subject);

CREATE TABLE finding (
  id          INTEGER PRIMARY KEY,
  device      TEXT NOT NULL,
  epoch       TEXT NOT NULL,
  first       INTEGER NOT NULL,
  last        INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  detail      TEXT NOT NULL,
  found_at    INTEGER NOT NULL,
  resolved_at INTEGER,
  UNIQUE (device, epoch, first, last, kind)
) STRICT;
