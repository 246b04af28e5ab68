-- A change of how boxes' windows ask, which goes out in stages: one window, its hall, all. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE fleet_rollout (
  id      TEXT PRIMARY KEY,
  change  TEXT NOT NULL,                  -- JSON
  area    TEXT NOT NULL,                  -- of the scope, 12 digits
  hall    TEXT NOT NULL,                  -- empty: all of the area
  hold    BIGINT NOT NULL,                -- how long boxes must be well before the next stage, in ms
  state   TEXT NOT NULL,
  stage   BIGINT NOT NULL,
  last    BIGINT NOT NULL,                -- its last stage
  account TEXT NOT NULL,
  begun   BIGINT NOT NULL,
  looked  BIGINT NOT NULL,                -- moves by compare-and-set, so that two instances never both decide
  well    BIGINT,                         -- since when all boxes that have it are well
  sick    TEXT NOT NULL,                  -- the box for which it halted
  why     TEXT NOT NULL,                  -- code of its trouble
  ended   BIGINT
);
CREATE INDEX fleet_rollout_begun ON fleet_rollout (begun);

-- The boxes of a rollout, as they stood when it began.
CREATE TABLE fleet_rollout_box (
  rollout    TEXT NOT NULL,
  device     TEXT NOT NULL,
  served     TEXT NOT NULL,               -- the window
  hall       TEXT NOT NULL,
  name       TEXT NOT NULL,               -- of the window, as people read it
  stage      BIGINT NOT NULL,
  state      TEXT NOT NULL,
  former     TEXT NOT NULL,               -- JSON: what it had before it was sent
  generation BIGINT NOT NULL,             -- from which on it has what was sent last
  known      TEXT,                        -- JSON: its troubles then; NULL: those of the next look
  sent       BIGINT,
  applied    BIGINT,
  ill        BIGINT,                      -- since when something is wrong with it
  why        TEXT NOT NULL,
  PRIMARY KEY (rollout, device)
);
