-- Why a citizen has answered so, as it was chosen on the keys: a record of its own, which may come before the evaluation that
-- it names. Of those that name one evaluation, and the same question of the same visit, the first in the log holds.
CREATE TABLE reason (
  device      TEXT NOT NULL,
  epoch       TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  of          INTEGER NOT NULL,           -- seq of the evaluation
  visit       TEXT NOT NULL,
  subject     TEXT NOT NULL,
  project     TEXT NOT NULL,              -- number of the case, as the evaluation has it
  code        TEXT NOT NULL,
  catalogue   INTEGER NOT NULL,           -- version of the catalogue of reasons
  PRIMARY KEY (device, epoch, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX reason_of ON reason (device, epoch, of);
-- The version of the catalogue that the reasons of the evaluation itself are of; 0 where it was not said.
ALTER TABLE evaluation ADD COLUMN catalogue INTEGER NOT NULL DEFAULT 0;
