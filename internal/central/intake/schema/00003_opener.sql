-- Who opened what a terminal has finished by the code that is posted there: one at a time, so that whoever has a photograph of the code does not rate beside
-- the citizen.
ALTER TABLE terminal_visit ADD COLUMN opener TEXT NOT NULL DEFAULT '';         -- hash of what a browser shows of itself, '': nobody yet
ALTER TABLE terminal_visit ADD COLUMN opener_since BIGINT NOT NULL DEFAULT 0;  -- milliseconds since 1970-01-01 UTC
