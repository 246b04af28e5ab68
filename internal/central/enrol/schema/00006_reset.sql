-- What a box that waits is told when it asks next, as the centre has signed it in base64: that it is to forget all.
ALTER TABLE enrol_request ADD COLUMN orders TEXT NOT NULL DEFAULT '';
