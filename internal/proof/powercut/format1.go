package powercut

import (
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"haochaping/internal/rating"
)

// writeFormat1 writes a log as the first version of the store did, which boxes in the field may still hold, and enters it
// in what is expected: a bucket of records by their seqs, and a bucket of small values, none of them with a checksum.
func writeFormat1(path string, all []rating.Body, released uint64, epoch rating.Epoch) (l expected, err error) {
	l = newExpected()
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: 4096, NoSync: true})
	if err != nil {
		return l, fmt.Errorf("write a log of format 1: %w", err)
	}
	key := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	head := rating.Genesis(device, epoch)
	err = db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucket([]byte("meta"))
		if err != nil {
			return err
		}
		records, err := tx.CreateBucket([]byte("records"))
		if err != nil {
			return err
		}
		for _, b := range all {
			l.last++
			raw, err := rating.Record{V: rating.RecordVersion, Device: device, Epoch: epoch, Seq: l.last, Prev: head, Body: b}.Encode()
			if err != nil {
				return err
			}
			head = rating.HashOf(raw)
			l.raw[l.last] = head
			if l.bodies[l.last], err = hashBody(b); err != nil {
				return err
			}
			if err := records.Put(key(l.last), raw); err != nil {
				return err
			}
		}
		return errors.Join(meta.Put([]byte("version"), key(1)), meta.Put([]byte("device"), []byte(device)),
			meta.Put([]byte("epoch"), []byte(epoch.String())), meta.Put([]byte("released"), key(released)))
	})
	l.epoch, l.asked, l.taken, l.known = epoch.String(), released, released, released
	return l, errors.Join(err, db.Close())
}
