-- What goes to the superior system, and what that has said. It lies beside the books and is in no backup: after a restore all is said again,
-- in greater versions. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE upward_state (
  id         BIGINT PRIMARY KEY,         -- 1
  step       BIGINT NOT NULL,            -- grows with each transaction: who has read another one is too late
  generation BIGINT NOT NULL,            -- of the books, 0: none was followed yet
  walk       BIGINT NOT NULL,            -- how often all was looked at from the beginning
  until      BIGINT NOT NULL,            -- row of the journal at which that walk is whole, 0: it is
  pos        BIGINT NOT NULL,            -- row of the journal up to which things were looked at
  decision   BIGINT NOT NULL             -- the same, of the feed of decisions
);
INSERT INTO upward_state (id, step, generation, walk, until, pos, decision) VALUES (1, 0, 0, 0, 0, 0, 0);

-- A record: a service or an evaluation, as it is to be above.
CREATE TABLE upward_record (
  n        BIGINT PRIMARY KEY,
  item     TEXT NOT NULL,                -- what of the books it says: a visit's person or matter, or a case
  project  TEXT NOT NULL,                -- key of the case, or what stands for one
  kind     BIGINT NOT NULL,              -- 1 service, 2 evaluation
  number   BIGINT NOT NULL,              -- of the service within the case, from 1
  change   BIGINT NOT NULL,              -- place in the feed: that of the last change of body or gone
  version  BIGINT NOT NULL,              -- grows with each of these, and is no less than their time
  gone     BIGINT NOT NULL,              -- 1: it is withdrawn
  area     TEXT NOT NULL,                -- 12 digits, empty: not known
  body     TEXT NOT NULL,                -- JSON: Said, as it was last
  walk     BIGINT NOT NULL,              -- in which it was looked at last
  state    BIGINT NOT NULL,              -- 0 waits, 1 accepted, 2 refused, 3 nothing is to be said, 4 waits for its service
  due      BIGINT NOT NULL,              -- goes no earlier
  tries    BIGINT NOT NULL,              -- in vain since it was changed
  tried    BIGINT NOT NULL,              -- the greatest version that has ever left, 0: none
  taken    BIGINT NOT NULL,              -- the greatest version that was accepted, 0: none
  sure     BIGINT NOT NULL,              -- the greatest version that was still there when it was asked for
  answered BIGINT NOT NULL,              -- when the superior system has said something last, 0: never
  code     TEXT NOT NULL,                -- that it has said
  words    TEXT NOT NULL,
  batch    TEXT NOT NULL                 -- in which it went
);
CREATE UNIQUE INDEX upward_record_item ON upward_record (item, project, kind);
CREATE UNIQUE INDEX upward_record_change ON upward_record (change);
CREATE UNIQUE INDEX upward_record_number ON upward_record (project, number, kind);
CREATE INDEX upward_record_walk ON upward_record (walk);
CREATE INDEX upward_record_waits ON upward_record (kind, change) WHERE state = 0;
CREATE INDEX upward_record_blocked ON upward_record (item) WHERE state = 4;
CREATE INDEX upward_record_refused ON upward_record (change) WHERE state = 2;
CREATE INDEX upward_record_unsure ON upward_record (answered) WHERE state = 1 AND gone = 0 AND sure < version;
CREATE INDEX upward_record_area ON upward_record (area, kind, state);

-- The visits that have completed a case.
CREATE TABLE upward_visit (
  project TEXT NOT NULL,                 -- the case
  item    TEXT NOT NULL,                 -- the visit
  body    TEXT NOT NULL,                 -- JSON: place
  PRIMARY KEY (project, item)
);
CREATE INDEX upward_visit_item ON upward_visit (item);

-- What the superior system has said of each batch.
CREATE TABLE upward_receipt (
  batch    TEXT PRIMARY KEY,
  at       BIGINT NOT NULL,
  kind     TEXT NOT NULL,
  records  BIGINT NOT NULL,
  accepted BIGINT NOT NULL,
  refused  BIGINT NOT NULL,
  code     TEXT NOT NULL,
  words    TEXT NOT NULL,
  digest   TEXT NOT NULL                 -- SM3 of the answer, in hex
);
CREATE INDEX upward_receipt_at ON upward_receipt (at);

-- How the way is, as the instance that sends has found it last.
CREATE TABLE upward_way (
  id     BIGINT PRIMARY KEY,             -- 1
  heard  BIGINT NOT NULL,                -- when the superior system has last answered as agreed, 0: never
  since  BIGINT NOT NULL,                -- since when it does not, 0: it does
  words  TEXT NOT NULL                   -- why not
);
INSERT INTO upward_way (id, heard, since, words) VALUES (1, 0, 0, '');
