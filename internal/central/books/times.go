package books

import (
	"context"
	"fmt"
	"slices"

	"haochaping/internal/rating"
)

// Times are not kept with evaluations: the clock's own word is, and whether it is believed, and what is known of the start of the box
// in which it was said. A start that becomes better known moves the times of its evaluations without a look at them, but for
// those whose time decides something, which are counted with the start.

func (s *state) readSpans(l *log) fetch[*span] {
	return func(ctx context.Context, from uint64, back bool, n int) ([]*span, error) {
		return s.load.spans(ctx, l.id, from, back, n)
	}
}

// stamp notes when a new record of a log was written, and reports whether its wall time is believed.
func (s *state) stamp(l *log, at rating.Stamp) (believed bool, err error) {
	sp, err := s.start(l, at.Boot)
	if err != nil {
		return false, err
	}
	origin, err := s.bound(l, at.Boot, sp)
	if err != nil {
		return false, err
	}
	believed = rating.Believable(at, s.received, rating.Floor(l.device.enrolled, s.received, origin, at))
	if sp == nil {
		sp = &span{row: fresh}
		sp.Boot = at.Boot
		l.spans.insert(sp)
		l.boot = max(l.boot, at.Boot)
		l.row.touch()
	}
	last := sp.LastMono
	moved := sp.Add(at, s.received, believed)
	if sp.LastMono != last {
		sp.row.touch()
		moved = moved || at.Boot < l.boot // how long a start lasted matters to others only
	}
	if moved || !sp.settled {
		sp.row.touch()
		if len(l.dirty) == 0 {
			s.unsettled = append(s.unsettled, l)
		}
		if !slices.Contains(l.dirty, at.Boot) {
			l.dirty = append(l.dirty, at.Boot)
		}
	}
	return believed, nil
}

// start returns a start of the box, nil if it is not known.
func (s *state) start(l *log, boot uint32) (*span, error) {
	if err := l.spans.ensure(s.ctx, uint64(boot), 0, 0, s.readSpans(l)); err != nil {
		return nil, fmt.Errorf("read starts: %w", err)
	}
	if i, found := l.spans.find(uint64(boot)); found {
		return l.spans.rows[i], nil
	}
	return nil, nil
}

// bound returns when a start was at the earliest. One that is not worked out yet, or not known, is bounded by those before it.
func (s *state) bound(l *log, boot uint32, sp *span) (o rating.Origin, err error) {
	if sp != nil && sp.settled {
		return sp.origin, nil
	}
	if err := l.spans.ensure(s.ctx, uint64(boot), rating.Horizon, 0, s.readSpans(l)); err != nil {
		return o, fmt.Errorf("read starts: %w", err)
	}
	i, _ := l.spans.find(uint64(boot))
	around := make([]rating.Span, 0, rating.Horizon+1)
	for _, p := range l.spans.rows[max(0, i-rating.Horizon):i] {
		around = append(around, p.Span)
	}
	own := rating.Span{}
	if sp != nil {
		own = sp.Span
	}
	around = append(around, own)
	return rating.OriginsOf(around, len(around)-1, len(around))[0], nil
}

// settle works out the starts anew of which more is known by this row of the journal, and has contested anew what depends on them.
func (s *state) settle() error {
	for _, l := range s.unsettled {
		slices.Sort(l.dirty)
		for len(l.dirty) > 0 {
			n := 1 // neighbours are worked out together
			for n < len(l.dirty) && l.dirty[n]-l.dirty[n-1] <= rating.Horizon {
				n++
			}
			if err := s.settleStarts(l, l.dirty[:n]); err != nil {
				return fmt.Errorf("work out the times of %s, epoch %s: %w", l.device.name, l.epoch, err)
			}
			l.dirty = l.dirty[n:]
		}
		l.dirty = nil
	}
	s.unsettled = nil
	return nil
}

