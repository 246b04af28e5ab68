-- Times are milliseconds since 1970-01-01 UTC. What opens something (sessions, links, tokens, recovery codes) is kept as its SHA-256.
CREATE TABLE account (
  id          TEXT PRIMARY KEY,
  login       TEXT NOT NULL UNIQUE,         -- in small letters
  name        TEXT NOT NULL,
  area        TEXT NOT NULL,                -- of the office that looks after it
  disabled    BIGINT NOT NULL,              -- 1: may not sign in
  password    TEXT NOT NULL,                -- $argon2id$…, empty: none was chosen yet
  password_at BIGINT NOT NULL,
  seed        BYTEA,                        -- of the second factor, encrypted; NULL: none
  step        BIGINT NOT NULL DEFAULT 0,    -- the last code's place in time, which is not taken again
  trial       BYTEA,                        -- a seed that was shown and not confirmed yet
  subject     TEXT UNIQUE,                  -- by which a provider of OpenID Connect knows the person
  created_at  BIGINT NOT NULL,
  changed     BIGINT NOT NULL               -- position in the journal of the act that changed it last
);

CREATE TABLE account_grant (
  id         TEXT PRIMARY KEY,
  account    TEXT NOT NULL,
  role       TEXT NOT NULL,
  scope      TEXT NOT NULL,
  area       TEXT NOT NULL,
  valid_from BIGINT NOT NULL,
  valid_to   BIGINT NOT NULL,               -- 0: open
  source     TEXT NOT NULL                  -- empty: granted by a person; else the group of a provider
);
CREATE INDEX account_grant_account ON account_grant (account);

CREATE TABLE account_recovery (
  hash    BYTEA PRIMARY KEY,
  account TEXT NOT NULL
);
CREATE INDEX account_recovery_account ON account_recovery (account);

CREATE TABLE account_session (
  hash       BYTEA PRIMARY KEY,
  id         TEXT NOT NULL,                 -- a name that opens nothing
  account    TEXT NOT NULL,
  stage      TEXT NOT NULL,                 -- code: waits for the second factor; open
  second     BIGINT NOT NULL,               -- 1: a second factor was shown
  created_at BIGINT NOT NULL,
  seen_at    BIGINT NOT NULL,
  ends_at    BIGINT NOT NULL,
  address    TEXT NOT NULL,
  agent      TEXT NOT NULL
);
CREATE INDEX account_session_account ON account_session (account);
CREATE INDEX account_session_ends ON account_session (ends_at);

CREATE TABLE account_token (
  hash       BYTEA PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  account    TEXT NOT NULL,
  label      TEXT NOT NULL,
  actions    TEXT NOT NULL,                 -- words, by spaces
  created_at BIGINT NOT NULL,
  ends_at    BIGINT NOT NULL,
  seen_at    BIGINT NOT NULL
);
CREATE INDEX account_token_account ON account_token (account);

CREATE TABLE account_link (
  hash    BYTEA PRIMARY KEY,
  account TEXT NOT NULL,
  opens   TEXT NOT NULL,                    -- password: choose one; session: signs in
  ends_at BIGINT NOT NULL
);

-- How often somebody failed: by account, by address, by a browser that has signed in before.
CREATE TABLE account_failure (
  who   TEXT PRIMARY KEY,
  many  BIGINT NOT NULL,
  until BIGINT NOT NULL,                    -- not tried before
  last  BIGINT NOT NULL
);
CREATE INDEX account_failure_last ON account_failure (last);
