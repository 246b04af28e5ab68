-- Boxes that ask to be let in. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE enrol_request (
  key_hash    BYTEA PRIMARY KEY,          -- SHA-256 of the TLS key, as a certificate has it
  code        TEXT NOT NULL,
  code_until  BIGINT NOT NULL,
  device      TEXT NOT NULL,
  record_key  BYTEA NOT NULL,             -- Ed25519 public key
  digits      TEXT NOT NULL,
  address     TEXT NOT NULL,              -- from where it asks
  asked       BIGINT NOT NULL,
  seen        BIGINT NOT NULL,            -- when it asked last, to some seconds
  accepted    BIGINT NOT NULL DEFAULT 0,  -- 0: not yet
  hall        TEXT NOT NULL DEFAULT '',   -- for which it was accepted
  window_id   TEXT NOT NULL DEFAULT '',
  account     TEXT NOT NULL DEFAULT ''    -- by whom
);
CREATE UNIQUE INDEX enrol_request_code ON enrol_request (code);
CREATE INDEX enrol_request_seen ON enrol_request (seen);
CREATE INDEX enrol_request_by ON enrol_request (account, accepted);

-- What the authority has issued to boxes.
CREATE TABLE enrol_certificate (
  serial   TEXT PRIMARY KEY,              -- hexadecimal digits
  device   TEXT NOT NULL,
  key_hash BYTEA NOT NULL,
  issued   BIGINT NOT NULL,
  ends     BIGINT NOT NULL,
  body     BYTEA NOT NULL,                -- DER
  revoked  BIGINT NOT NULL DEFAULT 0      -- 0: it is not
);
CREATE INDEX enrol_certificate_key ON enrol_certificate (key_hash, issued);
CREATE INDEX enrol_certificate_device ON enrol_certificate (device, issued);
CREATE INDEX enrol_certificate_revoked ON enrol_certificate (revoked);
