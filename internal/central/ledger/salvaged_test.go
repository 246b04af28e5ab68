package ledger

import (
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// otherChain is the log that follows on a damaged one.
type otherChain struct {
	chain
	epoch rating.Epoch
}

func (c *otherChain) append(t fatal, b rating.Body) {
	r := rating.Record{V: 1, Device: device, Epoch: c.epoch, Seq: uint64(len(c.records)) + 1, Prev: c.head, Body: b}
	raw, err := r.Encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	c.records, c.head = append(c.records, raw), rating.HashOf(raw)
}

func (c *otherChain) all() wire.Batch {
	return wire.Batch{Device: device, Epoch: c.epoch, First: 1, Records: c.records}
}

// TestSalvaged sends some records of a file before it is damaged and some after, some of them twice and in any order. The
// books hold each once; what neither way brought is a gap, and a late arrival closes it.
func TestSalvaged(t *testing.T) {
	l := openBooks(t)
	ctx := context.Background()
	n := rating.VisitID(0)
	rapid.Check(t, func(t *rapid.T) {
		n += 100
		name := rating.Epoch(n)
		old := &otherChain{chain{head: rating.Genesis(device, name)}, name}
		for i := range rapid.IntRange(1, 12).Draw(t, "records") {
			old.append(t, press(int64(i), n+rating.VisitID(i), rating.Level(1+i%5), 0))
		}
		count := len(old.records)
		sent := rapid.IntRange(0, count).Draw(t, "sent")
		next := &otherChain{chain{head: rating.Genesis(device, name+1)}, name + 1}
		next.append(t, rating.EventBody(at(1), rating.EventDamage, "file", "log.db.damaged-1", "reason", "a test", "epoch", name.String()))
		present := make([]bool, count)
		for i := range sent {
			present[i] = true
		}
		for _, i := range rapid.SliceOf(rapid.IntRange(0, count-1)).Draw(t, "salvaged") {
			present[i] = true
			next.append(t, rating.SalvagedBody(at(2), old.records[i]))
		}
		next.append(t, rating.EventBody(at(3), rating.EventSalvage, "epoch", name.String(), "first", "1", "last", itoa(count)))
		batches := []wire.Batch{next.all()}
		if sent > 0 {
			b := old.all()
			b.Records = b.Records[:sent]
			batches = append(batches, b)
		}
		if rapid.Bool().Draw(t, "old first") {
			slices.Reverse(batches)
		}
		for _, b := range append(batches, batches[0]) {
			res, err := l.AddBatch(ctx, b, nil, noon)
			if err != nil || len(res.Quarantined) > 0 || res.Through < b.Last() {
				t.Fatalf("%+v, %v", res, err)
			}
		}
		if got := l.evaluations(t, n, count); got != counted(present) {
			t.Fatalf("the books count %d evaluations, want %d", got, counted(present))
		}
		if got := l.standing(t, name); got != count-counted(present) {
			t.Fatalf("%d records are missed, want %d", got, count-counted(present))
		}
		if _, err := l.AddBatch(ctx, old.all(), nil, noon); err != nil {
			t.Fatal(err)
		}
		if got := l.standing(t, name); got != 0 || l.evaluations(t, n, count) != count {
			t.Fatalf("%d records are missed and %d evaluations count after all have come", got, l.evaluations(t, n, count))
		}
		if _, err := l.VerifyChain(ctx, device, name); err != nil {
			t.Fatal(err)
		}
	})
}

func itoa(n int) string { return string(rune('0'+n/10)) + string(rune('0'+n%10)) }

func counted(present []bool) (n int) {
	for _, p := range present {
		if p {
			n++
		}
	}
	return n
}

// evaluations returns how many evaluations of the visits from first on count.
func (l *Ledger) evaluations(t fatal, first rating.VisitID, visits int) (n int) {
	entries, err := l.Latest(context.Background(), 1_000_000)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, e := range entries {
		if e.Visit >= first && e.Visit < first+rating.VisitID(visits) && e.Status == Counted {
			n++
		}
	}
	return n
}

// standing returns how many records of an epoch the findings miss.
func (l *Ledger) standing(t fatal, epoch rating.Epoch) (n int) {
	findings, err := l.Findings(context.Background())
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, f := range findings {
		if f.Kind == Gap && f.Epoch == epoch && f.ResolvedAt.IsZero() {
			n += int(f.To - f.From + 1)
		}
	}
	return n
}

func TestSalvagedOfOthersIsQuarantined(t *testing.T) {
	strange := rating.Record{V: 1, Device: "box-2", Epoch: 3, Seq: 1, Prev: rating.Genesis("box-2", 3), Body: press(1, 5, 1, 0)}
	raw, err := strange.Encode()
	if err != nil {
		t.Fatal(err)
	}
	own := newChain() // of the very epoch that it is sent in
	own.append(t, press(1, 5, 5, 0))
	for _, inner := range [][]byte{raw, own.records[0]} {
		l := openBooks(t)
		c := newChain()
		c.append(t, rating.SalvagedBody(at(1), inner))
		res, err := l.AddBatch(context.Background(), c.batch(1, 1, 0), nil, noon)
		if err != nil || res.Through != 1 || len(res.Quarantined) != 1 {
			t.Errorf("%+v, %v: want it in quarantine and acknowledged", res, err)
		}
		if n := l.evaluations(t, 5, 1); n != 0 {
			t.Errorf("%d evaluations count that no batch of their own has brought", n)
		}
	}
}
