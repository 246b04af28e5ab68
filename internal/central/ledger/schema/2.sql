-- When an evaluation was given, as well as it is known; and what is known of each start of a box, from which that follows.
ALTER TABLE evaluation ADD COLUMN boot INTEGER NOT NULL DEFAULT 0;     -- 0 for the phone
ALTER TABLE evaluation ADD COLUMN mono INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evaluation ADD COLUMN time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evaluation ADD COLUMN quality TEXT NOT NULL DEFAULT 'set'; -- rating.Quality
ALTER TABLE evaluation ADD COLUMN earliest INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evaluation ADD COLUMN latest INTEGER NOT NULL DEFAULT 0;
CREATE INDEX evaluation_open ON evaluation (device, epoch, boot) WHERE quality <> 'set';

CREATE TABLE span (
  device    TEXT NOT NULL,
  epoch     TEXT NOT NULL,
  boot      INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,             -- of its records, which gives the order of the starts
  span      TEXT NOT NULL,                -- JSON of rating.Span
  earliest  INTEGER NOT NULL,             -- bounds of the start
  latest    INTEGER NOT NULL,
  PRIMARY KEY (device, epoch, boot)
) STRICT, WITHOUT ROWID;
