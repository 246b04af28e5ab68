package wire

import (
	"bytes"
	"crypto"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/recordkey"
)

func sm2Key(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := recordkey.Draw(recordkey.SM2)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestABatchInSM2 holds that a batch names its algorithm, and that its signature is good for that one and that key only.
func TestABatchInSM2(t *testing.T) {
	k, b := sm2Key(t), goldenBatch()
	b.Sign(k)
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(payload, []byte(`"alg":"sm2"`)) {
		t.Errorf("it does not name its algorithm: %s", payload)
	}
	got, err := DecodeBatch(payload)
	if diff := cmp.Diff(b, got); err != nil || diff != "" {
		t.Fatalf("came back with %v (-want +got):\n%s", err, diff)
	}
	if !got.Verify(recordkey.Public(k)) || got.Verify(recordkey.Public(sm2Key(t))) || got.Verify(public(key(1))) {
		t.Error("the signature verifies with the wrong keys, or not with the right one")
	}
	for _, alg := range []string{"", `"alg":"ed25519",`, `"alg":"SM2",`, `"alg":7,`, `"alg":"sm2","alg":"sm2",`} {
		changed := strings.Replace(string(payload), `"alg":"sm2",`, alg, 1)
		if x, err := DecodeBatch([]byte(changed)); err == nil && x.Verify(recordkey.Public(k)) {
			t.Errorf("it holds where it says %s", alg)
		}
	}
	ed := goldenBatch()
	ed.Algorithm = recordkey.SM2
	if ed.Verify(public(key(1))) {
		t.Error("a batch in Ed25519 holds that says it is in SM2")
	}
}

func TestALogHeadInSM2(t *testing.T) {
	k := sm2Key(t)
	h := LogHead{Epoch: 7, Last: 3}
	h.Sign("lz-0417", k)
	if !h.Holds("lz-0417", recordkey.Public(k)) || h.Holds("lz-0418", recordkey.Public(k)) || h.Holds("lz-0417", public(key(1))) {
		t.Error("the head holds for another box or key, or not for its own")
	}
}

func TestACentreSaysWhatItTakes(t *testing.T) {
	ed, sm := []byte(public(key(1))), recordkey.Public(sm2Key(t))
	old, now := Config{}, Config{Algorithms: []recordkey.Algorithm{recordkey.Ed25519, recordkey.SM2}}
	if !old.Takes(ed) || !now.Takes(ed) || old.Takes(sm) || !now.Takes(sm) {
		t.Error("an older centre takes SM2, or a newer one does not, or one of them does not take Ed25519")
	}
}
