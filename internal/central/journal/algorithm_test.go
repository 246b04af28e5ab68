package journal_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"errors"
	"testing"

	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/recordkey"
)

// drawn is a box with a key that was drawn.
func drawn(t testing.TB, id string, a recordkey.Algorithm) (*box, crypto.Signer) {
	t.Helper()
	k, err := recordkey.Draw(a)
	if err != nil {
		t.Fatal(err)
	}
	return newBox(id), k
}

// signedBy returns the box's next batch, signed by a key.
func signedBy(t testing.TB, b *box, k crypto.Signer, records int) journal.Entry {
	t.Helper()
	e := b.batch(t, records)
	w := e.Batch()
	w.Sign(k)
	e.Key, e.Signature = recordkey.Public(k), w.Signature
	return e
}

// TestBothAlgorithmsInOneJournal enters batches of one box of each kind, verifies, proves, and finds what was changed.
func TestBothAlgorithmsInOneJournal(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, d, _ := journaltest.Open(t, url)
		one, two := newBox("lz-1"), newBox("lz-2")
		key, err := recordkey.Draw(recordkey.SM2)
		if err != nil {
			t.Fatal(err)
		}
		enrol(t, j, one)
		e, err := journal.Enrol(journal.Enrolment{Device: two.id, Key: recordkey.Public(key), EnrolledAt: 1}, 1, "sm2")
		if err != nil {
			t.Fatal(err)
		}
		add(t, j, e)
		add(t, j, one.batch(t, 3))
		r := add(t, j, signedBy(t, two, key, 4))
		if r.Ack != 4 {
			t.Fatalf("through %d", r.Ack)
		}
		if _, err := j.Seal(t.Context(), sealKey()); err != nil {
			t.Fatal(err)
		}
		if a := verified(t, j, sealKey()); a.Signed != 2 {
			t.Errorf("%d batches are signed, want both", a.Signed)
		}
		p, err := j.Prove(t.Context(), r.Pos, 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Header.CheckSignature(); err != nil {
			t.Error(err)
		}
		p.Header.Hashes[1][0] ^= 1
		if p.Header.CheckSignature() == nil {
			t.Error("the signature holds for other records")
		}
		var file bytes.Buffer
		if _, err := j.Export(t.Context(), &file, nil, nothing); err != nil {
			t.Fatal(err)
		}
		back, _, _ := journaltest.Open(t, "sqlite:"+t.TempDir()+"/back.db")
		if _, err := back.Import(t.Context(), &file, nil, nil, "admin", nothing); err != nil {
			t.Fatal(err)
		}
		if _, err := back.Seal(t.Context(), sealKey()); err != nil {
			t.Fatal(err)
		}
		if a := verified(t, back, sealKey()); a.Signed != 2 {
			t.Errorf("%d batches are signed in the restored journal, want both", a.Signed)
		}
		exec(t, d, "UPDATE entry SET signature = (SELECT signature FROM entry WHERE source = 'lz-1' AND signature IS NOT NULL) "+
			"WHERE source = 'lz-2' AND signature IS NOT NULL")
		a, err := j.Verify(t.Context(), sealKey().Public().(ed25519.PublicKey), func(int64, int64) {})
		if err != nil || len(a.Problems) == 0 {
			t.Errorf("a signature that was changed is not noticed, %v", err)
		}
	})
}

// TestSignaturesOfBothKinds checks lists in which both kinds stand, good and bad, in any order.
func TestSignaturesOfBothKinds(t *testing.T) {
	var all []journal.Signed
	var want []bool
	for n := range 80 {
		a := []recordkey.Algorithm{recordkey.Ed25519, recordkey.SM2}[n*7%3%2]
		_, k := drawn(t, "lz-1", a)
		text := []byte{byte(n)}
		s := journal.Signed{Key: recordkey.Public(k), Text: text, Signature: recordkey.Sign(k, text)}
		if n%5 == 0 {
			s.Text = append(text, 1)
		}
		all, want = append(all, s), append(want, n%5 != 0)
	}
	for i, good := range journal.CheckSignatures(all) {
		if good != want[i] {
			t.Errorf("signature %d, of %s: %t", i, recordkey.Of(all[i].Key), good)
		}
	}
}

// BenchmarkCheckSignatures measures batches of three records, 32 waiting together, as a batch each.
func BenchmarkCheckSignatures(b *testing.B) {
	for _, a := range []recordkey.Algorithm{recordkey.Ed25519, recordkey.SM2} {
		var all []journal.Signed
		for range 32 {
			box, k := drawn(b, "lz-1", a)
			e := signedBy(b, box, k, 3)
			all = append(all, journal.Signed{Key: e.Key, Text: e.Batch().SignedText(), Signature: e.Signature})
		}
		b.Run(string(a), func(b *testing.B) {
			n := 0
			for b.Loop() {
				for _, good := range journal.CheckSignatures(all) {
					if !good {
						b.Fatal(errors.New("a signature does not hold"))
					}
				}
				n += len(all)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/batch")
		})
	}
}
