package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

// TestPositionsAreDenseAndInTheOrderOfCommit lets several instances append to one database while a reader follows, which must never see a
// row come before one that it has passed.
func TestPositionsAreDenseAndInTheOrderOfCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		const instances, boxes, batches = 3, 4, 40
		var journals []*journal.Journal
		for range instances {
			j, _, _ := open(t, url)
			journals = append(journals, j)
		}
		var working sync.WaitGroup
		for i, j := range journals {
			for n := range boxes {
				working.Go(func() {
					b := newBox(fmt.Sprintf("box-%d-%d", i, n))
					for range batches {
						if r := add(t, j, b.batch(t, 1)); r.Ack != b.seq {
							t.Errorf("%s: acknowledged %d, want %d", b.id, r.Ack, b.seq)
						}
					}
				})
			}
		}
		reader := journals[instances-1]
		grown, end := reader.Subscribe()
		defer end()
		for after := int64(0); after < instances*boxes*batches; {
			got, err := reader.Read(t.Context(), after, 50) // fails where a row is skipped
			if err != nil {
				t.Fatal(err)
			}
			if after += int64(len(got)); len(got) > 0 {
				continue
			}
			select {
			case <-grown:
			case <-time.After(30 * time.Second):
				t.Fatalf("nothing is heard after row %d", after)
			}
		}
		working.Wait()
	})
}

// TestTwoInstancesAreGivenTheSameBatch enters it once.
func TestTwoInstancesAreGivenTheSameBatch(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		one, _, _ := open(t, url)
		two, _, _ := open(t, url)
		b := newBox("lz-1")
		for range 30 {
			e := b.batch(t, 3)
			var both sync.WaitGroup
			entered := make(chan bool, 2)
			for _, j := range []*journal.Journal{one, two} {
				both.Go(func() {
					r := add(t, j, e)
					if r.Ack != b.seq {
						t.Errorf("acknowledged %d, want %d", r.Ack, b.seq)
					}
					entered <- r.Entered
				})
			}
			both.Wait()
			if first, second := <-entered, <-entered; first == second {
				t.Fatal("the batch was entered twice or not at all")
			}
		}
	})
}

func TestARowThatFailsLeavesItsGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, d, _ := open(t, url)
		broken := errors.New("this row cannot be entered")
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				var also func(context.Context, *db.Tx, int64) error
				if i == 7 {
					also = func(context.Context, *db.Tx, int64) error { return broken }
				}
				_, err := j.Append(t.Context(), newBox(fmt.Sprintf("box-%d", i)).batch(t, 1), also)
				if (i == 7) != errors.Is(err, broken) {
					t.Errorf("row %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if n, err := j.Head(t.Context()); err != nil || n != 19 {
			t.Fatalf("%d rows, %v", n, err)
		}
		_ = d
	})
}
