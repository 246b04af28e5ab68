-- An evaluation may be about one case of its visit, and one sending by phone about several: the case joins what tells
-- evaluations apart.
CREATE TABLE evaluation_new (
  cursor      INTEGER PRIMARY KEY,        -- order of arrival
  device      TEXT NOT NULL,
  epoch       TEXT NOT NULL,              -- '' for the phone
  seq         INTEGER NOT NULL,           -- 0 for the phone
  submission  TEXT NOT NULL,              -- '' for the keypad
  visit       TEXT NOT NULL,
  subject     TEXT NOT NULL,
  project     TEXT NOT NULL,              -- number of the case, '' for all cases of the visit and for the staff
  level       INTEGER NOT NULL,
  channel     TEXT NOT NULL,
  replaces    INTEGER NOT NULL,
  reasons     TEXT NOT NULL,              -- JSON
  text        TEXT NOT NULL,
  at          INTEGER NOT NULL,
  synced      INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  status      TEXT NOT NULL,              -- follows from the table standing
  boot        INTEGER NOT NULL,           -- 0 for the phone
  mono        INTEGER NOT NULL,
  time        INTEGER NOT NULL,
  quality     TEXT NOT NULL,              -- rating.Quality
  earliest    INTEGER NOT NULL,
  latest      INTEGER NOT NULL,
  UNIQUE (device, epoch, seq, submission, subject, project)
) STRICT;
-- The boxes may have been newer than these books: what they said is in their records, as far as SQLite can read them.
INSERT INTO evaluation_new
  SELECT cursor, device, epoch, seq, submission, visit, subject,
    coalesce((SELECT CASE WHEN subject = 'matter' AND json_valid(r.text) AND json_type(r.text, '$.evaluation.case') = 'text' THEN json_extract(r.text, '$.evaluation.case') END
      FROM (SELECT CAST(raw AS TEXT) AS text FROM record
        WHERE record.device = evaluation.device AND record.epoch = evaluation.epoch AND record.seq = evaluation.seq AND quarantine IS NULL) r), ''),
    level, channel, replaces, reasons, text, at, synced, received_at, status,
    boot, mono, time, quality, earliest, latest FROM evaluation;
UPDATE visit SET visit = json_set(visit, '$.separate', json('true'))
  FROM (SELECT device, CASE WHEN json_valid(text) AND json_type(text, '$.visit.separate') = 'true' THEN json_extract(text, '$.visit.id') END AS id
    FROM (SELECT device, CAST(raw AS TEXT) AS text FROM record WHERE quarantine IS NULL)) said
  WHERE visit.device = said.device AND visit.id = said.id AND visit.visit IS NOT NULL;
DROP TABLE evaluation;
ALTER TABLE evaluation_new RENAME TO evaluation;
CREATE INDEX evaluation_visit ON evaluation (device, visit, subject);
CREATE INDEX evaluation_open ON evaluation (device, epoch, boot) WHERE quality <> 'set';

-- What each evaluation may count for, and whether it does: of each item at most one (article 14). An item is the person at
-- one visit, or the matter of one case at whatever window.
CREATE TABLE standing (
  item     TEXT NOT NULL,                 -- 'staff <device> <visit>', 'case <project>', or 'matter <device> <visit>' while the cases are not known
  cursor   INTEGER NOT NULL,              -- of the evaluation
  overall  INTEGER NOT NULL,              -- whether it stands for all matters at once where each could be rated by itself
  standing TEXT NOT NULL,                 -- rating.Standing
  PRIMARY KEY (item, cursor)
) STRICT, WITHOUT ROWID;
CREATE INDEX standing_evaluation ON standing (cursor);
