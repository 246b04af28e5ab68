package books

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/central/journal"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

// drawTrouble makes what honest boxes do not send in one go: copied cards, holes, records that cannot be read, broken chains, salvaged
// files, starts in any order, visits that are opened twice, and all of it late.
func drawTrouble(t *rapid.T, run int) []journal.Entry {
	name := func(n int) rating.Epoch { return rating.Epoch(1_000_000 + run*10 + n) }
	stamp := func() rating.Stamp {
		return rating.Stamp{Boot: uint32(rapid.IntRange(1, 200).Draw(t, "boot")), Mono: rapid.Int64Range(0, 1e6).Draw(t, "mono"),
			Wall: noon().UnixMilli() + rapid.Int64Range(-1e6, 1e6).Draw(t, "wall"), Synced: rapid.IntRange(0, 2).Draw(t, "synced") == 0}
	}
	visitID := func() rating.VisitID { return rating.VisitID(run*10 + rapid.IntRange(1, 4).Draw(t, "visit")) }
	body := func() rating.Body {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			project := fmt.Sprintf("c%d-%d", run, rapid.IntRange(1, 2).Draw(t, "case"))
			return rating.VisitBody(stamp(), ofCases(visitID(), rating.Single, false, project))
		case 1:
			return rating.OutcomeBody(stamp(), rating.Closing{Visit: visitID(), Outcome: rating.TimedOut})
		case 2:
			return rating.EventBody(stamp(), rating.EventDamage, "file", "x", "reason", "y")
		}
		s := rapid.SampledFrom([]rating.Subject{rating.StaffSubject, rating.MatterSubject}).Draw(t, "subject")
		return rating.EvaluationBody(stamp(), rating.Evaluation{Visit: visitID(), Subject: s, Level: 3, Channel: rating.Keypad,
			Replaces: uint64(rapid.IntRange(0, 5).Draw(t, "replaces"))})
	}
	logs := []*chain{chainOf("bx-1", name(1)), chainOf("bx-2", name(2))}
	for _, c := range logs {
		for range rapid.IntRange(3, 12).Draw(t, "records") {
			c.append(t, body())
		}
	}
	copied := chainOf("bx-1", name(1))
	common := rapid.IntRange(1, len(logs[0].records)).Draw(t, "common")
	copied.records, copied.head = append(copied.records, logs[0].records[:common]...), rating.HashOf(logs[0].records[common-1])
	for range rapid.IntRange(1, 6).Draw(t, "own") {
		copied.append(t, body())
	}
	next := chainOf("bx-1", name(3))
	for range rapid.IntRange(0, 5).Draw(t, "salvaged") {
		next.append(t, rating.SalvagedBody(stamp(), rapid.SampledFrom(append(logs[0].records, copied.records...)).Draw(t, "record")))
	}
	next.append(t, rating.EventBody(stamp(), rating.EventSalvage, "epoch", name(1).String(), "first", "1", "last",
		strconv.Itoa(len(logs[0].records)+1)))
	logs = append(logs, copied, next)
	if i := rapid.IntRange(0, 2*len(logs[1].records)).Draw(t, "junk"); i < len(logs[1].records) {
		logs[1].records[i] = fmt.Appendf(nil, "{\"v\":%d}", i)
	}
	var all []journal.Entry
	for range rapid.IntRange(4, 16).Draw(t, "batches") {
		c := rapid.SampledFrom(logs).Draw(t, "log")
		first := rapid.IntRange(1, len(c.records)).Draw(t, "first")
		last := rapid.IntRange(first, len(c.records)).Draw(t, "last")
		e := c.batch(first, last, uint64(rapid.IntRange(0, first-1).Draw(t, "released")))
		e.Received = noon().UnixMilli() + rapid.Int64Range(1e6, 1e8).Draw(t, "received")
		all = append(all, e)
	}
	return all
}

// checkHowRowsShareTransactionsNeverShows makes books of trouble at once, a few rows at a time with restarts, and row by row: all tables
// are the same.
func checkHowRowsShareTransactionsNeverShows(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		other, run := w.beside(t, 100), 0
		play := func(t *rapid.T) {
			if run++; run > few && w.brief() {
				return
			}
			for _, e := range drawTrouble(t, run) {
				w.append(t, e)
			}
			w.follow(t)
			w.inChunks(t, other)
			if run%8 != 0 {
				return
			}
			if diff := cmp.Diff(w.dump(t, 1), w.dump(t, 100)); diff != "" {
				t.Fatalf("tables (-at once +in parts):\n%s", diff)
			}
		}
		missing := func() []FindingKind {
			all := []FindingKind{Gap, Fork, BrokenChain, Quarantine, Damage, Reopened, ForkGap, Displaced}
			for _, f := range w.findings(t) {
				all = slices.DeleteFunc(all, func(k FindingKind) bool { return k == f.Kind })
			}
			return all
		}
		for round := 0; round == 0 || round < 20 && len(missing()) > 0 && !t.Failed() && !w.brief(); round++ {
			simulation.Check(t, play)
		}
		if rare := missing(); len(rare) > 0 && !w.brief() {
			t.Errorf("no finding is ever %q; the test proves nothing of it", rare)
		}
		w.feedAgrees(t)
		if v, err := w.books.Verify(t.Context(), silent); err != nil || len(v.Differences) > 0 {
			t.Errorf("verify: %+v, %v", v, err)
		}
	})
}
