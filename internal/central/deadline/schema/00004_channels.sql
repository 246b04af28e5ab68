-- When each unit was rated last by each channel, as far as the books were followed. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE channel_heard (
  unit    TEXT NOT NULL,
  channel TEXT NOT NULL,
  last    BIGINT NOT NULL,
  PRIMARY KEY (unit, channel)
);
CREATE TABLE channel_followed (
  id     BIGINT PRIMARY KEY,              -- 1
  cursor BIGINT NOT NULL                  -- of the last evaluation that was looked at
);
