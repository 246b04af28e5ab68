package windowapi

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"haochaping/internal/rating"
)

// keptVisits is how many of the newest visits a Journal remembers.
const keptVisits = 1000

// maxEvents is how many of the newest events a Journal remembers: a visit has two.
const maxEvents = 2 * keptVisits

// The types of events.
const (
	VisitOpened = "visit.opened"
	VisitEnded  = "visit.ended"
)

// Event is what those who follow the window learn: that a visit was opened, or how it ended.
type Event struct {
	Type    string           `json:"type"`
	ID      string           `json:"id"` // opaque; a Journal continues after it
	Visit   rating.VisitID   `json:"visit"`
	Time    time.Time        `json:"time"` // by the box's clock
	Outcome rating.Outcome   `json:"outcome,omitempty"`
	Rated   []rating.Subject `json:"rated_subjects,omitzero"` // what was rated, not how; nil while open
}

// Tail is a log that is read backwards.
type Tail interface {
	Tail(yield func(seq uint64, raw []byte) bool) error
}

// Journal remembers the newest visits of the window: what was opened under which Idempotency-Key, how each ended, and the events
// in their order. It is told of records once they are on the disk, and reads those of the time before this start from the log,
// so that it says the same after a restart. What the log cannot take yet it hears from the terminal. It is safe for concurrent use.
type Journal struct {
	cipher cipher.Block

	mu       sync.Mutex
	events   []Event
	places   []place        // of events
	dropped  int            // events that came before the first of events
	loaded   int            // events of the time before this Journal, in its count
	partial  bool           // the log holds older ones
	index    map[string]int // of an event's ID, plus dropped
	visits   map[rating.VisitID]*pastVisit
	order    []rating.VisitID
	requests map[string]request
	changed  chan struct{} // closed at each new event
}

// place is where a record stands.
type place struct {
	epoch rating.Epoch
	seq   uint64
}

type pastVisit struct {
	place   place // zero while the log does not have it
	visit   rating.Visit
	at      rating.Stamp    // of its record
	closing *rating.Closing // nil while it is open
	told    bool            // of a hidden one, that it was opened
}

// request is a visit that was opened under an Idempotency-Key.
type request struct {
	digest string
	id     rating.VisitID
}

// NewJournal returns an empty Journal. Secret keeps the names of events from telling where their records stand in the log,
// between which a correction would show.
func NewJournal(secret []byte) *Journal {
	key := sha256.Sum256(append([]byte("haochaping event names\x00"), secret...))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("windowapi: a key of 32 bytes is refused: " + err.Error())
	}
	return &Journal{
		cipher: block, index: make(map[string]int), visits: make(map[rating.VisitID]*pastVisit), requests: make(map[string]request),
		changed: make(chan struct{}),
	}
}

// name returns the name of the event whose record stands at p.
func (j *Journal) name(p place) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:8], uint64(p.epoch))
	binary.BigEndian.PutUint64(b[8:], p.seq)
	j.cipher.Encrypt(b[:], b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Record takes bodies that the log has committed, the first of them as number first of an epoch.
func (j *Journal) Record(epoch rating.Epoch, first uint64, bodies []rating.Body) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, b := range bodies {
		j.add(place{epoch, first + uint64(i)}, b)
	}
}

// add needs mu.
func (j *Journal) add(p place, b rating.Body) {
	name, at := j.name(p), b.At.Time().UTC()
	if _, known := j.index[name]; known {
		return
	}
	switch b.Kind {
	case rating.KindVisit:
		if v, known := j.visits[b.Visit.ID]; !known {
			j.opened(p, *b.Visit, b.At)
		} else if v.place == (place{}) {
			v.place, v.visit, v.at = p, *b.Visit, b.At
		}
		if !hidden(*b.Visit) {
			j.happened(p, Event{Type: VisitOpened, ID: name, Visit: b.Visit.ID, Time: at})
		}
	case rating.KindOutcome:
		c := b.Outcome
		if v, ok := j.visits[c.Visit]; ok {
			if hidden(v.visit) && !v.told {
				v.told = true
				j.happened(v.place, Event{Type: VisitOpened, ID: j.name(v.place), Visit: c.Visit, Time: at})
			}
			v.closing = c
		}
		j.happened(p, Event{Type: VisitEnded, ID: name, Visit: c.Visit, Time: at, Outcome: c.Outcome,
			Rated: append([]rating.Subject{}, c.Rated...)})
	}
}

