-- Times are milliseconds since 1970-01-01 UTC.
-- What came in, a row a message, in the order of commit. Never updated or deleted.
CREATE TABLE entry (
  pos        BIGINT PRIMARY KEY,          -- from 1, dense
  kind       TEXT NOT NULL,
  source     TEXT NOT NULL,               -- the device, or who acted
  name       TEXT,                        -- by which the source tells its messages apart; NULL for a batch
  received   BIGINT NOT NULL,
  log        BIGINT,                      -- of a batch, as all down to signature
  first      BIGINT,                      -- seq of its first record
  last       BIGINT,
  released   BIGINT,
  signer     BYTEA,                       -- the public key by which signature verified; NULL: unsigned
  signature  BYTEA,
  through    BIGINT,                      -- the verdict: through which seq the log was here when this was entered
  quarantine BYTEA,                       -- and which records could not be accepted, JSON; NULL: none
  leaf       BYTEA NOT NULL,              -- the Merkle tree's hash of this row's header
  packed     BIGINT NOT NULL,             -- 1: body is compressed by zstd
  body       BYTEA NOT NULL               -- the parts, each after its length
);
CREATE INDEX entry_log ON entry (log, first) WHERE log IS NOT NULL;
CREATE UNIQUE INDEX entry_name ON entry (kind, source, name) WHERE name IS NOT NULL;

-- How much of each log of a device is here: what an acknowledgement is decided from.
CREATE TABLE log (
  id       BIGINT PRIMARY KEY,
  device   TEXT NOT NULL,
  epoch    TEXT NOT NULL,
  through  BIGINT NOT NULL,               -- every seq up to it is here, or known to be lost
  hash     BYTEA,                         -- of record through; NULL where that is lost
  released BIGINT NOT NULL,               -- the box holds nothing up to here
  beyond   BYTEA NOT NULL,                -- ranges that came after a gap, JSON
  UNIQUE (device, epoch)
);

-- One row. Whoever appends holds it for one group, so that positions are dense and in the order of commit.
CREATE TABLE head (
  id   BIGINT PRIMARY KEY,
  size BIGINT NOT NULL,                   -- entries
  logs BIGINT NOT NULL                    -- the greatest id of table log
);
INSERT INTO head (id, size, logs) VALUES (1, 0, 0);

-- The Merkle tree: tiles of 256 hashes each, the last of a level growing.
CREATE TABLE tile (
  level  BIGINT NOT NULL,
  n      BIGINT NOT NULL,
  hashes BYTEA NOT NULL,
  PRIMARY KEY (level, n)
);
-- Signed heads of the tree. The greatest is how far the journal is sealed.
CREATE TABLE checkpoint (
  size   BIGINT PRIMARY KEY,
  at     BIGINT NOT NULL,
  signed TEXT NOT NULL                    -- C2SP checkpoint
);
-- One row: the name under which heads are signed.
CREATE TABLE seal (
  id     BIGINT PRIMARY KEY,
  origin TEXT NOT NULL
);

-- The keys of free texts, each wrapped by the centre's. Erasing one makes its text unreadable for good.
CREATE TABLE secret (
  pos  BIGINT NOT NULL,
  part BIGINT NOT NULL,
  key  BYTEA NOT NULL,
  PRIMARY KEY (pos, part)
);

-- Which instance does what only one may do.
CREATE TABLE lease (
  name   TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  until  BIGINT NOT NULL
);
