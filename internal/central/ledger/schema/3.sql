-- What proves that a device has sent the records first to first+count-1: its signature covers device, epoch, first, count,
-- released and the hash of each record. The hashes are those of the table record; of a record that became a fork, which
-- has another hash there, the proof itself names it.
CREATE TABLE proof (
  device      TEXT NOT NULL,
  epoch       TEXT NOT NULL,
  first       INTEGER NOT NULL,
  count       INTEGER NOT NULL,
  released    INTEGER NOT NULL,
  head        BLOB NOT NULL,              -- hash of the last record
  signature   BLOB NOT NULL,
  key         BLOB NOT NULL,              -- the public key by which it was verified
  forks       BLOB NOT NULL,              -- for each fork its place in the batch (2 bytes, big endian) and its hash (32)
  received_at INTEGER NOT NULL,
  PRIMARY KEY (device, epoch, first, signature)
) STRICT, WITHOUT ROWID;
