-- Forms that were filled in on paper, and entered by somebody. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE paper_form (
  place   TEXT NOT NULL,                  -- the window's id
  number  TEXT NOT NULL,                  -- of the form, unique at its window
  entry   TEXT NOT NULL,                  -- JSON of what was entered first, '' once a second person's agreed
  account TEXT NOT NULL,                  -- account of who entered that
  name    TEXT NOT NULL,                  -- and what people know them by
  entered BIGINT NOT NULL,
  done    BIGINT NOT NULL,                -- row of the journal, 0: it waits for a second person
  PRIMARY KEY (place, number)
);
CREATE INDEX paper_form_waits ON paper_form (entered) WHERE done = 0;
