-- From which record on all of the chain that ends in hash is here, and not only the numbers. Of logs from before it is not known.
ALTER TABLE log ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
UPDATE log SET since = through + 1;

-- When a head was signed is in no signature, and nobody asks.
ALTER TABLE checkpoint DROP COLUMN at;
