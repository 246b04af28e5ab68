package integrity

import (
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
)

// Bounds by which single records are judged.
const (
	// fast is within which nobody has read the question, looked at five keys and chosen one. FIELD practice names presses by staff within five
	// seconds; two keep quick citizens out.
	fast = 2 * time.Second
	// short is within which a visit that ends unanswered has given nobody time to answer.
	short = 5 * time.Second
	// together is within which no window serves as many people as burstVisits.
	together = 2 * time.Minute
	// turned is by how much a clock that was set already never is wrong by itself.
	turned = 10 * time.Minute
)

// Bounds of what is kept of a log to go on.
const (
	mostRuns     = 64
	mostVisits   = 8
	mostRecent   = 32
	mostExamples = 10
	slots        = 48 // half hours of a day
)

// Tally is what a box's records of a day add up to.
type Tally struct {
	Window     string             `json:"window,omitempty"` // that the last visit names
	Generation uint32             `json:"generation,omitempty"`
	Visits     int64              `json:"visits,omitempty"`
	Ended      int64              `json:"ended,omitempty"` // visits of which it is known how they ended
	Short      int64              `json:"short,omitempty"` // of those, too soon and unanswered
	Keys       int64              `json:"keys,omitempty"`  // visits answered by key
	Fast       int64              `json:"fast,omitempty"`  // of those, faster than can be read
	Burst      int64              `json:"burst,omitempty"` // the most visits answered together
	Stuck      int64              `json:"stuck,omitempty"` // keys that got stuck
	Turned     int64              `json:"turned,omitempty"`
	Waits      waits              `json:"waits,omitempty"`    // of Keys, by how many half seconds after the question
	Best       map[int]int64      `json:"best,omitempty"`     // first answers 非常满意, by the half hour of the day
	Examples   map[string][]int64 `json:"examples,omitempty"` // evaluations by rule, as the books number them
}

// example notes an evaluation that shows what a rule is about.
func (t *Tally) example(rule string, place int64) {
	if t.Examples == nil {
		t.Examples = make(map[string][]int64)
	}
	if all := t.Examples[rule]; len(all) < mostExamples {
		t.Examples[rule] = append(all, place)
	}
}

// visit is one of the last visits of a log.
type visit struct {
	ID       rating.VisitID `json:"id"`
	At       rating.Stamp   `json:"at"`
	Answered bool           `json:"answered,omitempty"`
	Ended    bool           `json:"ended,omitempty"`
}

// answer is when a visit was answered first.
type answer struct {
	At    rating.Stamp `json:"at"`
	Place int64        `json:"place"`
}

// Log is what is kept of a box's log to go on with it.
type Log struct {
	Runs   [][2]uint64 `json:"runs"` // numbers that were taken, both included
	Visits []visit     `json:"visits,omitempty"`
	Recent []answer    `json:"recent,omitempty"`
}

// taken notes a number, and reports whether it was taken before.
func (l *Log) taken(seq uint64) bool {
	i := 0
	for i < len(l.Runs) && l.Runs[i][1]+1 < seq {
		i++
	}
	switch {
	case i == len(l.Runs) || seq+1 < l.Runs[i][0]:
		l.Runs = slices.Insert(l.Runs, i, [2]uint64{seq, seq})
	case l.Runs[i][0] <= seq && seq <= l.Runs[i][1]:
		return true
	case seq+1 == l.Runs[i][0]:
		l.Runs[i][0] = seq
	default:
		l.Runs[i][1] = seq
		if i+1 < len(l.Runs) && l.Runs[i+1][0] == seq+1 {
			l.Runs[i][1] = l.Runs[i+1][1]
			l.Runs = slices.Delete(l.Runs, i+1, i+2)
		}
	}
	if len(l.Runs) > mostRuns { // the oldest gap is not waited for any more
		l.Runs[1][0] = l.Runs[0][0]
		l.Runs = l.Runs[1:]
	}
	return false
}

