-- What people decide upon. All of it follows from the acts in the journal; times are milliseconds since 1970-01-01 UTC.
CREATE TABLE dossier (
  id      BIGINT PRIMARY KEY,            -- row of the journal by which it was opened
  kind    TEXT NOT NULL,
  name    TEXT NOT NULL,                 -- by which it is opened once
  area    TEXT NOT NULL,                 -- 12 digits, empty: not known
  state   TEXT NOT NULL,
  ended   BIGINT NOT NULL,               -- 1: nobody needs to do anything
  due     BIGINT NOT NULL,               -- 0: by no day
  changed BIGINT NOT NULL,               -- row of the journal that changed it last
  body    TEXT NOT NULL,                 -- JSON: Dossier without what was found
  found   TEXT NOT NULL                  -- JSON, as its kind has it
);
CREATE UNIQUE INDEX dossier_name ON dossier (kind, name);
CREATE INDEX dossier_list ON dossier (kind, ended, id);
CREATE INDEX dossier_due ON dossier (due) WHERE due > 0;

CREATE TABLE dossier_act (
  pos     BIGINT PRIMARY KEY,            -- row of the journal
  dossier BIGINT NOT NULL
);
CREATE INDEX dossier_act_of ON dossier_act (dossier, pos);