// hidden reports whether nobody hears of a visit before its end. A walk-up visit is recorded at the first press, from which to
// the end passes just the time of the thanks, unless the answer was corrected meanwhile.
func hidden(v rating.Visit) bool { return v.Opener == rating.OpenedByWalkUp }

// happened needs mu.
func (j *Journal) happened(p place, e Event) {
	j.index[e.ID] = j.dropped + len(j.events)
	j.events, j.places = append(j.events, e), append(j.places, p)
	for len(j.events) > maxEvents {
		delete(j.index, j.events[0].ID)
		j.events, j.places = j.events[1:], j.places[1:]
		j.dropped++
	}
	j.stir()
}

// stir tells those who wait that there is something new. It needs mu.
func (j *Journal) stir() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// Opened takes a visit that is being asked about, whether the log has it or not.
func (j *Journal) Opened(v rating.Visit) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, known := j.visits[v.ID]; !known {
		j.opened(place{}, v, rating.Stamp{})
	}
}

// Ended takes how a visit has ended, likewise.
func (j *Journal) Ended(c rating.Closing) {
	j.mu.Lock()
	defer j.mu.Unlock()
	v, known := j.visits[c.Visit]
	if !known {
		j.opened(place{}, rating.Visit{ID: c.Visit}, rating.Stamp{})
		v = j.visits[c.Visit]
	}
	if v.closing == nil {
		v.closing = &c
		j.stir()
	}
}

// Status returns how a visit ended, and waits for that until ctx is done. It is false if nothing is known of the visit that others than the
// citizen may know.
func (j *Journal) Status(ctx context.Context, id rating.VisitID) (Status, bool) {
	for {
		j.mu.Lock()
		v, known := j.visits[id]
		var closing *rating.Closing
		if known {
			closing, known = v.closing, v.closing != nil || !hidden(v.visit)
		}
		changed := j.changed
		j.mu.Unlock()
		switch {
		case !known:
			return Status{}, false
		case closing != nil: // also where ctx is done
			return Status{Outcome: closing.Outcome, Rated: closing.Rated}, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Status{Open: true}, true
		}
	}
}

// opened needs mu.
func (j *Journal) opened(p place, v rating.Visit, at rating.Stamp) {
	j.visits[v.ID] = &pastVisit{place: p, visit: v, at: at}
	j.order = append(j.order, v.ID)
	if v.Request != nil {
		j.requests[v.Request.Key] = request{v.Request.Digest, v.ID}
	}
	for len(j.order) > keptVisits {
		if old := j.visits[j.order[0]]; old != nil && old.visit.Request != nil {
			delete(j.requests, old.visit.Request.Key)
		}
		delete(j.visits, j.order[0])
		j.order = j.order[1:]
	}
}

