package windowapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

// memoryLog is a log that is read backwards.
type memoryLog struct {
	epoch  rating.Epoch
	bodies []rating.Body
}

func (l *memoryLog) Tail(yield func(seq uint64, raw []byte) bool) error {
	for i := len(l.bodies) - 1; i >= 0; i-- {
		raw, err := rating.Record{V: rating.RecordVersion, Device: "lz-0417", Epoch: l.epoch, Seq: uint64(i) + 1,
			Prev: rating.Genesis("lz-0417", l.epoch), Body: l.bodies[i]}.Encode()
		if err != nil {
			return err
		}
		if !yield(uint64(i)+1, raw) {
			return nil
		}
	}
	return nil
}

// append records bodies in the log and then in the journal, as the daemon does.
func (l *memoryLog) append(j *Journal, bodies ...rating.Body) {
	first := uint64(len(l.bodies)) + 1
	l.bodies = append(l.bodies, bodies...)
	if j != nil {
		j.Record(l.epoch, first, bodies)
	}
}

func stampOf(i int) rating.Stamp {
	return rating.Stamp{Boot: 1, Mono: int64(i) * 1000, Wall: 1_790_000_000_000 + int64(i)*1000, Synced: true}
}

func visitOf(i int) rating.Visit {
	return rating.Visit{
		ID: rating.VisitID(i), Window: rating.Window{ID: "A12", Name: "综合窗口", Hall: "大厅", Generation: 1}, Grouping: rating.Single,
		Subjects: []rating.Subject{rating.StaffSubject}, Opener: rating.OpenedByPC, WaitSec: 60,
		Request: &rating.Request{Key: digest(fmt.Sprint("key ", i)), Digest: digest("{}")},
	}
}

// visitBodies is a whole visit: opened, answered, corrected where i is even, ended.
func visitBodies(i int) []rating.Body {
	all := []rating.Body{rating.VisitBody(stampOf(i), visitOf(i))}
	e := rating.Evaluation{Visit: rating.VisitID(i), Subject: rating.StaffSubject, Level: 5, Channel: rating.Keypad}
	all = append(all, rating.EvaluationBody(stampOf(i), e))
	if i%2 == 0 {
		all = append(all, rating.EvaluationBody(stampOf(i), e))
	}
	return append(all, rating.OutcomeBody(stampOf(i), rating.Closing{Visit: rating.VisitID(i), Outcome: rating.Rated,
		Rated: []rating.Subject{rating.StaffSubject}}))
}

// TestJournalIsTheSameAfterARestart compares the journal of a daemon that ran all the time to that of one that has read the log.
func TestJournalIsTheSameAfterARestart(t *testing.T) {
	log := &memoryLog{epoch: 7}
	lived := NewJournal([]byte("k"))
	for i := 1; i <= keptVisits+50; i++ {
		log.append(lived, visitBodies(i)...)
	}
	read := NewJournal([]byte("k"))
	if err := read.Load(log); err != nil {
		t.Fatal(err)
	}
	a, _, _, _ := lived.next(0)
	b, _, _, _ := read.next(0)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("events (-lived +read):\n%s", diff)
	}
	for _, i := range []int{1, 50, 51, 52, keptVisits + 50} {
		one, ok1 := lived.request(digest(fmt.Sprint("key ", i)))
		two, ok2 := read.request(digest(fmt.Sprint("key ", i)))
		if one != two || ok1 != ok2 || ok1 != (i > 50) {
			t.Errorf("the request of visit %d: %v %v, after a restart %v %v", i, one, ok1, two, ok2)
		}
	}
}

// TestLoadWhileRecording loads a log to which others append meanwhile.
func TestLoadWhileRecording(t *testing.T) {
	log := &memoryLog{epoch: 7}
	log.append(nil, visitBodies(1)...)
	j := NewJournal(nil)
	log.append(j, visitBodies(2)...) // recorded and to be read as well
	before := &memoryLog{epoch: 7, bodies: slices.Clone(log.bodies)}
	log.append(j, visitBodies(3)...) // recorded after the reading
	if err := j.Load(before); err != nil {
		t.Fatal(err)
	}
	events, _, _, _ := j.next(0)
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprint(e.Type, " ", int(e.Visit)))
	}
	want := []string{"visit.opened 1", "visit.ended 1", "visit.opened 2", "visit.ended 2", "visit.opened 3", "visit.ended 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i := 1; i <= 3; i++ {
		if s, ok := j.Status(t.Context(), rating.VisitID(i)); !ok || s.Open || s.Outcome != rating.Rated {
			t.Errorf("visit %d: %+v %v", i, s, ok)
		}
	}
}

