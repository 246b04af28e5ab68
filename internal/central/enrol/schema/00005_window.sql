-- By what PCs of windows know boxes. Times are milliseconds since 1970-01-01 UTC; what has ended is deleted when the box gets the next one.
CREATE TABLE enrol_window (
  serial     TEXT PRIMARY KEY,            -- hexadecimal digits
  device     TEXT NOT NULL,
  names      TEXT NOT NULL,               -- names and addresses, in order, with a space between
  generation BIGINT NOT NULL,             -- of the box's window when it was issued
  issued     BIGINT NOT NULL,
  ends       BIGINT NOT NULL,
  revoked    BIGINT NOT NULL DEFAULT 0    -- 0: it is not
);
CREATE INDEX enrol_window_device ON enrol_window (device, issued);
CREATE INDEX enrol_window_revoked ON enrol_window (revoked);
