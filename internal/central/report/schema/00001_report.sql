-- Day and month aggregates, and of what they are made. All of it follows from the books and the orders. Days are numbered from 1970-01-01 in
-- Asia/Shanghai; times are milliseconds since 1970-01-01 UTC.
CREATE TABLE report_state (
  id         BIGINT PRIMARY KEY,         -- 1
  step       BIGINT NOT NULL,            -- grows with each transaction: who has read another one is too late
  generation BIGINT NOT NULL,            -- of the books, 0: none was followed yet
  walk       BIGINT NOT NULL,            -- how often all was looked at from the beginning
  until      BIGINT NOT NULL,            -- row of the journal at which that walk is whole, 0: it is
  pos        BIGINT NOT NULL,            -- row of the journal up to which things were looked at
  decision   BIGINT NOT NULL,            -- the same, of the feed of decisions
  act        BIGINT NOT NULL             -- the same, of the rows of the journal that are about orders
);
INSERT INTO report_state (id, step, generation, walk, until, pos, decision, act) VALUES (1, 0, 0, 0, 0, 0, 0, 0);

-- Where something was rated: a box with a generation of its configuration and its window, or an area alone; and the unit that handled a case,
-- where a business system has said it.
CREATE TABLE report_post (
  id         BIGINT PRIMARY KEY,
  device     TEXT NOT NULL,
  generation BIGINT NOT NULL,
  window_id  TEXT NOT NULL,
  area       TEXT NOT NULL,
  unit       TEXT NOT NULL
);
CREATE UNIQUE INDEX report_post_words ON report_post (device, generation, window_id, area, unit);

-- What is counted of each visit and case, as it is in the aggregates.
CREATE TABLE report_fact (
  item TEXT PRIMARY KEY,
  walk BIGINT NOT NULL,                  -- in which it was looked at last
  body TEXT NOT NULL                     -- JSON: fact
);
CREATE INDEX report_fact_walk ON report_fact (walk);

-- The visits that have completed a case.
CREATE TABLE report_seen (
  project TEXT NOT NULL,                 -- the case
  item    TEXT NOT NULL,                 -- the visit
  body    TEXT NOT NULL,                 -- JSON: seen
  PRIMARY KEY (project, item)
);

CREATE TABLE report_count (
  split   BIGINT NOT NULL,               -- 0: whole, 1: by staff, 2: by matter
  grain   BIGINT NOT NULL,               -- 0: days, 1: months
  at      BIGINT NOT NULL,               -- the day, or the month's first
  post    BIGINT NOT NULL,
  of      TEXT NOT NULL,                 -- staff or matter
  subject TEXT NOT NULL,
  channel TEXT NOT NULL,                 -- by which it was answered, 'default' by silence, '' not at all
  served  BIGINT NOT NULL,
  asked   BIGINT NOT NULL,
  n1      BIGINT NOT NULL,               -- answers of level 1
  n2      BIGINT NOT NULL,
  n3      BIGINT NOT NULL,
  n4      BIGINT NOT NULL,
  n5      BIGINT NOT NULL,
  PRIMARY KEY (split, grain, at, post, of, subject, channel)
);
CREATE INDEX report_count_post ON report_count (split, post, grain, at);

-- What has become of each part of an order.
CREATE TABLE report_order (
  order_id BIGINT NOT NULL,
  part     BIGINT NOT NULL,
  at       BIGINT NOT NULL,              -- the day of the rating
  post     BIGINT NOT NULL,
  evaluation BIGINT NOT NULL,
  due      BIGINT NOT NULL,              -- when its next step is too late, 0: nothing is to be done
  body     TEXT NOT NULL,                -- JSON: orderFact
  PRIMARY KEY (order_id, part)
);
CREATE INDEX report_order_at ON report_order (at);
CREATE INDEX report_order_evaluation ON report_order (evaluation);
CREATE INDEX report_order_due ON report_order (due) WHERE due > 0;

CREATE TABLE report_name (
  split BIGINT NOT NULL,
  of    TEXT NOT NULL,
  name  TEXT NOT NULL,
  at    BIGINT NOT NULL,                 -- when it was called so last
  PRIMARY KEY (split, of)
);
