-- On which board a box stands, by a name that it says itself, and whether it stood on another one when it was accepted.
ALTER TABLE enrol_request ADD COLUMN board TEXT NOT NULL DEFAULT '';
ALTER TABLE enrol_request ADD COLUMN moved BIGINT NOT NULL DEFAULT 0;
