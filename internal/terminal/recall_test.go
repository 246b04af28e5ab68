package terminal

import (
	"slices"
	"testing"

	"haochaping/internal/rating"
)

// bodies is a log in memory that is read backwards.
type bodies []rating.Body

func (all bodies) Tail(yield func(seq uint64, raw []byte) bool) error {
	for i, b := range slices.Backward(all) {
		raw, err := rating.Record{V: rating.RecordVersion, Device: "lz-0417", Epoch: 7, Seq: uint64(i) + 1, Prev: rating.Genesis("lz-0417", 7),
			Body: b}.Encode()
		if err != nil {
			return err
		}
		if !yield(uint64(i)+1, raw) {
			return nil
		}
	}
	return nil
}

// TestRecallAVisitBehindManyRecords finds the visit that was open at a power cut though its PC has printed the code all the time,
// and does not read the whole log of a box where no PC opens visits.
func TestRecallAVisitBehindManyRecords(t *testing.T) {
	at := rating.Stamp{Boot: 1, Mono: 1, Wall: 1_790_000_000_000}
	visit := func(id rating.VisitID, by rating.Opener) rating.Body {
		return rating.VisitBody(at, rating.Visit{ID: id, Window: rating.Window{ID: "w1", Generation: 1}, Grouping: rating.Single,
			Subjects: []rating.Subject{rating.StaffSubject}, Opener: by, WaitSec: 60})
	}
	q := rating.Question{Subject: rating.StaffSubject}
	log := bodies{visit(1, rating.OpenedByPC), rating.EvaluationBody(at,
		rating.Evaluation{Visit: 1, Subject: q.Subject, Level: 4, Channel: rating.Keypad})}
	for range 6000 { // for ten minutes
		log = append(log, rating.EventBody(at, rating.EventPrinted, "visit", rating.VisitID(1).String()))
	}
	for i := range rating.VisitID(16) {
		log = append(log, visit(100+i, rating.OpenedByWalkUp),
			rating.OutcomeBody(at, rating.Closing{Visit: 100 + i, Outcome: rating.RatedByPhone}))
	}
	got, err := Started{}.Recall(log)
	if open, rated := got.Open, got.Rated; err != nil || open == nil || open.ID != 1 || !slices.Equal(rated, []rating.Question{q}) {
		t.Errorf("open %+v, rated %v, error %v", open, rated, err)
	}
	for i := range rating.VisitID(1000) {
		log = append(log, visit(1000+i, rating.OpenedByWalkUp), rating.OutcomeBody(at, rating.Closing{Visit: 1000 + i, Outcome: rating.Rated}))
	}
	read := 0
	counted := counting{log, &read}
	if got, err := (Started{}).Recall(counted); err != nil || got.Open != nil || read > answeredLimit {
		t.Errorf("open %+v, error %v, %d records read", got.Open, err, read)
	}
}

// counting counts what is read of a log.
type counting struct {
	log  Tail
	read *int
}

func (c counting) Tail(yield func(seq uint64, raw []byte) bool) error {
	return c.log.Tail(func(seq uint64, raw []byte) bool {
		*c.read++
		return yield(seq, raw)
	})
}

// TestARestartForgetsNoRating: a phone has rated a theme as a whole, whose matters the box would have asked about one by one. Before a
// restart and after it the box asks about one of them, whose own answer goes before the one for all; not about the whole again.
func TestARestartForgetsNoRating(t *testing.T) {
	window := rating.Window{ID: "A12", Name: "综合窗口", Hall: "大厅", Generation: 1}
	at := rating.Stamp{Boot: 1, Mono: 1000, Wall: 1_790_000_000_000, Synced: true}
	var log bodies
	step := func(m Model, e Event) (Model, error) {
		s := m.Step(e)
		for _, effect := range s.Effects {
			if r, ok := effect.(Refused); ok {
				return s.Model, r.Err
			}
		}
		if s.Write == nil {
			return s.Model, nil
		}
		first := uint64(len(log)) + 1
		log = append(log, s.Write.Bodies...)
		next, _ := s.Write.Done(at, first, nil)
		return next, nil
	}
	theme := rating.Visit{ID: 7, Grouping: rating.Theme, Separate: true, Subjects: []rating.Subject{rating.MatterSubject},
		Opener: rating.OpenedByPC, WaitSec: 60,
		Cases: []rating.Case{{ProjectNo: "p1", TaskCode: "t1", Completed: true}, {ProjectNo: "p2", TaskCode: "t2", Completed: true}}}
	whole, one := theme, theme
	whole.ID, whole.Separate = 8, false
	one.ID, one.Grouping, one.Separate, one.Cases = 9, rating.Single, false, theme.Cases[:1]

	started := Started{At: at, Version: "test", Window: &window}
	m, err := step(New(Timings{Wait: 60e9, Thanks: 3e9}, Reasons{}), started)
	for _, e := range []Event{
		OpenVisit{At: at, Visit: theme}, PhoneRated{At: at, Visit: 7, Subject: rating.MatterSubject},
		Tick{At: at.Add(3e9)},
	} {
		if err == nil {
			m, err = step(m, e)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if m.View().State != Idle {
		t.Fatalf("the window is %v", m.View().State)
	}
	if started, err = started.Recall(log); err != nil {
		t.Fatal(err)
	}
	again, err := step(New(Timings{Wait: 60e9, Thanks: 3e9}, Reasons{}), started)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]Model{"before": m, "after": again} {
		if _, err := step(m, OpenVisit{At: at.Add(9e9), Visit: whole}); err == nil {
			t.Errorf("%s: the whole is asked about again", name)
		}
		if _, err := step(m, OpenVisit{At: at.Add(9e9), Visit: one}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecallAPause(t *testing.T) {
	at := rating.Stamp{Boot: 1, Mono: 1, Wall: 1_790_000_000_000}
	event := func(name string) rating.Body { return rating.EventBody(at, name) }
	visit := func(by rating.Opener) rating.Body {
		return rating.VisitBody(at, rating.Visit{ID: 1, Window: rating.Window{ID: "w1", Generation: 1}, Grouping: rating.Single,
			Subjects: []rating.Subject{rating.StaffSubject}, Opener: by, WaitSec: 60})
	}
	for name, test := range map[string]struct {
		log  bodies
		want bool
	}{
		"a new box": {bodies{event(rating.EventStarted)}, false},
		"a pause": {bodies{visit(rating.OpenedByPC), event(rating.EventPaused), event(rating.EventSignedIn),
			event(rating.EventStopped)}, true},
		"a pause of two restarts": {bodies{event(rating.EventPaused), event(rating.EventStarted), event(rating.EventStarted)}, true},
		"a pause that is over":    {bodies{event(rating.EventPaused), event(rating.EventResumed), event(rating.EventStopped)}, false},
		"a phone during a pause":  {bodies{event(rating.EventPaused), visit(rating.OpenedByWalkUp)}, true},
		"an older box's restart":  {bodies{event(rating.EventPaused), event(rating.EventStarted), visit(rating.OpenedByPC)}, false},
	} {
		if got, err := (Started{}).Recall(test.log); err != nil || got.Paused != test.want {
			t.Errorf("%s: paused %t, error %v", name, got.Paused, err)
		}
	}
}
