package books

import (
	"maps"
	"slices"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// prefetch reads what some rows will need, in as few queries as go. What it does not foresee is read when it is needed.
func (s *state) prefetch(rows []decoded) error {
	w := wants{logs: make(map[logKey]bool), opened: make(map[visitKey]*rating.Visit), evaluated: make(map[visitKey]bool)}
	for _, d := range rows {
		w.entry(d)
	}
	if err := s.needDevices(w.devices); err != nil {
		return err
	}
	if err := s.needLogs(slices.Collect(maps.Keys(w.logs))); err != nil {
		return err
	}
	if err := s.needVisits(w.visits); err != nil {
		return err
	}
	return s.prefetchCases(&w)
}

// prefetchCases reads the claims that the evaluations of the wanted visits contend with.
func (s *state) prefetchCases(w *wants) error {
	var rated []*visit
	for k := range w.evaluated {
		if v := s.visits[k]; v != nil {
			rated = append(rated, v)
		}
	}
	for k := range w.opened {
		if v := s.visits[k]; v != nil && !w.evaluated[k] {
			rated = append(rated, v)
		}
	}
	if err := s.needEvaluationsOf(rated); err != nil {
		return err
	}
	projects := w.projects
	for _, v := range rated {
		for _, e := range v.evaluations {
			w.asks(visitKey{v.device.name, v.id}, e.question)
		}
	}
	for k, q := range w.asked {
		record := w.opened[k]
		if v := s.visits[k]; v != nil && v.text != "" {
			known, err := v.read()
			if err != nil {
				return err
			}
			for _, x := range q {
				projects = append(projects, keysOf(known.Claims(x))...)
			}
		}
		if record != nil {
			for _, x := range q {
				projects = append(projects, keysOf(s.placed(k, record).Claims(x))...)
			}
		}
	}
	for k, record := range w.opened {
		v := s.placed(k, record)
		for _, c := range v.Cases {
			projects = append(projects, v.Key(c).String())
		}
	}
	return s.needCases(unique(projects))
}

// placed returns a visit that comes with the area of its hall, as far as that is known.
func (s *state) placed(k visitKey, record *rating.Visit) rating.Visit {
	v := *record
	if d := s.devices[k.device]; d != nil && v.Window.Area == "" {
		if area, err := d.area(); err == nil { // else it is read when it is needed
			v.Window.Area = area
		}
	}
	return v
}

func keysOf(all []rating.CaseKey) (keys []string) {
	for _, k := range all {
		keys = append(keys, k.String())
	}
	return keys
}

// wants is what some rows name.
type wants struct {
	devices   []rating.DeviceID
	logs      map[logKey]bool
	visits    []rating.VisitID
	opened    map[visitKey]*rating.Visit
	evaluated map[visitKey]bool
	asked     map[visitKey][]rating.Question
	projects  []string
}

func (w *wants) entry(d decoded) {
	box := rating.DeviceID(d.Source)
	switch d.Kind {
	case journal.Batch:
		w.devices = append(w.devices, box)
		w.logs[logKey{box, d.Epoch}] = true
		for i := range d.records {
			w.record(box, &d.records[i])
		}
	case journal.Phone:
		w.devices = append(w.devices, box)
		for i, a := range d.answers {
			if d.failed[i] == "" {
				w.evaluation(box, a.Evaluation)
			}
		}
	case journal.Device:
		w.devices = append(w.devices, d.device.Device)
	case journal.Cases:
		for _, t := range d.told {
			w.projects = append(w.projects, t.Fact.Key().String())
		}
	case journal.Answered:
		for i, a := range d.channelled {
			by := rating.DeviceID("@" + a.Channel)
			w.devices = append(w.devices, by)
			if a.Visit != nil {
				w.visits = append(w.visits, a.Visit.ID)
				w.evaluated[visitKey{by, a.Visit.ID}] = true
				continue
			}
			w.visits = append(w.visits, rating.VisitID(placeOf(d.Pos, i))) // of its own
			w.projects = append(w.projects, a.Case.String())
		}
	case journal.Deadlines:
		for _, p := range d.deadlines {
			w.projects = append(w.projects, p.Case.String())
		}
	case journal.Reminded:
		for _, r := range d.reminders {
			w.projects = append(w.projects, r.Case.String())
		}
	}
}

func (w *wants) record(box rating.DeviceID, r *record) {
	if r.reason != "" {
		return
	}
	switch r.Kind {
	case rating.KindVisit:
		w.visits = append(w.visits, r.Visit.ID)
		w.opened[visitKey{box, r.Visit.ID}] = r.Visit
	case rating.KindOutcome:
		w.visits = append(w.visits, r.Outcome.Visit)
	case rating.KindEvaluation:
		w.evaluation(box, *r.Evaluation)
	case rating.KindSalvaged:
		w.logs[logKey{box, r.inner.Epoch}] = true
		w.record(box, r.inner)
	}
}

func (w *wants) evaluation(box rating.DeviceID, e rating.Evaluation) {
	k := visitKey{box, e.Visit}
	w.visits = append(w.visits, e.Visit)
	w.evaluated[k] = true
	w.asks(k, e.Question())
}

// asks notes that a question of a visit has an answer.
func (w *wants) asks(k visitKey, q rating.Question) {
	if q.Subject != rating.MatterSubject {
		return
	}
	if w.asked == nil {
		w.asked = make(map[visitKey][]rating.Question)
	}
	w.asked[k] = append(w.asked[k], q)
	if q.Case != "" {
		w.projects = append(w.projects, q.Case)
	}
}