// Load reads what the log holds of the time before this Journal, while Record may be called.
func (j *Journal) Load(log Tail) error {
	before, partial, err := lastVisits(log)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.partial = partial || err != nil
	// What was recorded meanwhile comes after what the log held before; both may name the same records.
	live, places := j.events, j.places
	kept, order := j.visits, j.order
	j.events, j.places, j.index, j.visits, j.order = nil, nil, make(map[string]int), make(map[rating.VisitID]*pastVisit), nil
	for _, e := range slices.Backward(before) {
		j.add(e.place, e.body)
	}
	j.loaded = j.dropped + len(j.events)
	if len(live) > 0 {
		if i, known := j.index[live[0].ID]; known {
			j.loaded = i
		}
	}
	for i, e := range live {
		if _, known := j.index[e.ID]; known {
			continue
		}
		body := rating.Body{At: rating.Stamp{Wall: e.Time.UnixMilli()}, Kind: rating.KindOutcome,
			Outcome: &rating.Closing{Visit: e.Visit, Outcome: e.Outcome, Rated: e.Rated}}
		if v := kept[e.Visit]; e.Type == VisitOpened && v != nil {
			body = rating.Body{At: v.at, Kind: rating.KindVisit, Visit: &v.visit}
		}
		j.add(places[i], body)
	}
	for _, id := range order {
		v := kept[id]
		if hidden(v.visit) && !v.told && v.place != (place{}) { // which no event tells of yet
			j.add(v.place, rating.Body{At: v.at, Kind: rating.KindVisit, Visit: &v.visit})
		}
		if _, known := j.visits[id]; !known && v.place == (place{}) {
			j.opened(place{}, v.visit, v.at)
		}
		if now, known := j.visits[id]; known && now.closing == nil {
			now.closing = v.closing
		}
	}
	if err != nil {
		return fmt.Errorf("read the visits of the log: %w", err)
	}
	return nil
}

// logged is a record of a visit or of its outcome.
type logged struct {
	place
	body rating.Body
}

// lastVisits returns what the log says of its last visits, the latest first, and whether it had more.
func lastVisits(log Tail) (all []logged, more bool, err error) {
	visits := 0
	var broken error
	err = log.Tail(func(seq uint64, raw []byte) bool {
		r, err := rating.DecodeRecord(raw)
		if err != nil {
			broken = fmt.Errorf("record %d: %w", seq, err)
			return false
		}
		if r.Kind == rating.KindVisit || r.Kind == rating.KindOutcome {
			all = append(all, logged{place{r.Epoch, r.Seq}, r.Body})
		}
		if r.Kind == rating.KindVisit {
			visits++
		}
		more = visits == keptVisits
		return !more
	})
	return all, more, cmp.Or(err, broken)
}

// recorded returns a visit that the log has, and when that was written.
func (j *Journal) recorded(id rating.VisitID) (v rating.Visit, at rating.Stamp, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p, ok := j.visits[id]
	if !ok || p.place == (place{}) {
		return rating.Visit{}, rating.Stamp{}, false
	}
	return p.visit, p.at, true
}

// request returns what was opened under an Idempotency-Key.
func (j *Journal) request(key string) (request, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, ok := j.requests[key]
	return r, ok
}

// cursor is a position in the events: what comes next has this number, counted since the Journal began.
type cursor int

// end returns the position after the newest event.
func (j *Journal) end() cursor {
	j.mu.Lock()
	defer j.mu.Unlock()
	return cursor(j.dropped + len(j.events))
}

// begun returns the position after the newest event of the time before this Journal.
func (j *Journal) begun() cursor {
	j.mu.Lock()
	defer j.mu.Unlock()
	return cursor(j.loaded)
}

// after returns the position after the named event, and the oldest one and false if that is not remembered.
func (j *Journal) after(id string) (cursor, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if id == j.name(place{}) {
		return cursor(j.dropped), j.dropped == 0 && !j.partial
	}
	i, ok := j.index[id]
	if !ok {
		return cursor(j.dropped), false
	}
	return cursor(i + 1), true
}

// before returns the name of the event before a position, after which a follower goes on there. Before the first event of
// all stands a name too, so that somebody who has seen none misses none.
func (j *Journal) before(c cursor) (id string, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := int(c) - j.dropped - 1
	if i >= 0 && i < len(j.events) {
		return j.events[i].ID, true
	}
	return j.name(place{}), c == 0 && !j.partial
}

// next returns the events from a position on, the position after them, how many before them are no longer remembered, and
// a channel that is closed when there are more.
func (j *Journal) next(c cursor) (events []Event, after cursor, missed int, more <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	missed = max(0, j.dropped-int(c))
	from := max(0, int(c)-j.dropped)
	events = append(events, j.events[min(from, len(j.events)):]...)
	return events, cursor(j.dropped + len(j.events)), missed, j.changed
}