// settleStarts works out what some starts reach that are near each other.
func (s *state) settleStarts(l *log, boots []uint32) error {
	const reach = rating.Horizon
	for _, boot := range boots {
		if err := l.spans.ensure(s.ctx, uint64(boot), 2*reach, 2*reach, s.readSpans(l)); err != nil {
			return fmt.Errorf("read starts: %w", err)
		}
	}
	i, _ := l.spans.find(uint64(boots[0]))
	j, _ := l.spans.find(uint64(boots[len(boots)-1]))
	first, last := max(0, i-reach), min(len(l.spans.rows), j+reach+1)
	from, to := max(0, first-reach), min(len(l.spans.rows), last+reach)
	around := make([]rating.Span, 0, to-from)
	for _, sp := range l.spans.rows[from:to] {
		around = append(around, sp.Span)
	}
	for k, o := range rating.OriginsOf(around, first-from, last-from) {
		sp := l.spans.rows[first+k]
		if _, itself := slices.BinarySearch(boots, sp.Boot); sp.settled && sp.origin == o && !itself {
			continue
		}
		sp.origin, sp.settled = o, true
		sp.row.touch()
		if sp.open > 0 {
			if err := s.recontest(l, sp.Boot); err != nil {
				return err
			}
		}
	}
	return nil
}

// mark reports whether the contenders come by several logs or by phone, so that their times decide, and counts those whose
// time is not set with their starts.
func (s *state) mark(all []contender) (apart bool, err error) {
	for _, c := range all[1:] {
		apart = apart || c.log == nil || c.log != all[0].log
	}
	if !apart && all[0].log != nil {
		return false, nil
	}
	return true, s.contested(all)
}

// contested counts evaluations whose time decides and is not set with their starts.
func (s *state) contested(all []contender) error {
	for _, c := range all {
		if c.contested || c.believed {
			continue
		}
		sp, err := s.start(c.log, c.at.Boot)
		if err != nil {
			return err
		}
		if sp.open >= maxContested {
			continue // what is known of its time by now decides
		}
		c.contested = true
		c.evaluation.row.touch()
		sp.open++
		sp.row.touch()
		s.touchedLogs[c.log] = true
	}
	return nil
}

// recontest has everything decided anew that depends on the times of a start.
func (s *state) recontest(l *log, boot uint32) error {
	ids, err := s.load.contested(s.ctx, l.id, boot)
	if err != nil {
		return fmt.Errorf("read what is contested: %w", err)
	}
	for id, e := range s.evaluations { // this chunk's
		if e.log == l && e.at.Boot == boot && e.contested {
			ids = append(ids, id)
		}
	}
	ids = unique(ids)
	if err := s.needEvaluations(ids); err != nil {
		return err
	}
	for _, id := range ids {
		e := s.evaluations[id]
		items, err := s.itemsOf(e)
		if err != nil {
			return err
		}
		for _, i := range items {
			s.touch(i)
		}
	}
	return nil
}

// fix returns what is known of when an evaluation was given.
func (s *state) fix(e *evaluation) (rating.Fix, error) {
	if e.believed {
		return fixOf(e, rating.Span{}, rating.Origin{}), nil
	}
	sp, err := s.start(e.log, e.at.Boot)
	if err != nil {
		return rating.Fix{}, err
	}
	if sp == nil {
		return rating.Fix{}, fmt.Errorf("start %d of %s: %w", e.at.Boot, e.log.device.name, errLost)
	}
	return fixOf(e, sp.Span, sp.origin), nil
}

func fixOf(e *evaluation, sp rating.Span, o rating.Origin) rating.Fix {
	if e.log == nil { // by phone, at the centre's time
		return rating.Fix{Quality: rating.TimeSet, Time: e.at.Wall, Earliest: e.at.Wall, Latest: e.at.Wall}
	}
	return sp.Fix(o, e.at, e.log.device.enrolled, e.received, e.believed)
}
