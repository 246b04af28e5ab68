-- How many records there are of each area and kind, so that how many were accepted is known without counting them: it is what is left.
CREATE TABLE upward_total (
  area TEXT NOT NULL,
  kind BIGINT NOT NULL,
  n    BIGINT NOT NULL,
  PRIMARY KEY (area, kind)
);
INSERT INTO upward_total (area, kind, n) SELECT area, kind, count(*) FROM upward_record GROUP BY area, kind;
DROP INDEX upward_record_area;
CREATE INDEX upward_record_open ON upward_record (state, area, kind) WHERE state <> 1;
