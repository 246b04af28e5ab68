package main

import (
	"database/sql"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the journal's file

	"haochaping/internal/opsapi"
)

// TestBothAlgorithmsInOneHall has a box that signs in Ed25519 and one that signs in SM2 hand their records to one centre by one broker.
// Keys are pressed on both and both codes are scanned; all of it counts, and the journal is proven. What is changed in it is found.
func TestBothAlgorithmsInOneHall(t *testing.T) {
	t.Parallel()
	w := startCentre(t, startMosquitto)
	one, two := newSerialBox(t, w, "ed-1", 1), newGPIOBox(t, w, "sm-1", 2)
	two.keys += "record_algorithm = \"sm2\"\n"
	const visits = 3
	for i, b := range []*box{one, two} {
		w.enrol(b, i)
		b.start()
		p := &patient{box: b}
		for range visits {
			p.rate()
		}
		b.open(`{"subjects":["staff"],"wait_sec":120}`)
		var link string
		b.wait("the question", func(s boxState) bool { link = s.Link; return s.State == "asking" && s.Link != "" })
		b.onPhone(link, "staff", 4)
		b.settle()
		wantAlgorithm(t, b, []string{"ed25519", "sm2"}[i])
		b.stop()
	}
	if list := w.centre("device", "list"); !strings.Contains(list, " "+two.publicKey()) || !strings.HasPrefix(two.publicKey(), "sm2:") {
		t.Errorf("the list of boxes does not have the key in SM2:\n%s", list)
	}
	w.stopCentre()
	w.centre("verify")
	for _, b := range []*box{one, two} {
		if n := w.counted(b.name); n != visits+1 {
			t.Errorf("of %s %d evaluations count, want %d", b.name, n, visits+1)
		}
	}
	file := filepath.Join(w.dir, "centre", "journal.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var signature []byte
	const last = " WHERE pos = (SELECT max(pos) FROM entry WHERE kind = 'batch' AND source = 'sm-1')"
	if err := db.QueryRow("SELECT signature FROM entry" + last).Scan(&signature); err != nil || len(signature) != 64 {
		t.Fatalf("the signature is %x, %v", signature, err)
	}
	signature[0] ^= 1
	if _, err := db.Exec("UPDATE entry SET signature = $1"+last, signature); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(w.centrald, "verify", "-config", w.config, "-lang", "en").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "signature") {
		t.Errorf("a changed signature is not found: %v\n%s", err, out)
	}
}

// wantAlgorithm asks a box in which algorithm it signs.
func wantAlgorithm(t *testing.T, b *box, want string) {
	t.Helper()
	_, body := b.ops("/v1/status")
	var s opsapi.Status
	if err := json.Unmarshal([]byte(body), &s); err != nil || s.Algorithm != want {
		t.Errorf("%s says that it signs in %q, want %q (%v)", b.name, s.Algorithm, want, err)
	}
}
