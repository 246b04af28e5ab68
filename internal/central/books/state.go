package books

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"haochaping/internal/rating"
)

// row says what the tables have of a row in memory.
type row uint8

const (
	kept    row = iota // the same
	fresh              // nothing
	changed            // something older
)

// touch notes that a row differs from what the tables have.
func (r *row) touch() {
	if *r == kept {
		*r = changed
	}
}

// device is a box, enrolled or not.
type device struct {
	id         int64
	name       rating.DeviceID
	enrolled   int64 // when it first was, ms since 1970; 0: never
	generation uint32
	window     string // JSON; empty before it was enrolled
	areaRead   string // of the hall
	areaOf     string // the window in which that was read
	row        row
}

// log is one epoch of a device.
type log struct {
	id          int64
	device      *device
	epoch       rating.Epoch
	records     int64 // that came first under their numbers
	quarantined int64
	forks       int64
	entries     int64  // rows of the journal that it came by
	gaps        int64  // findings of the kind Gap that stand
	through     uint64 // every seq up to it is here or known to be lost
	boot        uint32 // the greatest
	runs        lane[*run]
	spans       lane[*span]
	others      int64    // runs besides the last one, which is kept with the log
	gone        []*run   // runs that the table still has
	dirty       []uint32 // starts of which something is known that others' bounds do not show yet
	row         row
}

// run is records of a log without a gap between them. Its first number never changes, a longer one takes its place.
type run struct {
	first, last uint64
	prev        *rating.Hash // of the first record; nil where that is in quarantine
	hash        rating.Hash  // of the last record
	saved       bool         // it stands in the table of runs
	row         row
}

func (r *run) key() uint64 { return r.first }

// span is a start of the box with its bounds.
type span struct {
	rating.Span
	origin  rating.Origin
	settled bool  // origin is worked out
	open    int64 // evaluations whose time decides between logs or phones, and is not set
	row     row
}

func (s *span) key() uint64 { return uint64(s.Boot) }

// visit is what is known of a visit.
type visit struct {
	n           int64
	device      *device
	id          rating.VisitID
	opened      int64         // ms since 1970 by the box's clock
	moment      int64         // the same where that is believed, else when its record came
	text        string        // JSON of the visit, empty while its record has not come
	record      *rating.Visit // that read
	closing     string        // JSON; empty while it has not come
	closed      int64         // when it came, ms since 1970
	area        string        // of the window's hall when it was first heard of, for a box that does not say it
	evaluations []*evaluation
	complete    bool // evaluations holds all
	row         row
}

// evaluation is one answer.
type evaluation struct {
	id         int64
	visit      *visit
	log        *log // nil by phone
	seq        uint64
	question   rating.Question
	level      rating.Level
	channel    rating.Channel
	replaces   uint64
	at         rating.Stamp
	believed   bool // at.Wall is the time
	received   int64
	standing   rating.Standing
	refused    *rating.Refusal // nil: it is adopted
	contested  bool            // its time decides between logs or phones
	submission string
	reasons    string // separated by spaces
	catalogue  uint32 // version of the catalogue that they are of
	texts      bool   // it has a free text, in the journal
	found      found
	row        row
}

// own reports whether e stands for its own visit's item and not for cases.
func (e *evaluation) own() bool {
	return e.question.Subject != rating.MatterSubject || e.visit.text == "" && e.question.Case == "" && !e.channelled()
}

// claim is that an evaluation may count for a case.
type claim struct {
	evaluation *evaluation
	overall    bool
	direct     bool // it is about the case itself; else about another one of its batch or theme
	standing   rating.Standing
	row        row
}

// cased is a case with all claims to it, or a batch or theme with those that all its cases have.
type cased struct {
	n           int64  // 0: the table does not have it
	project     string // its key
	item        int64  // the hash by which the table finds it
	isNew       bool   // the table has it from this chunk on
	claims      []*claim
	gone        []*claim // that the table still has
	file        *file    // nil while only claims are known
	members     []*cased // of a group
	membersRead bool
}

