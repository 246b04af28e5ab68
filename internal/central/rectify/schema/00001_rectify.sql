-- Orders, and what each unit has to do about them. All of it follows from the acts in the journal; times are milliseconds since 1970-01-01 UTC.
CREATE TABLE rectify_order (
  id         BIGINT PRIMARY KEY,         -- row of the journal by which it was opened
  evaluation BIGINT NOT NULL UNIQUE,     -- its place in the books
  about      TEXT NOT NULL               -- JSON: Opening
);

CREATE TABLE rectify_part (
  order_id BIGINT NOT NULL,
  part     BIGINT NOT NULL,              -- from 1
  changed  BIGINT NOT NULL,              -- row of the journal that changed it last
  unit     TEXT NOT NULL,                -- that works on it, empty: nobody is known yet
  area     TEXT NOT NULL,                -- 12 digits, empty: not known
  state    TEXT NOT NULL,
  due      BIGINT NOT NULL,              -- when its next step is too late, 0: nothing is to be done
  body     TEXT NOT NULL,                -- JSON: Part
  PRIMARY KEY (order_id, part)
);
CREATE INDEX rectify_part_due ON rectify_part (due, order_id, part) WHERE due > 0;
CREATE INDEX rectify_part_unit ON rectify_part (unit, due, order_id, part) WHERE due > 0;

CREATE TABLE rectify_act (
  pos      BIGINT PRIMARY KEY,           -- row of the journal
  order_id BIGINT NOT NULL,
  part     BIGINT NOT NULL               -- 0: of the whole order
);
CREATE INDEX rectify_act_order ON rectify_act (order_id, pos);

-- How far the feed of decisions was followed, by the last decision that was looked at: books that are made from nothing have another one there. Not in a
-- backup.
CREATE TABLE rectify_feed (
  id         BIGINT PRIMARY KEY,         -- 1
  decision   BIGINT NOT NULL,
  pos        BIGINT NOT NULL,
  evaluation BIGINT NOT NULL,
  instead    BIGINT NOT NULL
);

-- Since when bad evaluations open orders: when this program first ran.
CREATE TABLE rectify_since (
  id    BIGINT PRIMARY KEY,              -- 1
  since BIGINT NOT NULL
);
