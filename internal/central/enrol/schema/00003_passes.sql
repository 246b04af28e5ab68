-- A box that is accepted gets its window when it asks next: from another one that it replaces, or by what it has shown.
ALTER TABLE enrol_request ADD COLUMN replaces TEXT NOT NULL DEFAULT '';  -- the box at the window whose place it takes
ALTER TABLE enrol_request ADD COLUMN pass TEXT NOT NULL DEFAULT '';      -- by what it was accepted, empty for by its code
ALTER TABLE enrol_request ADD COLUMN seated BIGINT NOT NULL DEFAULT 1;   -- 0: it was accepted and has no window yet
CREATE INDEX enrol_request_replaces ON enrol_request (replaces);

-- Boxes that a supplier delivers, each with its window and a password that lets it in once. Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE enrol_expected (
  serial    TEXT PRIMARY KEY,
  hall      TEXT NOT NULL,
  window_id TEXT NOT NULL,
  password  TEXT NOT NULL,                -- its hash
  account   TEXT NOT NULL,                -- by whom it was entered
  made      BIGINT NOT NULL,
  ends      BIGINT NOT NULL,
  used      BIGINT NOT NULL DEFAULT 0,    -- 0: not yet
  device    TEXT NOT NULL DEFAULT '',     -- the box that was let in
  failures  BIGINT NOT NULL DEFAULT 0,    -- tries since the last right password
  failed    BIGINT NOT NULL DEFAULT 0     -- when the last of them was
);
CREATE INDEX enrol_expected_hall ON enrol_expected (hall, window_id);

-- Previews that wait to be confirmed, with hashes in place of passwords.
CREATE TABLE enrol_draft (
  account TEXT PRIMARY KEY,
  hash    TEXT NOT NULL,
  made    BIGINT NOT NULL,
  body    BYTEA NOT NULL
);

-- Tickets: whoever shows one gets into its hall, as often as it says.
CREATE TABLE enrol_ticket (
  id           TEXT PRIMARY KEY,
  hall         TEXT NOT NULL,
  first_window TEXT NOT NULL,             -- the windows count up from here
  uses         BIGINT NOT NULL,
  used         BIGINT NOT NULL DEFAULT 0,
  account      TEXT NOT NULL,
  made         BIGINT NOT NULL,
  ends         BIGINT NOT NULL,
  revoked      BIGINT NOT NULL DEFAULT 0  -- 0: it is not
);
CREATE INDEX enrol_ticket_hall ON enrol_ticket (hall, made);
