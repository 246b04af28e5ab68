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
	"haochaping/internal/central/journal/journaltest"
)

// TestPositionsAreDenseAndInTheOrderOfCommit lets several instances append to one database while a reader follows, which must never see a
// row come before one that it has passed.
func TestPositionsAreDenseAndInTheOrderOfCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		const instances, boxes, batches = 3, 4, 40
		var journals []*journal.Journal
		for range instances {
			j, _, _ := journaltest.Open(t, url)
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
		one, _, _ := journaltest.Open(t, url)
		two, _, _ := journaltest.Open(t, url)
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
		j, d, _ := journaltest.Open(t, url)
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

// TestAGroupKnowsItsOwnNames submits messages of three names again and again without waiting, so that most meet their like in their own
// group, among batches that overlap: each name has one row, and each box's log its state.
func TestAGroupKnowsItsOwnNames(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, _, _ := journaltest.Open(t, url)
		b := newBox("lz-1")
		var records [][]byte
		for range 100 {
			records = append(records, b.record(t))
		}
		var mu sync.Mutex
		var waiting sync.WaitGroup
		at, acked := make(map[string]int64), uint64(0)
		submit := func(e journal.Entry) {
			waiting.Add(1)
			err := j.Submit(t.Context(), e, func(r journal.Receipt, err error) {
				defer waiting.Done()
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				} else if e.Kind == journal.Batch {
					acked = max(acked, r.Ack)
				} else if first, ok := at[e.Name]; !ok {
					at[e.Name] = r.Pos
				} else if r.Pos != first || r.Entered {
					t.Errorf("message %s stands at %d and at %d", e.Name, first, r.Pos)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range 300 {
			submit(journal.Entry{Kind: journal.Phone, Source: string(b.id), Name: fmt.Sprint("s", i%3), Received: 1, Parts: [][]byte{[]byte("{}")}})
			first := uint64(i%99) + 1
			submit(b.sign(first, 0, records[first-1:first+1]))
		}
		waiting.Wait()
		if acked != 100 || len(at) != 3 {
			t.Errorf("acknowledged through %d, messages at %v", acked, at)
		}
		again, _, _ := journaltest.Open(t, url)
		if r := add(t, again, b.batch(t, 1)); r.Ack != 101 {
			t.Errorf("another instance acknowledges the next record through %d", r.Ack)
		}
	})
}
