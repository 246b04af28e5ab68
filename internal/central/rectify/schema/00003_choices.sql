-- What was chosen of a deed: how a citizen was reached or tried and what came of it, who appealed, and messages of which nobody knows whether they were sent.
-- What was done by an earlier version has only words.
CREATE TABLE rectify_choice (
  pos      BIGINT PRIMARY KEY,           -- row of the journal
  order_id BIGINT NOT NULL,
  part     BIGINT NOT NULL,
  deed     TEXT NOT NULL,
  method   TEXT NOT NULL,
  result   TEXT NOT NULL,
  side     TEXT NOT NULL
);
CREATE INDEX rectify_choice_part ON rectify_choice (order_id, part);

-- The act about which a message is being sent, 0: none. Where it is still there when the next one is to be sent, what became of it was lost.
ALTER TABLE rectify_told ADD COLUMN sending BIGINT NOT NULL DEFAULT 0;
