package books

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"haochaping/internal/rating"
)

// What follows reads rows into the state, unless they are there. Each takes many keys, since a query of one costs as much.

var errLost = errors.New("a row of the books is missing that another one names; make them anew with centrald rebuild")

func (s *state) needDevices(names []rating.DeviceID) error {
	var want []string
	for _, n := range names {
		if s.devices[n] == nil && !s.absent[n] {
			s.absent[n] = true
			want = append(want, string(n))
		}
	}
	return s.addDevices(s.load.devices(s.ctx, unique(want)))
}

func (s *state) needDevicesByID(ids []int64) error {
	return s.addDevices(s.load.devicesByID(s.ctx, missing(ids, s.devicesByID)))
}

func (s *state) addDevices(found []*device, err error) error {
	if err != nil {
		return fmt.Errorf("read devices: %w", err)
	}
	for _, d := range found {
		if s.devices[d.name] == nil {
			s.devices[d.name], s.devicesByID[d.id] = d, d
		}
	}
	return nil
}

func (s *state) needLogs(keys []logKey) error {
	var epochs []int64
	for _, k := range keys {
		if s.logs[k] == nil && !s.absentLogs[k] {
			s.absentLogs[k] = true
			epochs = append(epochs, int64(k.epoch))
		}
	}
	return s.addLogs(s.load.logs(s.ctx, unique(epochs)))
}

func (s *state) needLogsByID(ids []int64) error {
	return s.addLogs(s.load.logsByID(s.ctx, missing(ids, s.logsByID)))
}

func (s *state) addLogs(found []loadedLog, err error) error {
	if err != nil {
		return fmt.Errorf("read logs: %w", err)
	}
	var ids []int64
	for _, f := range found {
		ids = append(ids, f.device)
	}
	if err := s.needDevicesByID(ids); err != nil {
		return err
	}
	for _, f := range found {
		l, d := f.log, s.devicesByID[f.device]
		if d == nil {
			return fmt.Errorf("device %d: %w", f.device, errLost)
		}
		if s.logsByID[l.id] != nil {
			continue
		}
		l.device = d
		l.runs.known, l.spans.known = everything(), everything()
		if f.tail != nil {
			l.runs.rows = []*run{f.tail}
			if l.others > 0 {
				l.runs.known = []interval{{f.tail.first, math.MaxUint64}}
			}
		}
		if f.span != nil {
			l.spans.rows, l.spans.known = []*span{f.span}, []interval{{f.span.key(), math.MaxUint64}}
		}
		s.logs[logKey{d.name, l.epoch}], s.logsByID[l.id] = l, l
	}
	return nil
}

func (s *state) needVisits(ids []rating.VisitID) error {
	var want []int64
	for _, id := range ids {
		if !s.visitsRead[id] {
			s.visitsRead[id] = true
			want = append(want, int64(id))
		}
	}
	return s.addVisits(s.load.visits(s.ctx, want))
}

func (s *state) needVisitsByN(n []int64) error {
	return s.addVisits(s.load.visitsByN(s.ctx, missing(n, s.visitsByN)))
}

func (s *state) addVisits(found []loadedVisit, err error) error {
	if err != nil {
		return fmt.Errorf("read visits: %w", err)
	}
	var ids []int64
	for _, f := range found {
		ids = append(ids, f.device)
	}
	if err := s.needDevicesByID(ids); err != nil {
		return err
	}
	for _, f := range found {
		v := f.visit
		if s.visitsByN[v.n] != nil {
			continue
		}
		if v.device = s.devicesByID[f.device]; v.device == nil {
			return fmt.Errorf("device %d: %w", f.device, errLost)
		}
		s.visits[visitKey{v.device.name, v.id}], s.visitsByN[v.n] = v, v
	}
	return nil
}

// needEvaluationsOf reads all evaluations of some visits.
func (s *state) needEvaluationsOf(visits []*visit) error {
	var want []int64
	var read []*visit
	for _, v := range visits {
		if !v.complete {
			want, read = append(want, v.n), append(read, v)
		}
	}
	if len(want) == 0 {
		return nil
	}
	found, err := s.load.evaluationsOf(s.ctx, unique(want))
	if err != nil {
		return fmt.Errorf("read the evaluations of visits: %w", err)
	}
	for _, v := range read {
		v.complete, v.evaluations = true, nil
	}
	if err := s.addEvaluations(found); err != nil {
		return err
	}
	for _, f := range found {
		e := s.evaluations[f.evaluation.id]
		e.visit.evaluations = append(e.visit.evaluations, e)
	}
	return nil
}

