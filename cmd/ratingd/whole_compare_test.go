package main

import (
	"context"

	"haochaping/internal/proof/inspect"
	"haochaping/internal/rating"
)

// compare holds what was thanked for against the centre's books.
func (b *box) compare(path string) {
	ctx := context.Background()
	centre, err := inspect.Open(ctx, path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = centre.Close() }()
	entries, err := centre.Entries(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	counted := make(map[string]rating.Level)
	seqs := make(map[string]uint64)
	for _, e := range entries {
		if string(e.Device) != b.name {
			continue
		}
		id := e.Visit.String()
		if !b.pressed[id][e.Level] {
			b.t.Errorf("%s: the books hold %s for visit %s, which nobody pressed", b.name, e.Level, id)
		}
		if e.Status != rating.Counted {
			continue
		}
		if _, twice := counted[id]; twice {
			b.t.Errorf("%s: visit %s counts twice", b.name, id)
		}
		counted[id], seqs[id] = e.Level, e.Seq
	}
	last := uint64(0)
	for _, th := range b.thanked {
		level, ok := counted[th.visit]
		switch {
		case !ok:
			b.t.Errorf("%s: the books lack visit %s, which was thanked for", b.name, th.visit)
		case level != th.level && !b.killedWhileCorrecting(th.visit):
			b.t.Errorf("%s: visit %s is in the books as %s, thanked for was %s", b.name, th.visit, level, th.level)
		case seqs[th.visit] <= last:
			b.t.Errorf("%s: visit %s is out of order", b.name, th.visit)
		}
		last = seqs[th.visit]
	}
	b.t.Logf("%s: %d visits, %d thanked, %d in the books, %d SIGKILLs, %d cuts of the network",
		b.name, len(b.pressed), len(b.thanked), len(counted), b.kills, b.w.cuts)
	findings, err := centre.Findings(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range findings {
		if string(f.Device) == b.name && f.Resolved.IsZero() {
			b.t.Errorf("%s: finding %+v", b.name, f)
		}
	}
	b.verifyChain(centre)
}

// killedWhileCorrecting reports whether a second press may have been recorded though the screen did not get to say so.
func (b *box) killedWhileCorrecting(visit string) bool { return len(b.pressed[visit]) > 1 }

func (b *box) verifyChain(centre *inspect.Centre) {
	logs, err := centre.Logs(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	n := 0
	for _, l := range logs {
		if string(l.Device) != b.name {
			continue
		}
		n++
		if l.Err != nil || l.First != 1 || l.Records == 0 || l.Forks > 0 || l.Bad > 0 {
			b.t.Errorf("%s: the log is %+v", b.name, l)
		}
	}
	if n != 1 {
		b.t.Fatalf("%s: %d logs, want one", b.name, n)
	}
	if problems, err := centre.Verify(context.Background()); err != nil || len(problems) > 0 {
		b.t.Errorf("%s: the centre does not verify: %q, %v", b.name, problems, err)
	}
}
