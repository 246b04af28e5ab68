package journal_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

// sameRows compares what two ways of reading say of the rows after each position.
func sameRows(t *testing.T, j *journal.Journal, last int64) {
	t.Helper()
	for after := range last + 1 {
		for _, n := range []int{1, 3, 1000} {
			want, err := j.Read(t.Context(), after, n)
			if err != nil {
				t.Fatal(err)
			}
			got, err := j.Follow(t.Context(), after, n)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) > len(want) || len(got) == 0 && len(want) > 0 {
				t.Fatalf("%d rows after row %d instead of %d", len(got), after, len(want))
			}
			want = want[:len(got)] // more may come
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(journal.Entry{}), cmpopts.IgnoreFields(journal.Entry{}, "Hashes")); diff != "" {
				t.Fatalf("%d rows after row %d (-read +followed):\n%s", n, after, diff)
			}
			for k, e := range got {
				if got, want := e.Header().Leaf(), want[k].Header().Leaf(); got != want {
					t.Fatalf("the leaf of row %d is %s, read it is %s", e.Pos, got, want)
				}
				for i := range e.Parts {
					if e.Kind != journal.Batch {
						break
					}
					one, why := want[k].Record(i)
					two, reason := e.Record(i)
					if diff := cmp.Diff(one, two); diff != "" || why != reason {
						t.Fatalf("record %d of row %d: %q, %q\n%s", i, e.Pos, why, reason, diff)
					}
				}
			}
		}
	}
}

// TestWhoFollowsReadsWhatIsThere lets boxes, phones and another instance write, and compares each time what comes from memory with what the
// database has.
func TestWhoFollowsReadsWhatIsThere(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, _, _ := journaltest.Open(t, url)
		a, b := newBox("lz-1"), newBox("lz-2")
		enrol(t, j, a)
		add(t, j, a.batch(t, 3))
		bad := b.batch(t, 2)
		bad.Parts[1] = []byte(`{"v":1,"kind":"nothing"}`)
		add(t, j, b.sign(bad.First, 0, bad.Parts))
		again := b.sign(bad.First, 0, bad.Parts)
		add(t, j, again) // brings nothing new
		answers := []rating.Evaluation{{Visit: 5, Subject: rating.StaffSubject, Level: 2, Channel: rating.Phone, Text: "太慢"}}
		if _, err := j.Rate(t.Context(), journal.Rating{Device: "lz-1", Name: "s1", Received: 5, Answers: answers}); err != nil {
			t.Fatal(err)
		}
		late := a.batch(t, 2)
		late.Until = &journal.Until{Epoch: a.epoch, Last: 4} // its box was replaced
		add(t, j, late)
		sameRows(t, j, 5)

		other, _, _ := journaltest.Open(t, url)
		add(t, other, b.batch(t, 1))
		add(t, j, a.batch(t, 1))
		sameRows(t, j, 7)
		sameRows(t, other, 7)
	})
}

// TestWhoFollowsIsNotToldOfRowsThatWereLost takes the last rows away under an instance that remembers them, as a server does that fails
// over to a standby which lacked them, and lets another instance enter others.
func TestWhoFollowsIsNotToldOfRowsThatWereLost(t *testing.T) {
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
		if got, err := one.Follow(t.Context(), 1, 10); err != nil || len(got) != 0 {
			t.Fatalf("a row that is gone is told: %+v, %v", got, err)
		}
		two, _, _ := journaltest.Open(t, url)
		add(t, two, newBox("lz-2").batch(t, 1))
		if got, err := one.Follow(t.Context(), 1, 10); err != nil || len(got) != 1 || got[0].Source != "lz-2" {
			t.Fatalf("in the place of the lost row: %+v, %v", got, err)
		}
	})
}

// TestWhoFollowsReadsWhatCameInTheMiddle has the database hold another row between two that are remembered.
func TestWhoFollowsReadsWhatCameInTheMiddle(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, d, _ := journaltest.Open(t, url)
		a := newBox("lz-1")
		for range 3 {
			add(t, j, a.batch(t, 1))
		}
		if err := d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.ExecContext(t.Context(), "UPDATE entry SET received = 77, leaf = $1 WHERE pos = 2", make([]byte, 32))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got, err := j.Follow(t.Context(), 0, 10); err != nil || len(got) != 3 || got[1].Received != 77 {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
}

// TestFewRowsAreRemembered enters more than is kept for who follows.
func TestFewRowsAreRemembered(t *testing.T) {
	j, _, _ := journaltest.Open(t, "sqlite:"+t.TempDir()+"/journal.db")
	for n := range 40 {
		b := newBox(fmt.Sprintf("lz-%d", n))
		records := make([][]byte, 0, 200)
		for range 200 {
			raw := b.record(t)
			records = append(records, append(make([]byte, 1000), raw...)) // damaged, and large
		}
		add(t, j, b.sign(1, 0, records))
	}
	if rows, bytes := j.Recent(); rows == 0 || rows > 30 || bytes > 4<<20+300<<10 {
		t.Errorf("%d rows of %d bytes are kept", rows, bytes)
	}
	for _, after := range []int64{0, 20, 39} {
		if all, err := j.Follow(t.Context(), after, 5); err != nil || len(all) != int(min(5, 40-after)) || all[0].Pos != after+1 {
			t.Errorf("%d rows after row %d, %v", len(all), after, err)
		}
	}
}