func (s *state) needEvaluations(ids []int64) error {
	want := missing(ids, s.evaluations)
	if len(want) == 0 {
		return nil
	}
	found, err := s.load.evaluations(s.ctx, want)
	if err != nil {
		return fmt.Errorf("read evaluations: %w", err)
	}
	if len(found) < len(want) {
		return fmt.Errorf("%d of %d evaluations: %w", len(found), len(want), errLost)
	}
	return s.addEvaluations(found)
}

func (s *state) addEvaluations(found []loadedEvaluation) error {
	var visits, logs []int64
	for _, f := range found {
		visits = append(visits, f.visit)
		if f.log > 0 {
			logs = append(logs, f.log)
		}
	}
	if err := errors.Join(s.needVisitsByN(visits), s.needLogsByID(logs)); err != nil {
		return err
	}
	for _, f := range found {
		e := f.evaluation
		if s.evaluations[e.id] != nil {
			continue
		}
		e.visit, e.log = s.visitsByN[f.visit], s.logsByID[f.log]
		if e.visit == nil || e.log == nil && f.log > 0 {
			return fmt.Errorf("evaluation %d: %w", e.id, errLost)
		}
		s.evaluations[e.id] = e
	}
	return nil
}

// needCases reads all claims to some cases, and the evaluations that make them.
func (s *state) needCases(projects []string) error {
	var want []int64
	for _, p := range projects {
		if s.cases[p] != nil {
			continue
		}
		c := &cased{project: p, item: itemHash(p)}
		s.cases[p] = c
		if !s.itemsRead[c.item] {
			s.itemsRead[c.item] = true
			want = append(want, c.item)
		}
	}
	if len(want) == 0 {
		return nil
	}
	slices.Sort(want) // as the index has them
	known, err := s.needFiles(want)
	if err != nil {
		return err
	}
	found, err := s.load.claims(s.ctx, slices.Sorted(maps.Keys(known)))
	if err != nil {
		return fmt.Errorf("read claims: %w", err)
	}
	var ids []int64
	for _, f := range found {
		ids = append(ids, f.evaluation)
	}
	if err := s.needEvaluations(ids); err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b loadedClaim) int { return cmp.Compare(a.evaluation, b.evaluation) })
	for _, f := range found {
		c := known[f.cased]
		f.claim.evaluation = s.evaluations[f.evaluation]
		c.claims = append(c.claims, f.claim)
	}
	return nil
}

// needFiles reads which cases the table has, and their files, and returns them by their numbers.
func (s *state) needFiles(items []int64) (map[int64]*cased, error) {
	files, err := s.load.files(s.ctx, items)
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	known := make(map[int64]*cased, len(files))
	for _, f := range files {
		c := s.cases[f.project]
		if c == nil { // another case with this hash
			c = &cased{project: f.project, item: f.item}
			s.cases[f.project] = c
		}
		c.n, c.file = f.n, f.file
		known[c.n] = c
	}
	return known, nil
}

// read returns a visit's record, nil while it has not come.
func (v *visit) read() (*rating.Visit, error) {
	if v.record == nil && v.text != "" {
		r, err := decodeVisit(v.text)
		if err != nil {
			return nil, fmt.Errorf("visit %s in the books: %w", v.id, err)
		}
		if r.Window.Area == "" {
			r.Window.Area = v.area
		}
		v.record = r
	}
	return v.record, nil
}

// missing returns the keys that are not in a map, each once.
func missing[T any](keys []int64, in map[int64]T) []int64 {
	var want []int64
	for _, k := range keys {
		if _, ok := in[k]; !ok {
			want = append(want, k)
		}
	}
	return unique(want)
}

// unique sorts values and keeps each once.
func unique[T interface{ ~int64 | ~string }](all []T) []T {
	slices.Sort(all)
	return slices.Compact(all)
}

// splitReasons is the inverse of joining with spaces, which no reason holds.
func splitReasons(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, " ")
}
