package journal_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

// TestNobodyWaitsForAJournalThatHasEnded appends while the journal ends and afterwards: each is told what became of it, and what was said
// to be entered is there.
func TestNobodyWaitsForAJournalThatHasEnded(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "journal.db")
	j, _, stop := journaltest.Open(t, url)
	var appending sync.WaitGroup
	var mu sync.Mutex
	entered := int64(0)
	under := make(chan struct{}, 1)
	for i := range 8 {
		b := newBox(fmt.Sprintf("lz-%d", i))
		appending.Go(func() {
			for {
				r, err := j.Append(context.Background(), b.batch(t, 1), nil)
				if err != nil {
					if !errors.Is(err, journal.ErrUnavailable) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				entered = max(entered, r.Pos)
				mu.Unlock()
				select {
				case under <- struct{}{}:
				default:
				}
			}
		})
	}
	<-under
	stop()
	appending.Wait()
	if _, err := j.Append(context.Background(), newBox("lz-9").batch(t, 1), nil); !errors.Is(err, journal.ErrUnavailable) {
		t.Errorf("an append after the end: %v", err)
	}
	again, _, _ := journaltest.Open(t, url)
	if n, err := again.Head(context.Background()); err != nil || n != entered {
		t.Errorf("%d rows are there, %d were said to be: %v", n, entered, err)
	}
}

// TestADeviceWithManyLogsCostsNoMore brings logs of one device one after another, on instances that remember nothing: each finds its own
// state.
func TestADeviceWithManyLogsCostsNoMore(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		one, _, _ := journaltest.Open(t, url)
		two, _, _ := journaltest.Open(t, url)
		for i := range 40 {
			b := newBox("lz-1")
			b.epoch = rating.Epoch(i + 1)
			b.prev = rating.Genesis(b.id, b.epoch)
			for n, j := range []*journal.Journal{one, two} {
				if r := add(t, j, b.batch(t, 1)); r.Ack != uint64(n+1) || !r.Entered {
					t.Fatalf("log %d: %+v", i, r)
				}
			}
			if n := one.Remembered() + two.Remembered(); n > 2 {
				t.Fatalf("%d logs are remembered after log %d", n, i)
			}
		}
	})
}

// TestNoHeadIsSignedOfAnotherJournal gives the seal a database that lacks rows under a head that was kept, as an older copy or an older
// server does: it signs nothing, and goes on with the right one.
func TestNoHeadIsSignedOfAnotherJournal(t *testing.T) {
	j, _, _ := journaltest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	add(t, j, newBox("lz-1").batch(t, 1))
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	origin, err := j.Origin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := journal.Checkpoint{Origin: origin, Size: 2}
	ended, end := context.WithCancel(t.Context())
	end()
	seal := func() (signed int) {
		right := func(ctx context.Context) error { return j.CheckHead(ctx, kept) }
		if err := j.RunSeal(ended, key, "me", right, func(journal.Checkpoint) { signed++ }); err != nil {
			t.Fatal(err)
		}
		return signed
	}
	if n := seal(); n != 0 {
		t.Error("a head of fewer rows than were signed before was signed")
	}
	if c, err := j.LastCheckpoint(t.Context()); !errors.Is(err, journal.ErrNoEntry) {
		t.Errorf("a head was kept: %+v, %v", c, err)
	}
	kept.Size = 0
	if n := seal(); n != 1 {
		t.Errorf("of the right journal %d heads were signed", n)
	}
}

