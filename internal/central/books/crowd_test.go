package books

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// checkWhatIsDecidedTogetherIsBounded: a box answers about one case in more visits than are looked at, and more often about one visit. The
// history counts the same, another box's answer has its room, the rest is a finding that counts, and chunks never show.
func checkWhatIsDecidedTogetherIsBounded(t *testing.T, on engine) {
	const visits, answers = rating.MaxContenders + 40, rating.MaxVisitAnswers + 30
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		w.now = noon().Add(time.Hour)
		var h rating.History
		give := func(c *chain, b rating.Body) {
			seq := c.append(t, b)
			h.Give(rating.Given{Device: c.device, Epoch: c.epoch, Seq: seq, Time: b.At.Wall, Earliest: b.At.Wall, Evaluation: *b.Evaluation})
		}
		flood, honest := chainOf("ft-09", 9), chainOf("ft-02", 2)
		visit := func(c *chain, ms int64, id rating.VisitID, cases ...string) {
			v := ofCases(id, rating.Single, false, cases...)
			c.append(t, rating.VisitBody(at(ms), v))
			h.Open(c.device, v)
		}
		for i := range rating.VisitID(visits) {
			visit(flood, int64(i)*1000+500_000, i+1, "a")
			give(flood, keyed(int64(i)*1000+500_100, i+1, ""))
		}
		for i := range answers {
			give(flood, press(900_000+int64(i), visits+1, rating.Level(i%5+1), uint64(len(flood.records))))
		}
		visit(honest, 1000, 1, "a")
		give(honest, keyed(2000, 1, ""))
		for first := 1; first <= len(flood.records); first += 300 {
			w.append(t, flood.batch(first, min(first+299, len(flood.records)), 0))
		}
		w.append(t, honest.all())
		w.follow(t)
		other := w.beside(t, 100)
		w.oneByOne(t, other)
		want, got := make(map[string]rating.Standing), make(map[string]rating.Standing)
		for _, d := range h.Decide() {
			want[fmt.Sprint(d.Given.Device, d.Given.Seq)] = d.Standing
		}
		counts := make(map[rating.Standing]int)
		for _, e := range w.since(t) {
			got[fmt.Sprint(e.Device, e.Seq)] = e.Status
			counts[e.Status]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what counts (-history +books):\n%s", diff)
		}
		if got["ft-022"] != rating.Counted || counts[rating.Crowded] != answers-rating.MaxVisitAnswers {
			t.Errorf("the other box's answer is %s; standings %v", got["ft-022"], counts)
		}
		if n, err := db1(w, "SELECT count(*) FROM {claim}"); err != nil || n != rating.MaxContenders+1 {
			t.Errorf("%d answers contend for the case, %v", n, err)
		}
		crowded := int64(0)
		for _, f := range w.findings(t) {
			if f.Kind == Crowd {
				crowded += f.Count
			}
		}
		if want := int64(visits - rating.MaxContenders + answers - rating.MaxVisitAnswers); crowded != want {
			t.Errorf("findings tell of %d answers, want %d: %+v", crowded, want, w.findings(t))
		}
		if diff := cmp.Diff(w.dump(t, 1), w.dump(t, 100)); diff != "" {
			t.Errorf("tables (-at once +in parts):\n%s", diff)
		}
	})
}

// oneByOne makes the books of the journal's rows each in a chunk of its own, by a projector that remembers nothing.
func (w *world) oneByOne(t *testing.T, g *generationOf) {
	t.Helper()
	for {
		entries, err := w.journal.Read(t.Context(), g.p.pos, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			return
		}
		rows, err := decode(entries)
		if err != nil {
			t.Fatal(err)
		}
		g.start(t)
		if err := g.p.write(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
}

// checkABatchHasAnEnd: a business system names more cases of one batch than stand for each other.
func checkABatchHasAnEnd(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		var h rating.History
		var facts []journal.Fact
		for i := range rating.MaxTogether + 2 {
			f := rating.CaseFact{Area: cityA, ProjectNo: fmt.Sprint("p", i), TaskCode: "t", Batch: "B", CompletedAt: noon().UnixMilli(),
				AsOf: noon().UnixMilli()}
			facts = append(facts, journal.Fact{Fact: f})
			h.Tell(f, 0)
		}
		for some := range slices.Chunk(facts, 400) {
			if _, err := w.journal.Tell(t.Context(), "system", some[0].Fact.ProjectNo, some); err != nil {
				t.Fatal(err)
			}
		}
		c := newChain()
		v := ofCases(1, rating.Single, false, "p0")
		v.Cases[0].Area = cityA
		c.append(t, rating.VisitBody(at(0), v))
		c.append(t, keyed(1000, 1, ""))
		w.enter(t, c.all())
		h.Open(box, v)
		h.Give(rating.Given{Device: box, Epoch: epoch, Seq: 2,
			Evaluation: rating.Evaluation{Visit: 1, Subject: rating.MatterSubject, Level: 3, Channel: rating.Keypad}})
		n, err := db1(w, "SELECT count(*) FROM {claim} WHERE standing = 1")
		if d := h.Decide(); err != nil || int(n) != rating.MaxTogether || len(d[0].Items) != rating.MaxTogether {
			t.Errorf("the answer counts for %d cases, by the history for %d, want %d; %v", n, len(d[0].Items), rating.MaxTogether, err)
		}
		found := w.findings(t)
		if len(found) != 2 || found[0].Kind != Crowd {
			t.Errorf("findings %+v", found)
		}
	})
}
