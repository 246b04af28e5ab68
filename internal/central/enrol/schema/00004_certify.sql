-- Boxes that were entered by hand, and get their first certificate without a code: their key for records is known.
CREATE TABLE enrol_certify (
  device  TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  ends    BIGINT NOT NULL                 -- milliseconds since 1970-01-01 UTC
);