// TestNothingIsRememberedOfRowsThatWereLost takes the last row away under an instance that remembers it, as a server does that fails over
// to a standby which lacked it, and lets another instance enter another row: the first one must not acknowledge upon what is gone.
func TestNothingIsRememberedOfRowsThatWereLost(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		one, d, _ := journaltest.Open(t, url)
		a := newBox("lz-1")
		add(t, one, a.batch(t, 1))
		add(t, one, a.batch(t, 1))
		if err := d.Write(t.Context(), func(tx *db.Tx) error {
			for _, text := range []string{"DELETE FROM entry WHERE pos = 2", "UPDATE head SET size = 1", "UPDATE log SET through = 1"} {
				if _, err := tx.ExecContext(t.Context(), text); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		two, _, _ := journaltest.Open(t, url)
		add(t, two, newBox("lz-2").batch(t, 1))
		if r := add(t, one, a.batch(t, 1)); r.Ack > 1 {
			t.Errorf("record 2 was lost, and %d is acknowledged", r.Ack)
		}
	})
}

// TestForksOfOneNumberAreBounded sends record after record under one number: what is more than anybody looks through is neither entered nor
// acknowledged, and the box's later records are taken all the same.
func TestForksOfOneNumberAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, _, _ := journaltest.Open(t, url)
		b := newBox("lz-1")
		entered := 0
		for i := range 100 {
			fork := *b
			fork.prev = rating.HashOf([]byte{byte(i)})
			r := add(t, j, fork.batch(t, 1))
			if r.Entered == (r.Refused != "") || r.Entered != (r.Ack == 1) {
				t.Fatalf("fork %d: %+v", i, r)
			}
			if r.Entered {
				entered++
			}
		}
		if entered < 60 || entered > 70 {
			t.Errorf("%d forks were entered", entered)
		}
		b.seq = 1
		if r := add(t, j, b.sign(2, 1, [][]byte{b.record(t)})); !r.Entered || r.Ack != 2 {
			t.Errorf("the next record: %+v", r)
		}
	})
}

// crowd enters copies of a log's only row in the journal under the neighbouring numbers 1 to 400, as forks of theirs.
func crowd(t *testing.T, d *db.DB, copies int) {
	t.Helper()
	if err := d.Write(t.Context(), func(tx *db.Tx) error {
		const columns = "kind, source, received, log, released, signer, signature, through, leaf, packed, body"
		if _, err := tx.ExecContext(t.Context(), "INSERT INTO entry (pos, first, last, "+columns+") "+
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) "+
			"SELECT 1 + i, 1 + i % 400, 1 + i % 400, "+columns+" FROM n, entry WHERE pos = 1", copies); err != nil {
			return err
		}
		if _, err := tx.ExecContext(t.Context(), "UPDATE head SET size = $1", copies+1); err != nil {
			return err
		}
		_, err := tx.ExecContext(t.Context(), "UPDATE log SET through = 2000")
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestNeighboursOfANumberAreBounded asks for a number that nothing is under, beside numbers with a great many records: whoever looked would
// visit them all, since a batch may be long. It is refused, and numbers far from there are taken.
func TestNeighboursOfANumberAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, d, _ := journaltest.Open(t, url)
		b := newBox("lz-1")
		add(t, j, b.batch(t, 1))
		crowd(t, d, 3999)
		at := func(seq uint64) journal.Receipt {
			b.seq = seq - 1
			return add(t, j, b.batch(t, 1))
		}
		if r := at(480); !r.Entered || r.Refused != "" {
			t.Fatalf("beside 4000 rows: %+v", r)
		}
		if r := at(481); r.Entered || r.Refused == "" || r.Ack != 0 {
			t.Errorf("beside 4001 rows: %+v", r)
		}
		if r := at(1500); !r.Entered || r.Refused != "" {
			t.Errorf("far from them: %+v", r)
		}
	})
}

// TestACrowdedLogIsNotLookedThroughForEver looks a crowded log up again and again in one group: it is left alone for the rest of the group.
func TestACrowdedLogIsNotLookedThroughForEver(t *testing.T) {
	j, d, _ := journaltest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	b := newBox("lz-1")
	add(t, j, b.batch(t, 1))
	crowd(t, d, 4200)
	for crowded, want := range map[int]bool{0: false, 1: false, 3: false, 4: true, 5: true} {
		numbers := make([]uint64, crowded, crowded+1)
		for i := range numbers {
			numbers[i] = 400 + uint64(i)
		}
		all, err := j.LookUp(t.Context(), 1, append(numbers, 1500))
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range all[:crowded] {
			if !got {
				t.Errorf("number %d is not crowded", numbers[i])
			}
		}
		if got := all[crowded]; got != want {
			t.Errorf("a free number is refused after %d crowded ones: %t, want %t", crowded, got, want)
		}
	}
}
