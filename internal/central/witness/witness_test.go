package witness_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/witness"
)

// centre is a journal with some rows, served to witnesses.
type centre struct {
	t       *testing.T
	db      *db.DB
	journal *journal.Journal
	key     ed25519.PrivateKey
	url     string
	rows    int
}

func newCentre(t *testing.T) *centre {
	t.Helper()
	j, d, _ := journaltest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	server := httptest.NewServer(witness.Handler(j))
	t.Cleanup(server.Close)
	return &centre{t: t, db: d, journal: j, key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32)), url: server.URL}
}

// grow enters rows and signs the head.
func (c *centre) grow(rows int) {
	c.t.Helper()
	for range rows {
		c.rows++
		e := journal.Entry{Kind: journal.Erasure, Source: "admin", Received: int64(c.rows), Parts: [][]byte{{byte(c.rows), byte(c.rows >> 8)}}}
		if _, err := c.journal.Append(c.t.Context(), e, nil); err != nil {
			c.t.Fatal(err)
		}
	}
	c.seal()
}

func (c *centre) seal() {
	c.t.Helper()
	if _, err := c.journal.Seal(c.t.Context(), c.key); err != nil {
		c.t.Fatal(err)
	}
}

func (c *centre) exec(text string) {
	c.t.Helper()
	err := c.db.Write(c.t.Context(), func(tx *db.Tx) error {
		for s := range strings.SplitSeq(text, ";") {
			if _, err := tx.ExecContext(c.t.Context(), s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *centre) follower(dir string) *witness.Follower {
	own := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{4}, 32))
	return &witness.Follower{URL: c.url, Folder: dir, Signer: journal.NewSigner("city.example", own), Client: httptest.NewServer(nil).Client(),
		Verifier: func(origin string) (note.Verifier, error) {
			return journal.Verifier(origin, c.key.Public().(ed25519.PublicKey))
		}}
}

func TestAWitnessFollowsAndCountersigns(t *testing.T) {
	c := newCentre(t)
	dir := t.TempDir()
	for _, n := range []int{1, 255, 1, 300, 700} {
		c.grow(n)
		a, err := c.follower(dir).Step(t.Context())
		if err != nil || a.Size != int64(c.rows) {
			t.Fatalf("after %d rows: %+v, %v", c.rows, a, err)
		}
	}
	if a, err := c.follower(dir).Step(t.Context()); err != nil || a.Before.Size != a.Size {
		t.Fatalf("nothing new: %+v, %v", a, err)
	}
	kept, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(kept) != 6 {
		t.Fatalf("kept %q, %v", kept, err)
	}
	known, err := c.follower(dir).Known()
	if err != nil {
		t.Fatal(err)
	}
	v, err := journal.Verifier("city.example", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{4}, 32)).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := journal.OpenCheckpoint(known.Signed, v); err != nil {
		t.Errorf("the witness's own signature: %v", err)
	}
}

// TestAWitnessFindsWhatAnOperatorWithAllKeysHasChanged tampers with the rows, makes the tree anew and signs it.
func TestAWitnessFindsWhatAnOperatorWithAllKeysHasChanged(t *testing.T) {
	const other = "(SELECT leaf FROM entry e WHERE e.pos = 9)"
	for name, text := range map[string]string{
		"changed": "UPDATE entry SET leaf = " + other + " WHERE pos = 500",
		"removed": "DELETE FROM entry WHERE pos = 500; UPDATE entry SET pos = -pos WHERE pos > 500; UPDATE entry SET pos = -pos - 1 WHERE " +
			"pos < 0; UPDATE head SET size = 599",
		"shortened": "DELETE FROM entry WHERE pos > 590; UPDATE head SET size = 590",
		"inserted": "UPDATE entry SET pos = -pos WHERE pos >= 500; UPDATE entry SET pos = -pos + 1 WHERE pos < 0; INSERT INTO entry SELECT " +
			"500, kind, source, name, received, log, first, last, released, signer, signature, through, quarantine, leaf, packed, body FROM entry " +
			"WHERE pos = 9; UPDATE head SET size = 601",
		"exchanged": "UPDATE entry SET pos = -1 WHERE pos = 500; UPDATE entry SET pos = 500 WHERE pos = 501; UPDATE entry SET pos = 501 WHERE " +
			"pos = -1",
	} {
		t.Run(name, func(t *testing.T) {
			c := newCentre(t)
			dir := t.TempDir()
			c.grow(600)
			if _, err := c.follower(dir).Step(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.exec(text + "; DELETE FROM tile; DELETE FROM checkpoint")
			c.seal()
			if _, err := c.follower(dir).Step(t.Context()); !errors.Is(err, witness.ErrInconsistent) {
				t.Errorf("got %v", err)
			}
			if known, err := c.follower(dir).Known(); err != nil || known.Size != 600 {
				t.Errorf("the witness now knows %d rows, %v", known.Size, err)
			}
		})
	}
}

// goOn begins another origin, from a head that is known, and signs.
func (c *centre) goOn(known journal.Checkpoint) journal.Restored {
	c.t.Helper()
	act, err := c.journal.GoOn(c.t.Context(), known, "admin")
	if err != nil {
		c.t.Fatal(err)
	}
	c.seal()
	return act
}

// head returns the last signed head.
func (c *centre) head() journal.Checkpoint {
	c.t.Helper()
	h, err := c.journal.LastCheckpoint(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return h
}

// step lets a follower look once and holds what it says.
func (c *centre) step(f *witness.Follower, want error) witness.Accepted {
	c.t.Helper()
	a, err := f.Step(c.t.Context())
	if !errors.Is(err, want) || err != nil && want == nil {
		c.t.Errorf("%v, want %v", err, want)
	}
	return a
}

func TestAWitnessAcceptsAnotherNameOnlyWhenTold(t *testing.T) {
	c := newCentre(t)
	f := c.follower(t.TempDir())
	c.grow(10)
	c.step(f, nil)
	act := c.goOn(c.head())
	c.step(f, witness.ErrOtherOrigin)
	f.AcceptOrigin = act.Origin
	if a := c.step(f, nil); a.Lost != 0 || a.Size != 11 || a.Unaware {
		t.Errorf("another name, accepted: %+v", a)
	}
	// Its word holds once: the next restore has another name.
	c.goOn(c.head())
	c.step(f, witness.ErrOtherOrigin)
	if known, err := f.Known(); err != nil || known.Size != 11 {
		t.Errorf("the witness now knows %d rows, %v", known.Size, err)
	}
}

// TestAWitnessIsToldOfTwoRestores accepts the last of two names, between which it did not look.
func TestAWitnessIsToldOfTwoRestores(t *testing.T) {
	c := newCentre(t)
	f := c.follower(t.TempDir())
	c.grow(10)
	c.step(f, nil)
	c.goOn(c.head())
	c.grow(3)
	f.AcceptOrigin = c.goOn(c.head()).Origin
	if a := c.step(f, nil); a.Lost != 0 || a.Size != 15 {
		t.Errorf("accepted: %+v", a)
	}
}

// TestAWitnessIsToldWhatARestoreLost takes rows away and lets the journal go on as a restored one does.
func TestAWitnessIsToldWhatARestoreLost(t *testing.T) {
	for name, unaware := range map[string]bool{"the head is known": false, "an older head is known": true} {
		t.Run(name, func(t *testing.T) {
			c := newCentre(t)
			f := c.follower(t.TempDir())
			c.grow(300)
			old := c.head()
			c.step(f, nil)
			c.grow(100)
			known := c.head()
			c.step(f, nil)
			if unaware {
				known = old
			}
			c.exec("DELETE FROM entry WHERE pos > 350; UPDATE head SET size = 350; DELETE FROM tile; DELETE FROM checkpoint")
			f.AcceptOrigin = c.goOn(known).Origin
			if a := c.step(f, nil); a.Lost != 50 || a.Unaware != unaware || a.Size != 351 {
				t.Errorf("accepted: %+v", a)
			}
		})
	}
}

// TestAWitnessAcceptsNoNameWithoutItsRow gives the journal another name as one does who wants to be rid of the old heads.
func TestAWitnessAcceptsNoNameWithoutItsRow(t *testing.T) {
	const afresh = "; DELETE FROM tile; DELETE FROM checkpoint"
	const shorter = "DELETE FROM entry WHERE pos > 290; UPDATE head SET size = 290"
	const other = "(SELECT leaf FROM entry e WHERE e.pos = 9)"
	for name, change := range map[string]func(*centre) string{
		"no row": func(c *centre) string {
			c.exec("UPDATE seal SET origin = 'elsewhere/2'; " + shorter + afresh)
			c.seal()
			return "elsewhere/2"
		},
		"rows changed that are said to be there": func(c *centre) string {
			act := c.goOn(c.head())
			c.exec("UPDATE entry SET leaf = " + other + " WHERE pos = 250" + afresh)
			c.seal()
			return act.Origin
		},
		"rows changed before those that are said to be lost": func(c *centre) string {
			known := c.head()
			c.exec("UPDATE entry SET leaf = " + other + " WHERE pos = 50; " + shorter + afresh)
			return c.goOn(known).Origin
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCentre(t)
			f := c.follower(t.TempDir())
			c.grow(200)
			c.step(f, nil)
			c.grow(100)
			c.step(f, nil)
			f.AcceptOrigin = change(c)
			c.step(f, witness.ErrInconsistent)
		})
	}
}