// Take takes a record, which came at a time and stands at a place of the journal, into the tallies of its day.
func (l *Log) Take(r rating.Record, received time.Time, place int64, of func(directory.Day) *Tally) {
	if l.taken(r.Seq) {
		return
	}
	at := received
	if r.At.Synced && r.At.Time().Before(received.Add(time.Hour)) {
		at = r.At.Time()
	}
	t := of(directory.DayOf(at))
	switch r.Kind {
	case rating.KindVisit:
		t.Visits++
		t.Window, t.Generation = r.Visit.Window.ID, r.Visit.Window.Generation
		l.Visits = append(l.Visits, visit{ID: r.Visit.ID, At: r.At})
		if len(l.Visits) > mostVisits {
			l.Visits = l.Visits[1:]
		}
	case rating.KindEvaluation:
		l.answered(r, at, place, t)
	case rating.KindOutcome:
		l.ended(r, t)
	case rating.KindEvent:
		t.event(*r.Event)
	}
}

// visitOf returns one of the last visits, nil if it is none.
func (l *Log) visitOf(id rating.VisitID) *visit {
	for i := range l.Visits {
		if l.Visits[i].ID == id {
			return &l.Visits[i]
		}
	}
	return nil
}

// answered takes the first answer of a visit. The second question of a visit is answered fast by many who have found the key, and a
// correction is no new answer.
func (l *Log) answered(r rating.Record, at time.Time, place int64, t *Tally) {
	e := r.Evaluation
	v := l.visitOf(e.Visit)
	if e.Channel != rating.Keypad || e.Replaces != 0 || v == nil || v.Answered {
		return
	}
	v.Answered = true
	t.Keys++
	if t.Waits == nil {
		t.Waits = make(waits)
	}
	t.Waits.waited(max(0, e.WaitedMS))
	if e.WaitedMS < fast.Milliseconds() {
		t.Fast++
		t.example(FastPresses, place)
	}
	if e.Level == rating.VerySatisfied {
		if t.Best == nil {
			t.Best = make(map[int]int64)
		}
		y := at.In(rating.Shanghai())
		t.Best[(y.Hour()*60+y.Minute())*slots/(24*60)]++
	}
	l.Recent = slices.DeleteFunc(append(l.Recent, answer{r.At, place}), func(a answer) bool {
		return a.At.Boot != r.At.Boot || r.At.Sub(a.At) > together
	})
	if n := len(l.Recent); n > mostRecent {
		l.Recent = l.Recent[n-mostRecent:]
	}
	if n := int64(len(l.Recent)); n > t.Burst {
		t.Burst = n
		if n == burstVisits {
			for _, a := range l.Recent {
				t.example(WindowBurst, a.Place)
			}
		}
	}
}

// ended takes how a visit ended.
func (l *Log) ended(r rating.Record, t *Tally) {
	v := l.visitOf(r.Outcome.Visit)
	if v == nil || v.Ended || r.Outcome.Outcome == rating.Interrupted {
		return
	}
	v.Ended = true
	t.Ended++
	cut := r.Outcome.Outcome == rating.Cancelled || r.Outcome.Outcome == rating.Superseded
	if cut && len(r.Outcome.Rated) == 0 && v.At.Boot == r.At.Boot && r.At.Sub(v.At) < short {
		t.Short++
	}
}

// event takes what the box has noted.
func (t *Tally) event(e rating.Event) {
	switch e.Name {
	case rating.EventStuckKey:
		t.Stuck++
	case rating.EventClock:
		before, set := clockOf(e.Detail["before"])
		after, known := clockOf(e.Detail["after"])
		if d := after.Sub(before); set && known && (d > turned || d < -turned) {
			t.Turned++
		}
	}
}

// clockOf reads what a clock said, and whether it was set then.
func clockOf(s string) (time.Time, bool) {
	text, unset := strings.CutSuffix(s, " (not synchronised)")
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, err == nil && !unset
}