// loader reads rows that are not in memory yet. What it returns is linked by numbers, which state resolves. Asked for none,
// it reads nothing.
type loader interface {
	devices(ctx context.Context, names []string) ([]*device, error)
	devicesByID(ctx context.Context, ids []int64) ([]*device, error)
	logs(ctx context.Context, epochs []int64) ([]loadedLog, error)
	logsByID(ctx context.Context, ids []int64) ([]loadedLog, error)
	runs(ctx context.Context, log int64, from uint64, back bool, n int) ([]*run, error)
	spans(ctx context.Context, log int64, from uint64, back bool, n int) ([]*span, error)
	visits(ctx context.Context, ids []int64) ([]loadedVisit, error)
	visitsByN(ctx context.Context, n []int64) ([]loadedVisit, error)
	evaluations(ctx context.Context, ids []int64) ([]loadedEvaluation, error)
	evaluationsOf(ctx context.Context, visits []int64) ([]loadedEvaluation, error)
	contested(ctx context.Context, log int64, boot uint32) ([]int64, error)
	claims(ctx context.Context, cased []int64) ([]loadedClaim, error)
	files(ctx context.Context, items []int64) ([]loadedFile, error)
	members(ctx context.Context, group int64, batch bool) ([]string, error)
	findings(ctx context.Context, device, log int64, kind FindingKind) ([]*finding, error)
	standing(ctx context.Context, device int64, kind FindingKind) (int64, error)
	forks(ctx context.Context, log int64, first, last uint64) ([]fork, error)
	held(ctx context.Context, l *log, first, last uint64) ([]held, error)
}

// loadedLog is a log with its last run and start.
type loadedLog struct {
	log    *log
	device int64
	tail   *run
	span   *span // nil if it has none
}

type loadedVisit struct {
	visit  *visit
	device int64
}

type loadedEvaluation struct {
	evaluation *evaluation
	visit, log int64
}

type loadedClaim struct {
	claim      *claim
	cased      int64
	evaluation int64
}

type loadedFile struct {
	file    *file // nil: nothing but claims is known
	n       int64
	item    int64
	project string
}

// counters number rows from 1 in the order in which they are made.
type counters struct{ devices, logs, visits, findings, cases int64 }

type logKey struct {
	device rating.DeviceID
	epoch  rating.Epoch
}

type visitKey struct {
	device rating.DeviceID
	id     rating.VisitID
}

type findingKey struct {
	device, log int64
	kind        FindingKind
}

// state is the tables as far as one chunk needs them, with what it has changed. Devices and logs stay from chunk to chunk.
type state struct {
	ctx      context.Context
	load     loader
	counters counters

	devices     map[rating.DeviceID]*device
	devicesByID map[int64]*device
	logs        map[logKey]*log
	logsByID    map[int64]*log

	chunk
}

// chunk is what a state forgets after each chunk.
type chunk struct {
	absent      map[rating.DeviceID]bool // devices that were looked for
	absentLogs  map[logKey]bool          // the same
	visits      map[visitKey]*visit
	visitsByN   map[int64]*visit
	visitsRead  map[rating.VisitID]bool
	evaluations map[int64]*evaluation
	cases       map[string]*cased
	itemsRead   map[int64]bool
	findings    map[findingKey]*kindFindings
	standing    map[deviceKind]int64 // rows of findings
	forks       map[int64][]fork     // by log; this chunk's
	salvaged    []salvaged
	reasons     []reason
	touchedLogs map[*log]bool
	boxes       []*device // that are new or have changed
	decisions   []Decision

	entry
}

// entry is what a state forgets after each row of the journal.
type entry struct {
	pos       int64
	received  int64
	outer     *log   // of a batch
	outerLast uint64 // seq of its last record
	heldOf    heldCache
	unsettled []*log // with starts of which more is known
	items     []item // whose contenders have changed, in the order in which they did
	before    map[item]*evaluation
	restand   map[*evaluation]bool   // whose standing is to be worked out anew
	crowds    map[*evaluation]string // what has no room for an evaluation
}

