package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"

	"haochaping/internal/rating"
)

// writeFormat1 writes a log as the first version of the store did.
func writeFormat1(path string, n int) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	epoch, err := rating.NewEpoch(rand.Reader)
	if err != nil {
		return err
	}
	key := func(seq uint64) []byte {
		b := make([]byte, 8)
		for i := range b {
			b[i] = byte(seq >> (56 - 8*i))
		}
		return b
	}
	head := rating.Genesis(device, epoch)
	lines := []string{"opened " + epoch.String()}
	err = db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucket([]byte("meta"))
		if err != nil {
			return err
		}
		records, err := tx.CreateBucket([]byte("records"))
		if err != nil {
			return err
		}
		for seq := uint64(1); seq <= uint64(n); seq++ {
			r := rating.Record{V: rating.RecordVersion, Device: device, Epoch: epoch, Seq: seq, Prev: head,
				Body: rating.EventBody(rating.Stamp{Boot: 1, Mono: int64(seq)}, rating.EventStarted)}
			raw, err := r.Encode()
			if err != nil {
				return err
			}
			head = rating.HashOf(raw)
			lines = append(lines, fmt.Sprintf("thanked %d %s", seq, head))
			if err := records.Put(key(seq), raw); err != nil {
				return err
			}
		}
		return errors.Join(meta.Put([]byte("version"), key(1)), meta.Put([]byte("device"), []byte(device)),
			meta.Put([]byte("epoch"), []byte(epoch.String())), meta.Put([]byte("released"), key(0)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	fmt.Println(strings.Join(lines, "\n"))
	return nil
}
