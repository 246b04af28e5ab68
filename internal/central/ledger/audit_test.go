package ledger

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// boxKey is the key of the box, or of whoever else is named.
func boxKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append([]byte{seed}, make([]byte, ed25519.SeedSize-1)...))
}

// addSigned writes a batch as ingest does.
func addSigned(t *testing.T, l *Ledger, b wire.Batch) Result {
	t.Helper()
	b.Sign(boxKey(1))
	r, err := l.AddBatch(t.Context(), b, boxKey(1).Public().(ed25519.PublicKey), noon)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func audit(t *testing.T, l *Ledger) []Account {
	t.Helper()
	var all []Account
	if err := l.Audit(t.Context(), func(a Account) error { all = append(all, a); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// problems lists everything that an audit finds wrong.
func problems(t *testing.T, l *Ledger) []string {
	t.Helper()
	var all []string
	for _, a := range audit(t, l) {
		all = append(all, a.Problems...)
	}
	return all
}

func events(t *testing.T, n int) *chain {
	c := newChain()
	for i := range n {
		c.append(t, press(int64(i), rating.VisitID(i+1), rating.Level(1+i%5), 0))
	}
	return c
}

func TestEveryRecordCanBeProven(t *testing.T) {
	l, c := openBooks(t), events(t, 10)
	addSigned(t, l, c.batch(6, 8, 0)) // out of order
	if a := audit(t, l)[0]; a.Waiting != 5 || len(a.Problems) > 0 {
		t.Errorf("with five records on their way: %+v", a)
	}
	addSigned(t, l, c.batch(1, 6, 0)) // and overlapping
	addSigned(t, l, c.batch(1, 6, 0)) // a repetition proves nothing new
	addSigned(t, l, c.batch(9, 10, 8))
	got := audit(t, l)
	want := []Account{{Device: device, Epoch: epoch, Records: 10, First: 1, Last: 10, Signatures: 3, Keys: []ed25519.PublicKey{boxKey(1).Public().(ed25519.PublicKey)}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

func TestForksAreProvenToo(t *testing.T) {
	l, c, other := openBooks(t), newChain(), newChain()
	c.append(t, press(1, 1, 5, 0), press(2, 2, 5, 0), press(3, 3, 5, 0))
	other.append(t, press(1, 1, 5, 0), press(2, 2, 1, 0), press(3, 3, 1, 0), press(4, 4, 1, 0))
	addSigned(t, l, c.batch(1, 3, 0))
	if r := addSigned(t, l, other.batch(1, 3, 0)); r.Forks != 2 || r.Ack != 3 {
		t.Errorf("the copy's batch: %+v", r)
	}
	a := audit(t, l)[0]
	if a.Forks != 2 || a.Signatures != 2 || len(a.Problems) > 0 {
		t.Errorf("audit %+v", a)
	}
	change(t, l, "UPDATE fork SET raw = CAST('{}' AS BLOB) WHERE seq = 3")
	if got := strings.Join(problems(t, l), "\n"); !strings.Contains(got, "the second record 3 is not what was received") || !strings.Contains(got, "no signature") {
		t.Errorf("a changed fork: %s", got)
	}
}

func change(t *testing.T, l *Ledger, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := l.db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForgeriesAreFound changes the books behind the ledger's back as somebody might who can write to the file, and has
// read this program, but not the device's key.
func TestForgeriesAreFound(t *testing.T) {
	forged := func(c *chain, seq int, level rating.Level) (raw []byte, hash string) {
		r, err := rating.DecodeRecord(c.records[seq-1])
		if err != nil {
			t.Fatal(err)
		}
		r.Evaluation.Level = level
		if raw, err = r.Encode(); err != nil {
			t.Fatal(err)
		}
		h := rating.HashOf(raw)
		return raw, hex.EncodeToString(h[:])
	}
	for name, c := range map[string]struct {
		forge func(c *chain) []string
		want  string
	}{
		"a record's bytes": {func(c *chain) []string {
			raw, _ := forged(c, 2, 5)
			return []string{fmt.Sprintf("UPDATE record SET raw = x'%x' WHERE seq = 2", raw)}
		}, "record 2 is not what was received"},
		"the last record with its hash and its evaluation": {func(c *chain) []string {
			raw, hash := forged(c, 5, 1)
			return []string{fmt.Sprintf("UPDATE record SET raw = x'%x', hash = x'%s' WHERE seq = 5", raw, hash), "UPDATE evaluation SET level = 1 WHERE seq = 5"}
		}, "the signature over 4 to 5 does not verify"},
		"the table that people look at": {func(*chain) []string { return []string{"UPDATE evaluation SET level = 5 WHERE seq = 1"} },
			"the evaluation that is shown for record 1"},
		"an evaluation is taken away": {func(*chain) []string { return []string{"DELETE FROM evaluation WHERE seq = 1"} },
			"the evaluation that is shown for record 1"},
		"an evaluation without a record": {func(*chain) []string {
			return []string{"INSERT INTO evaluation SELECT 99, device, epoch, 99, submission, visit, subject, project, 5, channel, replaces, reasons, text, at, synced, received_at, status, boot, mono, time, quality, earliest, latest, catalogue FROM evaluation WHERE seq = 1"}
		}, "an evaluation is shown for record 99, which is not here"},
		"the last record is taken away": {func(*chain) []string {
			return []string{"DELETE FROM record WHERE seq = 5", "DELETE FROM evaluation WHERE seq = 5", "UPDATE progress SET through = 4"}
		}, "the signature over 4 to 5 is about record 5, which is not in the books"},
		"the last record and its signature are taken away": {func(*chain) []string {
			return []string{"DELETE FROM record WHERE seq >= 4", "DELETE FROM evaluation WHERE seq >= 4", "DELETE FROM proof WHERE first = 4"}
		}, "records 4 to 5: missing, though acknowledged"},
		"a signature is taken away": {func(*chain) []string { return []string{"DELETE FROM proof WHERE first = 1"} },
			"no signature of the device is kept for records 1 to 3"},
		"a signature by another key": {func(c *chain) []string {
			b := c.batch(1, 3, 0)
			b.Sign(boxKey(2))
			return []string{fmt.Sprintf("UPDATE proof SET signature = x'%x' WHERE first = 1", b.Signature)}
		}, "the signature over 1 to 3 does not verify"},
		"a record that nobody sent": {func(c *chain) []string {
			c.append(t, press(9, 9, 5, 0))
			h := rating.HashOf(c.records[5])
			return []string{fmt.Sprintf("INSERT INTO record SELECT device, epoch, 6, x'%x', prev, NULL, x'%x', received_at FROM record WHERE seq = 5", h, c.records[5])}
		}, "no signature of the device is kept for record 6"},
	} {
		t.Run(name, func(t *testing.T) {
			l, log := openBooks(t), events(t, 5)
			addSigned(t, l, log.batch(1, 3, 0))
			addSigned(t, l, log.batch(4, 5, 3))
			change(t, l, c.forge(log)...)
			if got := strings.Join(problems(t, l), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("audit says %q, want %q", got, c.want)
			}
		})
	}
}

// TestChangedCountsAreFound changes which evaluations count, and for whom, without touching a record.
func TestChangedCountsAreFound(t *testing.T) {
	for name, c := range map[string]struct{ forge, want string }{
		"a bad evaluation is set aside":      {"UPDATE evaluation SET status = 'later' WHERE seq = 2", "evaluation of record 2 counts"},
		"so are its standings":               {"UPDATE standing SET standing = 'later' WHERE cursor = 1; UPDATE evaluation SET status = 'later' WHERE seq = 2", "evaluation of record 2 counts"},
		"another one counts for its case":    {"UPDATE standing SET standing = CASE cursor WHEN 1 THEN 'later' ELSE 'counted' END WHERE item = 'case a'", "evaluation of record 2 counts"},
		"it is taken from a case":            {"DELETE FROM standing WHERE cursor = 1 AND item = 'case b'", "evaluation of record 2 counts"},
		"it is made one about a whole theme": {"UPDATE standing SET overall = 1 WHERE cursor = 1", "evaluation of record 2 counts"},
		"what a phone said is set aside":     {"UPDATE evaluation SET status = 'later' WHERE seq = 0", "visit 0000000000000005 by phone counts"},
		"its time is moved":                  {"UPDATE evaluation SET time = time - 9000 WHERE seq = 4", "the time that is shown for the evaluation of record 4"},
		"its clock was not set":              {"UPDATE evaluation SET quality = 'estimated', synced = 0 WHERE seq = 4", "the time that is shown for the evaluation of record 4"},
		"the visit is another one's":         {"UPDATE visit SET visit = json_set(visit, '$.staff.id', '0001') WHERE id LIKE '%5'", "the visit 0000000000000005 that is shown"},
		"the visit never was":                {"UPDATE visit SET visit = NULL WHERE id LIKE '%5'", "the visit 0000000000000005 is not shown"},
		"the visit is older":                 {"UPDATE visit SET opened_at = 1 WHERE id LIKE '%5'", "the visit 0000000000000005 that is shown"},
		"there was another visit":            {"INSERT INTO visit (device, id, visit) SELECT device, '0000000000000009', json_set(visit, '$.id', '0000000000000009') FROM visit WHERE id LIKE '%5'", "the visit 0000000000000009 that is shown"},
	} {
		t.Run(name, func(t *testing.T) {
			l, log := openBooks(t), newChain()
			log.append(t, rating.VisitBody(at(0), ofCases(5, rating.Batch, false, "a", "b", "-c")), keyed(1000, 5, ""),
				rating.VisitBody(at(2000), ofCases(6, rating.Single, false, "a")), keyed(3000, 6, ""), keyed(4000, 5, "c"),
				rating.VisitBody(at(5000), ofCases(5, rating.Single, false, "d")))
			addSigned(t, l, log.batch(1, 6, 0))
			if _, err := l.AddPhone(t.Context(), phone(5, 2, "s", noon)); err != nil {
				t.Fatal(err)
			}
			if got := problems(t, l); len(got) > 0 {
				t.Fatalf("as it was written: %q", got)
			}
			change(t, l, c.forge)
			if got := strings.Join(problems(t, l), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("audit says %q, want %q", got, c.want)
			}
		})
	}
}

// A record that came out of a damaged file is proven by the signature over the record that holds it.
func TestSalvagedRecordsAreProven(t *testing.T) {
	l := openBooks(t)
	old := &otherChain{chain{head: rating.Genesis(device, 20)}, 20}
	next := &otherChain{chain{head: rating.Genesis(device, 21)}, 21}
	for i := range 3 {
		old.append(t, press(int64(i), rating.VisitID(i+1), 4, 0))
		next.append(t, rating.SalvagedBody(at(9), old.records[i]))
	}
	addSigned(t, l, next.all())
	if got := problems(t, l); len(got) > 0 {
		t.Errorf("problems %v", got)
	}
	change(t, l, "DELETE FROM proof")
	if got := strings.Join(problems(t, l), "\n"); strings.Count(got, "no signature of the device is kept for records 1 to 3") != 2 {
		t.Errorf("without signatures: %s", got)
	}
}

// Books that an earlier version has written are brought up to date, and say what they cannot prove.
func TestOlderBooksAreMigrated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c := events(t, 3)
	addSigned(t, l, c.batch(1, 2, 0))
	change(t, l, "DROP TABLE proof", "DROP TABLE standing", "DROP TABLE reason", "ALTER TABLE evaluation DROP COLUMN catalogue", "PRAGMA user_version = 2")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	addSigned(t, l, c.batch(3, 3, 2))
	if diff := cmp.Diff([]string{"no signature of the device is kept for records 1 to 2"}, problems(t, l)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestGapsAreNamed(t *testing.T) {
	l, c := openBooks(t), events(t, 9)
	addSigned(t, l, c.batch(1, 2, 0))
	addSigned(t, l, c.batch(6, 9, 5))
	if diff := cmp.Diff([]string{"records 3 to 5: missing; a finding says so"}, problems(t, l)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
