-- Complaints open orders too, and are on no evaluation. Beside a part's body stands what boards, searches and figures ask for; Orders.Redue fills it in for
-- what was there before.
CREATE TABLE rectify_order_next (
  id         BIGINT PRIMARY KEY,         -- row of the journal by which it was opened
  evaluation BIGINT UNIQUE,              -- its place in the books; NULL: a complaint
  about      TEXT NOT NULL,              -- JSON: Opening
  label      TEXT NOT NULL DEFAULT ''    -- what a search looks through: number, matter and place, in small letters
);
INSERT INTO rectify_order_next (id, evaluation, about) SELECT id, evaluation, about FROM rectify_order;
DROP TABLE rectify_order;
ALTER TABLE rectify_order_next RENAME TO rectify_order;
CREATE INDEX rectify_order_label ON rectify_order (label, id); -- a search reads this, and not what orders are about

ALTER TABLE rectify_part ADD COLUMN opened BIGINT NOT NULL DEFAULT 0;
ALTER TABLE rectify_part ADD COLUMN clue BIGINT NOT NULL DEFAULT 0;      -- 1: something of it was referred; 2: it is a clue as a whole
ALTER TABLE rectify_part ADD COLUMN complaint BIGINT NOT NULL DEFAULT 0; -- 1: it is about a complaint
ALTER TABLE rectify_part ADD COLUMN owed BIGINT NOT NULL DEFAULT 0;      -- a rating with a name: 1: it is to be followed up, 2: it was; 0: all others
CREATE INDEX rectify_part_opened ON rectify_part (opened, order_id, part);
CREATE INDEX rectify_part_board ON rectify_part (unit, area, clue, due, state, opened) WHERE due > 0;
CREATE INDEX rectify_part_owed ON rectify_part (unit, area, opened, owed, clue) WHERE owed > 0;
CREATE INDEX rectify_part_clue ON rectify_part (clue, due, order_id, part) WHERE clue > 0;

-- What was attached. The bytes are the words of its act in the journal.
CREATE TABLE rectify_file (
  pos      BIGINT PRIMARY KEY,           -- row of the journal
  order_id BIGINT NOT NULL,
  part     BIGINT NOT NULL,
  about    TEXT NOT NULL                 -- JSON: Attached
);
CREATE INDEX rectify_file_order ON rectify_file (order_id, part, pos);

-- Through which row of the journal the acts were posted to the province's own system. Not in a backup.
CREATE TABLE rectify_told (
  id  BIGINT PRIMARY KEY,                -- 1
  pos BIGINT NOT NULL
);
