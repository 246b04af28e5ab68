-- What the levels above have set for boxes (rating.Rules), as it is signed, by the name of its content.
CREATE TABLE fleet_rules (
  id    TEXT PRIMARY KEY,
  rules TEXT NOT NULL
);
ALTER TABLE device ADD COLUMN rules TEXT NOT NULL DEFAULT ''; -- those that the box is told; empty: none
CREATE INDEX device_rules ON device (rules);
