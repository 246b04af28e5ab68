package journal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"testing"

	"github.com/klauspost/compress/zstd"

	"haochaping/internal/rating"
)

// FuzzCheckpoint reads heads that others send: what is read is written back as it was.
func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte("haochaping-journal/0011223344556677/1\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— x y\n"))
	f.Add([]byte("haochaping-journal/0011223344556677/2-01020304\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nprevious 3\n\n— x y\n"))
	f.Add([]byte("a\n-1\n\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := ParseCheckpoint(in)
		if err != nil {
			return
		}
		if c.Size < 0 || c.Origin == "" {
			t.Fatalf("read %+v", c)
		}
		again, err := parseCheckpoint(c.text())
		if err != nil || again.Size != c.Size || again.Root != c.Root || again.Origin != c.Origin || again.Chained != c.Chained ||
			again.Previous != c.Previous {
			t.Fatalf("%q is read as %+v and then as %+v, %v", in, c, again, err)
		}
	})
}

// FuzzProof checks proofs that others send: none proves anything, since nobody has the key.
func FuzzProof(f *testing.F) {
	p := Proof{Checkpoint: "o/1\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— x y\n",
		Header: Header{Kind: Batch, Hashes: []rating.Hash{{}}}, Content: []byte("x")}
	text, err := json.Marshal(p)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, in []byte) {
		var p Proof
		if json.Unmarshal(in, &p) != nil {
			return
		}
		key, _ := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
		v, err := Verifier("o/1", key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Check(v); err == nil {
			t.Fatalf("%s proves something", in)
		}
	})
}

// FuzzBackup reads what is said to be a backup, packed or not: it fails with an error or is whole.
func FuzzBackup(f *testing.F) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{sectionHead, 2, '{', '}'})
	f.Add([]byte{sectionEntry, 3, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, b := range [][]byte{in, z.EncodeAll(in, nil)} {
			_ = readSections(bytes.NewReader(b), func(kind byte, b []byte) error {
				if kind == sectionEntry {
					if e, err := readEntrySection(b); err == nil && len(frame(e.Parts)) > len(b)+10*len(e.Parts) {
						t.Fatalf("%d parts from %d bytes", len(e.Parts), len(b))
					}
				}
				return nil
			})
		}
	})
}