// TestVisitsThatTheLogCannotTakeYet: a disk that fails takes neither visits nor their ends, which the terminal tells of all the same. The
// log has them later, also where it is loaded between the two, and then events tell of each once.
func TestVisitsThatTheLogCannotTakeYet(t *testing.T) {
	for name, loaded := range map[string]bool{"loaded meanwhile": true, "loaded before": false} {
		t.Run(name, func(t *testing.T) {
			log := &memoryLog{epoch: 7}
			log.append(nil, visitBodies(1)...)
			j := NewJournal(nil)
			load := func() {
				if err := j.Load(log); err != nil {
					t.Fatal(err)
				}
			}
			if !loaded {
				load()
			}
			walkUp := visitBodies(3)
			walkUp[0].Visit.Opener, walkUp[0].Visit.Request = rating.OpenedByWalkUp, nil
			j.Opened(visitOf(2))
			j.Opened(*walkUp[0].Visit)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if s, ok := j.Status(ctx, 2); !ok || !s.Open {
				t.Errorf("an open visit: %+v %v", s, ok)
			}
			if _, ok := j.Status(ctx, 3); ok {
				t.Error("a visit is known that nobody is to hear of before its end")
			}
			ended := make(chan Status, 1)
			go func() {
				s, _ := j.Status(t.Context(), 2)
				ended <- s
			}()
			bodies := append(visitBodies(2), walkUp...)
			for _, b := range bodies {
				if b.Outcome != nil {
					j.Ended(*b.Outcome)
				}
			}
			if s := <-ended; s.Open || s.Outcome != rating.Rated {
				t.Errorf("who waits hears %+v", s)
			}
			if loaded {
				load()
			}
			for _, id := range []rating.VisitID{1, 2, 3} {
				if s, ok := j.Status(ctx, id); !ok || s.Outcome != rating.Rated {
					t.Errorf("visit %d: %+v %v", id, s, ok)
				}
			}
			if r, ok := j.request(visitOf(2).Request.Key); !ok || r.id != 2 {
				t.Errorf("the request of a visit that is not recorded: %+v %v", r, ok)
			}
			if _, _, ok := j.recorded(2); ok {
				t.Error("a visit is taken to be in the log")
			}
			log.append(j, bodies...)
			if _, _, ok := j.recorded(2); !ok {
				t.Error("a visit is taken not to be in the log")
			}
			events, _, _, _ := j.next(0)
			var got []string
			for _, e := range events {
				got = append(got, fmt.Sprint(e.Type, " ", int(e.Visit)))
			}
			want := []string{"visit.opened 1", "visit.ended 1", "visit.opened 2", "visit.ended 2", "visit.opened 3", "visit.ended 3"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWalkUpVisitsShowNoPress holds that nobody learns when a walk-up visit's first key was pressed: what passes from there to
// the end is longer where the answer was corrected. It does so too where the log is loaded between the two.
func TestWalkUpVisitsShowNoPress(t *testing.T) {
	log := &memoryLog{epoch: 7}
	j := NewJournal(nil)
	walkUp := func(i int) []rating.Body {
		all := visitBodies(i)
		all[0].Visit.Opener, all[0].Visit.Request = rating.OpenedByWalkUp, nil
		all[len(all)-1].At = stampOf(i + 5)
		return all
	}
	first, second := walkUp(10), walkUp(21)
	end := len(first) - 1
	log.append(j, first[:end]...)
	if events, _, _, _ := j.next(0); len(events) > 0 {
		t.Errorf("before the end there are %v", events)
	}
	log.append(j, first[end])
	before := &memoryLog{epoch: 7, bodies: slices.Clone(log.bodies)}
	log.append(j, second[:end-1]...)
	if err := j.Load(before); err != nil { // which has not read the second
		t.Fatal(err)
	}
	log.append(j, second[end-1])
	events, _, _, _ := j.next(0)
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprint(e.Type, " ", int(e.Visit), " ", e.Time.UnixMilli()-1_790_000_000_000))
	}
	want := []string{"visit.opened 10 15000", "visit.ended 10 15000", "visit.opened 21 26000", "visit.ended 21 26000"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	read := NewJournal(nil)
	if err := read.Load(log); err != nil {
		t.Fatal(err)
	}
	again, _, _, _ := read.next(0)
	if diff := cmp.Diff(events, again); diff != "" {
		t.Errorf("events (-lived +read):\n%s", diff)
	}
}

// TestEventNamesDoNotTellWhereRecordsStand holds that nobody can count the records between two events: a correction is one.
func TestEventNamesDoNotTellWhereRecordsStand(t *testing.T) {
	corrected, plain := NewJournal([]byte("a")), NewJournal([]byte("b"))
	(&memoryLog{epoch: 7}).append(corrected, visitBodies(2)...)
	(&memoryLog{epoch: 7}).append(plain, visitBodies(1)...)
	for _, j := range []*Journal{corrected, plain} {
		events, _, _, _ := j.next(0)
		if len(events) != 2 || events[0].ID == events[1].ID || len(events[0].ID) != 22 {
			t.Errorf("%+v", events)
		}
	}
	a, _, _, _ := corrected.next(0)
	b, _, _, _ := plain.next(0)
	if a[0].ID == b[0].ID {
		t.Error("two boxes name the same place by the same name, so that it could be tried out")
	}
}

// TestStatusAfterARestart asks a new daemon about a visit of the old one.
func TestStatusAfterARestart(t *testing.T) {
	c := newContract(t, nil)
	first := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`, "Idempotency-Key", "k1").id(t)
	c.terminal.finish(1, rating.RatedByPhone)
	c.journal = NewJournal(nil)
	if err := c.journal.Load(&c.terminal.log); err != nil {
		t.Fatal(err)
	}
	c.terminal.journal = c.journal
	c.start()
	if a := c.want(http.StatusOK, "GET", "/v1/visits/"+first, ""); string(a.body) != `{"id":"`+first+
		`","open":false,"outcome":"rated_by_phone","rated_subjects":[]}` {
		t.Errorf("%s", a.body)
	}
	if again := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`, "Idempotency-Key", "k1"); again.id(t) != first ||
		len(c.terminal.opened) != 1 {
		t.Errorf("the request that came again opened %s", again.body)
	}
	c.refuse(http.StatusConflict, "ended", "DELETE", "/v1/visits/"+first, "")
}

func TestTimeOfAnEventIsUTC(t *testing.T) {
	j := NewJournal(nil)
	(&memoryLog{epoch: 1}).append(j, visitBodies(1)...)
	events, _, _, _ := j.next(0)
	if events[0].Time.Location() != time.UTC {
		t.Errorf("%v", events[0].Time)
	}
}
