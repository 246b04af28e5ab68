-- The organisation: how each thing is from one day to another. Days are counted from 1970-01-01 in Asia/Shanghai.
CREATE TABLE organisation (
  kind       TEXT NOT NULL,              -- area, unit, hall, window, staff
  id         TEXT NOT NULL,
  valid_from BIGINT NOT NULL,
  valid_to   BIGINT NOT NULL,            -- the first day on which it holds no more; 2932896: it has no end yet
  name       TEXT NOT NULL,
  area       TEXT NOT NULL,              -- where a unit or hall is
  unit       TEXT NOT NULL,              -- above a unit; that runs a hall, serves at a window, employs a person
  hall       TEXT NOT NULL,              -- of a window
  window_id  TEXT NOT NULL,              -- at which a person serves
  office     TEXT NOT NULL,
  person     TEXT NOT NULL,
  phone      TEXT NOT NULL,
  PRIMARY KEY (kind, id, valid_from)
);
CREATE INDEX organisation_area ON organisation (kind, area, id);
CREATE INDEX organisation_unit ON organisation (kind, unit, id);
CREATE INDEX organisation_hall ON organisation (kind, hall, id);
CREATE INDEX organisation_window ON organisation (kind, window_id, id);

-- One row: the position in the journal of the last change.
CREATE TABLE organisation_state (
  id      BIGINT PRIMARY KEY,
  version BIGINT NOT NULL
);
INSERT INTO organisation_state (id, version) VALUES (1, 0);

-- What an account has previewed and not confirmed: the last one of each.
CREATE TABLE organisation_draft (
  account TEXT PRIMARY KEY,
  hash    TEXT NOT NULL,
  made    BIGINT NOT NULL,               -- milliseconds since 1970-01-01 UTC
  body    BYTEA NOT NULL                 -- the preview: JSON, compressed
);

-- Which window of the organisation a box served with which generation of its configuration.
CREATE TABLE serving (
  device     TEXT NOT NULL,
  generation BIGINT NOT NULL,
  window_id  TEXT NOT NULL,
  changed    BIGINT NOT NULL,            -- position in the journal of the enrolment or move
  PRIMARY KEY (device, generation)
);
CREATE INDEX serving_changed ON serving (changed);