func newState(c counters) *state {
	s := &state{counters: c, devices: make(map[rating.DeviceID]*device), devicesByID: make(map[int64]*device),
		logs: make(map[logKey]*log), logsByID: make(map[int64]*log)}
	s.begin()
	return s
}

// begin forgets the chunk before.
func (s *state) begin() {
	s.chunk = chunk{absent: make(map[rating.DeviceID]bool), absentLogs: make(map[logKey]bool), visits: make(map[visitKey]*visit),
		visitsByN: make(map[int64]*visit), visitsRead: make(map[rating.VisitID]bool),
		evaluations: make(map[int64]*evaluation), cases: make(map[string]*cased), itemsRead: make(map[int64]bool),
		findings: make(map[findingKey]*kindFindings), standing: make(map[deviceKind]int64),
		forks: make(map[int64][]fork), touchedLogs: make(map[*log]bool)}
}

// maxCached bounds the logs that stay in memory.
const maxCached = 20_000

// end makes everything known as kept, after a commit, and forgets what grows.
func (s *state) end() {
	for _, d := range s.boxes {
		d.row = kept
	}
	for l := range s.touchedLogs {
		l.row, l.gone = kept, nil
		l.runs.trim()
		l.spans.trim()
		for _, r := range l.runs.rows {
			r.row = kept
		}
		for _, sp := range l.spans.rows {
			sp.row = kept
		}
	}
	if len(s.logs) > maxCached {
		*s = *newState(s.counters)
		return
	}
	s.begin()
}

// device returns a device, a new one if it is not known.
func (s *state) device(name rating.DeviceID) (*device, error) {
	if err := s.needDevices([]rating.DeviceID{name}); err != nil {
		return nil, err
	}
	d := s.devices[name]
	if d == nil {
		s.counters.devices++
		d = &device{id: s.counters.devices, name: name, row: fresh}
		s.devices[name], s.devicesByID[d.id] = d, d
		s.touchDevice(d)
	}
	return d, nil
}

func (s *state) touchDevice(d *device) {
	if !slices.Contains(s.boxes, d) {
		s.boxes = append(s.boxes, d)
	}
}

// area returns that of the hall in which the device stands, empty if nobody has said it.
func (d *device) area() (string, error) {
	if d.areaOf == d.window {
		return d.areaRead, nil
	}
	var w rating.Window
	if err := json.Unmarshal([]byte(d.window), &w); err != nil {
		return "", fmt.Errorf("the window of %s: %w", d.name, err)
	}
	d.areaRead, d.areaOf = w.Area, d.window
	return w.Area, nil
}

// log returns a log, a new one if it is not known.
func (s *state) log(name rating.DeviceID, e rating.Epoch) (*log, error) {
	k := logKey{name, e}
	if l := s.logs[k]; l != nil {
		s.touchedLogs[l] = true
		return l, nil
	}
	if err := s.needLogs([]logKey{k}); err != nil {
		return nil, err
	}
	l := s.logs[k]
	if l == nil {
		d, err := s.device(name)
		if err != nil {
			return nil, err
		}
		s.counters.logs++
		l = &log{id: s.counters.logs, device: d, epoch: e, row: fresh}
		l.runs.known, l.spans.known = everything(), everything()
		s.logs[k], s.logsByID[l.id] = l, l
	}
	s.touchedLogs[l] = true
	return l, nil
}

// visit returns a visit, a new one if it is not known.
func (s *state) visit(d *device, id rating.VisitID) (*visit, error) {
	k := visitKey{d.name, id}
	if v := s.visits[k]; v != nil {
		return v, nil
	}
	if err := s.needVisits([]rating.VisitID{id}); err != nil {
		return nil, err
	}
	v := s.visits[k]
	if v == nil {
		s.counters.visits++
		area, err := d.area()
		if err != nil {
			return nil, err
		}
		v = &visit{n: s.counters.visits, device: d, id: id, area: area, complete: true, row: fresh}
		s.visits[k], s.visitsByN[v.n] = v, v
	}
	return v, nil
}

// interval is keys of a lane within which all rows are in memory.
type interval struct{ low, high uint64 }

func everything() []interval { return []interval{{0, math.MaxUint64}} }
