-- What those who run a hall were told of a month, as it was when there first were enough answers to show levels: what two looks differ by would tell who
-- rated how between them. It is not made anew with the rest.
CREATE TABLE report_month (
  hall    TEXT NOT NULL,
  month   BIGINT NOT NULL,               -- its first day
  body    TEXT NOT NULL,                 -- JSON: Table
  PRIMARY KEY (hall, month)
);
