package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

// A box and its copy send different records under the same numbers. Neither is acknowledged what only the other has sent.
func TestACopyIsAcknowledgedOnlyWhatItHasSent(t *testing.T) {
	l, c, copied := openBooks(t), events(t, 10), newChain()
	copied.records, copied.head = append(copied.records, c.records[:4]...), headOf(c, 4)
	for i := range int64(3) {
		copied.append(t, press(100+i, 50, 1, 0))
	}
	addSigned(t, l, c.batch(1, 10, 0))
	if r := addSigned(t, l, copied.batch(3, 4, 2)); r.Ack != 4 || r.Through != 10 {
		t.Errorf("the copy sent 3 and 4, which the books have: %+v", r)
	}
	if r := addSigned(t, l, copied.batch(5, 7, 4)); r.Ack != 7 || r.Forks != 3 {
		t.Errorf("the copy sent its own 5 to 7: %+v", r)
	}
	f, err := l.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Finding{{Device: device, Epoch: epoch, From: 5, To: 7, Kind: Fork, Detail: "two different records have this number", FoundAt: noon}}
	if diff := cmp.Diff(want, Join(f)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func headOf(c *chain, seq int) rating.Hash {
	return rating.HashOf(c.records[seq-1])
}

// A fork whose predecessor is on its way is known as incomplete until that has come.
func TestAForkThatLacksItsPredecessor(t *testing.T) {
	l, c, copied := openBooks(t), events(t, 6), newChain()
	copied.records, copied.head = append(copied.records, c.records[:2]...), headOf(c, 2)
	for i := range int64(4) {
		copied.append(t, press(100+i, 50, 1, 0))
	}
	addSigned(t, l, c.batch(1, 6, 0))
	addSigned(t, l, copied.batch(5, 6, 2))
	gap := func() (open bool) {
		f, err := l.Findings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range f {
			if f.Kind == ForkGap && f.From == 4 {
				return f.ResolvedAt.IsZero()
			}
		}
		t.Fatalf("no finding of the missing record: %+v", f)
		return false
	}
	if !gap() {
		t.Error("the finding is resolved before the record is here")
	}
	addSigned(t, l, copied.batch(3, 4, 2))
	if gap() {
		t.Error("the finding stands though the record is here")
	}
}

func TestJoin(t *testing.T) {
	f := func(kind FindingKind, from, to uint64, minute int) Finding {
		return Finding{Device: device, Epoch: epoch, Kind: kind, From: from, To: to, FoundAt: noon.Add(time.Duration(minute) * time.Minute)}
	}
	resolved := f(Fork, 3, 3, 3)
	resolved.ResolvedAt = noon
	got := Join([]Finding{f(Fork, 6, 6, 9), f(Gap, 5, 5, 8), f(Fork, 5, 5, 7), f(Fork, 4, 4, 6), resolved, f(Fork, 1, 1, 1)})
	want := []Finding{f(Fork, 4, 6, 6), f(Gap, 5, 5, 8), resolved, f(Fork, 1, 1, 1)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
