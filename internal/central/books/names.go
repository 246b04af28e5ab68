package books

import (
	"context"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// Names is what rows of the journal say something about, each once: who follows the books looks at these when the rows are in them.
type Names struct {
	Services    []ServiceKey
	Cases       []rating.CaseKey
	Evaluations []int64 // that a review has judged, or whose text was erased
}

// Item notes what an item is about: its case, else the service of the person.
func (n *Names) Item(i rating.Item) {
	if i.Case != (rating.CaseKey{}) {
		n.Cases = append(n.Cases, i.Case)
		return
	}
	n.Services = append(n.Services, ServiceKey{Device: i.Device, Visit: i.Visit})
}

// someParts is about how many parts of rows are looked at together.
const someParts = 2000

// Named returns what the first of some rows name, and how many these are: one at least, and as many as have someParts together. What the
// named evaluations contend for is among it.
func (b *Books) Named(ctx context.Context, entries []journal.Entry) (n Names, rows int, err error) {
	for parts := 0; rows < len(entries) && (rows == 0 || parts < someParts); rows++ {
		parts += len(entries[rows].Parts)
	}
	if n, err = NamesOf(entries[:rows]); err != nil {
		return n, rows, err
	}
	for _, id := range n.Evaluations {
		d, found, err := b.Counted(ctx, id)
		if err != nil {
			return n, rows, err
		}
		if !found {
			continue
		}
		for _, c := range d.Contests {
			n.Item(c.Item)
		}
	}
	return n, rows, nil
}

// NamesOf returns what rows name. What counts otherwise because of them is in the feed of decisions besides.
func NamesOf(entries []journal.Entry) (Names, error) {
	all, err := decode(entries)
	if err != nil {
		return Names{}, err
	}
	n := namer{services: make(map[ServiceKey]bool), cases: make(map[rating.CaseKey]bool)}
	for _, d := range all {
		n.entry(d)
	}
	return n.Names, nil
}

type namer struct {
	Names
	services map[ServiceKey]bool
	cases    map[rating.CaseKey]bool
}

func (n *namer) service(d rating.DeviceID, id rating.VisitID) {
	if k := (ServiceKey{d, id}); !n.services[k] {
		n.services[k] = true
		n.Services = append(n.Services, k)
	}
}

func (n *namer) cased(k rating.CaseKey) {
	if !n.cases[k] && k != (rating.CaseKey{}) {
		n.cases[k] = true
		n.Cases = append(n.Cases, k)
	}
}

func (n *namer) entry(d decoded) {
	box := rating.DeviceID(d.Source)
	switch d.Kind {
	case journal.Batch:
		for i := range d.records {
			n.record(box, &d.records[i])
		}
	case journal.Phone:
		for i, a := range d.answers {
			if d.failed[i] == "" {
				n.service(box, a.Evaluation.Visit)
			}
		}
	case journal.Cases:
		for _, t := range d.told {
			n.cased(t.Fact.Key())
		}
	case journal.Answered:
		for _, a := range d.channelled {
			n.cased(a.Case)
			if a.Visit != nil {
				n.service(rating.DeviceID("@"+a.Channel), a.Visit.ID)
			}
		}
	case journal.Deadlines:
		for _, p := range d.deadlines {
			n.cased(p.Case)
		}
	case journal.Acted:
		if d.adoption != nil {
			n.Evaluations = append(n.Evaluations, d.adoption.Evaluation)
		}
	case journal.Erasure:
		if d.erased != nil {
			n.Evaluations = append(n.Evaluations, placeOf(d.erased.Pos, d.erased.Part))
		}
	}
}

func (n *namer) record(box rating.DeviceID, r *record) {
	if r.reason != "" {
		return
	}
	switch r.Kind {
	case rating.KindVisit:
		n.service(box, r.Visit.ID)
	case rating.KindEvaluation:
		n.service(box, r.Evaluation.Visit)
	case rating.KindReason:
		n.service(box, r.Reason.Visit)
	case rating.KindSalvaged:
		n.record(box, r.inner)
	}
}
