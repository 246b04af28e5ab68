package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

const (
	device = rating.DeviceID("box-1")
	epoch  = rating.Epoch(7)
)

var (
	noon   = time.UnixMilli(1_790_000_000_000)
	window = rating.Window{ID: "w1", Name: "1号窗口", Hall: "市民中心", Generation: 1}
)

func openBooks(t testing.TB) *Ledger {
	t.Helper()
	l, err := Open(context.Background(), filepath.Join(t.TempDir(), "books", "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// chain is a box's log in memory.
type chain struct {
	records [][]byte
	head    rating.Hash
}

func newChain() *chain { return &chain{head: rating.Genesis(device, epoch)} }

func (c *chain) append(t fatal, bodies ...rating.Body) {
	for _, b := range bodies {
		r := rating.Record{V: 1, Device: device, Epoch: epoch, Seq: uint64(len(c.records)) + 1, Prev: c.head, Body: b}
		raw, err := r.Encode()
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		c.records, c.head = append(c.records, raw), rating.HashOf(raw)
	}
}

// fatal is what of a test a helper needs.
type fatal interface{ Fatalf(string, ...any) }

// batch returns the records from first to last.
func (c *chain) batch(first, last int, released uint64) wire.Batch {
	return wire.Batch{Device: device, Epoch: epoch, First: uint64(first), Released: released, Records: c.records[first-1 : last]}
}

func at(ms int64) rating.Stamp {
	return rating.Stamp{Boot: 1, Mono: ms, Wall: noon.UnixMilli() + ms, Synced: true}
}

func press(ms int64, v rating.VisitID, l rating.Level, replaces uint64) rating.Body {
	return rating.EvaluationBody(at(ms), rating.Evaluation{Visit: v, Subject: rating.StaffSubject, Level: l, Channel: rating.Keypad, Replaces: replaces})
}

func visit(ms int64, id rating.VisitID) rating.Body {
	return rating.VisitBody(at(ms), rating.Visit{ID: id, Window: window, Grouping: rating.Single, Subjects: []rating.Subject{rating.StaffSubject},
		Opener: rating.OpenedByPC, WaitSec: 60, Staff: rating.Staff{ID: "0417"}})
}

func add(t *testing.T, l *Ledger, b wire.Batch) Result {
	t.Helper()
	r, err := l.AddBatch(t.Context(), b, nil, noon)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// statuses lists the evaluations as level and status, in the order of arrival.
func statuses(t *testing.T, l *Ledger) []string {
	t.Helper()
	entries, err := l.Since(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Level.Chinese()+" "+string(e.Status))
	}
	return all
}

func kinds(t *testing.T, l *Ledger) []string {
	t.Helper()
	findings, err := l.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range findings {
		all = append(all, string(f.Kind))
	}
	slices.Sort(all)
	return all
}

func TestBatchTwiceIsInTheBooksOnce(t *testing.T) {
	l, c := openBooks(t), newChain()
	c.append(t, visit(1, 5), press(2, 5, 4, 0), press(3, 5, 2, 2), rating.OutcomeBody(at(4), rating.Closing{Visit: 5, Outcome: rating.Rated}))
	if r := add(t, l, c.batch(1, 4, 0)); r.Through != 4 || r.Added != 4 {
		t.Errorf("first time: %+v", r)
	}
	if r := add(t, l, c.batch(1, 4, 0)); r.Through != 4 || r.Added != 0 || r.Duplicates != 4 {
		t.Errorf("second time: %+v", r)
	}
	if diff := cmp.Diff([]string{"满意 replaced", "不满意 counted"}, statuses(t, l)); diff != "" {
		t.Errorf("evaluations (-want +got):\n%s", diff)
	}
	v, err := l.Visit(t.Context(), device, 5)
	if err != nil || v.Visit == nil || v.Visit.Staff.ID != "0417" || v.Closed == nil || v.Counted[rating.Question{Subject: rating.StaffSubject}].Level != 2 {
		t.Errorf("visit %+v, %v", v, err)
	}
	if r, err := l.VerifyChain(t.Context(), device, epoch); err != nil || r.Records != 4 {
		t.Errorf("chain %+v, %v", r, err)
	}
}

func TestAHoleIsWaitedForUnlessTheBoxHasLetItGo(t *testing.T) {
	l, c := openBooks(t), newChain()
	for i := range int64(6) {
		c.append(t, press(i, rating.VisitID(i+1), 5, 0))
	}
	if r := add(t, l, c.batch(3, 4, 0)); r.Through != 0 {
		t.Errorf("with 1 and 2 on their way: through %d", r.Through)
	}
	if r := add(t, l, c.batch(1, 1, 0)); r.Through != 1 {
		t.Errorf("with 2 on its way: through %d", r.Through)
	}
	if got := kinds(t, l); len(got) != 0 {
		t.Errorf("findings %v before anything is lost", got)
	}
	if r := add(t, l, c.batch(5, 6, 4)); r.Through != 6 {
		t.Errorf("after the box has let 2 go: through %d", r.Through)
	}
	if diff := cmp.Diff([]string{"gap"}, kinds(t, l)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	f, err := l.Findings(t.Context())
	if err != nil || f[0].From != 2 || f[0].To != 2 {
		t.Errorf("finding %+v, %v", f, err)
	}
	add(t, l, c.batch(2, 2, 0))
	if f, err = l.Findings(t.Context()); err != nil || f[0].ResolvedAt.IsZero() {
		t.Errorf("the gap that was filled: %+v, %v", f, err)
	}
}

func TestForksAndBrokenChainsAreFound(t *testing.T) {
	l, c, other := openBooks(t), newChain(), newChain()
	c.append(t, press(1, 1, 5, 0), press(2, 2, 5, 0), press(3, 3, 5, 0))
	other.append(t, press(1, 1, 5, 0), press(2, 2, 1, 0), press(3, 3, 5, 0))
	add(t, l, c.batch(1, 2, 0))
	if r := add(t, l, other.batch(2, 3, 0)); r.Through != 3 {
		t.Errorf("through %d; a fork must not block the queue", r.Through)
	}
	if diff := cmp.Diff([]string{"broken_chain", "fork"}, kinds(t, l)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if _, err := l.VerifyChain(t.Context(), device, epoch); err == nil {
		t.Error("a broken chain verifies")
	}
	if got := statuses(t, l); len(got) != 3 || got[1] != "非常满意 counted" {
		t.Errorf("evaluations %v: what came first stays", got)
	}
}

func TestWhatCannotBeReadIsQuarantinedAndAcknowledged(t *testing.T) {
	l, c := openBooks(t), newChain()
	c.append(t, press(1, 1, 5, 0))
	c.records = append(c.records, []byte(`{"v":1,"device":"box-1","level":9}`))
	c.head = rating.HashOf(c.records[1])
	c.append(t, press(3, 3, 5, 0))
	r := add(t, l, c.batch(1, 3, 0))
	if r.Through != 3 || len(r.Quarantined) != 1 || r.Quarantined[0].Seq != 2 || r.Quarantined[0].Reason == "" {
		t.Errorf("result %+v", r)
	}
	if diff := cmp.Diff([]string{"quarantine"}, kinds(t, l)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if r, err := l.VerifyChain(t.Context(), device, epoch); err != nil || r.Records != 3 {
		t.Errorf("the chain through quarantine: %+v, %v", r, err)
	}
}

func phone(v rating.VisitID, l rating.Level, submission string, when time.Time) PhoneRating {
	return PhoneRating{Device: device, Visit: v, Submission: submission, At: when,
		Evaluations: []rating.Evaluation{{Visit: v, Subject: rating.StaffSubject, Level: l, Channel: rating.Phone}}}
}

func TestTheEarliestCountsWhateverComesFirst(t *testing.T) {
	l, c := openBooks(t), newChain()
	c.append(t, visit(0, 5), press(1000, 5, 2, 0), press(2500, 5, 1, 2))
	// The phone rates between the press and its correction, and reaches the centre first.
	r, err := l.AddPhone(t.Context(), phone(5, 5, "s1", noon.Add(2*time.Second)))
	if err != nil || len(r) != 1 || r[0].Status != Counted {
		t.Fatalf("phone: %+v, %v", r, err)
	}
	if again, err := l.AddPhone(t.Context(), phone(5, 5, "s1", noon.Add(9*time.Second))); err != nil || again[0].Status != Counted {
		t.Errorf("the same submission again: %+v, %v", again, err)
	}
	add(t, l, c.batch(1, 3, 0))
	if diff := cmp.Diff([]string{"非常满意 later", "不满意 replaced", "非常不满意 counted"}, statuses(t, l)); diff != "" {
		t.Errorf("evaluations (-want +got):\n%s", diff)
	}
}

func TestPhoneRefusesWhatDoesNotBelongThere(t *testing.T) {
	l := openBooks(t)
	for name, p := range map[string]PhoneRating{
		"nothing":     {Device: device, Visit: 5, Submission: "s"},
		"no name":     phone(5, 5, "", noon),
		"level":       phone(5, 6, "s", noon),
		"other visit": {Device: device, Visit: 6, Submission: "s", Evaluations: phone(5, 5, "s", noon).Evaluations},
	} {
		if _, err := l.AddPhone(t.Context(), p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if got := statuses(t, l); len(got) != 0 {
		t.Errorf("in the books: %v", got)
	}
}

func TestDevices(t *testing.T) {
	l := openBooks(t)
	key := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	if _, err := l.Device(t.Context(), device); !errors.Is(err, ErrNoDevice) {
		t.Errorf("before enrolling: %v", err)
	}
	d := Device{ID: device, Key: key, Window: window, EnrolledAt: noon}
	for range 2 {
		if err := l.PutDevice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	moved := d
	moved.Window.ID = "w2"
	if err := l.PutDevice(t.Context(), moved); !errors.Is(err, ErrGeneration) {
		t.Errorf("a move without a greater generation: %v", err)
	}
	moved.Window.Generation = 2
	if err := l.PutDevice(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	got, err := l.Device(t.Context(), device)
	if diff := cmp.Diff(moved, got); err != nil || diff != "" {
		t.Errorf("device (-want +got):\n%s, %v", diff, err)
	}
	if err := l.Note(t.Context(), []Note{{Device: device, Presence: &wire.Presence{V: 1, Online: true}, PresenceAt: noon}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Note(t.Context(), []Note{{Device: "stranger", Refused: 1, RefusedAt: noon, RefusedWhy: "the device is not enrolled"}}); err != nil {
		t.Fatal(err)
	}
	states, err := l.States(t.Context())
	if err != nil || len(states) != 2 || !states[0].Enrolled || !states[0].Presence.Online || states[1].Enrolled || states[1].Refused != 1 {
		t.Errorf("states %+v, %v", states, err)
	}
}

func TestBooksOfANewerVersionAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path); !errors.Is(err, ErrNewer) {
		t.Errorf("error %v, want ErrNewer", err)
	}
}

// TestAnyOrderMakesTheSameBooks sends a log in random batches, in random order, some twice, and compares the books with
// those of the log sent as it is.
func TestAnyOrderMakesTheSameBooks(t *testing.T) {
	straight := openBooks(t)
	rapid.Check(t, func(r *rapid.T) {
		l, err := Open(t.Context(), filepath.Join(t.TempDir(), "l.db"))
		if err != nil {
			r.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		for _, table := range []string{"record", "progress", "visit", "evaluation", "standing", "finding", "fork", "proof"} {
			if _, err := straight.db.Exec("DELETE FROM " + table); err != nil {
				r.Fatal(err)
			}
		}
		c := newChain()
		last := uint64(0) // seq of the last evaluation, which the next may correct
		for i := range rapid.IntRange(1, 25).Draw(r, "records") {
			id := rapid.Uint64Range(1, 3).Draw(r, "visit")
			replaces := uint64(0)
			if last != 0 && rapid.Bool().Draw(r, "corrects") {
				replaces = last
			}
			c.append(r, press(int64(rapid.IntRange(0, 5).Draw(r, "ms")), rating.VisitID(id), rating.Level(rapid.IntRange(1, 5).Draw(r, "level")), replaces))
			last = uint64(i) + 1
		}
		n := len(c.records)
		if _, err := straight.AddBatch(t.Context(), c.batch(1, n, 0), nil, noon); err != nil {
			r.Fatal(err)
		}
		var cuts []wire.Batch
		for first := 1; first <= n; {
			size := min(rapid.IntRange(1, 8).Draw(r, "size"), n-first+1)
			cuts = append(cuts, c.batch(first, first+size-1, 0))
			first += size
		}
		order := make([]int, len(cuts))
		for i := range order {
			order[i] = i
		}
		order = append(order, rapid.SliceOfN(rapid.IntRange(0, len(cuts)-1), 0, 10).Draw(r, "twice")...)
		through := uint64(0)
		seen := make(map[uint64]bool)
		for _, i := range rapid.Permutation(order).Draw(r, "order") {
			b := cuts[i]
			res, err := l.AddBatch(t.Context(), b, nil, noon)
			if err != nil {
				r.Fatal(err)
			}
			for i := range b.Records {
				seen[b.First+uint64(i)] = true
			}
			if res.Through < through {
				r.Fatalf("through went back from %d to %d", through, res.Through)
			}
			through = res.Through
			for seq := uint64(1); seq <= through; seq++ {
				if !seen[seq] {
					r.Fatalf("acknowledged through %d without %d", through, seq)
				}
			}
		}
		if through != uint64(n) {
			r.Fatalf("acknowledged through %d of %d", through, n)
		}
		if diff := cmp.Diff(bySeq(t, straight), bySeq(t, l)); diff != "" {
			r.Fatalf("books (-straight +shuffled):\n%s", diff)
		}
		if rep, err := l.VerifyChain(t.Context(), device, epoch); err != nil || rep.Records != uint64(n) {
			r.Fatalf("chain %+v, %v", rep, err)
		}
		if f, err := l.Findings(t.Context()); err != nil || len(f) != 0 {
			r.Fatalf("findings %+v, %v", f, err)
		}
	})
}

// bySeq lists the evaluations with their statuses by seq.
func bySeq(t *testing.T, l *Ledger) []string {
	t.Helper()
	entries, err := l.Since(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return int(a.Seq) - int(b.Seq) })
	var all []string
	for _, e := range entries {
		all = append(all, strings.Join([]string{e.Visit.String(), e.Level.String(), string(e.Status)}, " "))
	}
	return all
}
