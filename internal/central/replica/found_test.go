package replica_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/replica"
	"haochaping/internal/rating"
)

func (c *city) exec(texts ...string) {
	c.t.Helper()
	err := c.db.Write(c.t.Context(), func(tx *db.Tx) error {
		for _, s := range texts {
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

// refused steps once, and fails the test unless the copy stays as it is and the error is one that is looked for.
func (x copied) refused(t *testing.T, want error) {
	t.Helper()
	before, err := x.journal.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := x.Step(t.Context()); !errors.Is(err, want) {
		t.Errorf("the step ends with %v, want %v", err, want)
	}
	if after, err := x.journal.Head(t.Context()); err != nil || after != before {
		t.Errorf("the copy had %d rows and has %d, %v", before, after, err)
	}
}

// What a city's operator changes with all keys is found out, before what was copied and behind it, and nothing of it is entered.
func TestWhatAnOperatorHasChangedIsFound(t *testing.T) {
	onBoth(t, func(t *testing.T, place func(string) string) {
		for name, change := range map[string][]string{
			"a row behind the copy": {"UPDATE entry SET received = received + 1 WHERE pos = 50"},
			"a record behind the copy": {"UPDATE entry SET body = (SELECT e.body FROM entry e WHERE e.pos = 52), " +
				"packed = (SELECT e.packed FROM entry e WHERE e.pos = 52) WHERE pos = 50"},
			"another leaf under the head": {"DELETE FROM checkpoint WHERE size > 22", "DELETE FROM tile",
				"UPDATE entry SET leaf = (SELECT e.leaf FROM entry e WHERE e.pos = 9) WHERE pos = 5"},
			"a shorter journal": {"DELETE FROM checkpoint WHERE size > 12", "DELETE FROM entry WHERE pos > 12", "UPDATE head SET size = 12"},
		} {
			t.Run(name, func(t *testing.T) {
				c, folder := newCity(t, place(name)), t.TempDir()
				c.grow(10)
				x := c.copyTo(place(name+" copy"), folder)
				x.all(t, 10)
				if name == "another leaf under the head" { // made anew with its tree, as the same number of rows and more
					c.exec("DELETE FROM checkpoint")
					c.grow(1)
					c.exec("DELETE FROM checkpoint")
				} else {
					c.grow(20)
				}
				c.exec(change...)
				c.seal()
				x.refused(t, replica.ErrChanged)
				x.refused(t, replica.ErrChanged)
				a, err := x.journal.Verify(t.Context(), c.key.Public().(ed25519.PublicKey), func(int64, int64) {})
				if err != nil || len(a.Problems) > 0 || a.Rows != 22 {
					t.Errorf("the copy is damaged: %+v, %v", a, err)
				}
			})
		}
	})
}

// A city that tells the province another history than a witness was told has signed two heads of one size.
func TestTwoHistoriesAreFound(t *testing.T) {
	onBoth(t, func(t *testing.T, place func(string) string) {
		c, other := newCity(t, place("one")), newCity(t, place("two"))
		origin, err := c.journal.Origin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.journal.Origin(t.Context()); err != nil {
			t.Fatal(err)
		}
		other.exec("UPDATE seal SET origin = '" + origin + "'")
		c.grow(10)
		x := c.copyTo(place("copy"), t.TempDir())
		x.all(t, 10)
		other.boxes[0], other.boxes[1] = other.boxes[1], other.boxes[0]
		other.grow(10)
		c.serve(other.journal)
		x.refused(t, replica.ErrChanged)
		if kept, err := filepath.Glob(filepath.Join(x.Folder, "refused-*")); err != nil || len(kept) != 1 {
			t.Errorf("kept are %q, %v", kept, err)
		}
		other.grow(5)
		x.refused(t, replica.ErrChanged)
	})
}

// A centre that goes on from a backup is followed once somebody has accepted it, and only if it has lost nothing that was copied.
func TestARestoreIsAccepted(t *testing.T) {
	onBoth(t, func(t *testing.T, place func(string) string) {
		for _, lost := range []bool{false, true} {
			c := newCity(t, place(fmt.Sprint("city", lost)))
			c.grow(10)
			x := c.copyTo(place(fmt.Sprint("copy", lost)), t.TempDir())
			x.all(t, 10)
			var backup bytes.Buffer
			if _, err := c.journal.Export(t.Context(), &backup, nil, func(int64, int64) {}); err != nil {
				t.Fatal(err)
			}
			if lost {
				c.grow(10)
				x.all(t, 10)
			}
			j, d, _ := journaltest.Open(t, place(fmt.Sprint("again", lost)))
			act, err := j.Import(t.Context(), &backup, nil, nil, "admin", func(int64, int64) {})
			if err != nil {
				t.Fatal(err)
			}
			c.journal, c.db = j, d
			c.serve(j)
			c.boxes[0] = &box{id: c.boxes[0].id, key: c.boxes[0].key, prev: rating.Genesis(c.boxes[0].id, 7)} // sends all again
			c.boxes = c.boxes[:1]
			c.grow(40)
			x.refused(t, replica.ErrOtherOrigin)
			x.AcceptOrigin = act.Origin
			if lost {
				x.refused(t, replica.ErrChanged)
				continue
			}
			x.all(t, 10)
			x.equal(t, c)
		}
	})
}

func TestStrangersCopyNothing(t *testing.T) {
	c := newCity(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	c.grow(1)
	x := c.copyTo("sqlite:"+filepath.Join(t.TempDir(), "journal.db"), t.TempDir())
	for _, said := range []string{"", "another", token + "x"} {
		x.Token = said
		if _, _, err := x.Step(t.Context()); err == nil || !strings.Contains(err.Error(), "seal.tokens_file") {
			t.Errorf("%q: %v", said, err)
		}
	}
	for _, path := range []string{"/rows", "/rows?after=5&to=5", "/rows?after=-1&to=5", "/rows?after=1&to=x", "/head?after=x"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		c.through.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// A page that was damaged on the disk here says nothing about the city: it is fetched anew.
func TestADamagedPageIsFetchedAnew(t *testing.T) {
	c, folder := newCity(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db")), t.TempDir()
	c.grow(400) // two pages
	x := c.copyTo("sqlite:"+filepath.Join(t.TempDir(), "journal.db"), folder)
	c.mu.Lock()
	whole, asked := c.through, 0
	c.through = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/rows") {
			if asked++; asked == 2 {
				http.Error(w, "the line is down", http.StatusServiceUnavailable)
				return
			}
		}
		whole.ServeHTTP(w, r)
	})
	c.mu.Unlock()
	if _, _, err := x.Step(t.Context()); err == nil {
		t.Fatal("the second page came")
	}
	kept, err := filepath.Glob(filepath.Join(folder, "pages", "0-*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept are %q, %v", kept, err)
	}
	b, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(kept[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := x.Step(t.Context()); !errors.Is(err, journal.ErrBackup) || errors.Is(err, replica.ErrChanged) {
		t.Fatalf("a damaged page: %v", err)
	}
	x.all(t, 10)
	x.equal(t, c)
}
